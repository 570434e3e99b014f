"""Curves, ratios, tables and picture of the efficiency benchmark, from made-up runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.efficiency import command as efficiency
from benchmarks.efficiency.bought import bought_table
from benchmarks.efficiency.duels import Spread, duel
from benchmarks.efficiency.picture import band
from benchmarks.efficiency.report import Report, write_report
from benchmarks.efficiency.runs import (
    Event,
    EventLog,
    Kind,
    OnTest,
    Run,
    Setting,
    Values,
    curve_of,
    load_runs,
    pack_runs,
    packed_runs,
    run_path,
    save_run,
)
from benchmarks.results import replace_section
from search.front.pareto import ReferencePoint, hypervolume
from search.storage.settings import DEFAULT_START

SETTING = Setting(
    task="digits",
    data="digits (generated pictures)",
    data_fingerprint="0123",
    n_classes=10,
    n_train=500,
    n_val=100,
    epochs=4,
    trials=3,
    workers=2,
)

# From the reference point of ten classes (three quarters of the error of guessing, 100 MB, 10 s)
# each is a box whose edges can be told by hand: the first error is, in logarithms, half of the way
# to half of a picture in 100, 1 MB lies 2 of 5 decades below 100 MB, 0.1 ms 5 of 7 below 10 s.
HALF: Values = (1 - math.sqrt(0.75 * 0.9 * 0.005), 1e6, 0.1)
HALF_VOLUME = 0.5 * 2 / 5 * 5 / 7
FULL: Values = (1.0, 1e6, 0.1)
FULL_VOLUME = 1.0 * 2 / 5 * 5 / 7


def make_run(
    events: Sequence[tuple[float, Kind, int, Sequence[Values]]],
    method: str = "random",
    seed: int = 0,
) -> Run:
    """Return a run with events given as seconds, kind, epochs, points."""
    made = tuple(Event(s, kind, epochs, tuple(points)) for s, kind, epochs, points in events)
    machine = {"cpu": "a machine", "load": "0.5", "python": "3.12", "date": "2030-01-01"}
    return Run(SETTING, method, seed, 12.0, made, machine)


PEER = make_run(
    [
        (100.0, "training", 4, [HALF]),
        (200.0, "training", 4, [FULL]),
        (300.0, "training", 4, [HALF]),
    ]
)
OURS = make_run(
    [
        (10.0, "training", 4, [HALF, HALF, HALF]),
        (15.0, "untrained", 0, []),
        (20.0, "branch", 1, [FULL, HALF]),
        (30.0, "training", 4, [HALF]),
    ],
    "search",
)


def test_curve_counts_what_each_event_brought() -> None:
    curve = curve_of(OURS)
    assert curve.seconds.tolist() == [10, 15, 20, 30]
    assert curve.trainings.tolist() == [1, 1, 1, 2]
    assert curve.branches.tolist() == [0, 0, 1, 1]
    assert curve.epochs.tolist() == [4, 4, 5, 9]
    assert curve.points.tolist() == [3, 3, 5, 6]
    expected = [HALF_VOLUME, HALF_VOLUME, FULL_VOLUME, FULL_VOLUME]
    assert curve.hypervolume == pytest.approx(expected)


def test_curve_is_the_hypervolume_of_all_points_so_far() -> None:
    rng = np.random.default_rng(0)
    points = [
        (float(rng.uniform(0.2, 1)), 10 ** rng.uniform(4, 6), 10 ** rng.uniform(-2, 1))
        for _ in range(12)
    ]
    run = make_run([(float(i), "training", 1, points[2 * i : 2 * i + 2]) for i in range(6)])
    curve = curve_of(run)
    reference = ReferencePoint.for_classes(SETTING.n_classes, SETTING.n_val)
    for i in range(6):
        assert curve.hypervolume[i] == pytest.approx(hypervolume(points[: 2 * i + 2], reference))


def test_curve_at_a_time_and_at_a_target() -> None:
    curve = curve_of(PEER)
    assert curve.at(99.9) == 0.0
    assert curve.at(100.0) == pytest.approx(HALF_VOLUME)
    assert curve.at(1e9) == curve.final == pytest.approx(FULL_VOLUME)
    assert curve.reached(HALF_VOLUME) == 0
    assert curve.reached(FULL_VOLUME) == 1
    assert curve.reached(0.99) is None


def test_what_a_second_bought_is_told_by_what_was_trained() -> None:
    """Of two workers, each begins a trial when it has ended one; the start design has eight."""
    design: list[tuple[float, Kind, int, Sequence[Values]]] = [
        (10.0 * (1 + index // 2), "training", 4, [HALF] if index == 1 else [])
        for index in range(DEFAULT_START)
    ]
    after: list[tuple[float, Kind, int, Sequence[Values]]] = [
        (43.0, "training", 4, []),
        (45.0, "branch", 4, [FULL]),
        (47.0, "branch", 4, []),
    ]
    rows = bought_table([make_run([*design, *after], "search")]).splitlines()[2:]
    gained = FULL_VOLUME - HALF_VOLUME
    assert rows == [
        f"| start design | 8 | 10.0 | {HALF_VOLUME / 8:.5f} | {1000 * HALF_VOLUME / 80:.2f} |",
        "| new trainings after it | 1 | 3.0 | 0.00000 | 0.00 |",
        # The second one is begun by the worker that was free after 43 seconds.
        f"| branches | 2 | 4.5 | {gained / 2:.5f} | {1000 * gained / 9:.2f} |",
    ]
    assert rows[1] not in bought_table([make_run(design, "search")])


def test_a_run_without_events_has_a_curve() -> None:
    curve = curve_of(make_run([]))
    assert curve.final == 0.0 and curve.reached(0.1) is None and curve.at(5.0) == 0.0


def test_ratios_are_taken_where_each_first_had_the_final_hypervolume_of_the_other() -> None:
    found = duel(curve_of(OURS), curve_of(PEER))
    assert found.target == pytest.approx(FULL_VOLUME)
    # The peer had it after 200 s, 2 trainings, 8 epochs and 2 points, and went on for nothing;
    # we after 20 s, a training and a branch, 5 epochs and 5 points.
    assert (found.peer_s, found.ours_s) == (200.0, 20.0)
    assert found.seconds == pytest.approx(10.0)
    assert found.trainings == pytest.approx(1.0)
    assert found.epochs == pytest.approx(8 / 5)
    assert found.points == pytest.approx(2 / 5)
    assert found.ours_then == pytest.approx(FULL_VOLUME)


def test_a_target_that_was_not_reached_is_no_ratio() -> None:
    found = duel(curve_of(make_run([(1.0, "training", 4, [HALF])])), curve_of(PEER))
    assert math.isinf(found.ours_s) and found.seconds == 0.0
    assert found.ours_then == pytest.approx(HALF_VOLUME)


def test_whoever_has_anything_is_sooner_than_one_that_had_nothing() -> None:
    nothing = curve_of(make_run([(30.0, "training", 4, []), (90.0, "training", 4, [])]))
    found = duel(curve_of(OURS), nothing, 120.0)
    assert (found.peer_s, found.ours_s, found.seconds) == (120.0, 10.0, 12.0)
    assert (found.trainings, found.epochs) == (2.0, 2.0)
    assert duel(curve_of(OURS), curve_of(make_run([])), 120.0).seconds == 12.0
    assert duel(nothing, nothing, 120.0).seconds == 0.0  # Nor have we.
    # What we had when it ended is asked of its end, not of its last trial.
    assert found.ours_then == pytest.approx(FULL_VOLUME)
    assert duel(curve_of(PEER), nothing, 150.0).ours_then == pytest.approx(HALF_VOLUME)


def test_runs_with_nothing_count() -> None:
    timed = replace(SETTING, seconds=60.0)
    empty = replace(make_run([], "tune-asha", 1), setting=timed, front=())
    ours = replace(OURS, setting=timed, front=(OnTest(1.0, 1e6, 0.1, 0.9),))
    report = Report([empty, ours])
    assert "| Ray Tune, OptunaSearch, ASHA | 1 | 0.0000 | 0 |" in report.totals()
    assert "| Ray Tune, OptunaSearch, ASHA | 0.0000 | 90.0 % | nothing |" in report.tests()
    assert "| 60 | 10 | 6.0 |" in report.ratios()


def test_spread_of_what_was_not_always_reached() -> None:
    assert Spread.of([0.0, 10.0], lower=True).median == 0.0
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    # Of many runs, the interval is narrower than their range: that of the median, by bootstrap.
    many = Spread.of(range(101))
    assert many.median == 50 and 30 < many.low < 45 and 55 < many.high < 70
    assert Spread.of([1.0, 2.0]).median == 1.5
    assert Spread.of([1.0, math.inf]).median == math.inf
    assert Spread.of([1.0, 2.0, math.inf]).text() == "2 (1 to not reached)"
    assert Spread.of([1234.0, 1234.4]).text() == "1,234"


def test_tables_show_medians_over_every_pair_of_runs() -> None:
    slower = make_run([(400.0, "training", 4, [FULL])], seed=1)
    report = Report([PEER, slower, OURS])
    ratios = report.ratios().splitlines()
    assert len(ratios) == 3
    # Against 200 s and 400 s: ratios 10 and 20, of which the lower counts.
    assert "| 300 (200 to 400) | 20 | 10.0 (10.0 to 20.0) |" in ratios[2]
    assert "| 2 of 2 |" in ratios[2]
    totals = report.totals().splitlines()
    assert totals[2].startswith("| random search | 2 |")
    assert totals[3].startswith("| `search run` | 1 |")


def test_runs_are_drawn_and_not_their_pairs() -> None:
    # One run of ours against 100 peers: its luck is in all pairs, which narrow nothing down.
    lucky, other = [10.0] * 100, [20.0] * 100
    assert Spread.of_pairs([lucky, other]) == Spread(15.0, 10.0, 20.0)


def test_fronts_are_shown_as_they_are_on_test() -> None:
    tested = replace(OURS, front=(OnTest(1.0, 1e6, 0.1, HALF[0]), OnTest(0.9, 3e3, 0.1, 0.75)))
    assert Report([PEER, OURS]).tests() == ""
    rows = Report([PEER, tested]).tests().splitlines()
    assert len(rows) == 3 and rows[2].startswith("| `search run` |")
    cells = [cell.strip() for cell in rows[2].split("|")[4:-1]]
    assert cells == ["nothing", "75.0 %", "75.0 %", "75.0 %", "75.0 %", "75.0 %"]
    # Of seven budgets, to 128 kB; nothing is as good as guessing.
    error = 100 * math.exp((math.log(0.9) + 6 * math.log(0.25)) / 7)
    assert f"{error:.1f} %" in rows[2]


def test_a_report_says_how_long_programs_had_and_of_which_commit() -> None:
    in_seconds = replace(SETTING, seconds=60.0)
    runs = [replace(run, setting=in_seconds) for run in (PEER, OURS)]
    assert "as many seconds" in Report(runs).to_markdown() and "60 seconds" in Report(runs).facts()
    committed = replace(OURS, machine={**OURS.machine, "commit": "abc1234"})
    assert "3 trials" in Report([committed]).facts()
    assert "Commit abc1234." in Report([committed]).facts()
    at_best = replace(PEER, method="optuna-tpe-best")
    assert "At its best" in Report([at_best]).to_markdown()
    assert "At its best" not in Report([PEER]).to_markdown()


def test_a_report_says_how_to_run_it_again() -> None:
    timed = replace(SETTING, seconds=60.0, n_test=50, fixed="family=cnn, batch_size=32")
    runs = [replace(run, setting=timed) for run in (PEER, OURS, replace(OURS, seed=3))]
    command = Report(runs).command()
    assert command in Report(runs).to_markdown()
    args = efficiency.parse(command.split()[3:])
    assert (args.task, args.seconds, args.epochs) == ("digits", 60.0, 4)
    assert (args.train_images, args.val_images, args.test_images) == (500, 100, 50)
    assert args.fix == {"family": "cnn", "batch_size": "32"}
    assert args.seeds == [0, 3] and args.methods == ["random", "search"]
    assert efficiency.parse(Report([PEER]).command().split()[3:]).trials == 3


def test_variants_are_compared_with_the_best_peer() -> None:
    worse = replace(PEER, method="optuna-tpe", events=PEER.events[:1])
    variant = replace(OURS, method="search-no-race")
    report = Report([PEER, worse, OURS, variant])
    assert report.best_peer == "random"
    rows = report.ablations().splitlines()
    assert "random search" in rows[0]
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "`search run`",
        "`search run`, no race",
    ]


def test_runs_of_several_settings_are_refused() -> None:
    other = replace(PEER, setting=replace(SETTING, epochs=5))
    with pytest.raises(ValueError, match="2 settings"):
        Report([PEER, other])


def test_band_keeps_what_a_run_had_when_it_ended() -> None:
    short = make_run([(50.0, "training", 4, [HALF])])
    grid = np.array([10.0, 150.0, 250.0])
    middle, low, high = band([curve_of(PEER), curve_of(short)], "seconds", grid)
    assert low == pytest.approx([0, HALF_VOLUME, HALF_VOLUME])
    assert high == pytest.approx([0, HALF_VOLUME, FULL_VOLUME])
    assert middle[2] == pytest.approx((HALF_VOLUME + FULL_VOLUME) / 2)


def test_run_files_come_back_as_they_were(tmp_path: Path) -> None:
    for run in (PEER, OURS):
        save_run(run, run_path(tmp_path, run.setting.task, run.method, run.seed))
    assert load_runs(tmp_path, "digits") == [PEER, OURS]
    assert load_runs(tmp_path, "others") == []


def test_packed_runs_come_back_as_they_were(tmp_path: Path) -> None:
    runs = [PEER, replace(OURS, front=(OnTest(1.0, 1e6, 0.1, 0.9),))]
    pack_runs(runs, tmp_path / "runs.gz")
    assert packed_runs(tmp_path / "runs.gz") == runs
    pack_runs(runs, tmp_path / "again.gz")
    assert (tmp_path / "again.gz").read_bytes() == (tmp_path / "runs.gz").read_bytes()


def test_report_replaces_its_own_section_and_draws(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Benchmarks\n\n## Efficiency: digits\n\nold\n\n## Others\n\nstay\n")
    write_report([PEER, OURS], results, tmp_path / "docs")
    text = results.read_text()
    assert "old" not in text and "stay" in text
    assert text.index("## Efficiency: digits") < text.index("## Others")
    assert "seeds 0" in text and "a machine" in text
    picture = tmp_path / "docs" / "efficiency_digits.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    write_report([PEER, OURS], results, tmp_path / "docs")
    assert results.read_text() == text


def test_a_new_section_comes_last() -> None:
    assert replace_section("# A\n\n## B\n", "## C", "## C\n\nx\n") == "# A\n\n## B\n\n## C\n\nx\n"


def test_log_counts_from_the_start_of_its_clock() -> None:
    log = EventLog()
    log.start(log.started + 7.0)
    assert log.setup_s == pytest.approx(7.0)
    log.add("training", 3, {HALF: b"model"}, at=log.started + 2.0)
    log.add("branch", 2, at=log.started + 5.0)
    assert log.models == {HALF: b"model"} and log.events[0].points == (HALF,)
    assert log.until(5.0) == tuple(log.events) == log.until(None)
    assert log.until(4.9) == tuple(log.events[:1])
    assert [event.seconds for event in log.events] == pytest.approx([2.0, 5.0])
    assert log.epochs == 5
