"""What a model of Keras 3 was compiled with, for the same model in Keras 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaces.errors import TaskError

_NOT_OF_KERAS2 = ("loss_scale_factor", "gradient_accumulation_steps")


def compile_alike(model: Any, rebuilt: Any) -> tuple[str, ...]:
    """Compile a rebuilt model as the one of Keras 3 is; return notes on what is left out.

    Raises:
        TaskError: If its optimizer has no counterpart in Keras 2.
    """
    if getattr(model, "optimizer", None) is None:
        return ()
    metrics, left_out = _metrics(getattr(model, "_compile_metrics", None))
    rebuilt.compile(
        optimizer=_optimizer(model.optimizer),
        loss=_losses(getattr(model, "loss", None)),
        metrics=metrics,
    )
    if not left_out:
        return ()
    return (f"Metrics of compile(...) that Keras 2 lacks: {', '.join(left_out)}.",)


def _optimizer(optimizer: Any) -> Any:
    import tf_keras

    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _optimizer(inner)  # Loss scaling is a matter of float16 arithmetic.
    kind = type(optimizer)
    twin = getattr(tf_keras.optimizers, kind.__name__, None)
    if not kind.__module__.startswith("keras.") or twin is None:
        raise TaskError(
            f"The optimizer of compile(...), {kind.__name__}, has no counterpart in Keras 2 "
            f"(tf_keras): take one of keras.optimizers, as Adam or SGD."
        )
    config = dict(optimizer.get_config())
    for name in _NOT_OF_KERAS2:
        value = config.pop(name, None)
        if value is not None:
            raise TaskError(
                f"The optimizer of compile(...), {kind.__name__}, has {name}={value}, which Keras "
                f"2 lacks: leave it out."
            )
    rate = optimizer._learning_rate
    if isinstance(config["learning_rate"], Mapping) or callable(rate):
        config["learning_rate"] = _schedule(rate)
    return twin(**config)


def _schedule(schedule: Any) -> Any:
    """Return a learning rate by the step as Keras 2 takes it."""
    import tf_keras

    kind = type(schedule)
    schedules = tf_keras.optimizers.schedules
    twin = getattr(schedules, kind.__name__, None)
    if kind.__module__.startswith("keras.") and twin is not None:
        return twin.from_config(schedule.get_config())

    class Wrapped(schedules.LearningRateSchedule):  # type: ignore[misc, name-defined]
        """Asks the schedule of Keras 3, which computes with TensorFlow too."""

        def __call__(self, step: Any) -> Any:
            import tensorflow as tf

            return tf.convert_to_tensor(schedule(step))

        def get_config(self) -> dict[str, Any]:
            try:
                return {kind.__name__: dict(schedule.get_config())}
            except NotImplementedError:
                return {kind.__name__: {}}

    return Wrapped()


def _losses(loss: Any) -> Any:
    if isinstance(loss, Mapping):
        return {name: _loss(each) for name, each in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_loss(each) for each in loss]
    return _loss(loss)


def _loss(loss: Any) -> Any:
    """Return a loss as Keras 2 takes it: its own one of that name, or a function."""
    import keras
    import tf_keras

    if loss is None or isinstance(loss, str):
        return loss
    kind = type(loss)
    if isinstance(loss, keras.losses.Loss):
        twin = getattr(tf_keras.losses, kind.__name__, None)
        if kind.__module__.startswith("keras.") and twin is not None:
            config = dict(loss.get_config())
            config.pop("dtype", None)
            if config.get("reduction") in ("mean", "mean_with_sample_weight"):
                config["reduction"] = "sum_over_batch_size"
            if config.get("reduction") is None and "reduction" in config:
                config["reduction"] = "none"
            try:
                return twin.from_config(config)
            except TypeError:
                pass  # An argument that Keras 2 lacks: the loss itself is asked.

        def per_image(labels: Any, outputs: Any) -> Any:
            return loss.call(labels, outputs)

        per_image.__name__ = kind.__name__
        return per_image
    name = getattr(loss, "__name__", "")
    is_keras = str(getattr(loss, "__module__", "")).startswith("keras.")
    return getattr(tf_keras.losses, name, loss) if is_keras else loss


def _metrics(compiled: Any) -> tuple[list[Any], tuple[str, ...]]:
    """Return metrics that Keras 2 has, too, and the names of others."""
    given = getattr(compiled, "_user_metrics", None)
    flat = _flattened(list(given.values()) if isinstance(given, Mapping) else given)
    found: list[Any] = []
    left_out: list[str] = []
    for metric in flat:
        twin = _metric(metric)
        if twin is None:
            left_out.append(getattr(metric, "__name__", type(metric).__name__))
        else:
            found.append(twin)
    return found, tuple(left_out)


def _metric(metric: Any) -> Any:
    import tf_keras

    if isinstance(metric, str):
        return metric
    kind = type(metric)
    twin = getattr(tf_keras.metrics, kind.__name__, None)
    if kind.__module__.startswith("keras.") and twin is not None:
        config = dict(metric.get_config())
        config.pop("dtype", None)
        try:
            return twin.from_config(config)
        except TypeError:
            return None
    if callable(metric) and not isinstance(metric, type) and hasattr(metric, "__name__"):
        is_keras = str(metric.__module__).startswith("keras.")
        return getattr(tf_keras.metrics, metric.__name__, None) if is_keras else metric
    return None


def _flattened(metrics: Any) -> list[Any]:
    if isinstance(metrics, (list, tuple)):
        return [leaf for each in metrics for leaf in _flattened(each)]
    return [] if metrics is None else [metrics]
