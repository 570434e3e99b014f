"""What a trained model takes and gives, as written beside it for whoever runs it later."""

from __future__ import annotations

from typing import Any

from spaces.data.dataset import Dataset
from spaces.data.network_input import describe_network_input
from workers.conversion.number_formats import input_format, output_format
from workers.training.losses import interface_of


def describe_input(dataset: Dataset, tflite: bytes) -> dict[str, Any]:
    """Return how a sample becomes the input of a model: JSON data.

    Args:
        dataset: What it was trained on.
        tflite: The file that is deployed.

    Returns:
        What :func:`spaces.data.network_input.describe_network_input` returns, and
        ``tflite_dtype``, ``tflite_scale``, ``tflite_zero_point``: number format of the file's
        input: ``float32`` (scale and zero point are None), or integers that stand for
        ``(integer - zero_point) * scale``.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    return {**describe_network_input(dataset), **input_format(tflite)}


def describe_output(model: Any, dataset: Dataset, tflite: bytes) -> dict[str, Any]:
    """Return what the numbers are that a model gives: JSON data.

    Args:
        model: The trained Keras model.
        dataset: What it was trained on.
        tflite: The file that is deployed.

    Returns:
        - ``values``: ``probabilities``, or ``logits`` of which a softmax makes them (of one
          unit: a sigmoid).
        - ``classes``: how many.
        - ``units``: numbers an image: as many, or one that stands for the second of two classes.
        - ``tflite_dtype``, ``tflite_scale``, ``tflite_zero_point``: as those of the input.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    return {
        "values": "logits" if interface_of(model).are_logits else "probabilities",
        "classes": dataset.n_classes,
        "units": int(model.output_shape[-1]),
        **output_format(tflite),
    }


def with_input_factor(model: Any) -> Any:
    """Return a model that takes what the ``.tflite`` takes: pictures from 0 to 1.

    One that divides pixels itself has them multiplied before it.
    """
    import tf_keras

    factor = interface_of(model).factor
    if factor == 1.0:
        return model
    inputs = tf_keras.Input(model.input_shape[1:], name="image")
    pixels = tf_keras.layers.Rescaling(factor, name="pixels")(inputs)
    return tf_keras.Model(inputs, model(pixels), name=f"{model.name}_of_pictures")
