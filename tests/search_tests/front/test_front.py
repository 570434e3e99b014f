"""The front of a study, read from the database and shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from rich.console import Console

from search.cli.front_data import COLUMNS, front_to_csv, front_to_dict
from search.cli.front_table import MAX_ROWS, print_front, print_summary
from search.cli.study_table import print_studies
from search.front.read import StudyFront, load_front, load_fronts
from search.storage.artifacts import ArtifactKeeper
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.errors import StorageError, StudyError
from spaces.space.compression import config_from_params
from tests.search_tests.conftest import TASK, MakeStudy, analytic_point, analytic_result
from tests.search_tests.front.domination import dominates
from workers.messages.result import Latency, Limits, TrialResult


def shown(front: StudyFront, show_all: bool = False) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_front(console, front, show_all=show_all)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def study_of(
    folder: Path,
    models: list[tuple[float, int, Latency]],
    float_operations: Sequence[Mapping[str, int] | None] = (),
) -> str:
    """Store a study with models of these accuracies, sizes and latencies."""
    storage = open_storage(folder / "studies.db")
    keeper = ArtifactKeeper(folder / "artifacts", "fruit")
    settings = StudySettings("fruit", TASK, sampler="random", fan_out=False)
    study = open_study(storage, settings, keeper)
    for number, (accuracy, size_bytes, latency) in enumerate(models):
        asked = study.ask(
            lambda params: config_from_params(
                params, task="fruit", data_fingerprint="0123456789abcdef", epochs=3, seed=0
            )
        )
        assert asked is not None
        point = replace(
            analytic_point(asked.config),
            accuracy=accuracy,
            size_bytes=size_bytes,
            latency=latency,
        )
        if float_operations:
            ledger = replace(point.ledger, float_operations=float_operations[number])
            point = replace(point, ledger=ledger)
        study.tell(asked.number, TrialResult(asked.config, "complete", point=point))
    storage.engine.dispose()
    return str(folder / "studies.db")


def test_points_are_the_best_trials_of_optuna(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=8)
    front = load_front("fruit", storage)
    study = optuna.load_study(study_name="fruit", storage=f"sqlite:///{storage}")
    # Optuna keeps all of several equal points, the front the first of them.
    best = {tuple(trial.values) for trial in study.best_trials}
    assert {point.values for point in front.points} == best
    assert len(front.points) == len(best)
    for point in front.points:
        trial = study.trials[point.trial]
        assert point.params == trial.params
        assert point.quantization == trial.params["quantization"]
        assert point.derived_from == trial.user_attrs.get("derived_from")
        assert point.n_params == trial.user_attrs["ledger"]["n_params"]
        assert point.sparsity == 0.25
    assert front.n_trials == 8
    assert front.n_points == len(study.trials) > 8
    assert 0 < front.hypervolume < 1
    sizes = [point.size_bytes for point in front.points]
    assert sizes == sorted(sizes)


def test_derived_and_failed_trials_are_counted_apart(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=3, n_failed=2))
    assert (front.n_trials, front.n_failed, front.n_infeasible) == (5, 2, 0)


def test_what_breaks_a_limit_is_on_no_front(make_study: MakeStudy) -> None:
    free = load_front("free", make_study("free", n_trials=12))
    bound = free.points[len(free.points) // 2].size_bytes
    limited = load_front("limited", make_study("limited", 12, limits=Limits(bound)))
    assert max(point.size_bytes for point in free.points) > bound
    assert 0 < max(point.size_bytes for point in limited.points) <= bound


def test_table_fits_80_columns_and_says_what_its_numbers_are(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=3))
    text = shown(front)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "generated" in text
    assert "size: gzip-compressed .tflite; latency: host" in text
    for point in front.points:
        assert f"{100 * point.accuracy:.1f} %" in text
        assert point.quantization in text
    assert f"Trials: best accuracy {front.pick('accuracy').trial}, " in text


def test_what_a_model_leaves_out_is_said_below_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out = (
        "qat_int8 is not searched: quantization-aware training does not take Lambda, "
        "GaussianNoise, LayerNormalization."
    )
    task = replace(TASK, notes=("20 files are no pictures.", left_out), model_notes=(left_out,))
    monkeypatch.setitem(study_of.__globals__, "TASK", task)
    latency = Latency(1.0, 0.0, 1.0, 9, 2, 1, "host", "litert")
    text = shown(load_front("fruit", study_of(tmp_path, [(0.9, 1000, latency)])))
    assert f"Note: {left_out}" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= 80
    # What was said of the data when it was read would drown the table.
    assert "no pictures" not in text


def test_photos_are_not_called_generated(make_study: MakeStudy) -> None:
    text = shown(load_front("fruit", make_study(n_trials=2, generated=False)))
    assert "fruit360" in text
    assert "generated" not in text


def test_long_fronts_are_thinned_out_unless_all_is_asked_for(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=60))
    assert len(front.points) > MAX_ROWS
    rows = [line.split() for line in shown(front).splitlines()]
    trials = {row[0] for row in rows if row and row[0].isdigit() and row[2:3] == ["%"]}
    assert len(trials) <= MAX_ROWS
    for rule in ("knee", "accuracy", "size", "latency"):
        assert str(front.pick(rule).trial) in trials
    n_more = len(front.points) - len(trials)
    assert f"{n_more} more points" in shown(front)
    everything = shown(front, show_all=True)
    assert "--all" not in everything
    assert everything.count(" kB ") >= len(front.points) - 5  # a few may be in bytes or MB


def test_summary_names_the_points_people_ask_for(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=8))
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, front)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for name in ("best accuracy", "best compromise", "smallest", "fastest"):
        assert name in text
    assert "generated" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_json_holds_every_point_and_no_dominated_one(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=30))
    data = json.loads(json.dumps(front_to_dict(front), allow_nan=False))
    assert len(data["front"]) == len(front.points) == data["front_size"]
    assert data["generated_pictures"] is True
    values = [(row["accuracy"], row["size_bytes"], row["latency_ms"]) for row in data["front"]]
    assert not any(dominates(a, b) for a in values for b in values)
    assert {row["trial"] for row in data["front"]} >= set(data["picks"].values())


def test_classes_and_what_was_ignored_are_shown_and_in_the_json(tmp_path: Path) -> None:
    counts = {"train": [900, 5, 80, 70], "val": [9, 1, 8, 7], "test": [2, 3, 4, 6]}
    task = replace(TASK, class_counts=counts, ignored={"thumbnails (@eaDir)": 3, "broken": 1})
    storage = open_storage(tmp_path / "studies.db")
    keeper = ArtifactKeeper(tmp_path / "artifacts", "fruit")
    study = open_study(storage, StudySettings("fruit", task, sampler="random"), keeper)
    asked = study.ask(
        lambda params: config_from_params(
            params, task="fruit", data_fingerprint="0123456789abcdef", epochs=3, seed=0
        )
    )
    assert asked is not None
    study.tell(asked.number, analytic_result(asked.config))
    storage.engine.dispose()
    front = load_front("fruit", str(tmp_path / "studies.db"))
    lines = shown(front).splitlines()
    rows = [line.split() for line in lines]
    assert ["orange", "5", "1", "3"] in rows
    assert ["all", "1,055", "25", "15"] in rows
    assert "ignored: 3 thumbnails (@eaDir), 1 broken" in lines
    data = front_to_dict(front)
    assert data["class_counts"]["test"] == {"apple": 2, "orange": 3, "mandarin": 4, "banana": 6}
    assert data["ignored"] == {"thumbnails (@eaDir)": 3, "broken": 1}


def test_csv_reads_back(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=5))
    rows = list(csv.DictReader(io.StringIO(front_to_csv(front))))
    assert [int(row["trial"]) for row in rows] == [point.trial for point in front.points]
    assert float(rows[0]["accuracy"]) == front.points[0].accuracy
    assert set(COLUMNS) < set(rows[0])
    assert rows[0]["params_quantization"] == front.points[0].quantization
    assert rows[0]["generated_pictures"] == "True"


def test_a_lead_in_latency_below_the_noise_is_marked(tmp_path: Path) -> None:
    def latency(milliseconds: float, scatter: float | None) -> Latency:
        measured = Latency(milliseconds, 0.0, milliseconds, 9, 2, 1, "host", "litert")
        return replace(measured, scatter=scatter, quiet=True)

    models = [
        (0.95, 1000, latency(1.00, 0.001)),
        (0.90, 1000, latency(0.995, 0.001)),  # Less accurate, and as fast as can be told.
        (0.80, 1000, latency(0.50, 0.001)),  # Really faster.
        (0.99, 9000, latency(1.002, 0.001)),  # Larger, and more accurate.
        (0.85, 9000, latency(0.499, None)),  # Nobody knows how noisy that is.
    ]
    front = load_front("fruit", study_of(tmp_path, models))
    by_accuracy = {point.accuracy: point for point in front.points}
    assert set(by_accuracy) == {accuracy for accuracy, _, _ in models}
    is_distinguishable = {a: point.is_distinguishable for a, point in by_accuracy.items()}
    assert is_distinguishable == {0.95: True, 0.9: False, 0.8: True, 0.99: True, 0.85: True}
    assert by_accuracy[0.9].same_speed_as == by_accuracy[0.95].trial
    assert by_accuracy[0.85].latency_noise is None

    rows = {row["accuracy"]: row for row in front_to_dict(front)["front"]}
    assert [a for a, row in rows.items() if not row["distinguishable"]] == [0.9]
    assert rows[0.9]["same_speed_as"] == rows[0.95]["trial"]
    assert 0 < rows[0.9]["latency_noise"] < 0.1
    text = shown(front)
    assert "~0.995 ms" in text
    assert text.count("~") == 2  # The point and its footnote.
    assert max(len(line) for line in text.splitlines()) <= 80


def test_without_such_points_there_is_no_footnote_of_them(make_study: MakeStudy) -> None:
    text = shown(load_front("fruit", make_study(n_trials=3)))
    assert "~" not in text
    assert "of 600 validation images" in text


def test_a_study_without_points_is_no_error(make_study: MakeStudy) -> None:
    front = load_front("fruit", make_study(n_trials=0, n_failed=1))
    assert front.points == ()
    assert front.hypervolume == 0
    assert "no trial is complete" in shown(front)
    assert front_to_dict(front)["picks"] == {}
    assert front_to_csv(front).startswith("trial,")


def test_list_leaves_out_what_others_made(make_study: MakeStudy) -> None:
    make_study("a", n_trials=2)
    storage = make_study("b", n_trials=1)
    optuna.create_study(study_name="foreign", storage=f"sqlite:///{storage}")
    fronts = load_fronts(storage)
    assert [front.study for front in fronts] == ["b", "a"]
    console = Console(file=io.StringIO(), width=80)
    print_studies(console, fronts)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:3] == ["b", "1", f"{len(fronts[0].points)}"]


def test_missing_studies_are_named_with_the_nearest(make_study: MakeStudy) -> None:
    storage = make_study("fruit", n_trials=1)
    with pytest.raises(StudyError, match=r"Known studies: fruit\. Did you mean 'fruit'\?"):
        load_front("friut", storage)
    optuna.create_study(study_name="foreign", storage=f"sqlite:///{storage}")
    with pytest.raises(StudyError, match="was not made by `search run`"):
        load_front("foreign", storage)


def test_missing_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no database"):
        load_front("fruit", tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_what_is_not_full_integer_is_called_mixed(tmp_path: Path) -> None:
    latency = Latency(1.0, 0.0, 1.0, 1, 0, 1, "host", "formula")
    storage = study_of(
        tmp_path,
        [(0.7, 100, latency), (0.8, 200, latency), (0.9, 300, latency)],
        [None, {}, {"ELU": 2, "LOG": 1}],
    )
    front = load_front("fruit", storage)
    assert [point.is_mixed for point in front.points] == [False, False, True]
    lines = shown(front).splitlines()
    assert [" mixed " in line for line in lines].count(True) == 1
    assert "mixed: integers but for ELU, LOG, which run in floats" in shown(front)
    rows = front_to_dict(front)["front"]
    assert [row["float_operations"] for row in rows] == [None, 0, 3]
    assert rows[2]["float_operation_names"] == {"ELU": 2, "LOG": 1}
    assert list(csv.DictReader(io.StringIO(front_to_csv(front))))[2]["float_operations"] == "3"
