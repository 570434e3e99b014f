"""A study as a search algorithm of Ray Tune.

Tune asks for parameters and says what became of them; :class:`StudySearcher` keeps the study,
as the driver of ``search run`` does: the same database, lock, samplers, limits, derived points
and files, so that all other commands work on it. Early stopping is left to Tune's schedulers,
so there is no race; and no branches, which a scheduler could not compare with trainings from
the start.
"""

from __future__ import annotations

import hashlib
import json
import logging
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.tune.search import Searcher

from search.options import options_of
from search.ray_tune.endings import TuneEnding, TuneTrial
from search.ray_tune.trainable import allow_missing_metrics, make_trainable
from search.run.options import UNDER_TUNE, RunOptions
from search.run.preparation import prepare_for_study, study_settings
from search.run.run_study import ConfigMaker
from search.storage import attributes
from search.storage.attributes import DEFAULT_STORAGE
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.storage.urls import storage_url
from search.study.create_or_resume import study_for_run, study_seed
from search.study.open_study import OpenStudy
from search.study.queue import MakeConfig
from spaces.data.class_counts import describe_classes
from spaces.data.dataset import Dataset
from spaces.data.request import Progress, no_progress
from spaces.errors import ConfigError, StudyError
from workers.messages.race import Race
from workers.messages.result import TrialResult
from workers.ray_tune.mailbox import OUTCOME, open_mailbox, take_result

_logger = logging.getLogger(__name__)

_ENDED = "interrupted: Ray Tune ended before the trial did"


class StudySearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Searches a task under Ray Tune and keeps what is found in a study.

    ::

        searcher = StudySearcher("fruit", trials=20)
        tuner = tune.Tuner(
            searcher.trainable(),
            tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True),
        )
        tuner.fit()

    The study is opened, and locked, when Tune first asks, and let go of when the searcher is
    closed, collected, or the program ends; what is under way then is tried again by the next
    run, as after ``search run``. The same program again finishes a study that has fewer than
    ``trials``; ``tune.Tuner.restore`` goes on with Tune's own trials and their checkpoints.

    A trainable of one's own works too: it gets the task's parameters, and its last result has
    ``accuracy``, ``size_bytes`` and ``latency_ms``. It has ended by itself if it is a function
    and returns, has reported ``epochs`` results, or reports ``outcome="complete"``; else it was
    stopped, and its values count for nothing. ``metric`` and ``mode`` of ``TuneConfig`` are for
    Tune's own reports and schedulers: the study has its three objectives.

    Tune keeps a copy of the searcher in its folder, with the URL of the database.

    Args:
        task: Built-in task, ``package.module:NAME`` or the path of a Python file.
        progress: Shows how far the preparation of the data is.
        **given: Options of a search (:class:`search.run.options.RunOptions`) but those that Tune
            or its schedulers decide: ``trials`` is what the study is to have in the end, with
            ``num_samples=-1``; without it ``num_samples`` counts, for one run.

    Raises:
        SearchError: One of its kinds, as ``spaces.errors`` lists them.
    """

    def __init__(self, task: str, *, progress: Progress = no_progress, **given: Any) -> None:
        options = options_of(RunOptions, given, "StudySearcher", UNDER_TUNE)
        info, dataset = prepare_for_study(task, options, progress, _logger.info)
        for line in describe_classes(info.class_names, info.class_counts, info.ignored):
            _logger.info(line)
        for note in info.notes:
            _logger.warning(note)
        settings = study_settings(options, info)
        self._prepare(settings, None, options.storage, options.trials, dataset)

    @classmethod
    def over(
        cls,
        settings: StudySettings,
        make_config: MakeConfig,
        storage: str | Path = DEFAULT_STORAGE,
        trials: int | None = None,
    ) -> StudySearcher:
        """Return a searcher over a task that is prepared already, for a trainable of one's own.

        Args:
            settings: What the study is to be; race and branches are turned off.
            make_config: Turns parameters into a configuration.
            storage: Database: a file, or an SQLAlchemy URL.
            trials: Trials the study is to have in the end; None to leave it to ``num_samples``.
        """
        searcher = cls.__new__(cls)
        searcher._prepare(settings, make_config, storage, trials, None)
        return searcher

    def _prepare(
        self,
        settings: StudySettings,
        make_config: MakeConfig | None,
        storage: str | Path,
        trials: int | None,
        dataset: Dataset | None,
    ) -> None:
        super().__init__()
        allow_missing_metrics()
        if "://" not in str(storage):  # Tune may restore it in another working directory.
            storage = Path(storage).absolute()
        self._url = storage_url(storage)
        opened = open_storage(self._url)
        try:
            seed = study_seed(opened, settings.name, settings.seed)
        finally:
            opened.engine.dispose()
        self._settings = replace(settings, seed=seed, race=False, branch=False)
        self._make_config = make_config or ConfigMaker(settings.task, seed)
        self._target = trials
        self._dataset = dataset
        self._trials: dict[str, TuneTrial] = {}
        self._opened: _Opened | None = None

    # --- For those who use it -------------------------------------------------------------

    def trainable(self) -> Any:
        """Return the task as a trainable for ``tune.Tuner``, which sends its results here."""
        if self._dataset is None:
            raise ConfigError(
                "Only a searcher made with the name of a task has a trainable, but this one was "
                "restored by Ray Tune, or made for a trainable of your own."
            )
        settings = self._settings
        assert settings.seed is not None
        return make_trainable(
            settings.task,
            self._dataset,
            seed=settings.seed,
            limits=settings.limits,
            size=settings.size_metric,
            device=settings.device,
            fan_out=settings.fan_out,
            gate=settings.gate,
            mailbox=self.mailbox,
        )

    @property
    def mailbox(self) -> str:
        """Name of the mailbox that takes whole results (``workers.ray_tune.mailbox``)."""
        key = f"{self._url} {self._settings.name}"
        return f"search-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def close(self) -> None:
        """Let go of the study. Trials under way are tried again by the next run."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._trials.clear()

    def __enter__(self) -> StudySearcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- For Tune -------------------------------------------------------------------------

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Say that a ``param_space`` cannot be set: the study has its own."""
        return False

    def suggest(  # type: ignore[override, unused-ignore]
        self, trial_id: str
    ) -> dict[str, Any] | str:
        """Return the parameters of the next trial, or that there is none."""
        study = self._study()
        if self._target is not None and study.n_done + len(study.running) >= self._target:
            return str(Searcher.FINISHED)
        asked = study.ask(self._make_config, {attributes.TUNE_TRIAL: trial_id})
        if asked is None:
            _logger.warning(
                "No configuration turned up that was not tried before: the search space seems "
                "exhausted."
            )
            return str(Searcher.FINISHED)
        self._trials[trial_id] = TuneTrial(asked.number, asked.config.hash)
        return dict(study.params(asked.number))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Note a result after which the trial goes on."""
        if trial_id in self._trials:
            self._trials[trial_id].note(result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study how a trial ended."""
        trial = self._trials.pop(trial_id, None)
        study = self._study()
        if trial is None or trial.number not in study.running:
            _logger.warning(
                "Tune's trial %s is no trial under way of study %r: its result is not added.",
                trial_id,
                study.name,
            )
            return
        whole = None
        assert self._opened is not None
        if self._opened.mailbox is not None and (error or OUTCOME in (result or {})):
            whole = take_result(self._opened.mailbox, trial_id)
        if whole is None:
            ending = trial.end(result, error=error, epochs=self._settings.task.epochs)
            self._tell_ending(study, trial, ending)
        elif whole.config.hash == trial.config_hash:
            study.tell(trial.number, whole)
        else:
            study.fail(
                trial.number,
                "Another configuration was evaluated than the one asked for: `param_space` must "
                "be empty, as the study has its own.",
            )

    def _tell_ending(self, study: OpenStudy, trial: TuneTrial, ending: TuneEnding) -> None:
        if ending.outcome == "failed":
            study.fail(trial.number, ending.reason)
        elif ending.outcome == "interrupted":
            study.interrupt(ending.reason, trial.number)
        elif ending.values is not None:
            curve = {attributes.CURVE: list(trial.accuracies())} if trial.curve else {}
            study.tell_values(trial.number, ending.values, curve)
        else:
            study.tell(trial.number, self._stopped(study, trial, ending.reason))

    def _stopped(self, study: OpenStudy, trial: TuneTrial, reason: str) -> TrialResult:
        """Return the result of a trial that Tune stopped, as the race's are."""
        size_bytes, latency_ms = trial.gate_size_bytes, trial.gate_latency_ms
        bar = 0.0
        if size_bytes is not None and latency_ms is not None:
            front = tuple((a, s, t) for a, s, t in study.front.values.tolist())
            bar = Race(front).bar([(size_bytes, latency_ms)])
        curve = trial.accuracies()
        return TrialResult(
            study.request(trial.number).config,
            "stopped",
            reason,
            size_bytes=size_bytes,
            latency_ms=latency_ms,
            bar=bar,
            epochs_trained=max(trial.curve, default=0),
            history={"val_accuracy": curve} if curve else {},
        )

    def save(self, checkpoint_path: str) -> None:
        """Write which trials are under way; all else is in the study."""
        under_way = {trial_id: trial.to_dict() for trial_id, trial in self._trials.items()}
        state = {"study": self._settings.name, "under_way": under_way}
        Path(checkpoint_path).write_text(json.dumps(state))

    def restore(self, checkpoint_path: str) -> None:
        """Go on with the trials that were under way: Tune does.

        Those which ended after the state was saved are in the study already; Tune trains them
        again, and what it says of them is not added.
        """
        state = json.loads(Path(checkpoint_path).read_text())
        if state["study"] != self._settings.name:
            raise StudyError(
                f"Ray Tune's run must belong to the study, but it is of study {state['study']!r} "
                f"and not of {self._settings.name!r}."
            )
        study = self._study()
        trials = {i: TuneTrial.from_dict(data) for i, data in state["under_way"].items()}
        self._trials = {}
        for trial_id, trial in trials.items():
            if trial.number not in study.running:
                if not study.retry_next(trial.config_hash):
                    continue
                asked = study.ask(self._make_config, {attributes.TUNE_TRIAL: trial_id})
                if asked is None:
                    continue
                if asked.config.hash != trial.config_hash:
                    study.interrupt(_ENDED, asked.number)
                    continue
                trial.number = asked.number
            self._trials[trial_id] = trial

    # --- The study ------------------------------------------------------------------------

    def _study(self) -> OpenStudy:
        """Return the study; open it if it is not."""
        if self._opened is None or self._opened.is_closed:
            self._trials.clear()
            self._opened = _Opened(self._url, self._settings, self.mailbox)
            weakref.finalize(self, self._opened.close)  # At the end of the program, too.
            if self._target is not None:
                self._opened.study.set_target(self._target)
        return self._opened.study

    def __getstate__(self) -> Mapping[str, Any]:
        """Return what Tune keeps in its folder: neither the lock nor the pictures."""
        return {**self.__dict__, "_opened": None, "_dataset": None, "_trials": {}}


class _Opened:
    """A study that is open and locked, and the mailbox of its results.

    One a study in this process: whoever opens it again takes it over.
    """

    _of_study: dict[tuple[str, str], _Opened] = {}

    def __init__(self, url: str, settings: StudySettings, mailbox: str) -> None:
        self._key = (url, settings.name)
        before = self._of_study.get(self._key)
        if before is not None:
            before.close()
        self._context = study_for_run(url, settings)
        self.study = self._context.__enter__()
        self.is_closed = False
        self._of_study[self._key] = self
        self.mailbox = open_mailbox(mailbox) if ray.is_initialized() else None

    def close(self) -> None:
        """Give up what is under way, and the lock. May be called twice."""
        if self.is_closed:
            return
        self.is_closed = True
        self._of_study.pop(self._key, None)
        try:
            self.study.interrupt(_ENDED)
        finally:
            self._context.__exit__(None, None, None)
