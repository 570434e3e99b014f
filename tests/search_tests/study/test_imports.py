"""Earlier work in a study: what is read, what fits, what is tried first, what is history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.front.read import load_front
from search.front.trials import load_trials
from search.run.imported import import_trials
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from search.study.enqueued import fit_to_space
from search.study.sources import N_BEST, Found, read_source
from spaces.errors import DataError, SearchError, StudyError
from tests.search_tests import analytic
from tests.search_tests.analytic_studies import BASELINE, run_analytic
from workers.messages.limits import Limits

GOOD = {"learning_rate": 0.004, "batch_size": 64, "n_blocks": 1, "filters_1": 48, "dropout": 0.2}


def params_of(storage: Path, name: str = "analytic") -> list[dict[str, Any]]:
    trials = load_trials(name, storage).trials
    return [dict(trial.params) for trial in trials if trial.derived_from is None]


def kerastuner_trial(number: int, values: dict[str, Any], score: float | None) -> dict[str, Any]:
    """Return a trial as KerasTuner 1.4 writes it."""
    observed = [] if score is None else [{"value": [score], "step": 0}]
    return {
        "trial_id": f"{number:04}",
        "hyperparameters": {"space": [], "values": {**values, "tuner/epochs": 3}},
        "metrics": {"metrics": {"val_accuracy": {"direction": "max", "observations": observed}}},
        "score": score,
        "best_step": 0,
        "status": "INVALID" if score is None else "COMPLETED",
        "message": None,
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "tuner" / "fruit"
    scores = [0.7, 0.9, None, 0.8]
    for number, score in enumerate(scores):
        (folder / f"trial_{number}").mkdir(parents=True)
        values = {"filters_1": 8 * (number + 1), "learning_rate": 0.001, "units": 7}
        stored = kerastuner_trial(number, values, score)
        (folder / f"trial_{number}" / "trial.json").write_text(json.dumps(stored))
    return folder


# --- What is read -----------------------------------------------------------------------------


def test_a_csv_has_a_column_for_each_parameter(tmp_path: Path) -> None:
    path = tmp_path / "good.csv"
    path.write_text("filters_1, dropout,accuracy\n32,0.1,0.9\n48,,\n")
    assert read_source(path) == [
        Found("good.csv, line 2", {"filters_1": "32", "dropout": "0.1"}, {"accuracy": 0.9}),
        Found("good.csv, line 3", {"filters_1": "48"}),
    ]


def test_what_the_front_writes_as_csv_is_read(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=4)
    done = CliRunner().invoke(cli, ["front", "analytic", "--csv", "--storage", str(storage)])
    (tmp_path / "front.csv").write_text(done.stdout)
    front = load_front("analytic", storage)
    fitted = fit_to_space(read_source(tmp_path / "front.csv"), analytic.analytic_space())
    assert list(fitted.points) == [dict(point.params) for point in front.points]
    assert [v["accuracy"] for v in fitted.values] == [point.accuracy for point in front.points]
    assert fitted.notes == ()


def test_a_kerastuner_project_gives_its_best_first(project: Path) -> None:
    for folder in (project, project.parent):
        found = read_source(folder)
        # What has no score comes last; KerasTuner's own bookkeeping is left out.
        assert [one.params["filters_1"] for one in found] == [16, 32, 8, 24]
        assert set(found[0].params) == {"filters_1", "learning_rate", "units"}
    assert [one.params["filters_1"] for one in read_source(project, n_best=2)] == [16, 32]


def test_an_optuna_study_gives_its_best_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'theirs.db'}"
    study = optuna.create_study(storage=url, study_name="theirs", direction="minimize")
    study.optimize(lambda t: (t.suggest_float("dropout", 0, 0.5) - 0.2) ** 2, n_trials=15)
    found = read_source(url)
    assert len(found) == N_BEST
    losses = [(one.params["dropout"] - 0.2) ** 2 for one in found]
    assert losses == sorted(losses)
    assert found[0].params == study.best_params
    optuna.create_study(storage=url, study_name="more")
    with pytest.raises(DataError, match="--from NAME; its studies are theirs, more"):
        read_source(url)
    assert read_source(url, "theirs") == found
    with pytest.raises(DataError, match="Did you mean 'theirs'"):
        read_source(url, "their")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.csv", None, "does not exist"),
        ("empty.csv", "", "holds no configuration"),
        ("head.csv", "a,b\n", "holds no configuration"),
        ("wide.csv", "a\n1,2\n", "line 2: it has more cells"),
        ("text.csv", "a,accuracy\n1,good\n", "line 2: accuracy must be a number, but got 'good'"),
        ("binary.csv", b"\xff\xfe\x00\x01", "cannot be read as CSV"),
        ("bad.json", "{", "cannot be read as JSON"),
        ("text.json", '"a"', "must hold what `search export` wrote"),
        ("inner.json", '[{"params": 3}]', "its params must be an object"),
        ("deep.json", "[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    name: str, text: str | bytes | None, message: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SearchError) as raised:
        read_source(tmp_path / name)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no KerasTuner project"):
        read_source(tmp_path)
    (tmp_path / "trial_0").mkdir()
    (tmp_path / "trial_0" / "trial.json").write_text('{"hyperparameters": []}')
    with pytest.raises(DataError, match="is no trial of KerasTuner: TypeError"):
        read_source(tmp_path)


# --- What fits --------------------------------------------------------------------------------


def test_texts_and_floats_become_what_parameters_hold() -> None:
    space = analytic.analytic_space()
    texts = {"n_blocks": "2", "filters_2": "16.0", "batch_size": "64", "dropout": "1e-1"}
    (point,) = fit_to_space([Found("x", texts)], space).points
    assert (point["n_blocks"], point["filters_2"], point["batch_size"]) == (2, 16, 64)
    assert type(point["filters_2"]) is int and point["dropout"] == 0.1
    # The rest has its defaults, and all of it is a point.
    assert space.completed(point) == point
    (shallow,) = fit_to_space([Found("x", {"n_blocks": 1, "filters_2": 64})], space).points
    assert "filters_2" not in shallow


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"filters_1": 9}, "'filters_1' cannot be 9: it goes from 8 to 64 in steps of 8"),
        ({"filters_1": "wide"}, "cannot be 'wide'"),
        ({"quantization": "int3"}, "'quantization' cannot be 'int3': it is one of"),
        ({"dropout": float("nan")}, "cannot be nan"),
        ({"n_blocks": True}, "cannot be True"),
        ({"filter_1": 8}, "none of its names is a parameter"),
    ],
)
def test_what_does_not_fit_is_left_out_and_said(params: dict[str, Any], why: str) -> None:
    space = analytic.analytic_space()
    with pytest.raises(DataError, match="No configuration fits") as raised:
        fit_to_space([Found("here", params)], space)
    assert why in str(raised.value)
    fitted = fit_to_space([Found("here", params), Found("there", GOOD)], space)
    assert fitted.origins == ("there",)
    assert any(why in note for note in fitted.notes)


def test_names_that_are_not_searched_are_said() -> None:
    found = [Found("x", {**GOOD, "units": 64, "filters1": 8})]
    (note,) = fit_to_space(found, analytic.analytic_space()).notes
    assert note == "Not searched here, and left out: units, filters1. Did you mean 'filters_1'?"


# --- What becomes of it -----------------------------------------------------------------------


def test_what_is_wanted_comes_after_the_baseline(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    wanted = fit_to_space([Found("x", GOOD)], analytic.analytic_space()).points
    run_analytic(storage, n_trials=3, enqueued=wanted)
    first, second, third = params_of(storage)
    assert first["filters_2"] == BASELINE["filters_2"]
    assert second == wanted[0]
    assert third != second


def test_imported_ones_are_tried_first_by_the_next_run_and_once(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=3)
    path = tmp_path / "good.csv"
    path.write_text("filters_1,n_blocks\n24,1\n40,1\n24,1\n")
    fitted = import_trials("analytic", path, storage)
    assert [point["filters_1"] for point in fitted.points] == [24, 40]
    import_trials("analytic", path, storage)  # Again is the same.
    run_analytic(storage, n_trials=4)  # Killed after one, say.
    run_analytic(storage, n_trials=8)
    tried = params_of(storage)
    assert tried[3:5] == list(fitted.points)
    assert sum(params == fitted.points[0] for params in tried) == 1


def test_history_is_learned_from_and_counts_to_no_target(tmp_path: Path) -> None:
    source, storage = tmp_path / "source.db", tmp_path / "studies.db"
    run_analytic(source, "source", 6, seed=3)
    run_analytic(storage, n_trials=2)
    before = load_front("analytic", storage)
    fitted = import_trials("analytic", source, storage, history=True)
    trials = load_trials("analytic", storage)
    imported = [trial for trial in trials.trials if trial.outcome == "imported"]
    assert len(imported) == len(fitted.points) > 6
    theirs = {tuple(p.values) for p in load_front("source", source).points}
    after = load_front("analytic", storage)
    assert after.n_trials == before.n_trials
    ours = {tuple(point.values) for point in before.points}
    assert {tuple(point.values) for point in after.points} <= ours | theirs
    assert after.hypervolume > before.hypervolume
    assert run_analytic(storage, n_trials=5).progress.n_done == 5
    # None of it is trained again, and all of it is judged by limits of later.
    hashes = [trial.stored["config_hash"] for trial in load_trials("analytic", storage).trials]
    assert len(hashes) == len(set(hashes))
    limits = Limits(max_size_bytes=3000.0)
    wanted = StudySettings(
        "analytic", analytic.task_info(baseline=BASELINE), limits=limits, sampler="gp"
    )
    with study_for_run(storage, wanted) as study:
        assert study.front.values[:, 1].max() <= 3000
        assert study.ask(lambda params: analytic.make_config(params)) is not None


def test_history_can_be_exported_and_shown(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=1)
    space = analytic.analytic_space()
    point = fit_to_space([Found("x", GOOD)], space).points[0]
    row = {**point, "accuracy": 0.99, "size_bytes": 900, "latency_ms": 0.001}
    (tmp_path / "measured.csv").write_text(
        ",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n"
    )
    arguments = ["--storage", str(storage)]
    done = CliRunner().invoke(
        cli, ["import", "analytic", str(tmp_path / "measured.csv"), "--history", *arguments]
    )
    assert done.exit_code == 0, done.output
    number = load_front("analytic", storage).pick("size").trial
    shown = CliRunner().invoke(cli, ["show", "analytic", str(number), *arguments])
    assert "measured elsewhere" in shown.stdout and "measured.csv, line 2" in shown.stdout
    listed = CliRunner().invoke(cli, ["trials", "analytic", *arguments])
    assert "elsewhere" in listed.stdout
    exported = CliRunner().invoke(cli, ["export", "analytic", "-o", "-", *arguments])
    assert json.loads(exported.stdout)["measured"]["accuracy"] == 0.99


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("filters_1,accuracy\n32,0.9\n", "needs accuracy, size_bytes and latency_ms"),
        (
            "filters_1,accuracy,size_bytes,latency_ms\n32,0.9,1000,1\n",
            "what 'learning_rate' was is not said",
        ),
    ],
)
def test_history_must_be_whole(rows: str, message: str, tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=1)
    (tmp_path / "part.csv").write_text(rows)
    with pytest.raises(DataError, match=message):
        import_trials("analytic", tmp_path / "part.csv", storage, history=True)


def test_there_must_be_a_study(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=1)
    (tmp_path / "good.csv").write_text("filters_1\n32\n")
    with pytest.raises(StudyError, match="Did you mean 'analytic'.*--enqueue"):
        import_trials("analytics", tmp_path / "good.csv", storage)
