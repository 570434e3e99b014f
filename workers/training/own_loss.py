"""The loss that a model was compiled with, as a loss per image of class indices.

What ``compile`` says is taken as it is, as ``model.fit`` would: no guess goes before it. What
earlier versions guessed instead is kept beside it, for configurations of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workers.training.losses import (
    Interface,
    Loss,
    cross_entropy,
    ends_in_softmax,
    interface_of,
)


def own_loss(
    compiled: Any, model: Any, n_classes: int
) -> tuple[Loss | None, str, tuple[str, ...]]:
    """Return the loss per image, None for plain cross-entropy; what it is, and notes."""
    given = _given_loss(compiled)
    if given is None:
        return None, "", ()
    kind, config = _kind(given)
    notes: tuple[str, ...] = ()
    face = interface_of(model)
    from_logits = bool(config.get("from_logits", False))
    if kind in _TAKE_LOGITS and from_logits != face.are_logits:
        notes = (
            f"The model gives {'logits' if face.are_logits else 'probabilities'}, which does not "
            f"go with from_logits={from_logits} of its loss, {kind}; it is trained with that loss "
            f"nevertheless, as model.fit would.",
        )
    n_units = model.output_shape[-1]
    if kind in _CROSS_ENTROPIES and n_units > 1 and last_activation(model) in _KNOWN_ENDINGS:
        smoothing = float(config.get("label_smoothing", 0.0))
        is_plain = not smoothing and from_logits == face.are_logits
        loss = None if is_plain else cross_entropy(model, smoothing, from_logits=from_logits)
        return loss, f"{kind} {smoothing} {from_logits}", notes
    one_hot, why = _wants_one_hot(compiled, kind)
    if n_units == 1:
        why = "labels 0 and 1"
    notes = (f"Training takes the loss of compile(...), {kind}, with {why}.", *notes)
    return _per_image(_function(given), one_hot, n_classes, n_units), f"{kind} {config}", notes


def loss_before(compiled: Any, model: Any, n_classes: int) -> tuple[Loss | None] | None:
    """Return the loss that earlier versions took; None if it is the one that is taken now.

    They went by the name of the last layer, whatever ``from_logits`` said.
    """
    given = _given_loss(compiled)
    n_units = model.output_shape[-1]
    if n_units == 1:
        return None
    guessed = not ends_in_softmax(model)
    if given is None:
        return None if guessed == interface_of(model).are_logits else (None,)
    kind, config = _kind(given)
    if kind not in _CROSS_ENTROPIES or last_activation(model) not in _KNOWN_ENDINGS:
        return None
    if bool(config.get("from_logits", False)) == guessed:
        return None
    smoothing = float(config.get("label_smoothing", 0.0))
    return (cross_entropy(model, smoothing, from_logits=guessed) if smoothing else None,)


def decided_interface(compiled: Any, seen: Interface, n_units: int) -> Interface:
    """Return what a model is, where its loss decides: above which number its one unit says yes.

    Args:
        compiled: The model as the user's code built it.
        seen: What its outputs look like.
        n_units: How many there are.
    """
    given = _given_loss(compiled)
    if n_units != 1 or not seen.are_logits or given is None:
        return seen
    kind, config = _kind(given)
    if kind in _TAKE_LOGITS:
        return replace(seen, are_logits=bool(config.get("from_logits", False)))
    # Trained to be 0 or 1, as in a regression.
    return replace(seen, are_logits=kind not in _OF_DISTANCE)


def _given_loss(compiled: Any) -> Any:
    given = getattr(compiled, "loss", None)
    if isinstance(given, (list, tuple)) and len(given) == 1:
        given = given[0]
    elif isinstance(given, Mapping) and len(given) == 1:
        given = next(iter(given.values()))
    return given


def _function(given: Any) -> Any:
    """Return what gives a loss an image, of a loss or its name."""
    if isinstance(given, str):
        import tf_keras

        given = tf_keras.losses.get(given)
    return getattr(given, "call", given)


_CROSS_ENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")
_TAKE_LOGITS = (
    *_CROSS_ENTROPIES,
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
)
_OF_DISTANCE = ("huber", "log_cosh", "mean_absolute_error", "mean_squared_error", "poisson")
_KNOWN_ENDINGS = ("softmax", "linear")
"""Of which earlier versions took cross-entropy to be their own."""


def _kind(loss: Any) -> tuple[str, Mapping[str, Any]]:
    """Return a loss's name in snake case, and its settings."""
    import tf_keras

    if isinstance(loss, str):
        loss = tf_keras.losses.get(loss)
    if isinstance(loss, tf_keras.losses.Loss):
        name = tf_keras.src.utils.generic_utils.to_snake_case(type(loss).__name__)
        try:
            return name, loss.get_config()
        except Exception:
            return name, {}
    return getattr(loss, "__name__", type(loss).__name__), {}


