"""One configuration becomes one measured model: the middle floor."""

from __future__ import annotations

from workers.devices.device import Device, Measurement, modelled_latency
from workers.messages.executor import Evaluator, Executor, Finished, InlineExecutor, Lost
from workers.messages.result import (
    EvaluateRequest,
    Latency,
    Ledger,
    Limits,
    Point,
    TaskInfo,
    TrialResult,
)

__all__ = [
    "Device",
    "EvaluateRequest",
    "Evaluator",
    "Executor",
    "Finished",
    "InlineExecutor",
    "Latency",
    "Ledger",
    "Limits",
    "Lost",
    "Measurement",
    "Point",
    "TaskInfo",
    "TrialResult",
    "modelled_latency",
]
