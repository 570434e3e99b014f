"""What workers wait for that may never come: a node that measures, a GPU that was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from spaces.config.trial import TrainingConfig, TrialConfig
from tests.workers_tests.executors.fake_ray import ActorUnavailableError, FakeRay
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Finished, Lost, TimedOut
from workers.messages.result import EvaluateRequest, TrialResult

Make = Callable[..., RayExecutor]


def request(timeout_s: float | None = None) -> EvaluateRequest:
    return EvaluateRequest(
        TrialConfig("task", "data", (), TrainingConfig(1e-3, 32), seed=0), timeout_s=timeout_s
    )


def fail(request: EvaluateRequest) -> TrialResult:
    return TrialResult(request.config, "failed", reason="as it should")


def cut_off(request: EvaluateRequest) -> TrialResult:
    raise ActorUnavailableError("The actor is temporarily unavailable: connection reset.")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes executors of one worker on a Ray of pretence; what they say is in ``said``."""

    def start(ray: FakeRay, *, is_local: bool = False, **options: Any) -> RayExecutor:
        started = SimpleNamespace(
            ray=ray, is_local=is_local, check=lambda: None, is_alive=lambda: True
        )
        started.shutdown = lambda: None
        monkeypatch.setattr("workers.executors.ray_workers.StartedRay", lambda *_: started)
        for module in ("cluster", "ray_workers", "worker"):
            monkeypatch.setattr(f"workers.executors.{module}.time", ray)
        return RayExecutor(lambda _: fail, None, n_workers=1, address="10.0.0.1:6379", **options)

    yield start


def test_a_trial_s_time_stands_still_while_no_node_can_measure(make: Make) -> None:
    """The executor has no more than a look at the cluster: the trial's own call just waits."""
    ray = FakeRay(fail, {"bench": 1.0})
    said: list[str] = []
    executor = make(ray, needs="bench", notice=said.append)
    assert said == []
    begun = ray.now
    is_measured = False

    def evaluate(asked: EvaluateRequest) -> TrialResult:
        return fail(asked)

    def pass_time(fake: FakeRay) -> None:
        nonlocal is_measured
        # The node leaves after 20 s, and another comes after 20 min.
        away = 20 <= fake.now - begun < 1200
        fake.resources = {} if away else {"bench": 1.0}
        is_measured = fake.now - begun >= 1210

    ray.evaluate, ray.at_wait = evaluate, pass_time
    hold_calls(ray, lambda: is_measured)
    executor.submit(request(timeout_s=60))
    (outcome,) = executor.wait(10_000)
    assert isinstance(outcome, Finished)
    (line,) = said
    assert "No node of the cluster has the resource 'bench'" in line and "30 min" in line
    assert "ray start --resources='{\"bench\": 1}'" in line


def test_with_a_node_that_measures_time_limits_hold(make: Make) -> None:
    ray = FakeRay(fail, {"bench": 1.0})
    executor = make(ray, needs="bench")
    hold_calls(ray, lambda: False)
    executor.submit(request(timeout_s=60))
    (outcome,) = executor.wait(10_000)
    assert isinstance(outcome, TimedOut)


def test_that_no_node_measures_is_told_at_the_start(make: Make) -> None:
    said: list[str] = []
    make(FakeRay(fail), needs="bench", notice=said.append)
    (line,) = said
    assert "No node of the cluster has the resource 'bench'" in line


def test_a_worker_whose_gpu_was_cut_off_does_not_wait_for_it(make: Make) -> None:
    ray = FakeRay(fail, gpus=2)
    said: list[str] = []
    executor = make(ray, notice=said.append)
    assert [asked["num_gpus"] for asked in ray.asked] == [1]
    ray.evaluate = cut_off
    executor.submit(request())
    (outcome,) = executor.wait(10)
    assert isinstance(outcome, Lost) and outcome.with_node
    # The GPU that seemed free was on that node, too: Ray notices later.
    assert [asked["num_gpus"] for asked in ray.asked] == [1, 1]
    ray.evaluate, ray.gpus = fail, 0
    executor.submit(request())
    (outcome,) = executor.wait(10_000)
    assert isinstance(outcome, Finished)
    assert [asked["num_gpus"] for asked in ray.asked] == [1, 1, 0]
    assert "No GPU came free" in said[-1]


@pytest.mark.parametrize("is_local", [True, False])
def test_only_a_cluster_has_nodes_to_lose(make: Make, is_local: bool) -> None:
    ray = FakeRay(cut_off)
    executor = make(ray, is_local=is_local)
    executor.submit(request())
    (outcome,) = executor.wait(10)
    assert isinstance(outcome, Lost)
    assert outcome.with_node is not is_local
    assert ("node of its worker" in outcome.reason) is not is_local


def hold_calls(ray: FakeRay, is_done: Callable[[], bool]) -> None:
    """Let no call end from now on before something holds."""
    wait = ray.wait

    def held(refs: Any, num_returns: int = 1, timeout: float = 0.0) -> Any:
        if is_done():
            return wait(refs, num_returns, timeout)
        ray.now += timeout
        ray.at_wait(ray)
        return [], list(refs)

    ray.wait = held  # type: ignore[method-assign]
