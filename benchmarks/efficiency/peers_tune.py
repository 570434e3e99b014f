"""Ray Tune with OptunaSearch over the three objectives, and the same with ASHA on accuracy.

At its best: actors are reused, each imports TensorFlow once, data is shared, nothing is logged
to files, TPE is multivariate. ``OptunaSearch`` has faults with several objectives, which are
worked around here: a trial that a scheduler ended would be told as complete with the accuracy
it had by then and no size; one without values would stay running for good. Both are told as
pruned or failed instead. With ASHA, the epochs are the budget and not the trials. Models travel as
files in a folder: reports are for numbers.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read by Ray Tune when it is imported: no log files, no snapshots of the experiment while it
# runs, no objection to reports without all metrics, time for an actor to end a training, and
# nothing on stdout.
os.environ.update(
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
    TUNE_FUNCTION_THREAD_TIMEOUT_S="60",
    TUNE_GLOBAL_CHECKPOINT_S="100000",
    TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S="0",
    RAY_AIR_NEW_OUTPUT="0",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # Nothing listens outside loopback.
)

import optuna
from optuna.trial import Trial, TrialState
from ray.tune.search.optuna import OptunaSearch

from benchmarks.efficiency.peers import (
    Arena,
    WarmEvaluator,
    kind_of,
    make_tpe,
    models_of,
    plain_request,
)
from benchmarks.efficiency.runs import EventLog
from search.run.run_study import ConfigMaker
from spaces.config.objectives import OBJECTIVES
from spaces.data.dataset import Dataset
from spaces.space.search_space import SearchSpace
from workers.trial.evaluate import TrialEvaluator

NAMES = [objective.name for objective in OBJECTIVES]
MODES = ["min" if objective.direction == "minimize" else "max" for objective in OBJECTIVES]
EPOCH = "epoch"
CURVE_METRIC = "val_accuracy"
START_TIMEOUT_S = 300.0

_evaluator: TrialEvaluator | None = None  # One a process: an actor keeps it from trial to trial.


@dataclass(frozen=True)
class Training:
    """What every trial needs, shared by all actors of a node.

    Attributes:
        dataset: The data.
        make_evaluator: Makes what trains, once a process.
        make_config: Turns parameters into a configuration.
        workers: Actors that wait for each other before the first trial.
        ready: Folder in which each leaves a file when it is ready.
        reports: Whether to report after every epoch.
        models: Folder for the models' files.
    """

    dataset: Dataset
    make_evaluator: WarmEvaluator
    make_config: ConfigMaker
    workers: int
    ready: Path
    reports: bool
    models: Path


def trainable(config: dict[str, Any], training: Training) -> None:
    """Train one trial inside an actor."""
    from ray import tune

    global _evaluator
    if _evaluator is None:
        _evaluator = training.make_evaluator(training.dataset)
        wait_for_all(training.ready, training.workers)

    is_ended = False

    def on_epoch(epoch: int, metrics: Any) -> bool:
        nonlocal is_ended
        try:
            tune.report({EPOCH: epoch + 1, CURVE_METRIC: metrics[CURVE_METRIC]})
        except SystemExit:  # Tune's way to end a trial; an evaluator takes it for user code's.
            is_ended = True
        return not is_ended

    request = plain_request(training.make_config, config)
    result = _evaluator(request, on_epoch if training.reports else None)
    if is_ended:
        sys.exit(0)  # Another report would wait for an answer that does not come.
    report = {
        EPOCH: request.config.training.epochs + 1,
        CURVE_METRIC: max(result.history.get(CURVE_METRIC, (0.0,))),
        "epochs_trained": result.epochs_trained,
        "kind": kind_of(result),
        "reason": result.reason,
    }
    for values, tflite in models_of(result).items():
        report.update(zip(NAMES, values, strict=True))
        path = training.models / f"{os.getpid()}-{time.time_ns()}.tflite"
        path.write_bytes(tflite)
        report["model"] = str(path)
    tune.report(report)


def wait_for_all(ready: Path, workers: int) -> None:
    """Leave a file in a folder, and wait until there are as many as workers.

    Raises:
        TimeoutError: If the others do not start.
    """
    (ready / str(os.getpid())).touch()
    deadline = time.monotonic() + START_TIMEOUT_S
    while len(list(ready.iterdir())) < workers:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Only some of {workers} actors started.")
        time.sleep(0.01)


class MendedOptunaSearch(OptunaSearch):  # type: ignore[misc, unused-ignore]
    """OptunaSearch which tells the study the truth, notes it, and ends when it is told to."""

    def __init__(
        self, space: SearchSpace, seed: int, log: EventLog, is_over: Callable[[], bool]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._log = log
        self._is_over = is_over
        super().__init__(
            space=_Suggest(space),
            metric=NAMES,
            mode=MODES,
            sampler=make_tpe(seed),
            study_name=f"tune-{seed}-{time.time_ns()}",
        )

    def suggest(self, trial_id: str) -> Any:
        """Return the parameters of the next trial; end once epochs or seconds are spent."""
        if self._is_over():
            return self.FINISHED
        return super().suggest(trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study: values where the model was measured, and nothing made up."""
        trial: Trial | None = self._ot_trials.get(trial_id)
        if trial is None or trial_id in self._completed_trials:
            return
        self._completed_trials.add(trial_id)
        result = result or {}
        study: Any = self._ot_study
        now = time.time()
        if all(name in result for name in NAMES):
            accuracy, size_bytes, latency_ms = (float(result[name]) for name in NAMES)
            values = (accuracy, size_bytes, latency_ms)
            study.tell(trial, values)
            models = {values: Path(result["model"]).read_bytes()}
            self._log.add(result["kind"], int(result["epochs_trained"]), models, at=now)
            return
        was_measured = "epochs_trained" in result
        failed = error or was_measured or not result
        study.tell(trial, state=TrialState.FAIL if failed else TrialState.PRUNED)
        epochs = int(result.get("epochs_trained", result.get(EPOCH, 0)))
        reason = result.get("reason") or ("failed" if failed else "stopped by the scheduler")
        self._log.add("training" if epochs else "untrained", epochs, reason=reason, at=now)


