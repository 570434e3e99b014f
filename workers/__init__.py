"""One configuration becomes one measured model: the middle floor."""

from __future__ import annotations

from workers.executor import Evaluator, Executor, Finished, InlineExecutor, Lost
from workers.result import EvaluateRequest, Latency, Ledger, Limits, Point, TaskInfo, TrialResult

__all__ = [
    "EvaluateRequest",
    "Evaluator",
    "Executor",
    "Finished",
    "InlineExecutor",
    "Latency",
    "Ledger",
    "Limits",
    "Lost",
    "Point",
    "TaskInfo",
    "TrialResult",
]
