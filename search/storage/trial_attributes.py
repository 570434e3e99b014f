"""Results of workers as stored attributes, one place for both directions of the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optuna.trial import TrialState

from search.storage import attributes
from search.storage.batches import Ending
from search.storage.constraints import constraint_values
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.wording import one_line
from workers.messages.limits import Foreseen, nearest
from workers.messages.result import Limits, Point, TrialResult


def config_attrs(config: TrialConfig) -> dict[str, Any]:
    """Return what a trial stores from its start on."""
    return {
        attributes.CONFIG: config.to_dict(),
        attributes.CONFIG_HASH: config.hash,
        attributes.TRIAL_SEED: config.seed,
    }


def ending_of(result: TrialResult, limits: Limits) -> Ending:
    """Return how the trial ends that a result belongs to."""
    if result.outcome == "complete" and result.point is not None:
        flaw = _flaw(result.point)
        if flaw is None:
            return point_ending(result.point, result, limits)
        return failure(flaw, _run_attrs(result))
    if result.outcome == "stopped":
        return Ending(
            # Without values: what it would have reached, nobody knows. It breaks no limit.
            TrialState.PRUNED,
            user_attrs={
                **_run_attrs(result),
                attributes.OUTCOME: "stopped",
                attributes.REASON: result.reason,
                attributes.GATE: _gate_attr(result, with_ram=False),
            },
        )
    if result.outcome == "infeasible":
        return Ending(
            # Optuna's word for a trial without values; weights have nothing to do with it. The
            # constraint says what is wrong: without one, samplers would lean to tiny networks.
            TrialState.PRUNED,
            user_attrs={
                **_run_attrs(result),
                attributes.OUTCOME: "infeasible",
                attributes.REASON: result.reason,
                attributes.GATE: _gate_attr(result),
            },
            system_attrs={
                attributes.CONSTRAINTS: _refused_constraints(limits, _gate_attr(result))
            },
        )
    return failure(result.reason or "The worker gave no point and no reason.", _run_attrs(result))


def point_ending(point: Point, result: TrialResult, limits: Limits) -> Ending:
    """Return how a trial ends that has a measured model, its own or a derived one."""
    accuracy, size_bytes, latency_ms = point.values
    return Ending(
        TrialState.COMPLETE,
        values=(float(accuracy), float(size_bytes), float(latency_ms)),
        user_attrs={
            **_run_attrs(result, point.config),
            attributes.OUTCOME: "complete",
            attributes.LEDGER: asdict(point.ledger),
            attributes.LATENCY: asdict(point.latency),
            attributes.TFLITE_SHA256: point.tflite_sha256,
            **({attributes.CLASS_SCORES: dict(point.class_scores)} if point.class_scores else {}),
            **({attributes.METRICS: dict(point.metrics)} if point.metrics else {}),
            **({attributes.CONFUSION: point.confusion} if point.confusion else {}),
            **({attributes.HITS: point.hits} if point.hits else {}),
        },
        system_attrs={
            attributes.CONSTRAINTS: constraint_values(
                limits,
                size_bytes=size_bytes,
                latency_ms=latency_ms,
                accuracy=accuracy,
                ram_bytes=point.ledger.arena_bytes,
            )
        },
    )


def failure(reason: str, attrs: Mapping[str, Any] | None = None) -> Ending:
    """Return how a trial ends that failed."""
    return Ending(
        TrialState.FAIL,
        user_attrs={
            **(attrs or {}),
            attributes.OUTCOME: "failed",
            attributes.REASON: one_line(reason),
        },
    )


def interruption(reason: str) -> Ending:
    """Return how a trial ends that was given up and is to be tried again."""
    return Ending(
        TrialState.FAIL,
        user_attrs={attributes.OUTCOME: "interrupted", attributes.REASON: reason},
    )


def stored_constraints(
    limits: Limits, values: tuple[float, ...] | None, user_attrs: Mapping[str, Any]
) -> list[float] | None:
    """Return the constraints of a stored trial under new limits; None if it has none."""
    outcome = user_attrs.get(attributes.OUTCOME)
    if outcome in ("complete", attributes.IMPORTED) and values is not None:
        accuracy, size_bytes, latency_ms = values
        return constraint_values(
            limits,
            size_bytes=size_bytes,
            latency_ms=latency_ms,
            accuracy=accuracy,
            ram_bytes=user_attrs.get(attributes.LEDGER, {}).get("arena_bytes"),
        )
    if outcome == "infeasible":
        return _refused_constraints(limits, user_attrs.get(attributes.GATE, {}))
    return None


def foreseen_of(gate: Mapping[str, Any]) -> dict[QuantizationScheme, Foreseen]:
    """Return what a stored gate knew of the models of a trial, by scheme."""
    return {
        QuantizationScheme(scheme): Foreseen(*figures)
        for scheme, figures in gate.get("schemes", {}).items()
    }


def _gate_attr(result: TrialResult, *, with_ram: bool = True) -> dict[str, Any]:
    gate: dict[str, Any] = {"size_bytes": result.size_bytes, "latency_ms": result.latency_ms}
    if with_ram:
        gate["ram_bytes"] = result.ram_bytes
    if result.foreseen:
        gate["schemes"] = {
            scheme.value: [found.size_bytes, found.latency_ms, found.ram_bytes]
            for scheme, found in result.foreseen.items()
        }
    return gate


def _refused_constraints(limits: Limits, gate: Mapping[str, Any]) -> list[float]:
    """Return the constraints of a trial that the gate refused: those of its nearest model.

    That is how near the training came, which is what a sampler is to know. Where only the
    trial's own scheme was looked at, as in earlier versions, they are its.
    """
    size_bytes, latency_ms = gate.get("size_bytes"), gate.get("latency_ms")
    ram_bytes = gate.get("ram_bytes")
    if (found := nearest(foreseen_of(gate), limits)) is not None:
        _, model = found
        size_bytes, latency_ms, ram_bytes = model.size_bytes, model.latency_ms, model.ram_bytes
    return constraint_values(
        limits,
        size_bytes=size_bytes,
        latency_ms=latency_ms,
        accuracy=None,
        ram_bytes=ram_bytes,
        is_infeasible=True,
    )


def is_sound(point: Point) -> bool:
    """Whether all values of a point are numbers that a study can hold."""
    return _flaw(point) is None


def _flaw(point: Point) -> str | None:
    for name, value in zip(("accuracy", "size_bytes", "latency_ms"), point.values, strict=True):
        if not math.isfinite(value):
            return f"The measured {name} is {value}, which is no result."
    return None


def _run_attrs(result: TrialResult, config: TrialConfig | None = None) -> dict[str, Any]:
    """Return what is known of how a result came about.

    Args:
        result: Of a trial.
        config: Of one of its points, if it is not the trial's own. A point that is derived
            from a quantization-aware training was converted before that began.
    """
    epochs_trained = result.epochs_trained
    seconds = dict(result.seconds)
    scheme = result.config.quantization
    if config is not None and config.quantization is not scheme and SCHEMES[scheme].trains:
        epochs_trained -= config.training.qat_epochs
        seconds.pop("qat", None)
    attrs: dict[str, Any] = {
        attributes.EPOCHS_TRAINED: epochs_trained,
        attributes.SECONDS: {name: round(s, 4) for name, s in seconds.items()},
        attributes.VERSIONS: dict(result.versions),
        attributes.WORKER: result.worker,
    }
    if "val_accuracy" in result.history:
        attrs[attributes.CURVE] = [round(a, 6) for a in result.history["val_accuracy"]]
    if result.train_accuracy is not None:
        attrs[attributes.TRAIN_ACCURACY] = round(result.train_accuracy, 6)
    if result.epochs_spared:
        attrs[attributes.EPOCHS_SPARED] = result.epochs_spared
    if result.bar is not None:
        attrs[attributes.BAR] = result.bar
    if result.sparsity:
        attrs[attributes.SPARSITY] = dict(result.sparsity)
    if result.skipped:
        attrs[attributes.SKIPPED] = {str(scheme): why for scheme, why in result.skipped.items()}
    return attrs
