"""What a trained model takes and gives, as written beside it for whoever runs it later."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from spaces.data.dataset import Dataset
from spaces.data.pictures import RESIZE_RULE
from workers.conversion.runtime import load
from workers.training.losses import interface_of


def describe_input(dataset: Dataset, tflite: bytes) -> dict[str, Any]:
    """Return how a picture becomes the input of a model: JSON data.

    Args:
        dataset: What it was trained on.
        tflite: The file that is deployed.

    Returns:
        - ``shape``: height, width, channels.
        - ``dtype``: of the images that it was trained on, ``uint8`` or ``float32``.
        - ``scale``: what those are divided by before the network sees them; None for nothing.
        - ``range``: lowest and highest number that the network can see (of pictures), or saw in
          training (of other arrays).
        - ``resize``: name of the rule of :mod:`spaces.data.pictures` by which a photo gets that
        shape;
          None where the images are no pictures.
        - ``value_ranges``: of pictures with more than 8 bits a channel, which values became 0 and
          255, by kind (``integers``, ``floats``); empty if it was trained on none.
        - ``kind``: what a sample is, ``image`` or ``signal``.
        - ``standardization``: of signals, ``mean`` and ``deviation`` of each channel: the network
          sees ``(x - mean) / deviation``. None for nothing.
        - ``tflite_dtype``, ``tflite_scale``, ``tflite_zero_point``: number format of the file's
          input: ``float32`` (scale and zero point are None), or integers that stand for
          ``(integer - zero_point) * scale``.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    images = dataset.train.images
    is_picture = images.dtype == np.uint8
    low, high = (0.0, 1.0) if is_picture else (float(images.min()), float(images.max()))
    return {
        "shape": list(dataset.input_shape),
        "dtype": "uint8" if is_picture else "float32",
        "scale": 255.0 if is_picture else None,
        "range": [low, high],
        "resize": RESIZE_RULE if is_picture else None,
        "kind": dataset.kind,
        "standardization": None
        if dataset.standardization is None
        else asdict(dataset.standardization),
        "value_ranges": {kind: list(scale) for kind, scale in dataset.scales.items()},
        **_number_format(load(tflite).get_input_details()[0]),
    }


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
        **_number_format(load(tflite).get_output_details()[0]),
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


def _number_format(details: dict[str, Any]) -> dict[str, Any]:
    dtype = np.dtype(details["dtype"])
    is_float = np.issubdtype(dtype, np.floating)
    scale, zero_point = details["quantization"]
    return {
        "tflite_dtype": dtype.name,
        "tflite_scale": None if is_float else float(scale),
        "tflite_zero_point": None if is_float else int(zero_point),
    }
