"""Task ``signals``: sensor readings in an ``.npz``; no pictures anywhere."""

from __future__ import annotations

from dataclasses import replace

from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset
from spaces.data.signals import load_signals
from spaces.tasks.images import batch_sizes_for, epochs_for
from spaces.tasks.task import Task


def adapt_to_signals(task: Task, dataset: Dataset) -> Task:
    """Return the task with epochs and batch sizes that suit the data, and its baseline."""
    n_train = len(dataset.train)
    task = replace(task, epochs=epochs_for(n_train), batch_sizes=batch_sizes_for(n_train))
    height, time, _ = dataset.input_shape
    family = "cnn" if height > 1 else "conv1d" if time > 1 else "dense"
    baseline = {**_BASELINES[family], "batch_size": min(32, max(task.batch_sizes))}
    return replace(task, baseline=baseline, families=_FAMILIES[family])


_TRAINING: dict[str, ParamValue] = {"dropout": 0.0, "optimizer": "adam", "learning_rate": 1e-3}
_BASELINES: dict[str, dict[str, ParamValue]] = {
    "cnn": {"family": "cnn", **_TRAINING},
    "conv1d": {
        "family": "conv1d",
        "conv1d_blocks": 2,
        "conv1d_kernel": 3,
        "conv1d_filters_1": 32,
        "conv1d_filters_2": 64,
        "conv1d_head": "flatten",
        "conv1d_units": 64,
        **_TRAINING,
    },
    "dense": {"ann_layers": 2, "ann_units_1": 64, "ann_units_2": 32, **_TRAINING},
}

_FAMILIES = {
    "cnn": ("cnn", "dense"),
    "conv1d": ("conv1d", "separable1d", "dense"),
    "dense": (),  # Rows of features leave nothing to choose.
}

SIGNALS = Task(
    name="signals",
    description="sensor readings: rows of features, series of channels, spectrograms",
    model="spaces.networks.task_families:signal_networks",
    load_data=load_signals,
    data_help="--data: an .npz with x_train [n, features] or [n, time, channels], and y_train",
    class_weights=("none", "balanced"),
    families=_FAMILIES["conv1d"],
    baseline=_BASELINES["conv1d"],
    baseline_note="two convolutions along time (of features: two dense layers) as a course would "
    "have them, unpruned float32",
    adapt=adapt_to_signals,
)
