"""What is one trial's failure, and what ends the run; without any training."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from spaces.config.trial import TrainingConfig, TrialConfig
from spaces.errors import (
    ConfigError,
    ConversionError,
    DataError,
    DeviceError,
    SearchError,
    StorageError,
    TaskError,
    TrialFailedError,
    UnknownTaskError,
)
from workers.messages.executor import Interrupted, TrialOverdue
from workers.messages.result import EvaluateRequest, TrialResult
from workers.trial.evaluate import TrialEvaluator

REQUEST = EvaluateRequest(TrialConfig("task", "data", (), TrainingConfig(1e-3, 32)))

Evaluate = Callable[[BaseException], TrialResult]


class Stop(BaseException):
    """As some libraries end their loops."""


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Evaluate a trial within which something is raised."""

    def run(error: BaseException) -> TrialResult:
        def fail(*_: Any) -> None:
            raise error

        evaluator = TrialEvaluator.__new__(TrialEvaluator)
        evaluator._windows = evaluator._elsewhere = None
        monkeypatch.setattr(evaluator, "_evaluate", fail)
        return evaluator(REQUEST)

    return run


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TrialFailedError("its loss is NaN"), "its loss is NaN"),
        (ConversionError("no such operation"), "no such operation"),
        (ConfigError("`1 <= n` must hold"), "`1 <= n` must hold"),
        (TaskError("build(hp) must return a model"), "build(hp) must return a model"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit"),
        (Stop("enough"), "Stop: enough"),
    ],
)
def test_the_trial_fails(error: BaseException, reason: str, evaluate: Evaluate) -> None:
    result = evaluate(error)
    assert (result.outcome, result.reason) == ("failed", reason)


@pytest.mark.parametrize(
    "error",
    [
        SearchError("ours"),
        DeviceError("no such device"),
        DataError("the pictures are gone"),
        StorageError("no room"),
        UnknownTaskError("no such file"),
        Interrupted(signal.SIGTERM),
        TrialOverdue(),
    ],
)
def test_the_run_ends(error: BaseException, evaluate: Evaluate) -> None:
    with pytest.raises(type(error)) as raised:
        evaluate(error)
    assert raised.value is error


@pytest.mark.parametrize(("handler", "is_trial_s"), [(signal.SIG_IGN, True), (None, False)])
def test_an_interrupt_of_the_task_s_own(
    handler: Any, is_trial_s: bool, evaluate: Evaluate
) -> None:
    """Where Python itself would raise it for Ctrl-C, nobody knows whose it is."""
    before = signal.signal(signal.SIGINT, handler or signal.default_int_handler)
    try:
        if is_trial_s:
            assert evaluate(KeyboardInterrupt()).reason == "KeyboardInterrupt"
        else:
            with pytest.raises(KeyboardInterrupt):
                evaluate(KeyboardInterrupt())
    finally:
        signal.signal(signal.SIGINT, before)
