"""Finalists: which points are trained again, what luck is called, and which leads are real."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.deploy.export import export_of
from search.front.finalists import (
    Finalist,
    Mean,
    SeedRun,
    choose_finalists,
    lead,
    leads,
    load_finalists,
)
from search.front.pareto import hypervolume
from search.front.read import load_front
from spaces.config.trial import TrialConfig
from spaces.errors import DataError

N_TEST = 400


def run(seed: int, val: float, n_right: int, order: int | None = None) -> SeedRun:
    """Return a training whose model is right on ``n_right`` test images."""
    hits = np.arange(N_TEST) < n_right
    if order is not None:
        hits = np.random.default_rng(order).permutation(hits)
    return SeedRun(seed, val, n_right / N_TEST, 1000.0, 0.1, hits)


def finalist(
    trial: int, runs: list[SeedRun], *, promised: float = 0.9, n_val: int = 200
) -> Finalist:
    return Finalist(trial, 5, None, promised, n_val, N_TEST, 1000.0 + trial, tuple(runs))


def test_the_error_of_a_mean_is_students() -> None:
    mean = Mean.of([0.90, 0.92, 0.94])
    # 4.303 is Student's t of two degrees of freedom.
    assert mean.error == pytest.approx(4.303 * 0.02 / math.sqrt(3))
    assert Mean.of([0.9]).error is None


@pytest.mark.parametrize(
    ("promised", "vals", "luck"),
    [
        (0.95, (0.90, 0.91, 0.92), None),  # 4.303 * 0.01 * sqrt(4 / 3) is 0.0497.
        (0.97, (0.90, 0.91, 0.92), 0.06),
        (0.91, (0.91, 0.91, 0.91), None),
        (0.914, (0.91, 0.91, 0.91), None),  # Less than one image of 200.
        (0.93, (0.91, 0.91, 0.91), 0.02),
        (0.80, (0.90, 0.91, 0.92), None),  # Worse luck is no promise.
        (0.99, (0.90,), None),  # One tells nothing.
    ],
)
def test_luck_is_what_other_seeds_do_not_give(
    promised: float, vals: tuple[float, ...], luck: float | None
) -> None:
    found = finalist(1, [run(n, val, 300) for n, val in enumerate(vals)], promised=promised).luck
    assert found == (None if luck is None else pytest.approx(luck))


def test_a_lead_is_real_when_seeds_and_images_say_so() -> None:
    small = finalist(1, [run(n, 0.8, 320 + n) for n in range(3)])
    large = finalist(2, [run(n, 0.9, 360 + n) for n in range(3)])
    found = lead(large, small)
    assert found is not None and found.is_real
    assert found.over == 1 and found.value == pytest.approx(0.1)
    # The same means, but of seeds that differ by more than the lead.
    loose = finalist(2, [run(n, 0.9, right) for n, right in enumerate((320, 360, 400))])
    found = lead(loose, small)
    assert found is not None and not found.is_real and found.value == pytest.approx(0.0975)
    # Agreeing seeds, and a handful of images that differ: another test split may not have them.
    close = finalist(2, [run(n, 0.9, 323) for n in range(3)])
    base = finalist(1, [run(n, 0.9, 320, order=None) for n in range(3)])
    found = lead(close, base)
    assert found is not None and found.error == pytest.approx(
        2.179 * math.sqrt(3 * 397) / 400 / math.sqrt(399), rel=0.01
    )
    assert not found.is_real


def test_a_lead_needs_two_seeds_and_a_model() -> None:
    one, two = finalist(1, [run(0, 0.9, 300)]), finalist(2, [run(0, 0.9, 350), run(1, 0.9, 352)])
    found = lead(two, one)
    assert found is not None and found.error is None and not found.is_real
    nothing = finalist(3, [SeedRun(0, reason="its loss is no number")])
    assert lead(nothing, one) is None and nothing.test is None and nothing.luck is None


def test_leads_are_over_the_best_smaller_one() -> None:
    rows = [
        finalist(n, [run(0, 0.9, r), run(1, 0.9, r)]) for n, r in enumerate((300, 350, 320, 360))
    ]
    found = leads(rows)
    assert [None if one is None else one.over for one in found] == [None, 0, 1, 1]


def test_the_points_that_matter(make_study: Any) -> None:
    path = make_study(n_trials=30)
    front = load_front("fruit", path)
    chosen = choose_finalists(front, 5)
    assert len({point.trial for point in chosen}) == 5
    assert front.pick("accuracy") in chosen and front.pick("knee") in chosen
    sizes = [point.size_bytes for point in chosen]
    assert sizes == sorted(sizes)
    kept = hypervolume([point.values for point in chosen], front.reference)
    first = hypervolume([point.values for point in front.points[:5]], front.reference)
    assert kept > first
    assert len(choose_finalists(front, 10_000)) == len(front.points)
    assert choose_finalists(front, 1) == [front.pick("accuracy")]


def test_they_are_kept_in_the_study_and_shown(
    make_study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is stood in for; everything else is as it is."""
    from search.deploy import finalists as module

    path = make_study(n_trials=12)
    asked: list[tuple[int, int]] = []

    def job(_target: str, kwargs: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        trial, seed = kwargs["export"]["trial"], kwargs["seed"]
        asked.append((trial, seed))
        assert kwargs["options"]["epochs"] == 3
        if seed == 3:
            raise DataError("the disk is gone")
        return run(seed, 0.5, 200 + seed).to_dict()

    monkeypatch.setattr(module, "run_job", job)
    with pytest.raises(DataError, match="the disk is gone"):
        module.train_finalists("fruit", path, points=2, seeds=3, epochs=3, workers=1)
    kept = load_finalists("fruit", path)
    assert [[one.seed for one in finalist.runs] for finalist in kept][0] == [1, 2]
    asked.clear()
    monkeypatch.setattr(
        module, "run_job", lambda _t, kwargs, *_, **__: run(kwargs["seed"], 0.5, 210).to_dict()
    )
    found = module.train_finalists("fruit", path, points=2, seeds=3, epochs=3, workers=2)
    assert [[one.seed for one in finalist.runs] for finalist in found] == [[1, 2, 3]] * 2
    assert [one.trial for one in found] == [one.trial for one in load_finalists("fruit", path)]
    values = [(one.test.value, one.luck) for one in found if one.test is not None]
    assert len(values) == 2 and all(value < 0.6 for value, _ in values)

    shown = CliRunner().invoke(cli, ["front", "fruit", "--storage", path])
    assert shown.exit_code == 0 and "Finalists" in shown.output and "Luck: trial" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    rows = json.loads(
        CliRunner().invoke(cli, ["front", "fruit", "--storage", path, "--json"]).output
    )["finalists"]
    assert [row["trial"] for row in rows] == [one.trial for one in found]
    assert all(len(row["runs"]) == 3 and "hits" not in row["runs"][0] for row in rows)


def test_the_epochs_of_all_trainings_that_lead_to_a_finalist_are_told(
    make_study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is pruned in half of the epochs of its training, whatever those are."""
    from search.deploy import finalists as module

    path = make_study(n_trials=3)

    def pruned_afterwards(record: Any, number: int) -> dict[str, Any]:
        export = export_of(record, number)
        first = TrialConfig.from_dict(export["config"])
        first = replace(first, training=replace(first.training, epochs=6))
        branch = replace(first, training=replace(first.training, epochs=3), branched_from=first)
        return {**export, "config": branch.to_dict()}

    asked = 0

    def job(_target: str, kwargs: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return run(kwargs["seed"], 0.5, 210).to_dict()

    monkeypatch.setattr(module, "export_of", pruned_afterwards)
    monkeypatch.setattr(module, "run_job", job)
    for epochs, total in ((None, 9), (20, 30), (20, 30), (4, 6)):
        found = module.train_finalists("fruit", path, trials=[0], seeds=1, epochs=epochs)
        assert [one.epochs for one in found] == [total]
    assert asked == 3  # Once each.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no study 'nothing'"),
        (["fruit", "--points", "0"], "at least 1"),
        (["fruit", "--trial", "400"], "no trial 400"),
    ],
)
def test_what_cannot_be_trained_again(make_study: Any, arguments: list[str], message: str) -> None:
    path = make_study(n_trials=3)
    result = CliRunner().invoke(cli, ["finalists", *arguments, "--storage", path])
    assert result.exit_code in (1, 2) and message in result.stderr
    assert "Traceback" not in result.output
