"""A task that needs no training: accuracy, size and latency by formula, in microseconds.

Wider networks are more accurate, larger and slower; sparsity costs accuracy beyond 0.6 and
saves bytes; schemes differ as they do in life. There is a real trade-off and a known optimum of
the learning rate, so a sampler has something to find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue, PruningConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.space.compression import config_from_params, joint_space
from spaces.space.search_space import Condition, Parameter, SearchSpace
from spaces.tasks.task import Task
from workers.messages.limits import Foreseen, may_keep, refusal
from workers.messages.race import settled_from
from workers.messages.result import EvaluateRequest, Latency, Ledger, Point, TaskInfo, TrialResult

BEST_LEARNING_RATE = 3e-3
EPOCHS = 5
TRAINED_ON = 0.8
"""What is left of an error after as many epochs again."""

FINGERPRINT = "0123456789abcdef"

_ACCURACY_LOSS = {
    QuantizationScheme.FLOAT16: 0.0001,
    QuantizationScheme.DYNAMIC_RANGE: 0.002,
    QuantizationScheme.DYNAMIC_INT4: 0.03,
    QuantizationScheme.INT8: 0.004,
    QuantizationScheme.INT16X8: 0.001,
    QuantizationScheme.QAT_INT8: 0.001,
}
_SPEED = {
    QuantizationScheme.FLOAT32: 1.0,
    QuantizationScheme.FLOAT16: 1.0,
    QuantizationScheme.DYNAMIC_RANGE: 0.8,
    QuantizationScheme.DYNAMIC_INT4: 0.9,
    QuantizationScheme.INT8: 0.6,
    QuantizationScheme.INT16X8: 5.0,
    QuantizationScheme.QAT_INT8: 0.6,
}


def _no_data(request: DataRequest) -> Dataset:
    raise DataError("The analytic task has no data.")


TASK = Task("analytic", "Formulas in place of training.", model=None, load_data=_no_data)

MODEL_PARAMETERS = (
    Parameter("n_blocks", "int", 1, 3, default=2),
    Parameter("filters_1", "int", 8, 64, step=8, default=32),
    Parameter(
        "filters_2",
        "int",
        8,
        64,
        step=8,
        default=32,
        conditions=(Condition("n_blocks", (2, 3)),),
    ),
    Parameter("dropout", "float", 0.0, 0.5, default=0.1),
)


def analytic_space() -> SearchSpace:
    """Return the joint space of the analytic task."""
    return joint_space(TASK, MODEL_PARAMETERS, tuple(SCHEMES), prunable=True)


def task_info(space: SearchSpace | None = None, **changes: object) -> TaskInfo:
    """Return what the driver knows of the analytic task."""
    info = TaskInfo(
        name="analytic",
        ref="analytic",
        space=analytic_space() if space is None else space,
        epochs=5,
        data_name="formulas",
        data_path=None,
        data_fingerprint=FINGERPRINT,
        generated=True,
        class_names=("apple", "orange", "mandarin", "banana"),
        input_shape=(8, 8, 3),
        n_train=100,
        n_val=100,
        n_test=100,
    )
    return replace(info, **changes)  # type: ignore[arg-type]


def make_config(params: Mapping[str, ParamValue], seed: int = 0) -> TrialConfig:
    """Return the configuration of parameters of the analytic task."""
    return config_from_params(
        params, task="analytic", data_fingerprint=FINGERPRINT, epochs=EPOCHS, seed=seed
    )


def make_point(config: TrialConfig) -> Point:
    """Return the point that a configuration gives."""
    values = config.hyperparameter_dict
    widths = [float(values["filters_1"])]
    if int(values["n_blocks"]) > 1:
        widths.append(float(values["filters_2"]))
    n_params = int(sum(30 * w for w in widths) + 4 * widths[-1] * 40)
    macs = n_params * 50
    sparsity = config.pruning.final_sparsity
    bits = SCHEMES[config.quantization].weight_bits
    raw = int(n_params * bits / 8) + 1500
    gzipped = int(n_params * bits / 8 * (1 - 0.8 * sparsity)) + 1200
    n_whole = sum(step.training.epochs >= EPOCHS for step in config.lineage)
    off = math.log10(config.training.learning_rate / BEST_LEARNING_RATE)
    accuracy = (
        1.0
        - 0.6 * TRAINED_ON ** (n_whole - 1) / math.sqrt(sum(widths))
        - 0.15 * off * off
        - 0.2 * max(0.0, sparsity - 0.6)
        - 0.1 * abs(float(values["dropout"]) - 0.2)
        - _ACCURACY_LOSS.get(config.quantization, 0.0)
    )
    latency_ms = macs * 1e-6 * _SPEED[config.quantization]
    return Point(
        config=config,
        accuracy=max(0.0, accuracy),
        size_bytes=gzipped,
        latency=Latency(latency_ms, 0.0, latency_ms, 1, 0, 1, "host", "formula"),
        ledger=Ledger(raw, gzipped, None, n_params, int(n_params * (1 - sparsity)), macs),
        tflite=f"model of {config.hash}".encode(),
        confusion=_confusion(max(0.0, accuracy)),
    )


def _confusion(accuracy: float) -> tuple[tuple[int, ...], ...]:
    """25 images of each of the four classes; what is wrong is called the next class."""
    right = round(25 * accuracy)
    rows = []
    for label in range(4):
        row = [0, 0, 0, 0]
        row[label], row[(label + 1) % 4] = right, 25 - right
        rows.append(tuple(row))
    return tuple(rows)


def make_result(request: EvaluateRequest) -> TrialResult:
    """Evaluate a request as a worker does: gate, race, own point, siblings."""
    config = request.config
    point = make_point(config)
    siblings: tuple[Point, ...] = ()
    if request.fan_out and not SCHEMES[config.quantization].trains:
        siblings = tuple(
            make_point(replace(config, quantization=scheme))
            for scheme in POST_TRAINING_SCHEMES
            if scheme != config.quantization
        )
    foreseen = {
        p.config.quantization: Foreseen(float(p.size_bytes), p.latency.median_ms)
        for p in (point, *siblings)
    }
    kept = [p for p in (point, *siblings) if _keeps(foreseen, p, request)]
    gate: dict[str, Any] = {
        "size_bytes": float(point.size_bytes),
        "latency_ms": point.latency.median_ms,
        "foreseen": foreseen,
    }
    if request.check_gate and not kept and not _branch_keeps(request):
        reason = refusal(foreseen, request.limits)
        return TrialResult(config, "infeasible", reason, seconds={"gate": 0.0001}, **gate)
    common: dict[str, Any] = {
        "sparsity": {"overall": config.pruning.final_sparsity},
        "versions": {"formula": "1"},
        "worker": "here:1",
        **gate,
    }
    curve = learning_curve(point.accuracy, config.training.epochs)
    if request.check_gate and request.race is not None and request.race.can_judge:
        models = [p.values[1:] for p in kept]
        bar = request.race.bar(models)
        for epoch in range(len(curve)):
            verdict = (
                request.race.verdict(curve[:epoch], len(curve), settled_from(config), bar)
                if epoch
                else request.race.hopeless(models)
            )
            if verdict:
                return TrialResult(
                    config,
                    "stopped",
                    verdict,
                    bar=bar,
                    epochs_trained=epoch,
                    history={"loss": curve[:epoch], "val_accuracy": curve[:epoch]},
                    seconds={"train": 0.001 * epoch},
                    **common,
                )
        common["bar"] = bar
    return TrialResult(
        config,
        "complete",
        point=point,
        siblings=siblings,
        epochs_trained=config.training.epochs,
        history={"loss": curve, "val_accuracy": curve},
        seconds={"train": 0.001 * (config.training.epochs + 1)},
        weights=config.hash.encode() if request.keep_weights else None,
        **common,
    )


def _keeps(
    foreseen: Mapping[QuantizationScheme, Foreseen], point: Point, request: EvaluateRequest
) -> bool:
    return may_keep(foreseen[point.config.quantization], request.limits)


def _branch_keeps(request: EvaluateRequest) -> bool:
    if request.branch_sparsity <= request.config.pruning.final_sparsity:
        return False
    pruned = PruningConfig("constant", request.branch_sparsity, 0.0, 0.5)
    points = (
        make_point(replace(request.config, pruning=pruned, quantization=scheme))
        for scheme in POST_TRAINING_SCHEMES
    )
    return any(
        may_keep(Foreseen(float(p.size_bytes), p.latency.median_ms), request.limits)
        for p in points
    )


def learning_curve(accuracy: float, epochs: int) -> tuple[float, ...]:
    """Return accuracies by epoch: half of what is missing, then a third, a quarter..."""
    return tuple(accuracy - (accuracy / (2 + e) if e + 1 < epochs else 0.0) for e in range(epochs))


Evaluate = Callable[[EvaluateRequest], TrialResult]
