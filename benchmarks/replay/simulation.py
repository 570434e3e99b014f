"""A search on a surrogate of recorded trainings, under a simulated clock.

The driver, the study and the sampler are the real ones; only the executor is not. It answers a
configuration with what a surrogate says of it, or with the nearest recorded training that was not
used yet; stops it where the race would; branches it; and lets simulated workers be busy for as
many seconds as that took when it was recorded. So a hundred trials take seconds. What it cannot
show is the cost of asking.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from optuna.storages import InMemoryStorage

from benchmarks.replay.moasha import Halving, Rungs, cut_short
from benchmarks.replay.outcome import Measured, Run, Sample
from benchmarks.replay.surrogate import Answer, Surrogate
from search.front.pareto import ReferencePoint
from search.run.driver import Driver
from search.run.events import RunProgress, Silent
from search.run.run_study import ConfigMaker
from search.sampling import branching
from search.sampling.branch_kinds import KINDS, TRAIN_ON, kind_of
from search.storage.settings import DEFAULT_START, RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.compression import params_from_config
from workers.messages.executor import Finished, Outcome
from workers.messages.limits import Foreseen, Limits, may_keep, refusal
from workers.messages.race import QUANTILE, Race, curve_recipe, settled_from
from workers.messages.result import EvaluateRequest, Latency, Ledger, Point, TaskInfo, TrialResult

N_WORKERS = 2
QAT = QuantizationScheme.QAT_INT8.value


@dataclass(frozen=True)
class Policy:
    """What a search does; one row of a table.

    Attributes:
        name: Of the row.
        sampler: Of ours, or one of ``benchmarks.replay.peers``.
        fan_out: Whether a training is measured under every scheme.
        race: Whether hopeless trainings are stopped.
        branch: Whether trials start from others' weights.
        train_on: Whether such trials may train on; where the recording knows of it.
        gate: Whether size and latency are looked at before; the race needs it.
        n_start: Trials of the start design.
        quantile: Of the race.
        log_metrics: Whether the sampler is told logarithms of error, size and latency, which a
            careful user would do.
        population: Points of a generation of NSGA-II and NSGA-III; None for Optuna's own default.
        rungs: At which MO-ASHA stops trainings; None for none.
        limits: What models must keep.
    """

    name: str
    sampler: str = "gp"
    fan_out: bool = True
    race: bool = True
    branch: bool = True
    train_on: bool = True
    gate: bool = True
    n_start: int = DEFAULT_START
    quantile: float = QUANTILE
    log_metrics: bool = False
    population: int | None = None
    rungs: Rungs | None = None
    limits: Limits = Limits()


@dataclass
class SimulatedExecutor:
    """Workers that take a surrogate's answers for their own, and simulated seconds for it.

    Attributes:
        model: Answers.
        seed: Of the search: its trainings have a luck of their own.
        quantile: Of the race.
        nearest: Whether trainings are answered by the nearest recorded one that was not used yet;
            otherwise by the surrogate.
        halving: MO-ASHA, if that stops trainings.
        now: Simulated seconds.
        measured: All models of trials that ended.
    """

    model: Surrogate
    seed: int = 0
    quantile: float = QUANTILE
    nearest: bool = False
    halving: Halving | None = None
    n_workers: int = N_WORKERS
    now: float = 0.0
    epochs: int = 0
    n_stopped: int = 0
    measured: list[Measured] = field(default_factory=list)
    _free: list[float] = field(default_factory=list)
    _busy: list[tuple[float, int, TrialResult, int]] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)
    _answers: dict[str, Answer] = field(default_factory=dict)
    _tests: dict[str, float] = field(default_factory=dict)
    _n_tickets: int = 0

    def submit(self, request: EvaluateRequest) -> int:
        """Start a trial on the worker that is free first."""
        if not self._free:
            self._free = [self.now] * self.n_workers
        result, epochs = self._evaluate(request)
        start = max(self.now, heapq.heappop(self._free))
        end = start + sum(result.seconds.values())
        heapq.heappush(self._free, end)
        ticket = self._n_tickets
        self._n_tickets += 1
        heapq.heappush(self._busy, (end, ticket, result, epochs))
        return ticket

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Let time go on to the next end of a trial."""
        if not self._busy:
            return []
        self.now, ticket, result, epochs = heapq.heappop(self._busy)
        self.epochs += epochs
        self.n_stopped += result.outcome == "stopped"
        for point in (result.point, *result.siblings):
            if point is not None:
                self.measured.append(
                    Measured(self.now, *point.values, self._tests[point.config.hash])
                )
        return [Finished(ticket, result)]

    def shutdown(self) -> None:
        """Do nothing."""

    def _evaluate(self, request: EvaluateRequest) -> tuple[TrialResult, int]:
        """Return the result and the epochs trained."""
        config = request.config
        weights = config.with_quantization(QuantizationScheme.FLOAT32)
        params = params_from_config(config.lineage[0], self.model.recording.space)
        params.pop("quantization", None)
        if config.branched_from is None:
            answer = self._training(params)
            self._answers[weights.hash] = answer
            return self._result(request, answer)
        parent = self._answers[
            config.branched_from.with_quantization(QuantizationScheme.FLOAT32).hash
        ]
        if config.training.epochs > 0:
            trains_on = kind_of(config) is TRAIN_ON
            sparsity = None if trains_on else config.pruning.final_sparsity
            times = config.training.epochs / self.model.epochs
            answer = self.model.branch(params, parent, sparsity, self.seed, times=times)
            self._answers[weights.hash] = answer
            return self._result(request, answer)
        # The quantization-aware training of a parent's weights alone.
        n_schemes = len(parent.points)
        seconds = {"build": parent.seconds.get("build", 0.0), "qat": parent.seconds["qat"]}
        for stage in ("convert", "measure", "latency"):
            seconds[stage] = parent.seconds[stage] / n_schemes
        point = self._point(config, parent, QAT)
        return TrialResult(config, "complete", point=point, seconds=seconds), 1

    def _training(self, params: Mapping[str, Any]) -> Answer:
        if not self.nearest:
            return self.model.training(params, self.seed)
        index = self.model.recording.nearest(params, self._used)
        self._used.add(index)
        return self.model.recorded(index)

    def _result(self, request: EvaluateRequest, answer: Answer) -> tuple[TrialResult, int]:
        config = request.config
        own = config.quantization.value
        if self.halving is not None:
            n_epochs = self.halving.epochs(answer.curve, *answer.points[own][2:])
            self.n_stopped += n_epochs < len(answer.curve)
            answer = cut_short(answer, n_epochs)
        names = [n for n in answer.points if n != QAT] if request.fan_out else []
        schemes = [own, *(name for name in names if name != own)]
        seconds = {k: v for k, v in answer.seconds.items() if k != "qat" or own == QAT}
        if not request.check_gate:
            seconds.pop("gate", None)
        for stage in ("convert", "measure", "latency"):
            seconds[stage] *= len(schemes) / len(answer.points)
        foreseen = {
            QuantizationScheme(s): Foreseen(answer.points[s][2], answer.points[s][3])
            for s in schemes
        }
        kept = [s for s, found in foreseen.items() if may_keep(found, request.limits)]
        gate: dict[str, Any] = {}
        if request.check_gate:
            own_foreseen = foreseen[config.quantization]
            gate = {
                "foreseen": foreseen,
                "size_bytes": own_foreseen.size_bytes,
                "latency_ms": own_foreseen.latency_ms,
            }
            if not kept and not self._branch_keeps(request, answer):
                spent = {stage: seconds.get(stage, 0.0) for stage in ("gate", "build")}
                why = refusal(foreseen, request.limits)
                return TrialResult(config, "infeasible", why, seconds=spent, **gate), 0
        bar, curve, verdict = None, answer.curve, ""
        if request.race is not None and request.check_gate:  # The gate tells sizes and latencies.
            race = replace(request.race, quantile=self.quantile)
            models = [(foreseen[s].size_bytes, foreseen[s].latency_ms) for s in kept]
            bar, floor = race.bar(models), request.limits.min_accuracy or 0.0
            if race.can_judge:
                verdict, curve = judged(race, models, answer.curve, config, bar, floor=floor)
        history = {"val_accuracy": curve, "loss": curve}
        if verdict:
            spent = {k: seconds.get(k, 0.0) for k in ("gate", "build", "train")}
            spent["train"] *= len(curve) / len(answer.curve)
            stopped = TrialResult(
                config, "stopped", verdict, bar=bar, history=history, seconds=spent, **gate
            )
            return stopped, len(curve)
        n_epochs = len(curve) if config.branched_from is None else config.training.epochs
        points = [self._point(config, answer, scheme) for scheme in schemes]
        complete = TrialResult(
            config,
            "complete",
            point=points[0],
            siblings=tuple(points[1:]),
            history=history,
            epochs_trained=n_epochs,
            seconds=seconds,
            bar=bar,
            weights=b"" if request.keep_weights else None,
            **gate,
        )
        return complete, n_epochs + (own == QAT)

    def _branch_keeps(self, request: EvaluateRequest, answer: Answer) -> bool:
        """Whether a branch of a training may keep the limits, as the gate guesses."""
        if not request.branch_sparsity:
            return False
        kept = 1 - 0.75 * request.branch_sparsity
        return any(
            may_keep(Foreseen(size * kept, ms), request.limits)
            for _, _, size, ms in answer.points.values()
        )

    def _point(self, config: TrialConfig, answer: Answer, scheme: str) -> Point:
        accuracy, test, size, latency_ms = answer.points[scheme]
        config = config.with_quantization(QuantizationScheme(scheme))
        self._tests[config.hash] = test
        return Point(
            config=config,
            accuracy=accuracy,
            size_bytes=int(size),
            latency=Latency(latency_ms, 0.0, latency_ms, 1, 0, 1, "host", "recorded"),
            ledger=Ledger(int(size), int(size), None, answer.n_params, answer.n_params, 0),
            tflite=b"",
        )


