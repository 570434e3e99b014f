"""The loss that training minimizes: made here, and nowhere else.

A loss is a function of labels and outputs that gives one number an image. Whoever brings one of
their own passes it to :func:`workers.training.loop.train_epochs`, and it stands for both: what
training minimizes, and what is shown for the validation split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.config.trial import TrainingConfig

if TYPE_CHECKING:
    import numpy.typing as npt

Loss = Callable[[Any, Any], Any]
"""Takes class indices ``[batch]`` and outputs ``[batch, classes]``; gives ``[batch]`` losses."""


_NAME = "_search_interface"


@dataclass(frozen=True)
class Interface:
    """What a model takes and gives (see ``workers.training.interface``).

    Attributes:
        are_logits: Whether it gives logits, of which a softmax (of one unit: a sigmoid) makes
            probabilities.
        factor: What pictures from 0 to 1 are multiplied with before the model sees them: 255
            where it divides them itself.
    """

    are_logits: bool
    factor: float = 1.0


def keep_interface(model: Any, interface: Interface) -> None:
    """Keep with a model what it takes and gives."""
    object.__setattr__(model, _NAME, interface)  # Keras would track it.


def interface_of(model: Any) -> Interface:
    """Return what :func:`keep_interface` kept; by the last layer's name if it kept nothing."""
    found = getattr(model, _NAME, None)
    return found if isinstance(found, Interface) else Interface(not ends_in_softmax(model))


def has_one_unit(outputs: Any) -> bool:
    """Whether outputs are one number an image, which stands for the second class of two."""
    return len(outputs.shape) == 2 and outputs.shape[-1] == 1


def cross_entropy(
    model: Any, label_smoothing: float = 0.0, *, from_logits: bool | None = None
) -> Loss:
    """Return the cross-entropy of a model's outputs, be they probabilities or logits.

    Args:
        model: Built Keras 2 model with one output: a unit a class, or one for the second of two.
        label_smoothing: Share of every label that is spread evenly over all classes.
        from_logits: What the outputs are taken for; None for what they are.
    """
    if from_logits is None:
        from_logits = interface_of(model).are_logits

    def binary(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf
        import tf_keras

        return tf_keras.losses.binary_crossentropy(
            tf.cast(labels, outputs.dtype)[:, None],
            outputs,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )

    if model.output_shape[-1] == 1:
        return binary

    # In a graph, Keras finds the logits below a softmax and uses those.
    def sparse(labels: Any, outputs: Any) -> Any:
        import tf_keras

        return tf_keras.losses.sparse_categorical_crossentropy(
            labels, outputs, from_logits=from_logits
        )

    def smoothed(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf
        import tf_keras

        return tf_keras.losses.categorical_crossentropy(
            tf.one_hot(labels, outputs.shape[-1]),
            outputs,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )

    return smoothed if label_smoothing else sparse


def training_loss(
    model: Any,
    config: TrainingConfig,
    labels: npt.NDArray[np.int64],
    loss: Loss | None = None,
) -> Loss:
    """Return what a recipe minimizes.

    Args:
        model: Built Keras 2 model with one output.
        config: Label smoothing and class weights.
        labels: All labels trained on; they tell how many pictures each class has.
        loss: Somebody's own, which label smoothing does not change; None for cross-entropy.
    """
    base = loss or cross_entropy(model, config.label_smoothing)
    if config.class_weights == "none":
        return base
    weights = balanced_weights(labels, max(2, model.output_shape[-1]))

    def weighted(answers: Any, outputs: Any) -> Any:
        import tensorflow as tf

        return base(answers, outputs) * tf.gather(weights, answers)

    return weighted


def balanced_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float32]:
    """Return a weight for each class by which all count the same; their mean over images is 1.

    A class of ``n`` pictures among ``N`` has ``N / (classes * n)``. One without any has 0.
    """
    counts = np.bincount(labels, minlength=n_classes)
    n_present = np.count_nonzero(counts)
    weights = len(labels) / (n_present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0.0).astype(np.float32)


def mixed(loss: Loss, labels: Any, outputs: Any, shares: Any | None) -> Any:
    """Return losses of images that are mixed with the batch in reverse order, or are not.

    Mixing the losses is mixing the labels, for a cross-entropy, and works for any other loss.

    Args:
        loss: Of one label an image.
        labels: Class indices of the images.
        outputs: What the network says of the mixed images.
        shares: How much of each image is its own; None where nothing is mixed.
    """
    import tensorflow as tf

    losses = loss(labels, outputs)
    if shares is None:
        return losses
    return shares * losses + (1.0 - shares) * loss(tf.reverse(labels, [0]), outputs)


def ends_in_softmax(model: Any) -> bool:
    """Whether a model gives probabilities, as opposed to logits."""
    names = getattr(model, "output_names", None)
    layer = model.get_layer(names[0]) if names else model.layers[-1]
    while True:
        if hasattr(layer, "layers"):  # A model within the model.
            return ends_in_softmax(layer)
        if not hasattr(layer, "layer"):
            break
        layer = layer.layer  # What a wrapper wraps.
    activation = getattr(layer, "activation", None)
    activation = getattr(activation, "activation", activation)  # Wrapped for quantization.
    return type(layer).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"