@dataclass(frozen=True)
class End:
    """Whether epochs or seconds are spent, as an object that can be pickled.

    Attributes:
        arena: Says how many there are.
        log: What came back.
        ready: Folder in which actors leave a file.
        workers: How many do.
        counts_epochs: Whether epochs are spent; otherwise trials are, which Tune counts.
    """

    arena: Arena
    log: EventLog
    ready: Path
    workers: int
    counts_epochs: bool

    def __call__(self) -> bool:
        """Whether nothing more is to be begun."""
        started = started_at(self.ready, self.workers)
        elapsed_s = 0.0 if started is None else time.time() - started
        return self.arena.spent(self.log.epochs if self.counts_epochs else 0, elapsed_s) >= 1


@dataclass(frozen=True)
class _Suggest:
    """The space, as a function that can be pickled; returns nothing."""

    space: SearchSpace

    def __call__(self, trial: Any) -> None:
        self.space.suggest(trial)


def run_tune(arena: Arena, log: EventLog, asha: bool) -> None:
    """Run Ray Tune.

    Args:
        arena: What to search.
        log: Takes the events; its clock starts when all actors are ready.
        asha: Whether ASHA ends trials.
    """
    import ray

    ray.init(
        num_cpus=arena.workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        _fit(arena, log, asha)
    finally:
        ray.shutdown()


def _fit(arena: Arena, log: EventLog, asha: bool) -> None:
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    ready, models = arena.folder / "ready", arena.folder / "models"
    ready.mkdir()
    models.mkdir()
    training = Training(
        arena.dataset,
        arena.make_evaluator,
        arena.make_config,
        min(arena.workers, arena.trials),
        ready,
        reports=asha,
        models=models,
    )
    arrivals = EventLog()
    end = End(arena, arrivals, ready, training.workers, counts_epochs=asha)
    search = MendedOptunaSearch(arena.info.space, arena.seed, arrivals, end)
    scheduler = None
    if asha:
        # The last report, with what was measured, comes after the last epoch's.
        scheduler = ASHAScheduler(
            time_attr=EPOCH,
            metric=CURVE_METRIC,
            mode="max",
            max_t=arena.info.epochs + 1,
            grace_period=1,
            reduction_factor=3,
        )
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trainable, training=training), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=scheduler,
            num_samples=arena.total_epochs if asha else arena.trials,
            max_concurrent_trials=arena.workers,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(arena.folder / "results"), name="tune", verbose=0
        ),
    )
    tuner.fit()
    log.start(started_at(ready, training.workers))
    for event in arrivals.events:
        at = arrivals.started + event.seconds
        found = {values: arrivals.models[values] for values in event.points}
        log.add(event.kind, event.epochs, found, reason=event.reason, at=at)


def started_at(ready: Path, workers: int) -> float | None:
    """Return when so many actors were ready, in seconds since the epoch; None if they are not.

    One that takes another's place later sets no clock back.
    """
    times = sorted(file.stat().st_mtime for file in ready.iterdir())
    return times[workers - 1] if len(times) >= workers else None
