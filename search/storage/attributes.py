"""Names of everything we store in a study, beside Optuna's own parameters and values.

User attributes are for people and for our own commands; system attributes are what Optuna's
samplers and optuna-dashboard look for. Names and meanings are only ever added to.
"""

from __future__ import annotations

DEFAULT_STORAGE = "studies.db"
"""Where studies are unless somebody says otherwise: a file in the working directory."""

# --- User attributes of a study -----------------------------------------------------------
FORMAT = "format"
"""Version of what this module describes: 1."""
IDENTITY = "identity"
"""What tells the study from every other, of the same name, number or row too; for good."""
TASK = "task"
"""``TaskInfo`` without its search space: names, data set, classes, numbers of images."""
SEARCH_SPACE = "search_space"
"""``SearchSpace.to_list()``; grows when parameters show up while building."""
DATA_FINGERPRINT = "data_fingerprint"
"""Content hash of the data set."""
DEVICE = "device"
"""The device that every latency belongs to: its name, or where a user's own is found."""
ARTIFACTS = "artifacts"
"""``s3://BUCKET/FOLDER`` where its files lie; beside the database where it is not there."""
METRIC = "metric"
"""Which metric is the first objective; ``accuracy`` where it is not there."""
SIZE_METRIC = "size_metric"
"""Which size is ``size_bytes``: ``gzip``, ``tflite`` or ``flash``."""
LIMITS = "limits"
"""``max_size_bytes``, ``max_latency_ms``, ``min_accuracy``, ``max_ram_bytes``; null where there is
no limit."""
SAMPLER = "sampler"
"""Name of the sampler of the last run."""
SEED = "seed"
"""Seed of the study: of its sampler, and of every trial's training."""
REFERENCE_POINT = "reference_point"
"""Worst values that count towards the hypervolume: ``error``, ``size_bytes``, ``latency_ms``; and
``least_error``, what no mistake counts as. Where that is not there, errors are taken as they are,
not their logarithms."""
REFERENCE_MS = "reference_ms"
"""What the reference network took beside the study's first measured model, in milliseconds:
every later latency is scaled to the speed that the machine had then."""
CODE = "code"
"""Which code of one's own the trials were made with: a list of ``since_trial`` and ``files``,
hashes by file of ``task`` and ``device``. Not there where all code is ours, nor in studies older
than this."""
ASKED = "asked"
"""Options of the last run that were not as by default, by their names in Python: what the study
goes on with. Not there in studies older than this."""
ENQUEUED = "enqueued"
"""Points of the search space that are tried first, in order: values of all active parameters."""
TARGET = "n_trials"
"""How many trials the study is to have, derived ones not counted."""

FINALISTS = "finalists"
"""Points that were trained again from other seeds: a list of ``trial``, ``config_hash``,
``epochs``, ``patience`` and ``runs``, each with ``seed``, ``val_accuracy``, ``accuracy`` (on
test), ``size_bytes``, ``latency_ms`` and ``hits`` (which test images were right, a bit each, in
base64), or the ``reason`` why it has none."""