def judged(
    race: Race,
    models: Sequence[tuple[float, float]],
    curve: tuple[float, ...],
    config: TrialConfig,
    bar: float,
    *,
    floor: float = 0.0,
) -> tuple[str, tuple[float, ...]]:
    """Return what the race says of a training, and its curve as far as it came."""
    if hopeless := race.hopeless(models):
        return hopeless, ()
    settled, recipe = settled_from(config), curve_recipe(config)
    for epoch in range(1, len(curve)):
        if verdict := race.verdict(curve[:epoch], len(curve), settled, bar, recipe, floor=floor):
            return verdict, curve[:epoch]
    return "", curve


class _Curve(Silent):
    """Takes samples while a driver runs."""

    def __init__(self, executor: SimulatedExecutor) -> None:
        self._executor = executor
        self.samples: list[Sample] = []

    def update(self, progress: RunProgress) -> None:
        executor = self._executor
        self.samples.append(
            Sample(executor.now, progress.n_done, executor.epochs, progress.hypervolume)
        )


def task_of(model: Surrogate) -> TaskInfo:
    """Return what a driver has to know of a recorded task."""
    about = model.recording.about
    settings = about["settings"]
    return TaskInfo(
        name=model.recording.name,
        ref=settings["task"],
        space=model.recording.space,
        epochs=settings["epochs"],
        data_name=settings["what"],
        data_path=None,
        data_fingerprint=about["fingerprint"],
        generated=False,
        class_names=tuple(about["class_names"]),
        input_shape=tuple(about["input_shape"]),
        n_train=settings["n_train"],
        n_val=settings["n_val"],
        n_test=settings["n_test"],
    )


