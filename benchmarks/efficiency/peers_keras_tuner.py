"""KerasTuner's Hyperband on accuracy, then a grid of pruning and quantization on its best models.

This is how the parts are put together without a joint search. KerasTuner 1.4.8's own ``Tuner``
trains Keras 3 models only, which cannot be pruned or quantized; so its ``HyperbandOracle``, which
decides everything, is asked and told here, and our workers train. At its best: survivors go on
from their weights, trials run side by side, every model that comes by is measured, and a cell of
the grid gives its points under all schemes after one fine-tuning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.efficiency.peers import Arena, keep_busy, note
from benchmarks.efficiency.runs import EventLog
from search.run.run_study import THREADS
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue, PruningConfig, TrialConfig
from spaces.space.compression import COMPRESSION_NAMES
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.executor import Executor
from workers.messages.result import EvaluateRequest, TrialResult

HYPERBAND_SHARE = 0.7
"""Share of all epochs, or seconds, that Hyperband gets; the grid gets the rest."""

SPARSITIES = (0.0, 0.5, 0.75, 0.9)
"""The grid's final sparsities; 0 for no pruning."""

FINE_TUNING = 0.4
"""Length of the training that prunes, as a fraction of a full one."""

SCORE = "val_accuracy"


@dataclass(frozen=True)
class Candidate:
    """A model that Hyperband trained."""

    score: float
    config: TrialConfig
    weights: bytes


def run_hyperband(arena: Arena, log: EventLog) -> None:
    """Run Hyperband, then the grid."""
    import keras_tuner  # noqa: F401  Takes seconds, which belong to the set-up.

    from workers.executors.ray_workers import RayExecutor

    executor = RayExecutor(
        arena.make_evaluator, arena.dataset, n_workers=arena.workers, threads=THREADS
    )
    try:
        search = HyperbandSearch(arena, log)
        log.start()
        search.run(executor)
    finally:
        executor.shutdown()


class HyperbandSearch:
    """KerasTuner's oracle, asked and told; once its share is spent, the grid on its best models.

    Args:
        arena: What to search; its compression parameters are left out.
        log: Takes the events.
    """

    def __init__(self, arena: Arena, log: EventLog) -> None:
        import keras_tuner

        self._arena, self._log = arena, log
        self._space = SearchSpace(
            tuple(p for p in arena.info.space.parameters if p.name not in COMPRESSION_NAMES)
        )
        self._oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective(SCORE, "max"),
            max_epochs=arena.info.epochs,
            hyperband_iterations=None,  # As many as the epochs allow.
            seed=seed_of(arena.seed),
            hyperparameters=to_keras_tuner(self._space),
        )
        self._oracle.verbose = 0
        self._oracle._set_project_dir(str(arena.folder), "hyperband")
        self._asked: dict[int, Any] = {}
        self._n_asked = 0
        self._epochs_asked = 0
        self._candidates: dict[str, Candidate] = {}  # By the oracle's name of a trial.
        self._rows_done: set[str] = set()  # Hashes of their configurations.

    def run(self, executor: Executor) -> None:
        """Search until epochs or seconds are spent.

        No worker waits where the one goes over into the other.
        """
        keep_busy(executor, self._next, self._tell)

    def best(self) -> list[Candidate]:
        """Return trained models, the best first, each configuration once: as trained longest."""
        longest: dict[Any, Candidate] = {}
        for candidate in self._candidates.values():
            longest[candidate.config.lineage[0].hash] = candidate  # The oracle's order.
        return sorted(longest.values(), key=lambda candidate: -candidate.score)

    def _next(self) -> tuple[int, EvaluateRequest] | None:
        # Quantization-aware epochs are known once they are trained.
        epochs = max(self._epochs_asked, self._log.epochs)
        spent = self._arena.spent(epochs, self._log.elapsed_s)
        if spent < HYPERBAND_SHARE:
            return self._ask()
        return self._row() if spent < 1 else None

    def _row(self) -> tuple[int, EvaluateRequest] | None:
        """Return the next row of the grid on the best models so far."""
        for candidate in self.best():
            for request in rows_of(self._arena, candidate):
                if request.config.hash not in self._rows_done:
                    self._rows_done.add(request.config.hash)
                    self._n_asked += 1
                    self._epochs_asked += request.config.training.epochs
                    return self._n_asked - 1, request
        return None

    def _ask(self) -> tuple[int, EvaluateRequest] | None:
        number = self._n_asked
        trial = self._oracle.create_trial(str(number))
        if trial.status != "RUNNING":
            return None  # It waits for what is under way, or has nothing more.
        self._n_asked += 1
        values = trial.hyperparameters.values
        n_epochs = int(values["tuner/epochs"]) - int(values["tuner/initial_epoch"])
        self._asked[number] = trial
        self._epochs_asked += n_epochs
        return number, self._request(values, n_epochs)

    def _request(self, values: Mapping[str, Any], n_epochs: int) -> EvaluateRequest:
        past = self._candidates.get(values.get("tuner/trial_id", ""))
        config = self._arena.make_config(active(self._space, values))
        if past is not None:
            config = replace(config, branched_from=past.config)
        config = replace(config, training=replace(config.training, epochs=n_epochs))
        return EvaluateRequest(
            config,
            fan_out=False,
            check_gate=False,
            start_weights=None if past is None else past.weights,
            keep_weights=True,
        )

    def _tell(self, number: int, result: TrialResult | None) -> None:
        if number not in self._asked:  # A row of the grid.
            note(self._log, result)
            return
        trial = self._asked.pop(number)
        score = 0.0  # Of a training that broke down.
        if result is not None and result.history.get(SCORE):
            score = max(result.history[SCORE])
            if result.weights is not None:
                self._candidates[trial.trial_id] = Candidate(score, result.config, result.weights)
        self._oracle.update_trial(trial.trial_id, {SCORE: score})
        trial.status = "COMPLETED"
        self._oracle.end_trial(trial)
        note(self._log, result)


