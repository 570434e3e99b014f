"""Other programs on the same task: what they share, random search, and plain Optuna.

Peers search the same joint space and train with our own code, on our own Ray actors where they
bring none, which is generous: it is faster than ``model.fit``, its gate is off, and no peer pays
for converting schemes that it did not ask for. Latencies are measured in the same quiet windows
for all. What differs is what they decide.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.efficiency.runs import EventLog, Kind, Values
from benchmarks.replay.policies import POPULATIONS
from search.run.run_study import THREADS, ConfigMaker
from spaces.config.objectives import OBJECTIVES
from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset
from workers.messages.executor import Executor, Finished
from workers.messages.result import EvaluateRequest, TaskInfo, TrialResult
from workers.trial.evaluate import MakeEvaluator, TrialEvaluator, warm_up


@dataclass(frozen=True)
class WarmEvaluator:
    """Makes an evaluator in a worker that has imported what any trial needs, as a study does."""

    make: MakeEvaluator

    def __call__(self, dataset: Dataset) -> TrialEvaluator:
        """Import, and make it."""
        warm_up(self.make.threads)
        return self.make(dataset)


@dataclass(frozen=True)
class Arena:
    """What a peer searches, and with what.

    Attributes:
        info: The task, with the epochs of a full training.
        dataset: The data; plain arrays.
        trials: Trials to run, or the epochs of as many full trainings to spend.
        workers: Trials that run side by side.
        seed: Of the sampler and of every training.
        folder: An empty one, for what the program writes.
        windows: Name of the run, by which its workers find their quiet windows; empty for none.
        seconds: Seconds after which no trial is begun; None for as many trials as take their time.
    """

    info: TaskInfo
    dataset: Dataset
    trials: int
    workers: int
    seed: int
    folder: Path
    windows: str = ""
    seconds: float | None = None

    def spent(self, epochs: float, elapsed_s: float) -> float:
        """Return which part of all epochs, or of all seconds, is spent; the larger of the two."""
        by_time = 0.0 if self.seconds is None else elapsed_s / self.seconds
        return max(epochs / self.total_epochs, by_time)

    @property
    def make_config(self) -> ConfigMaker:
        """Turns parameters into a configuration, as ``search`` does."""
        return ConfigMaker(self.info, self.seed)

    @property
    def make_evaluator(self) -> WarmEvaluator:
        """Makes what trains, as ``search`` does, and as warm."""
        return WarmEvaluator(MakeEvaluator(self.info.ref, THREADS, self.windows))

    @property
    def total_epochs(self) -> int:
        """Epochs that all trials together would have, trained in full."""
        return self.trials * self.info.epochs


def models_of(result: TrialResult) -> dict[Values, bytes]:
    """Return the model files of a result, by their values."""
    own = [] if result.point is None else [result.point]
    return {point.values: point.tflite for point in (*own, *result.siblings)}


def kind_of(result: TrialResult) -> Kind:
    """Return what was trained for a result."""
    if result.config.branched_from is not None:
        return "branch"
    return "training" if result.epochs_trained else "untrained"


def keep_busy(
    executor: Executor,
    ask: Callable[[], tuple[int, EvaluateRequest] | None],
    tell: Callable[[int, TrialResult | None], None],
) -> None:
    """Run trials until there are no more and none is under way.

    Args:
        executor: Evaluates them.
        ask: Returns the next trial under a number of its own; None if there is none for now.
        tell: Takes what became of it; None if its worker died.
    """
    running: dict[int, int] = {}
    while True:
        while len(running) < executor.n_workers and (asked := ask()) is not None:
            number, request = asked
            running[executor.submit(request)] = number
        if not running:
            return
        for outcome in executor.wait():
            result = outcome.result if isinstance(outcome, Finished) else None
            tell(running.pop(outcome.ticket), result)


def make_tpe(seed: int) -> BaseSampler:
    """Return Optuna's TPE as it is best for this: parameters together, with running trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `group` and `constant_liar` are experimental.
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def make_nsga2(seed: int, trials: int | None) -> BaseSampler:
    """Return NSGA-II with a population that leaves it some generations.

    Args:
        seed: Of its random numbers.
        trials: That it has; None if nobody knows, as its seconds are counted: 10 points then,
            as at its best in ``benchmarks.replay.policies``.
    """
    size = POPULATIONS["nsga2"] if trials is None else max(4, min(50, trials // 5))
    return NSGAIISampler(seed=seed, population_size=size)


def make_random(seed: int) -> BaseSampler:
    """Return random search."""
    return RandomSampler(seed=seed)


def run_optuna(arena: Arena, log: EventLog, sampler: BaseSampler) -> None:
    """Run plain Optuna: every trial a full training, scored under its one scheme."""
    from workers.executors.ray_workers import RayExecutor

    executor = RayExecutor(
        arena.make_evaluator, arena.dataset, n_workers=arena.workers, threads=THREADS
    )
    log.start()
    try:
        search_with_optuna(arena, log, sampler, executor)
    finally:
        executor.shutdown()


def search_with_optuna(
    arena: Arena, log: EventLog, sampler: BaseSampler, executor: Executor
) -> None:
    """Ask and tell a study in memory."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        directions=[objective.direction for objective in OBJECTIVES], sampler=sampler
    )
    under_way: dict[int, Trial] = {}

    def ask() -> tuple[int, EvaluateRequest] | None:
        n_asked = len(study.get_trials(deepcopy=False))
        if n_asked >= arena.trials or arena.spent(0, log.elapsed_s) >= 1:
            return None
        trial = study.ask()
        under_way[trial.number] = trial
        return trial.number, plain_request(arena.make_config, arena.info.space.suggest(trial))

    def tell(number: int, result: TrialResult | None) -> None:
        trial = under_way.pop(number)
        if result is None or result.point is None:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, result.point.values)
        note(log, result)

    keep_busy(executor, ask, tell)


def plain_request(make_config: ConfigMaker, params: Mapping[str, ParamValue]) -> EvaluateRequest:
    """Return a trial as a peer has it: one training, one scheme, no gate."""
    return EvaluateRequest(make_config(params), fan_out=False, check_gate=False)


def note(log: EventLog, result: TrialResult | None) -> None:
    """Note what came back; nothing did where a worker died."""
    if result is None:
        log.add("untrained", 0, reason="its worker died")
        return
    log.add(kind_of(result), result.epochs_trained, models_of(result), reason=result.reason)
