"""One run of the efficiency benchmark, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import uuid
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.efficiency import peers
from benchmarks.efficiency.methods import AT_BEST, PEERS
from benchmarks.efficiency.runs import EventLog, OnTest, Run, Setting, Values, front_of, machine
from benchmarks.efficiency.search_runs import run_search
from search.run.run_study import plain_dataset
from spaces.data.dataset import Split
from workers.latency.quiet_windows import QuietWindows
from workers.trial.prepare import prepare_task

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """One run, as it travels to its process.

    Attributes:
        setting: What all runs have in common.
        task: As ``search run`` takes it.
        data: As ``search run`` takes it.
        method: Which program.
        seed: Of its sampler and its trainings.
        budget_s: Seconds after which ``search`` starts no new trial.
        search_trials: Trials after which it ends; None for those of the setting.
        fix: Parameters that nobody searches.
    """

    setting: Setting
    task: str
    data: Path | None
    method: str
    seed: int
    budget_s: float | None = None
    search_trials: int | None = None
    fix: Mapping[str, str] = field(default_factory=dict)


def run_job(job: Job) -> Run:
    """Run one search in this process."""
    warnings.simplefilter("ignore")
    log = EventLog()
    facts = machine()
    with tempfile.TemporaryDirectory() as folder:
        if job.method in PEERS and job.method not in AT_BEST:
            run_peer(job, log, Path(folder))
        else:
            run_search(
                log,
                job.method,
                task=job.task,
                data=job.data,
                trials=job.search_trials or job.setting.trials,
                epochs=job.setting.epochs,
                workers=job.setting.workers,
                seed=job.seed,
                budget_s=job.budget_s,
                folder=Path(folder),
                fix=job.fix,
            )
    events = log.until(job.setting.seconds)
    front = test_front(front_of(events), log.models, prepare_task(job.task, job.data)[1].test)
    return Run(job.setting, job.method, job.seed, log.setup_s, events, facts, front)


def test_front(
    front: Sequence[Values], models: Mapping[Values, bytes], test: Split
) -> tuple[OnTest, ...]:
    """Return the points of a front with their accuracies on test."""
    from workers.conversion.accuracy import tflite_accuracy

    return tuple(OnTest(*values, tflite_accuracy(models[values], test)) for values in front)


def run_peer(job: Job, log: EventLog, folder: Path) -> None:
    """Run another program."""
    info, dataset = prepare_task(job.task, job.data)
    if job.fix:
        info = replace(info, space=info.space.fixed(info.space.typed(job.fix)))
    arena = peers.Arena(
        info=replace(info, epochs=job.setting.epochs),
        dataset=plain_dataset(dataset),
        trials=job.setting.trials,
        workers=job.setting.workers,
        seed=job.seed,
        folder=folder,
        windows=uuid.uuid4().hex,
        seconds=job.setting.seconds,
    )
    try:
        search_as(job.method, arena, log)
    finally:
        QuietWindows.of_run(arena.windows).remove()


def search_as(method: str, arena: peers.Arena, log: EventLog) -> None:
    """Search as another program does."""
    if method == "random":
        peers.run_optuna(arena, log, peers.make_random(arena.seed))
    elif method == "optuna-tpe":
        peers.run_optuna(arena, log, peers.make_tpe(arena.seed))
    elif method == "optuna-nsga2":
        n_trials = arena.trials if arena.seconds is None else None
        peers.run_optuna(arena, log, peers.make_nsga2(arena.seed, n_trials))
    elif method == "kerastuner":
        from benchmarks.efficiency.peers_keras_tuner import run_hyperband

        run_hyperband(arena, log)
    else:
        from benchmarks.efficiency.peers_tune import run_tune

        run_tune(arena, log, asha=method == "tune-asha")


def run_apart(job: Job) -> Run:
    """Run one search in a process of its own: nothing is warm, and nothing is left behind."""
    # Ray's processes import our modules by name, wherever they start.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run_job, job).result()
