"""The options of a search, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.options import check_options, declared, option
from search.storage.attributes import DEFAULT_STORAGE
from spaces.config.metrics import METRICS, Metric
from spaces.errors import ConfigError

if TYPE_CHECKING:
    from spaces.config.trial import ParamValue
    from workers.messages.result import Limits, SizeMetric

SAMPLERS = ("gp", "tpe", "nsga2", "random")
SIZES = ("gzip", "tflite", "flash")

WHAT = "What is searched"
COUNTS = "What counts"
LENGTH = "How long"
WHERE = "Where"
PARTS = "Parts of the search"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a person asks of a search, beside the task; the attributes' help says what they are.

    Raises:
        ConfigError: If a value breaks its rule.
    """

    data: str | Path | None = option(
        None,
        "path",
        "Folder with a folder of pictures for each class, or an .npz.",
        group=WHAT,
        shown="the task's own",
    )
    group_by: str | None = option(
        None,
        "text",
        "Pictures of one group (a scene, a patient) stay in one split. The group is what a "
        "regular expression such as '^(.*)_' finds in a file's name, or the first star of a "
        "pattern such as '*_*.jpg', or the second column of a CSV file of file,group.",
        group=WHAT,
        metavar="PATTERN",
    )
    weights: str | Path | None = option(
        None,
        "path",
        "Start from the weights of a .keras or .h5 file: layers of the same name and shapes are "
        "frozen first, and fine-tuned then. Nothing is downloaded.",
        group=WHAT,
        metavar="FILE",
    )
    family: str | None = option(
        None,
        "text",
        "Search networks of one family only: the same as --fix family=NAME.",
        group=WHAT,
        metavar="NAME",
    )
    fix: Mapping[str, ParamValue] = option(
        {},
        "pairs",
        "Hold a parameter at a value instead of searching it, such as --fix batch_size=32; "
        "may be given several times.",
        group=WHAT,
        python="Parameters that are not searched but held at a value, such as "
        '``{"batch_size": 32}``. A text stands for the number that it is.',
    )
    enqueue: str | Path | None = option(
        None,
        "path",
        "Configurations to try first: a CSV with a column for each parameter, an export, a "
        "KerasTuner project folder or an Optuna database.",
        group=WHAT,
        metavar="FILE",
    )
    device: str = option(
        "host",
        "text",
        "Whose latency counts: this machine (host), ethos-u55-128 and its like, cortex-m7@480 "
        "or cortex-m4 (modelled, with its clock in MHz), micro (portable kernels here), "
        "or package.module:DEVICE or a .py file of your own.",
        group=COUNTS,
        metavar="DEVICE",
    )
    size: SizeMetric | None = option(
        None,
        "choice",
        "Which size counts: compressed, the file as it is (sparse-encoded if smaller), or "
        "what it takes of the device's flash.",
        group=COUNTS,
        choices=SIZES,
        shown="as the study was begun; flash on a device of ours that tells it, else gzip",
        python="Which size counts: ``gzip``, ``tflite`` or ``flash``. None for what the study was "
        "begun with, or flash on a device of ours that tells it, and gzip on others.",
    )
    metric: Metric = option(
        "accuracy",
        "choice",
        "Which metric counts; --min-accuracy is then of it. Where classes are uneven, accuracy "
        "is high for a model that never says the rare ones.",
        group=COUNTS,
        choices=METRICS,
    )
    max_size_bytes: float | None = option(
        None,
        "size",
        "Only models count that are no larger, such as 100KB or 64KiB, by the size that --size "
        "names.",
        group=COUNTS,
        flag="--max-size",
    )
    max_latency_ms: float | None = option(
        None,
        "latency",
        "Only models count that are no slower, such as 5ms.",
        group=COUNTS,
        flag="--max-latency",
    )
    min_accuracy: float | None = option(
        None,
        "fraction",
        "Only models count that label at least this much rightly, such as 0.9.",
        group=COUNTS,
    )
    max_ram_bytes: float | None = option(
        None,
        "size",
        "Only models count that need no more RAM, such as 64KB: what the device tells, or "
        "the arena of the microcontroller's interpreter.",
        group=COUNTS,
        flag="--max-ram",
    )
    trials: int | None = option(
        None,
        "count",
        "Trials the study shall have; a run that was stopped is finished.",
        group=LENGTH,
        shown="as last time, or 100",
        fix="For trials on top of those that a study has, use --more N.",
    )
    more: int | None = option(None, "count", "Trials on top of those the study has.", group=LENGTH)
    epochs: int | None = option(
        None,
        "count",
        "Epochs of each new training; what is trained on doubles them each time.",
        group=LENGTH,
        shown="the task's",
    )
    timeout_s: float | None = option(
        None,
        "duration",
        "Ask for no new trial after this time, such as 30m, nor before it for a branch that is "
        "expected to end after it and takes longer than a new training; a preparation that takes "
        "longer is ended, and so are trials that take as long again.",
        group=LENGTH,
        flag="--timeout",
    )
    trial_timeout_s: float | None = option(
        None,
        "duration",
        "End a trial as failed after this time, such as 10m.",
        group=LENGTH,
        flag="--trial-timeout",
        shown="20 times the longest so far, at least 20m; 6h before there is one",
    )
    workers: int | None = option(
        None,
        "count",
        "Trials that run side by side.",
        group=WHERE,
        shown="one for each core",
    )
    study: str | None = option(
        None,
        "text",
        "Study to use.",
        group=WHERE,
        metavar="NAME",
        shown="named after the task",
    )
    storage: str | Path = option(
        DEFAULT_STORAGE,
        "text",
        "Database: a SQLite file, or any SQLAlchemy URL.",
        group=WHERE,
        metavar="URL",
    )
    artifacts: str | None = option(
        None,
        "text",
        "Bucket for model files, s3://BUCKET or s3://BUCKET/FOLDER.",
        group=WHERE,
        metavar="URL",
        shown="as the study was begun, or artifacts/ beside the database",
    )
    accept_code: bool = option(
        False,
        "switch",
        "Go on with a study although code of your own has changed since.",
        group=WHERE,
        python="Whether to go on with a study although code of one's own has changed since.",
    )
    address: str | None = option(
        None,
        "text",
        "Ray cluster to join, such as 10.0.0.1:6379 (auto: that of RAY_ADDRESS, or of this "
        "machine).",
        group=WHERE,
    )
    latency_on: str | None = option(
        None,
        "text",
        "Measure latencies only on nodes of the cluster with this resource, such as bench for "
        "those started with --resources '{\"bench\": 1}'.",
        group=WHERE,
        metavar="RESOURCE",
        shown="where a model was trained",
    )
    sampler: str = option("gp", "choice", "Who picks trials.", group=PARTS, choices=SAMPLERS)
    seed: int | None = option(
        None,
        "count",
        "Seed of everything random.",
        group=PARTS,
        low=0,
        shown="the study's own, or 0",
    )
    fan_out: bool = option(
        True,
        "switch",
        "Measure each network under one scheme only.",
        group=PARTS,
        flag="--no-fan-out",
        python="Whether each training is measured under every scheme that needs none of its own.",
    )
    race: bool = option(
        True,
        "switch",
        "Train every trial to its end.",
        group=PARTS,
        flag="--no-race",
        python="Whether trainings that can only give dominated points are stopped early.",
    )
    branch: bool = option(
        True,
        "switch",
        "Start no trial from the weights of another.",
        group=PARTS,
        flag="--no-branch",
        python="Whether trials may start from the weights of good ones.",
    )
    gate: bool = option(
        True,
        "switch",
        "Train without a look at size and latency first.",
        group=PARTS,
        flag="--no-gate",
        python="Whether size and latency are looked at before training; without, limits are "
        "judged by what was trained, and there is no race.",
    )

    def __post_init__(self) -> None:
        """Check every value, and the two that exclude each other."""
        check_options(self)
        if self.trials is not None and self.more is not None:
            raise ConfigError(
                "Only one of trials and more can be given: trials is what the study shall have in "
                f"the end, more is added to it; got (trials={self.trials}, more={self.more})."
            )
        if self.artifacts is not None:
            from search.storage.artifact_places import check_place  # Imports Optuna.

            check_place(self.artifacts)
        if self.latency_on is not None and self.address is None:
            raise ConfigError(
                f"Nodes with a resource are those of a cluster, but got (latency_on="
                f"{self.latency_on}) and no address. Name the cluster with --address."
            )

    @property
    def limits(self) -> Limits:
        """What feasible models keep."""
        from workers.messages.result import Limits

        return Limits(
            self.max_size_bytes, self.max_latency_ms, self.min_accuracy, self.max_ram_bytes
        )

    @property
    def fixed(self) -> dict[str, Any]:
        """Parameters held at a value, the family among them."""
        return dict(self.fix or {}) | ({} if self.family is None else {"family": self.family})


_TUNE_DECIDES = (
    "enqueue",
    "weights",
    "metric",
    "more",
    "workers",
    "timeout_s",
    "trial_timeout_s",
    "address",
    "latency_on",
    "race",
    "branch",
)
UNDER_TUNE = tuple(name for name in declared(RunOptions) if name not in _TUNE_DECIDES)
"""Options of a search under Ray Tune, which decides the others, or leaves them to schedulers."""

_OF_A_STUDY = ("trials", "study", "storage", "sampler", "seed", "fan_out", "min_accuracy")
OF_A_TASK = tuple(name for name in UNDER_TUNE if name not in _OF_A_STUDY)
"""Options that say what is trained and measured, where there is no study."""