def replay(
    model: Surrogate,
    policy: Policy,
    n_trials: int,
    seed: int,
    *,
    timeout_s: float | None = None,
    nearest: bool = False,
) -> Run:
    """Run one search on recorded trainings.

    Args:
        model: Answers.
        policy: What the search does.
        n_trials: How many trials it has at most.
        seed: Of the search, and of its trainings' luck.
        timeout_s: Simulated seconds after which no trial is begun; None for no end.
        nearest: See :class:`SimulatedExecutor`.
    """
    from benchmarks.replay.peers import told_by

    info = task_of(model)
    settings = StudySettings(
        name=info.name,
        task=info,
        sampler=policy.sampler,
        seed=seed,
        fan_out=policy.fan_out,
        race=policy.race,
        branch=policy.branch,
        gate=policy.gate,
        n_start=policy.n_start,
        limits=policy.limits,
    )
    kinds = KINDS
    if not (policy.train_on and model.trains_on):
        kinds = tuple(kind for kind in kinds if kind is not TRAIN_ON)
    halving = None
    if policy.rungs is not None:
        reference = ReferencePoint.for_classes(len(info.class_names), info.n_val)
        halving = Halving(policy.rungs, reference if policy.log_metrics else None)
    executor = SimulatedExecutor(model, seed, policy.quantile, nearest, halving)
    curve = _Curve(executor)
    with told_by(policy), patch.object(branching, "KINDS", kinds):
        study = open_study(InMemoryStorage(), settings)
        report = Driver(
            study,
            executor,
            ConfigMaker(info, seed),
            RunSettings(n_trials=n_trials, timeout_s=timeout_s),
            curve,
            clock=lambda: executor.now,
        ).run()
    report.check_whole()
    return Run(
        tuple(curve.samples),
        tuple(executor.measured),
        executor.n_stopped,
        report.progress.n_branches,
        report.progress.n_failed,
        report.progress.n_infeasible,
    )
