"""Real ``tune.Tuner`` runs over a study; trainables are formulas, so they take milliseconds."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.deploy.export import export_config
from search.front.read import find_study as study_of
from search.front.read import load_front, reading
from search.storage import attributes
from search.storage.settings import StudySettings
from tests.search_tests.analytic import make_config, task_info
from tests.search_tests.tune_trainables import report_result, report_values
from workers.messages.result import Limits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Ray Tune on two cores, heard by nobody else."""
    with pytest.MonkeyPatch.context() as patch:
        # Read when Ray is imported; the second keeps its folders out of the home.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AIR_NEW_OUTPUT", "0")
        patch.setenv("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
        # What benchmarks set for Ray Tune in this process, among it that nothing is logged.
        for name in [name for name in os.environ if name.startswith("TUNE_DISABLE_")]:
            patch.delenv(name)
        for name in ("TUNE_GLOBAL_CHECKPOINT_S", "TUNE_FUNCTION_THREAD_TIMEOUT_S"):
            patch.delenv(name, raising=False)
        import ray
        from ray import tune

        ray.init(
            num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
        yield tune
        ray.shutdown()


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


def make_searcher(storage: Path, trials: int | None = None, **changes: Any) -> Any:
    from search import StudySearcher

    settings = StudySettings("tuned", task_info(), sampler="random", **changes)
    return StudySearcher.over(settings, make_config, storage, trials)


def fit(tune: Any, searcher: Any, trainable: Any, folder: Path, **config: Any) -> Any:
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(search_alg=searcher, reuse_actors=True, **config),
        run_config=tune.RunConfig(storage_path=str(folder), name="run", verbose=0),
    )
    return tuner.fit()


def stored(storage: Path) -> list[Any]:
    with reading(storage) as opened:
        return study_of(opened, "tuned").trials


def outcomes(storage: Path) -> Counter[tuple[str, Any]]:
    """States and outcomes of all trials that are not derived."""
    return Counter(
        (trial.state.name, trial.user_attrs.get(attributes.OUTCOME))
        for trial in stored(storage)
        if attributes.DERIVED_FROM not in trial.user_attrs
    )


def test_asha_stops_trials_and_the_study_says_so(tune: Any, storage: Path, tmp_path: Path) -> None:
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(
        metric="val_accuracy", mode="max", max_t=5, grace_period=1, reduction_factor=2
    )
    with make_searcher(storage) as searcher:
        fit(tune, searcher, report_values, tmp_path, num_samples=8, scheduler=scheduler)
    found = outcomes(storage)
    assert sum(found.values()) == 8
    assert set(found) == {("COMPLETE", "complete"), ("PRUNED", "stopped")}
    for trial in stored(storage):
        n = len(trial.user_attrs[attributes.CURVE])
        if trial.values is None:
            assert f"after epoch {n} of 5" in trial.user_attrs[attributes.REASON]
            assert n < 5
        else:  # At full length, and not the accuracy of an earlier epoch.
            assert n == 5
            assert trial.values[0] == pytest.approx(max(trial.user_attrs[attributes.CURVE]))


@pytest.mark.parametrize(
    ("broken", "reason"), [("missing", "size_bytes is missing"), ("error", "error.txt")]
)
def test_a_broken_trial_fails_with_its_reason_and_the_run_goes_on(
    tune: Any, storage: Path, tmp_path: Path, broken: str, reason: str
) -> None:
    with make_searcher(storage) as searcher:
        trainable = tune.with_parameters(report_values, broken=broken)
        # Tune's own metric is the one that is missing.
        results = fit(
            tune, searcher, trainable, tmp_path, num_samples=2, metric="size_bytes", mode="min"
        )
    assert len(results) == 2
    assert outcomes(storage) == {("FAIL", "failed"): 2}
    assert all(reason in trial.user_attrs[attributes.REASON] for trial in stored(storage))


def test_whole_results_bring_limits_siblings_and_files(
    tune: Any, storage: Path, tmp_path: Path
) -> None:
    limits = Limits(max_size_bytes=4000)
    with make_searcher(storage, trials=6, limits=limits) as searcher:
        trainable = tune.with_parameters(
            report_result, mailbox=searcher.mailbox, max_size_bytes=limits.max_size_bytes
        )
        fit(tune, searcher, trainable, tmp_path, num_samples=-1, max_concurrent_trials=1)
    found = outcomes(storage)
    n_refused, n_tried = found["PRUNED", "infeasible"], found["COMPLETE", "complete"]
    assert n_refused > 0 and n_tried > 0
    assert max(n_refused, n_tried) == 6  # What is refused does not count beside what was tried.
    trials = stored(storage)
    assert any(attributes.DERIVED_FROM in trial.user_attrs for trial in trials)
    for trial in trials:
        constraints = trial.system_attrs[attributes.CONSTRAINTS]
        assert (max(constraints) > 0) == (trial.values is None or trial.values[1] > 4000)
    front = load_front("tuned", storage)
    assert front.points and max(point.size_bytes for point in front.points) <= 4000
    assert front.n_target == 6 and front.n_trials == n_refused + n_tried
    assert (tmp_path / "artifacts").is_dir()
    assert export_config("tuned", storage)["measured"]["accuracy"] > 0.5


def test_the_same_run_again_finishes_the_rest(tune: Any, storage: Path, tmp_path: Path) -> None:
    with make_searcher(storage) as searcher:
        fit(tune, searcher, report_values, tmp_path / "a", num_samples=2)
    again = make_searcher(storage, trials=5)
    results = fit(tune, again, report_values, tmp_path / "b", num_samples=-1)
    assert len(results) == 3
    assert outcomes(storage) == {("COMPLETE", "complete"): 5}
    # It was not closed: a third one in this process takes the study over.
    with make_searcher(storage, trials=5) as third:
        results = fit(tune, third, report_values, tmp_path / "c", num_samples=-1)
    assert len(results) == 0


def test_a_task_goes_on_from_its_checkpoint_after_ctrl_c(
    tune: Any, storage: Path, tmp_path: Path
) -> None:
    from search import StudySearcher

    task = tmp_path / "corners.py"
    shutil.copy(CHECKOUT / "tests" / "workers_tests" / "corners_task.py", task)

    class CtrlC(tune.Callback):
        def on_checkpoint(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            if trial.last_result["training_iteration"] == 2:
                os.kill(os.getpid(), signal.SIGINT)

    searcher = StudySearcher(str(task), trials=1, epochs=3, study="tuned", storage=storage)
    trainable = searcher.trainable()
    with searcher:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1),
            run_config=tune.RunConfig(
                storage_path=str(tmp_path),
                name="run",
                verbose=0,
                callbacks=[CtrlC()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
            ),
        ).fit()
    assert outcomes(storage) == {("FAIL", "interrupted"): 1}
    # What it goes on with is the copy of the searcher that Tune has kept.
    restored = tune.Tuner.restore(str(tmp_path / "run"), trainable=trainable)
    (result,) = restored.fit()
    assert outcomes(storage) == {("FAIL", "interrupted"): 1, ("COMPLETE", "complete"): 1}
    assert load_front("tuned", storage).n_points > 1
    log = Path(result.path) / "result.json"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.2)  # Tune copies its logs there in the background.
    rows = [json.loads(line) for line in log.open()]
    assert [row["training_iteration"] for row in rows] == [1, 2, 3]
    assert rows[2]["iterations_since_restore"] == 1
    assert rows[2]["outcome"] == "complete" and "accuracy" not in rows[1]
    assert list(Path(result.path).glob("events.out.tfevents.*"))
    # What a study promises: the configuration alone gives the same file, without a break.
    complete = next(t for t in stored(storage) if t.values is not None)
    assert complete.user_attrs[attributes.TFLITE_SHA256] == unbroken_sha256(task, complete)


def unbroken_sha256(task: Path, trial: Any) -> str:
    """Train a trial's configuration in one go; return the hash of its model file."""
    from spaces.config.trial import TrialConfig
    from spaces.data.request import DataRequest
    from tests.workers_tests.corners_task import load_data
    from workers.messages.result import EvaluateRequest
    from workers.trial.evaluate import TrialEvaluator

    config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
    dataset = load_data(DataRequest(path=None, cache_dir=task.parent))
    result = TrialEvaluator(str(task), dataset)(EvaluateRequest(config, fan_out=False))
    assert result.point is not None
    return result.point.tflite_sha256