# --- User attributes of a trial -----------------------------------------------------------
OUTCOME = "outcome"
"""``complete``, ``infeasible`` (the gate), ``stopped`` (the race), ``failed`` or ``interrupted``;
or :data:`IMPORTED`; not there while it runs."""
COUNTED = ("complete", "infeasible", "stopped", "failed")
"""Outcomes of trials that count towards the study's target."""
IMPORTED = "imported"
"""Outcome of a trial that was measured elsewhere: it has values, and counts towards no target."""
ORIGIN = "origin"
"""Where an imported trial was found."""
REASON = "reason"
"""Why a trial has no values; one line."""
CONFIG = "config"
"""``TrialConfig.to_dict()``: all that decides which model comes out."""
CONFIG_HASH = "config_hash"
"""``TrialConfig.hash``: no configuration is evaluated twice."""
TRIAL_SEED = "seed"
"""Seed of initial weights, shuffling and dropout; the study's, whatever the trial's number."""
DERIVED_FROM = "derived_from"
"""Number of the trial whose training this one shares; only on derived trials."""
BASELINE = "baseline"
"""True on the trial of the task's baseline, the configuration that a person made by hand."""
OWNER = "owner"
"""Driver that runs it, where several may: on a database server."""
RETRY_OF = "retry_of"
"""Number of the interrupted trial which this one tries again."""
EPOCHS_SPARED = "epochs_spared"
"""Epochs that an interrupted attempt had trained and this one went on from; not there if none."""
TUNE_TRIAL = "tune_trial"
"""Id of the Ray Tune trial that evaluated it: names its folder of logs; only under Ray Tune."""
BRANCHED_FROM = "branched_from"
"""Number of the trial whose trained weights this one started from; only on branches."""
PREDICTED_GAIN = "predicted_gain"
"""Hypervolume that a branch was expected to add."""
GAIN = "hypervolume_gain"
"""Hypervolume that the trial added, with all its derived points."""
HINT = "hint"
"""``[error, size_bytes, latency_ms]`` by scheme of a trial without values, each null where not
known: for our own sampler, in its mirror of the study only."""
BAR = "bar"
"""Accuracy that the training had to reach, with the race: the best among points that were no
larger and no slower when it began."""
CURVE = "val_accuracy"
"""Accuracy of the float network on the validation split after every epoch."""
TRAIN_ACCURACY = "train_accuracy"
"""Accuracy of the float network in its last epoch on the training pictures as they were shown:
changed at random, with the dropout of training. Not there in trials older than this."""
LEDGER = "ledger"
"""``Ledger``: every size of the converted model, parameters, multiply-accumulates."""
CLASS_SCORES = "class_scores"
"""``accuracy``, ``balanced_accuracy`` and ``macro_f1`` of the converted model, on validation."""
CONFUSION = "confusion"
"""A row for each true class: how often the converted model called it what, on validation. Not
there where there are many classes, nor in trials older than this."""
HITS = "hits"
"""Which validation images the converted model labels rightly: a bit each, in base64. Not there
where there are more than 10,000, nor in trials older than this."""
LATENCY = "latency"
"""``Latency``: median and spread, runs, threads, device and runtime."""
TFLITE_SHA256 = "tflite_sha256"
"""Hash of the model file: tells whether a retrained model is the same, byte for byte."""
GATE = "gate"
"""``size_bytes``, ``latency_ms`` and ``ram_bytes`` known before training; on trials that were
infeasible or stopped. ``schemes`` has the three for every scheme that was looked at."""
EPOCHS_TRAINED = "epochs_trained"
"""Epochs really trained."""
METRICS = "metrics"
"""What the model's ``compile`` names beside accuracy, measured on the ``.tflite``."""

SPARSITY = "sparsity"
"""Achieved fraction of zero weights: ``overall`` and by layer."""
SECONDS = "seconds"
"""Wall-clock seconds by stage."""
SKIPPED = "skipped"
"""Schemes that gave no point, and why."""
VERSIONS = "versions"
"""Versions of the libraries that decide which bytes come out."""
WORKER = "worker"
"""Where it ran: ``host:pid``."""

# --- System attributes of a trial ---------------------------------------------------------
CONSTRAINTS = "constraints"
"""Optuna's key; at most 0 where kept. See :mod:`search.storage.constraints`. Both Optuna 5's
samplers and optuna-dashboard 0.21 read this list; the newer ``constraints:<name>`` keys, which
``Trial.set_constraint`` writes, only the samplers."""
GENERATION = "NSGAIISampler:generation"
"""Optuna's key: population that a trial belongs to."""
ARTIFACT_PREFIX = "artifacts:"
"""Optuna's prefix; the rest of the key is the artifact's id."""

# --- System attributes of a study ---------------------------------------------------------
METRIC_NAMES = "study:metric_names"
"""Optuna's key of ``Study.set_metric_names``: names of the objectives."""


def artifact_link(trial_id: int, artifact_id: str) -> str:
    """Return the study's system attribute that makes a file a trial's; optuna-dashboard reads it.

    On the study and not on the trial, because files come and go after a trial has ended, and
    Optuna's caches never read an ended trial again.
    """
    return f"{_LINK_PREFIX}{trial_id}:{artifact_id}"


def linked_artifact(key: str) -> tuple[int, str] | None:
    """Return the trial's id and the artifact's of a link; None for other attributes."""
    if not key.startswith(_LINK_PREFIX):
        return None
    trial_id, _, artifact_id = key.removeprefix(_LINK_PREFIX).partition(":")
    return (int(trial_id), artifact_id) if trial_id.isdigit() and artifact_id else None


_LINK_PREFIX = "dashboard:artifacts:"
