"""One contract, stated once, for every executor; evaluators here are plain Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from spaces.config.trial import TrainingConfig, TrialConfig
from spaces.errors import DataError
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Evaluator, Executor, Finished, Outcome, TimedOut
from workers.messages.result import EvaluateRequest, TrialResult

MakeRay = Callable[..., RayExecutor]
MakeExecutor = Callable[..., Executor]
"""Takes an evaluator, and how many workers there are to be where that can be chosen."""


def request(seed: int = 0) -> EvaluateRequest:
    return EvaluateRequest(TrialConfig("task", "data", (), TrainingConfig(1e-3, 32), seed=seed))


def fail(request: EvaluateRequest) -> TrialResult:
    """Echo the seed of a request as the reason of a failed trial."""
    return TrialResult(request.config, "failed", reason=str(request.config.seed))


def collect(executor: Executor, n: int) -> dict[int, Outcome]:
    """Wait for at least ``n`` outcomes; return them by ticket."""
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < n:
        arrived = executor.wait(60)
        assert arrived, f"{n - len(outcomes)} tickets did not come back"
        for outcome in arrived:
            assert outcome.ticket not in outcomes, "a ticket came back twice"
            outcomes[outcome.ticket] = outcome
    return outcomes


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Finished)
    return outcome.result.reason


class ExecutorTestCase:
    """What every executor promises. Subclasses provide ``make``."""

    def test_every_ticket_comes_back_once_with_its_own_result(self, make: MakeExecutor) -> None:
        executor = make(fail, 2)
        assert isinstance(executor, Executor)
        assert executor.n_workers >= 1
        assert executor.wait() == []  # Nothing is under way: at once.
        seeds = {executor.submit(request(seed)): seed for seed in range(7)}
        outcomes = collect(executor, 7)
        assert {ticket: int(reason(o)) for ticket, o in outcomes.items()} == seeds
        assert executor.wait(0) == []
        # More may be submitted while some are under way.
        first = executor.submit(request(1))
        second = executor.submit(request(2))
        outcomes = collect(executor, 1)  # Or both of them, if they come back together.
        third = executor.submit(request(3))
        outcomes |= collect(executor, 3 - len(outcomes))
        assert sorted(outcomes) == sorted({first, second, third})
        assert not seeds.keys() & outcomes.keys()

    def test_what_an_evaluator_raises_is_raised_by_wait(self, make: MakeExecutor) -> None:
        def broken(request: EvaluateRequest) -> TrialResult:
            raise DataError("The pictures are gone.")

        executor = make(broken)
        executor.submit(request())
        with pytest.raises(DataError, match="^The pictures are gone.$"):
            collect(executor, 1)

    def test_what_finished_comes_before_what_raised(self, make: MakeExecutor) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            if request.config.seed == 1:
                raise DataError("The pictures are gone.")
            return fail(request)

        executor = make(evaluate, 2)
        tickets = [executor.submit(request(seed)) for seed in (0, 1)]
        time.sleep(0.5)  # Likely, but not needed: both are back when they are waited for.
        found: list[Outcome] = []
        with pytest.raises(DataError, match="^The pictures are gone.$"):
            while True:
                found += executor.wait(60)
        assert [outcome.ticket for outcome in found] == tickets[:1]

    def test_a_trial_that_hangs_is_ended(self, make: MakeExecutor) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            if request.config.seed == 1:
                time.sleep(1000)
            return fail(request)

        executor = make(evaluate)
        hung = executor.submit(replace(request(1), timeout_s=0.5))
        after = executor.submit(replace(request(2), timeout_s=500))
        outcomes = collect(executor, 2)
        ended = outcomes[hung]
        assert isinstance(ended, TimedOut)
        assert "longer than" in ended.reason and "--trial-timeout" in ended.reason
        assert reason(outcomes[after]) == "2"

    def test_shutdown_twice(self, make: MakeExecutor) -> None:
        executor = make(fail)
        executor.submit(request())
        executor.shutdown()
        executor.shutdown()
        assert executor.wait(0.0) == []  # Nothing is under way any more.


def ignore_payload(evaluate: Evaluator) -> Callable[[Any], Evaluator]:
    return lambda payload: evaluate


def ray_node() -> Any:
    """Ray's node of this process, which has no public name."""
    import ray

    return ray._private.worker._global_node
