"""What the end of a Tune trial means, and a searcher without Tune around it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.front.read import find_study, reading
from search.ray_tune.endings import TuneTrial
from search.storage import attributes
from search.storage.settings import StudySettings
from spaces.errors import ConfigError
from tests.search_tests.analytic import make_config, task_info

CHECKOUT = Path(__file__).resolve().parents[3]

VALUES = {"accuracy": 0.9, "size_bytes": 1000, "latency_ms": 0.5}


def at(iteration: int, **more: Any) -> dict[str, Any]:
    # Tune says `done` of every last result, whoever ended the trial.
    return {"training_iteration": iteration, "val_accuracy": 0.5, **more}


@pytest.mark.parametrize(
    ("before", "last", "outcome", "reason"),
    [
        # A function that returned: its last result comes twice.
        ([at(1), at(2, **VALUES)], at(2, **VALUES, done=True), "complete", ""),
        ([at(1), at(2)], at(2, done=True), "failed", "accuracy, size_bytes, latency_ms are"),
        # Stopped by a scheduler, whatever it had reported by then.
        ([at(1, **VALUES)], at(2, **VALUES, done=True), "stopped", "after epoch 2 of 5 at an"),
        ([], at(1, **VALUES, done=True), "stopped", "after epoch 1 of 5"),
        # Trained to its end, or said to be.
        ([at(4)], at(5, **VALUES, done=True), "complete", ""),
        ([], at(1, **VALUES, outcome="complete", done=True), "complete", ""),
        ([at(4)], at(5, done=True), "failed", "are missing"),
        ([at(4)], at(5, **{**VALUES, "latency_ms": "fast"}), "failed", "latency_ms='fast'"),
        ([at(4)], at(5, **{**VALUES, "accuracy": float("nan")}), "failed", "accuracy=nan"),
        ([], at(1, outcome="infeasible", reason="too big", done=True), "failed", "too big"),
        # Removed while it was paused, or before it ran; returned without a word.
        ([at(1), at(2)], None, "stopped", "after epoch 2 of 5"),
        ([], None, "interrupted", "before any result"),
        ([], {}, "interrupted", "before any result"),
        ([], {"done": True}, "failed", "are missing"),
    ],
)
def test_how_a_trial_ended(
    before: list[dict[str, Any]], last: dict[str, Any] | None, outcome: str, reason: str
) -> None:
    trial = TuneTrial(0, "hash")
    for result in before:
        trial.note(result)
    trial = TuneTrial.from_dict(trial.to_dict())
    ending = trial.end(last, error=False, epochs=5)
    assert ending.outcome == outcome
    assert reason in ending.reason
    assert (ending.values is not None) == (outcome == "complete")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


@pytest.fixture(scope="module")
def make_searcher() -> Iterator[Any]:
    """Makes searchers; Ray is imported, but not started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from search import StudySearcher

        def make(storage: Path, trials: int | None = None) -> StudySearcher:
            settings = StudySettings("tuned", task_info(), sampler="random")
            return StudySearcher.over(settings, make_config, storage, trials)

        yield make


def stored(storage: Path) -> list[Any]:
    with reading(storage) as opened:
        return find_study(opened, "tuned").trials


@pytest.mark.parametrize("rule", ["stratified", "by_name"])
def test_a_study_of_an_earlier_version_goes_on_with_its_splits(
    make_searcher: Any, storage: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    from search import StudySearcher
    from search.study.create_or_resume import study_for_run

    def info(split_rule: str) -> Any:
        return task_info(
            name="fruit", ref="fruit", split_rule=split_rule, data_fingerprint=f"of {split_rule}"
        )

    def prepare(*_: Any, split_rule: str = "sized", **__: Any) -> tuple[Any, Any]:
        return info(split_rule), None

    monkeypatch.setattr("search.run.preparation.prepare_run", prepare)
    with study_for_run(storage, StudySettings("tuned", info(rule), sampler="random", seed=3)):
        pass
    with StudySearcher("fruit", study="tuned", sampler="random", storage=storage) as searcher:
        assert searcher.suggest("a") != "FINISHED"
    with StudySearcher("fruit", study="new", sampler="random", storage=storage) as searcher:
        assert searcher.suggest("a") != "FINISHED"
    with reading(storage) as opened:
        for name, expected in (("tuned", rule), ("new", "sized")):
            stored_task = find_study(opened, name).user_attrs[attributes.TASK]
            assert stored_task["split_rule"] == expected


def test_a_closed_searcher_leaves_nothing_running_and_the_next_tries_it_again(
    make_searcher: Any, storage: Path
) -> None:
    with make_searcher(storage) as searcher:
        params = searcher.suggest("a")
    (trial,) = stored(storage)
    assert trial.user_attrs[attributes.OUTCOME] == "interrupted"
    assert trial.user_attrs[attributes.TUNE_TRIAL] == "a"
    with make_searcher(storage) as searcher:
        assert searcher.suggest("b") == params


def test_a_killed_run_leaves_nothing_running_and_the_next_tries_it_again(
    make_searcher: Any, storage: Path
) -> None:
    script = f"""
        import os
        from search import StudySearcher
        from search.storage.settings import StudySettings
        from tests.search_tests.analytic import make_config, task_info
        settings = StudySettings("tuned", task_info(), sampler="random")
        searcher = StudySearcher.over(settings, make_config, {str(storage)!r})
        searcher.suggest("a"), searcher.suggest("b")
        os._exit(9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=CHECKOUT)
    assert done.returncode == 9
    left = [trial.params for trial in stored(storage) if trial.state.name == "RUNNING"]
    assert len(left) == 2
    with make_searcher(storage) as searcher:
        assert [searcher.suggest(name) for name in "cd"] == left
        assert sorted(trial.state.name for trial in stored(storage)) == [
            "FAIL",
            "FAIL",
            "RUNNING",
            "RUNNING",
        ]


def test_restored_trials_keep_their_parameters_and_their_past(
    make_searcher: Any, storage: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with make_searcher(storage) as searcher:
        names = {"a", "b", "c"}
        params = {name: searcher.suggest(name) for name in names}
        searcher.on_trial_result("b", at(1))
        searcher.save(str(state))
        searcher.on_trial_complete("c", at(5, **VALUES, done=True))
    with make_searcher(storage) as searcher:
        searcher.restore(str(state))
        searcher.on_trial_complete("b", at(2, done=True))
        searcher.on_trial_complete("c", at(5, **VALUES, done=True))  # Is there already.
        assert searcher.suggest("d") not in params.values()
        trials = stored(storage)
    ended = [t for t in trials if t.user_attrs.get(attributes.OUTCOME) in ("stopped", "complete")]
    by_params = {t.user_attrs[attributes.TUNE_TRIAL]: t for t in ended}
    assert by_params.keys() == {"b", "c"}
    assert all(by_params[name].params == params[name] for name in "bc")
    assert by_params["b"].user_attrs[attributes.CURVE] == [0.5, 0.5]


def test_a_study_that_has_its_trials_is_finished(make_searcher: Any, storage: Path) -> None:
    with make_searcher(storage, trials=1) as searcher:
        assert isinstance(searcher.suggest("a"), dict)
        assert searcher.suggest("b") == "FINISHED"
        searcher.on_trial_complete("a", at(5, **VALUES, done=True))
        assert searcher.suggest("c") == "FINISHED"


def test_only_a_named_task_has_a_trainable(make_searcher: Any, storage: Path) -> None:
    with pytest.raises(ConfigError, match="made with the name of a task"):
        make_searcher(storage).trainable()