def seed_of(seed: int) -> int:
    """Return the oracle's seed.

    It draws every value with the next whole number as its seed, so that searches with neighbouring
    ones would soon walk the same way; and takes 0 for none.
    """
    return 1_000_003 * (seed + 1)


def sparsities(space: SearchSpace) -> tuple[float, ...]:
    """Return the grid's sparsities in a space; only 0 where nothing can be pruned."""
    return SPARSITIES if "final_sparsity" in space else (0.0,)


def rows_of(arena: Arena, candidate: Candidate) -> Iterator[EvaluateRequest]:
    """Yield the grid's rows of a candidate: as it is under all schemes, then those that train."""
    trained = QuantizationScheme.QAT_INT8
    has_qat = trained in arena.info.space["quantization"].choices
    yield _row(arena, candidate, 0.0, QuantizationScheme.FLOAT32)
    for sparsity in sparsities(arena.info.space):
        if has_qat or sparsity:
            yield _row(
                arena, candidate, sparsity, trained if has_qat else QuantizationScheme.FLOAT32
            )


def _row(
    arena: Arena, candidate: Candidate, sparsity: float, scheme: QuantizationScheme
) -> EvaluateRequest:
    """Return one row: one sparsity, every scheme that needs no training of its own, and one."""
    parent = candidate.config
    epochs = max(1, round(FINE_TUNING * arena.info.epochs)) if sparsity else 0
    config = replace(
        parent,
        training=replace(parent.training, epochs=epochs),
        pruning=PruningConfig("polynomial", sparsity, 0.0, 0.7) if sparsity else PruningConfig(),
        quantization=scheme,
        branched_from=parent,
    )
    return EvaluateRequest(config, check_gate=False, start_weights=candidate.weights)


def active(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Return the values of active parameters; KerasTuner adds its own, and inactive ones."""
    params: dict[str, ParamValue] = {}
    for parameter in space.parameters:
        if space.is_active(parameter, params):
            params[parameter.name] = values.get(parameter.name, parameter.default)
    return params


def to_keras_tuner(space: SearchSpace) -> Any:
    """Return a space as KerasTuner's ``HyperParameters``."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    for parameter in space.parameters:
        with ExitStack() as scopes:
            for condition in parameter.conditions:
                scope = hp.conditional_scope(condition.parameter, list(condition.values))
                scopes.enter_context(scope)
            _declare(hp, parameter)
    return hp


def _declare(hp: Any, parameter: Parameter) -> None:
    if parameter.kind == "categorical":
        hp.Choice(parameter.name, list(parameter.choices), default=parameter.default)
        return
    declare = hp.Int if parameter.kind == "int" else hp.Float
    options: dict[str, Any] = {"default": parameter.default}
    if parameter.log:
        options["sampling"] = "log"
    elif parameter.step is not None:
        options["step"] = int(parameter.step) if parameter.kind == "int" else parameter.step
    declare(parameter.name, parameter.low, parameter.high, **options)
