"""Recorded trainings, and an executor that answers with them under a simulated clock.

The driver, the study and the sampler of a replayed search are the real ones; only the executor
is not. It answers a configuration with the nearest recorded training that was not used yet,
stops it where the race would, branches it where branches were recorded, and lets simulated
workers be busy for as many seconds as that took. So a hundred trials take seconds. What it
cannot show: configurations that nobody recorded, and the cost of asking.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.storages import InMemoryStorage

from search.run.driver import Driver
from search.run.events import RunProgress, Silent
from search.run.run_study import ConfigMaker
from search.storage.settings import DEFAULT_START, RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.compression import params_from_config
from spaces.space.search_space import SearchSpace
from workers.messages.executor import Finished, Outcome
from workers.messages.limits import Foreseen, Limits, may_keep, refusal
from workers.messages.race import Race
from workers.messages.result import EvaluateRequest, Latency, Ledger, Point, TaskInfo, TrialResult

DATA = Path(__file__).parents[1] / "data"
EPOCHS = 6
N_VAL = 2_000
N_WORKERS = 2


@dataclass(frozen=True)
class Policy:
    """What a search does; one row of the table."""

    name: str
    sampler: str = "gp"
    fan_out: bool = True
    race: bool = True
    branch: bool = True
    gate: bool = True
    n_start: int = DEFAULT_START
    limits: Limits = Limits()


@dataclass(frozen=True)
class Sample:
    """Where a search stood.

    Attributes:
        seconds: Simulated, since the start.
        trainings: Trials done.
        epochs: Epochs trained so far.
        hypervolume: Of its front.
    """

    seconds: float
    trainings: int
    epochs: int
    hypervolume: float


@dataclass
class Recording:
    """Recorded trainings of one task.

    Attributes:
        space: What was searched.
        rows: As ``benchmarks/replay/record.py`` writes them.
    """

    space: SearchSpace
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, task: str = "mnist") -> Recording:
        """Read the recording of a task."""
        rows = [json.loads(line) for line in (DATA / f"{task}.jsonl").read_text().splitlines()]
        space = SearchSpace.from_list(json.loads((DATA / f"{task}_space.json").read_text()))
        return cls(space, [row for row in rows if row.get("points")])

    def distance(self, a: Mapping[str, ParamValue], b: Mapping[str, ParamValue]) -> float:
        """Return how far two configurations are apart; the scheme does not count."""
        total = 0.0
        for parameter in self.space.parameters:
            name = parameter.name
            if name == "quantization":
                continue
            if (name in a) != (name in b):
                total += 1.0
            elif name in a:
                total += _difference(parameter, a[name], b[name]) ** 2
        return total


def settled_epoch(row: Mapping[str, Any]) -> int:
    """Return after how many epochs the pruning mask of a recorded training was final."""
    if "final_sparsity" not in row["params"]:
        return 0
    return math.ceil(float(row["params"]["pruning_end"]) * EPOCHS)


def _difference(parameter: Any, a: ParamValue, b: ParamValue) -> float:
    if parameter.kind == "categorical":
        if all(isinstance(choice, int) for choice in parameter.choices):
            ordered = sorted(parameter.choices)
            return abs(ordered.index(a) - ordered.index(b)) / max(1, len(ordered) - 1)
        return float(a != b)
    low, high = float(parameter.low), float(parameter.high)
    if low == high:
        return 0.0
    if parameter.log:
        return abs(math.log(float(a) / float(b))) / math.log(high / low)
    return abs(float(a) - float(b)) / (high - low)


@dataclass
class SimulatedExecutor:
    """Workers that take recorded trainings for their own, and simulated seconds for it."""

    recording: Recording
    n_workers: int = N_WORKERS
    now: float = 0.0
    epochs: int = 0
    n_stopped: int = 0
    _free: list[float] = field(default_factory=list)
    _busy: list[tuple[float, int, TrialResult, int]] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)
    _row_of: dict[str, int] = field(default_factory=dict)
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
        return [Finished(ticket, result)]

    def shutdown(self) -> None:
        """Do nothing."""

    def _evaluate(self, request: EvaluateRequest) -> tuple[TrialResult, int]:
        """Return the result and the epochs trained."""
        config = request.config
        if config.branched_from is not None:
            return self._branch(request)
        params = params_from_config(config, self.recording.space)
        row_index = min(
            (i for i in range(len(self.recording.rows)) if i not in self._used),
            key=lambda i: self.recording.distance(self.recording.rows[i]["params"], params),
        )
        self._used.add(row_index)
        self._row_of[config.with_quantization(QuantizationScheme.FLOAT32).hash] = row_index
        row = self.recording.rows[row_index]
        # The recorded training may have been pruned otherwise than the one asked for.
        result = _result(request, row, settled_epoch(row), qat=True)
        return result, len(result.history.get("val_accuracy", ())) + (
            config.quantization is QuantizationScheme.QAT_INT8
        )

    def _branch(self, request: EvaluateRequest) -> tuple[TrialResult, int]:
        """Return a recorded branch: the quantization-aware training, or the nearest sparsity."""
        config = request.config
        parent = config.lineage[0].with_quantization(QuantizationScheme.FLOAT32)
        row = self.recording.rows[self._row_of[parent.hash]]
        if config.training.epochs == 0:
            point = row["points"].get("qat_int8")
            if len(config.lineage) > 2 or point is None:
                return TrialResult(config, "failed", "not recorded", seconds={"build": 0.1}), 0
            seconds = {k: row["seconds"].get(k, 0.0) for k in ("build", "qat")}
            for stage in ("convert", "measure", "latency"):
                seconds[stage] = row["seconds"].get(stage, 0.0) / len(row["points"])
            return TrialResult(
                config, "complete", point=_point(config, point, row), seconds=seconds
            ), 1
        branches = row.get("branches", [])
        near = [
            b for b in branches if abs(b["final_sparsity"] - config.pruning.final_sparsity) < 0.06
        ]
        if not near:
            return TrialResult(config, "failed", "not recorded", seconds={"build": 0.1}), 0
        return _result(request, near[0], 0, qat=False), len(near[0]["val_accuracy"])


def _result(
    request: EvaluateRequest, row: Mapping[str, Any], settled: int, qat: bool
) -> TrialResult:
    config = request.config
    seconds = dict(row["seconds"])
    is_qat = config.quantization is QuantizationScheme.QAT_INT8
    if not is_qat:
        seconds.pop("qat", None)
    if not request.check_gate:
        seconds.pop("gate", None)
    points = {
        QuantizationScheme(name): _point(
            config.with_quantization(QuantizationScheme(name)), v, row
        )
        for name, v in row["points"].items()
        if name != "qat_int8" or (is_qat and qat)
    }
    n_schemes = len(row["points"])
    if not request.fan_out:
        points = {s: p for s, p in points.items() if s is config.quantization}
    for stage in ("convert", "measure", "latency"):
        if stage in seconds:
            seconds[stage] *= max(1, len(points)) / n_schemes
    accuracies = tuple(row["val_accuracy"])
    foreseen = {s: Foreseen(p.values[1], p.values[2]) for s, p in points.items()}
    kept = [s for s, found in foreseen.items() if may_keep(found, request.limits)]
    own_foreseen = foreseen.get(config.quantization)
    gate: dict[str, Any] = {}
    if request.check_gate:
        gate["foreseen"] = foreseen
        if own_foreseen is not None:
            gate["size_bytes"] = own_foreseen.size_bytes
            gate["latency_ms"] = own_foreseen.latency_ms
        if foreseen and not kept and not _branch_keeps(request, row):
            spent = {stage: seconds.get(stage, 0.0) for stage in ("gate", "build")}
            why = refusal(foreseen, request.limits)
            return TrialResult(config, "infeasible", why, seconds=spent, **gate)
    verdict, bar = "", None
    if request.race is not None and request.check_gate:  # The gate tells sizes and latencies.
        models = [(foreseen[s].size_bytes, foreseen[s].latency_ms) for s in kept]
        bar = request.race.bar(models)
        if request.race.can_judge:
            verdict, accuracies = _judge(request.race, models, accuracies, settled, bar)
    if verdict:
        share = len(accuracies) / len(row["val_accuracy"])
        seconds = {k: seconds.get(k, 0.0) for k in ("gate", "build", "train")}
        seconds["train"] *= share
        return TrialResult(
            config,
            "stopped",
            verdict,
            bar=bar,
            history={"val_accuracy": accuracies},
            seconds=seconds,
            **gate,
        )
    own = points.pop(config.quantization, None)
    common: dict[str, Any] = {
        "siblings": tuple(points.values()),
        "history": {"val_accuracy": accuracies, "loss": accuracies},
        "epochs_trained": len(accuracies),
        "seconds": seconds,
        "bar": bar,
        "weights": b"" if request.keep_weights else None,
        **gate,
    }
    if own is None:
        return TrialResult(config, "failed", "not recorded", **common)
    return TrialResult(config, "complete", point=own, **common)


def _branch_keeps(request: EvaluateRequest, row: Mapping[str, Any]) -> bool:
    """Whether a recorded branch of a training keeps the limits."""
    if not request.branch_sparsity:
        return False
    pruned = (p for branch in row.get("branches", []) for p in branch["points"].values())
    return any(may_keep(Foreseen(size, ms), request.limits) for _, size, ms in pruned)


def _judge(
    race: Race,
    models: Sequence[tuple[float, float]],
    accuracies: tuple[float, ...],
    settled: int,
    bar: float,
) -> tuple[str, tuple[float, ...]]:
    """Return what the race says of a recorded training, and its curve as far as it came."""
    if hopeless := race.hopeless(models):
        return hopeless, ()
    for epoch in range(1, len(accuracies)):
        if verdict := race.verdict(accuracies[:epoch], len(accuracies), settled, bar):
            return verdict, accuracies[:epoch]
    return "", accuracies


def _point(config: TrialConfig, values: Sequence[float], row: Mapping[str, Any]) -> Point:
    accuracy, size, latency_ms = values
    return Point(
        config=config,
        accuracy=accuracy,
        size_bytes=int(size),
        latency=Latency(latency_ms, 0.0, latency_ms, 1, 0, 1, "host", "recorded"),
        ledger=Ledger(int(size), int(size), None, int(row.get("n_params", 0)), 0, 0),
        tflite=b"",
    )


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


@dataclass(frozen=True)
class Run:
    """One replayed search."""

    samples: tuple[Sample, ...]
    n_stopped: int
    n_branches: int
    n_failed: int
    n_infeasible: int = 0
    best_accuracy: float = 0.0

    def seconds_to(self, hypervolume: float) -> float:
        """Return when a hypervolume was reached; infinity if it was not."""
        return next((s.seconds for s in self.samples if s.hypervolume >= hypervolume), math.inf)

    def trainings_to(self, hypervolume: float) -> float:
        """Return after how many trials a hypervolume was reached."""
        return next((s.trainings for s in self.samples if s.hypervolume >= hypervolume), math.inf)

    def hypervolume_at(self, seconds: float) -> float:
        """Return the hypervolume at a time."""
        return max((s.hypervolume for s in self.samples if s.seconds <= seconds), default=0.0)


def replay(
    recording: Recording, policy: Policy, n_trials: int, seed: int, n_workers: int = N_WORKERS
) -> Run:
    """Run one search on recorded trainings."""
    info = TaskInfo(
        name="recorded",
        ref="recorded",
        space=recording.space,
        epochs=EPOCHS,
        data_name="recorded",
        data_path=None,
        data_fingerprint="0" * 16,
        generated=False,
        class_names=tuple("0123456789"),
        input_shape=(28, 28, 1),
        n_train=12_000,
        n_val=N_VAL,
        n_test=0,
    )
    settings = StudySettings(
        name="recorded",
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
    study = open_study(InMemoryStorage(), settings)
    executor = SimulatedExecutor(recording, n_workers)
    curve = _Curve(executor)
    report = Driver(
        study, executor, ConfigMaker(info, seed), RunSettings(n_trials=n_trials), curve
    ).run()
    return Run(
        tuple(curve.samples),
        executor.n_stopped,
        report.progress.n_branches,
        report.progress.n_failed,
        report.progress.n_infeasible,
        report.progress.best_accuracy or 0.0,
    )
