"""Train the points of a front that matter again, from other seeds, and keep what they measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.deploy.export import export_of
from search.deploy.options import FinalistOptions
from search.deploy.retrain import device_ref, task_ref
from search.front.finalists import Finalist, choose_finalists, finalists_of
from search.front.read import find_study, front_of
from search.options import options_of, takes_options
from search.storage import attributes
from search.storage.attributes import DEFAULT_STORAGE
from search.storage.batches import Batch
from search.storage.database import open_storage
from search.storage.locks import study_lock
from search.storage.reader import StudyRecord
from search.storage.recorder import RowRecorder
from search.storage.urls import storage_url
from spaces.config.trial import TrialConfig
from spaces.data.cache import default_cache_dir
from spaces.data.request import Progress, no_progress
from spaces.errors import ConfigError
from workers.deploy.full_training import FullTraining
from workers.executors.ray_start import available_cores
from workers.processes.child_process import run_job


@dataclass
class _Row:
    """One finalist as the study keeps it (see ``attributes.FINALISTS``), and what it needs."""

    stored: dict[str, Any]
    export: dict[str, Any]

    def has(self, seed: int) -> bool:
        return any(run["seed"] == seed for run in self.stored["runs"])

    def take(self, run: dict[str, Any]) -> None:
        self.stored["runs"] = sorted([*self.stored["runs"], run], key=lambda one: one["seed"])

    @property
    def cost(self) -> float:
        """What a training costs, to begin with the longest: images seen times work for one."""
        ledger = self.export["measured"].get("ledger", {})
        work = float(ledger.get("macs") or ledger.get("n_params") or 1)
        return work * int(self.stored["total_epochs"])


@takes_options(FinalistOptions)
def train_finalists(
    study: str,
    storage: str | Path | None = None,
    *,
    trials: Sequence[int] = (),
    progress: Progress = no_progress,
    **given: Any,
) -> list[Finalist]:
    """Train points of a study's front again from other seeds, and keep what they measure in it.

    Each training is of a process of its own, on one core. What is measured is written as soon as
    it is there: the same call again goes on with what is missing, and asks for nothing twice.

    Args:
        study: Name of the study.
        storage: Database: a file or an SQLAlchemy URL.
        trials: Numbers of the trials to train; empty to choose from the front.
        progress: Called after every epoch of every training.
        {options}

    Returns:
        All finalists of the study, earlier ones too.

    Raises:
        ConfigError: If an option breaks its rule, or there is no point to train.
        ExportError: If a trial has no model, or is code of one's own that was not named.
        StudyError: If there is no such study, or a run is going on with it.
        DataError: If the data is gone or is not what the trials were trained on.
    """
    options = options_of(FinalistOptions, given, "train_finalists")
    with _opened(study, DEFAULT_STORAGE if storage is None else storage) as (record, recorder):
        rows = _rows(record, options, trials)
        kept = _others(record, rows)

        def write() -> None:
            stored = [*kept, *(row.stored for row in rows)]
            recorder.write(Batch(study_user_attrs={attributes.FINALISTS: stored}))

        _train(rows, options, progress, write)
        record.user_attrs[attributes.FINALISTS] = [*kept, *(row.stored for row in rows)]
        return finalists_of(record)


@contextmanager
def _opened(study: str, storage: str | Path) -> Iterator[tuple[StudyRecord, RowRecorder]]:
    """Open a study to write to it, with its lock."""
    url = storage_url(storage)
    database = open_storage(url, must_exist=True)
    try:
        find_study(database.engine, study)  # A name that is mistyped is no lock.
        with study_lock(url, database.engine, study):
            # Read under the lock: what another one kept in between must not be lost.
            record = find_study(database.engine, study)
            identity = record.user_attrs.get(attributes.IDENTITY)
            yield record, RowRecorder(database.engine, record.study_id, url, identity)
    finally:
        database.remove_session()
        database.engine.dispose()


def _rows(record: StudyRecord, options: FinalistOptions, trials: Sequence[int]) -> list[_Row]:
    """Return what is to be trained, with the runs that are there already."""
    numbers = list(dict.fromkeys(trials))
    if not numbers:
        numbers = [point.trial for point in choose_finalists(front_of(record), options.points)]
    if not numbers:
        raise ConfigError(
            f"Study {record.name!r} has no point yet that could be trained again. Let the search "
            f"go on: search run"
        )
    before = record.user_attrs.get(attributes.FINALISTS, ())
    rows = []
    for number in numbers:
        export = export_of(record, number)
        config = TrialConfig.from_dict(export["config"])
        facts = {
            "trial": number,
            "config_hash": export["config_hash"],
            "total_epochs": _total_epochs(config, options.epochs),
            "patience": options.patience,
        }
        same = [row for row in before if {name: row.get(name) for name in facts} == facts]
        rows.append(_Row({**facts, "runs": same[0]["runs"] if same else []}, export))
    return rows


def _others(record: StudyRecord, rows: Sequence[_Row]) -> list[Mapping[str, Any]]:
    """Return what the study keeps of other trainings; those of the same trials stay too."""
    names = ("trial", "config_hash", "total_epochs", "patience")
    ours = [{name: row.stored[name] for name in names} for row in rows]
    before = record.user_attrs.get(attributes.FINALISTS, ())
    return [row for row in before if {name: row.get(name) for name in names} not in ours]


def _total_epochs(config: TrialConfig, epochs: int | None) -> int:
    """Return the epochs of all trainings that lead to a model."""
    config = config if epochs is None else config.with_epochs(epochs)
    return config.total_epochs


def _train(
    rows: Sequence[_Row], options: FinalistOptions, progress: Progress, write: Callable[[], None]
) -> None:
    """Train what is missing, several side by side, and write after each."""
    jobs = []
    for row in sorted(rows, key=lambda one: -one.cost):
        own = int(row.export["config"]["seed"])
        seeds = [(own + number) % 2**31 for number in range(1, options.seeds + 1)]
        jobs += [(row, seed) for seed in seeds if not row.has(seed)]
    if not jobs:
        return
    first = rows[0].export
    asked = FullTraining(
        epochs=options.epochs,
        data=None if options.data is None else str(Path(options.data).absolute()),
        task=task_ref(first["config"]["task"], options.task),
        device=device_ref(first["device"], options.device),
        float_model=False,
        tta=False,
        seeds=0,
        patience=options.patience,
    )
    shown = _Shown(progress, len(jobs))
    stop = threading.Event()
    pool = ThreadPoolExecutor(options.workers or available_cores())
    pending: dict[Future[Any], _Row] = {}
    try:
        for number, (row, seed) in enumerate(jobs):
            arguments = {
                "export": row.export,
                "cache_dir": str(default_cache_dir()),
                "seed": seed,
                "options": asdict(asked),
            }
            future = pool.submit(
                run_job,
                "workers.deploy.finalist:finalist_job",
                arguments,
                shown.of(number),
                stop=stop,
                what="A finalist's training",
            )
            pending[future] = row
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            # What came back is kept before what went wrong is raised.
            for future in sorted(done, key=lambda one: one.exception() is not None):
                pending.pop(future).take(future.result())
                write()
    finally:
        # Whatever ends it, Ctrl-C too: nothing trains on for nobody.
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


class _Shown:
    """Adds up the progress of trainings side by side."""

    def __init__(self, progress: Progress, n_jobs: int) -> None:
        self._progress = progress
        self._shares = [0.0] * n_jobs
        self._lock = threading.Lock()

    def of(self, number: int) -> Progress:
        """Return what the job of this number reports to."""

        def progress(what: str, done: int, total: int) -> None:
            if what != "training" or not total:
                return  # Each reads its data first, at once.
            with self._lock:
                self._shares[number] = done / total
                percent = round(100 * sum(self._shares) / len(self._shares))
                self._progress(f"training {len(self._shares)} finalists", percent, 100)

        return progress