_OF_LABELS = ("sparse_categorical_crossentropy",)
_OF_ONE_HOT = (
    "binary_crossentropy binary_focal_crossentropy categorical_crossentropy "
    "categorical_focal_crossentropy categorical_hinge cosine_similarity hinge huber "
    "kl_divergence kullback_leibler_divergence log_cosh mean_absolute_error "
    "mean_squared_error poisson squared_hinge"
).split()


def _wants_one_hot(compiled: Any, kind: str) -> tuple[bool, str]:
    """Whether a loss takes one-hot rows, and how to say what it gets."""
    if kind in _OF_ONE_HOT:
        return True, "one-hot labels"
    if kind in _OF_LABELS:
        return False, "labels from 0"
    metrics = " ".join(metric_names(compiled))
    if "categorical" in metrics.replace("sparse_categorical", ""):
        return True, "one-hot labels, as its metrics ask for"
    return False, "labels from 0 (metrics=['categorical_accuracy'] would make them one-hot)"


def _per_image(function: Any, one_hot: bool, n_classes: int, n_units: int) -> Loss:
    def loss(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf

        # As model.fit shapes them.
        if n_units == 1:
            answers = tf.cast(labels, outputs.dtype)[:, None]
        else:
            answers = tf.one_hot(labels, n_classes) if one_hot else labels[:, None]
        losses = tf.convert_to_tensor(function(answers, outputs))
        if losses.shape.rank == 0:
            return tf.fill(tf.shape(labels), losses)
        return (
            tf.reshape(losses, [tf.shape(labels)[0], -1])[:, 0]
            if losses.shape.rank == 1
            else (tf.reduce_mean(losses, axis=list(range(1, losses.shape.rank))))
        )

    return loss


def weighted(base: Loss, class_weight: Mapping[int, float], n_classes: int) -> Loss:
    weights = [float(class_weight.get(number, 1.0)) for number in range(n_classes)]

    def loss(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf

        return base(labels, outputs) * tf.gather(tf.constant(weights), labels)

    return loss


def last_activation(model: Any) -> str:
    """Return the name of the activation that a model ends in."""
    if ends_in_softmax(model):
        return "softmax"
    layer = model.get_layer(model.output_names[0])
    while hasattr(layer, "layers"):
        layer = layer.layers[-1]
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def metric_names(compiled: Any) -> list[str]:
    """Return the names of metrics in snake case, as far as they have any."""
    found = getattr(getattr(compiled, "compiled_metrics", None), "_user_metrics", None) or []
    flat: list[Any] = []
    for each in found.values() if isinstance(found, Mapping) else [found]:
        flat.extend(flattened(each))
    return [
        each if isinstance(each, str) else snake_name(each) for each in flat if each is not None
    ]


def snake_name(thing: Any) -> str:
    """Return the name of a function, or of an object's class, in snake case."""
    import tf_keras

    name = getattr(thing, "__name__", type(thing).__name__)
    return str(tf_keras.src.utils.generic_utils.to_snake_case(name))


def takes_one_hot(compiled: Any) -> bool:
    """Whether the loss of ``compile`` takes one-hot labels, and so do metrics of one's own."""
    given = _given_loss(compiled)
    return given is not None and _wants_one_hot(compiled, _kind(given)[0])[0]


def flattened(metrics: Any) -> list[Any]:
    """Return what stands in lists within lists, in one."""
    if isinstance(metrics, (list, tuple)):
        return [leaf for each in metrics for leaf in flattened(each)]
    return [metrics]
