"""``search run`` in the efficiency benchmark: whole, with parts off, and as a plain loop."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.efficiency.methods import AT_BEST, OTHER_SAMPLERS, SEARCH
from benchmarks.efficiency.peers import note
from benchmarks.efficiency.runs import EventLog
from benchmarks.replay.peers import told_by
from benchmarks.replay.policies import as_it_comes, at_its_best
from search.run import run_study as running
from search.run.events import RunProgress, Silent
from search.run.run_study import run_study
from search.storage.settings import RunSettings
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Executor, Finished, Outcome
from workers.messages.result import EvaluateRequest

PARTS = ("fan_out", "race", "branch", "gate")
"""Parts that can be switched off, if ``run_study`` of this version takes them."""


def variants() -> tuple[str, ...]:
    """Return the method names of ``search`` with one part off each, as far as they exist."""
    known = inspect.signature(run_study).parameters
    return tuple(f"search-no-{part.replace('_', '-')}" for part in PARTS if part in known)


class Watch(Silent):
    """Starts a log's clock when the workers are ready."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def start(self, progress: RunProgress) -> None:
        """Start the clock."""
        self._log.start()


class Noting:
    """An executor that notes what comes back as it comes, as it is noted of peers.

    Args:
        executor: Evaluates.
        log: Takes the events.
    """

    def __init__(self, executor: Executor, log: EventLog) -> None:
        self._executor, self._log = executor, log

    @property
    def n_workers(self) -> int:
        """Of the executor."""
        return self._executor.n_workers

    def submit(self, request: EvaluateRequest) -> int:
        """Start a trial."""
        return self._executor.submit(request)

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back, and note it."""
        outcomes = self._executor.wait(timeout_s)
        for outcome in outcomes:
            note(self._log, outcome.result if isinstance(outcome, Finished) else None)
        return outcomes

    def shutdown(self) -> None:
        """Stop the workers."""
        self._executor.shutdown()


@contextmanager
def timed_as_peers(log: EventLog, budget_s: float | None) -> Iterator[None]:
    """While it lasts, studies are timed as peers are.

    Args:
        log: What comes back from workers is noted here, as it comes.
        budget_s: Seconds after which no trial is begun, from ready workers on; those of
            ``--timeout`` run from the command on.
    """

    def executor(*given: Any, **named: Any) -> Noting:
        return Noting(RayExecutor(*given, **named), log)

    def settings(n_trials: int, _: float | None, trial_timeout_s: float | None) -> RunSettings:
        return RunSettings(n_trials, budget_s, trial_timeout_s)

    with (
        patch.object(running, "RayExecutor", executor),
        patch.object(running, "RunSettings", settings),
    ):
        yield


def run_search(
    log: EventLog,
    method: str,
    *,
    task: str,
    data: Path | None,
    trials: int,
    epochs: int,
    workers: int,
    seed: int,
    budget_s: float | None,
    folder: Path,
    fix: Mapping[str, str],
) -> None:
    """Run a study to its end, and note what comes when.

    Args:
        log: Takes the events.
        method: ``search``, that with a sampler of a library, one of :func:`variants`, or one of
            the plain loops at their best.
        task: As ``search run`` takes it.
        data: As ``search run`` takes it.
        trials: Trials the study is to have.
        epochs: Epochs of a full training.
        workers: Trials that run side by side.
        seed: Of the study.
        budget_s: Seconds after which no new trial is started; None for no end.
        folder: An empty one, for the database.
        fix: Parameters that are not searched.
    """
    options: dict[str, Any] = {}
    told: AbstractContextManager[None] = nullcontext()
    if method in AT_BEST:
        policy = at_its_best(as_it_comes(AT_BEST[method]))
        told = told_by(policy)
        options = {
            "sampler": policy.sampler,
            "fan_out": policy.fan_out,
            "race": policy.race,
            "branch": policy.branch,
            "gate": policy.gate,
        }
    elif method in OTHER_SAMPLERS:
        options["sampler"] = OTHER_SAMPLERS[method]
    elif method != SEARCH:
        options[method.removeprefix("search-no-").replace("-", "_")] = False
    with told, timed_as_peers(log, budget_s):
        report = run_study(
            task,
            trials=trials,
            workers=workers,
            data=data,
            study="efficiency",
            storage=folder / "studies.db",
            epochs=epochs,
            fix=dict(fix),
            seed=seed,
            observer=Watch(log),
            **options,
        )
    report.check_whole()
