"""Callbacks of ``model.fit`` that decide about a training, called by our loop as by Keras.

They are Keras's own objects: what ``patience``, ``min_delta``, ``cooldown`` or
``restore_best_weights`` mean, is theirs to say. They see the metrics after every epoch, and a
model whose weights and learning rate they may set.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from workers.training.own_metrics import ACCURACIES, Measure, OwnMetric

CALLED = ("EarlyStopping", "ReduceLROnPlateau", "LearningRateScheduler")
"""Class names of those which are called. Others write files, or do what our loop does."""

MONITORED = (
    "loss",
    "val_loss",
    *ACCURACIES,
    *(f"val_{name}" for name in ACCURACIES),
)
"""What they may watch, beside metrics of ``compile`` on the validation split."""


def honoured(
    callbacks: Sequence[Any], metrics: Sequence[OwnMetric], rate: float | None
) -> tuple[Any, ...]:
    """Return those callbacks which are called.

    Args:
        callbacks: Of ``model.fit``.
        metrics: Of ``compile``, which are measured after every epoch if watched.
        rate: Learning rate that training begins at; None, of a schedule, leaves nothing to set.
    """
    watched = {*MONITORED, *(f"val_{metric.name}" for metric in metrics)}
    called = CALLED if rate is not None else CALLED[:1]
    return tuple(
        each
        for each in callbacks
        if _kind(each) in called and getattr(each, "monitor", "loss") in watched
    )


def judging_by_validation(callbacks: Sequence[Any]) -> tuple[Any, ...]:
    """Return those callbacks which go by the validation split."""
    return tuple(each for each in callbacks if _monitor(each).startswith("val_"))


def named(callback: Any) -> str:
    """Return what a callback is called to people, with what it watches."""
    monitor = _monitor(callback)
    return f"{_kind(callback)} of {monitor}" if monitor else _kind(callback)


def described(callback: Any) -> str:
    """Return kind and settings of a callback, which are equal for two that do the same."""
    names = (
        "monitor min_delta patience baseline restore_best_weights start_from_epoch factor "
        "cooldown min_lr mode"
    ).split()
    said = [f"{name}={getattr(callback, name)}" for name in names if hasattr(callback, name)]
    return f"{_kind(callback)}({', '.join(said)})"


class CallbackRun:
    """Callbacks of one training.

    Args:
        callbacks: What :func:`honoured` returned; they are copied.
        model: It is trained, and may get the weights of its best epoch at the end.
        rate: Learning rate that training begins at.
        settled_from: Epochs (from 1) after which a pruning mask is final: earlier ones are no
            candidates for the best, as a network that is not sparse yet was not asked for.
        measure: Gives metrics of ``compile`` on the validation split, by name.
    """

    def __init__(
        self,
        callbacks: Sequence[Any],
        model: Any,
        rate: float,
        *,
        settled_from: int = 0,
        measure: Measure | None = None,
    ) -> None:
        self._callbacks = [copy.copy(each) for each in callbacks]
        self._seen = _Seen(model, rate)
        self._rate = rate
        self._settled_from = settled_from
        watched = {getattr(each, "monitor", "loss") for each in self._callbacks}
        self._measure = measure if watched - set(MONITORED) else None
        for each in self._callbacks:
            each.set_model(self._seen)
            each.on_train_begin()

    def begin_epoch(self, epoch: int) -> float:
        """Return what the learning rate is multiplied with in an epoch, counted from 0."""
        for each in self._callbacks:
            each.on_epoch_begin(epoch)
        return float(self._seen.optimizer.lr.numpy()) / self._rate

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Tell the metrics of an epoch; return whether training ends here."""
        penalty = float(sum(float(each) for each in self._seen.losses))
        logs = {name: float(value) for name, value in metrics.items()}
        logs["val_loss"] += penalty  # Keras counts regularization in both.
        for split in ("", "val_"):
            logs.update({f"{split}{name}": logs[f"{split}accuracy"] for name in ACCURACIES})
        if self._measure is not None:
            logs.update({f"val_{name}": value for name, value in self._measure().items()})
        for each in self._callbacks:
            if _kind(each) == "EarlyStopping" and epoch + 1 < self._settled_from:
                continue
            each.on_epoch_end(epoch, logs)
        return self._seen.stop_training

    def end(self) -> None:
        """Give the model the best weights, where a callback says so."""
        for each in self._callbacks:
            each.on_train_end()


class _Optimizer:
    def __init__(self, rate: float) -> None:
        import tensorflow as tf

        self.lr = self.learning_rate = tf.Variable(rate, dtype=tf.float32, trainable=False)


class _Seen:
    """A model as callbacks see it."""

    def __init__(self, model: Any, rate: float) -> None:
        self._model = model
        self.optimizer = _Optimizer(rate)
        self.stop_training = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _monitor(callback: Any) -> str:
    """Return the metric that a callback watches; empty if it watches none."""
    return str(getattr(callback, "monitor", ""))


def _kind(callback: Any) -> str:
    """Return the name of Keras's class that a callback is of."""
    for base in type(callback).__mro__:
        if base.__module__.partition(".")[0] in ("keras", "tf_keras"):
            return base.__name__
    return type(callback).__name__
