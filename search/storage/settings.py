"""What a run wants of its study, and how long it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces.config.metrics import Metric
from spaces.config.trial import ParamValue
from workers.messages.result import Limits, SizeMetric, TaskInfo

DEFAULT_TRIALS = 100

DEFAULT_START = 8
"""Trials of the start design: few, so that the sampler, which weighs seconds, takes over soon
(``benchmarks/RESULTS.md`` has the evidence)."""


@dataclass(frozen=True)
class StudySettings:
    """What a run wants of its study.

    Attributes:
        name: Name of the study.
        task: Task with its search space, data fingerprint, and the epochs of a trial.
        device: Device that latencies belong to.
        size_metric: Which size is ``size_bytes``.
        metric: The first objective. With another one than accuracy there is no race: curves of
            training are accuracies.
        artifacts: ``s3://BUCKET/FOLDER`` where its files lie; None for as it was begun, beside
            the database.
        limits: What feasible models keep. They may change from run to run: what is stored is
            judged anew.
        sampler: Name of the sampler. It may change from run to run.
        seed: Seed of the sampler and of every training; None for the study's own, or 0.
        fan_out: Whether a training is measured under every scheme that needs none of its own.
        race: Whether trainings that can only give dominated points are stopped early.
        branch: Whether trials may start from the weights of good ones.
        gate: Whether size and latency are looked at before training.
        accept_code: Whether to go on although code of one's own has changed since the last run.
        asked: Options of the run as plain data, for a run that goes on with the study.
        enqueued: Points of the search space that are tried first.
        n_start: Trials of the start design, before the sampler is asked: the defaults first,
            which is all of it with 1.
    """

    name: str
    task: TaskInfo
    device: str = "host"
    size_metric: SizeMetric = "gzip"
    metric: Metric = "accuracy"
    artifacts: str | None = None
    limits: Limits = Limits()
    sampler: str = "gp"
    seed: int | None = None
    fan_out: bool = True
    race: bool = True
    branch: bool = True
    gate: bool = True
    accept_code: bool = False
    n_start: int = DEFAULT_START
    enqueued: tuple[Mapping[str, ParamValue], ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class RunSettings:
    """How long a run goes on.

    Attributes:
        n_trials: Trials the study is to have in the end, derived ones not counted.
        timeout_s: Seconds after which no new trial is started, and before which no branch that is
            expected to take longer than is left and than a new training; None for no end. Those
            under way may take as long again.
        trial_timeout_s: Seconds after which a trial is ended as failed; None for a limit that
            follows from how long trials took.
        max_losses: Workers that may die over one trial before it fails.
    """

    n_trials: int = DEFAULT_TRIALS
    timeout_s: float | None = None
    trial_timeout_s: float | None = None
    max_losses: int = 2
