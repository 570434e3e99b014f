"""What a trained model takes and gives, as written beside it for whoever runs it later."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces.data.dataset import Dataset
from spaces.data.pictures import RESIZE_RULE
from workers.conversion.runtime import load


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
        - ``values``: ``probabilities``, or ``logits`` of which a softmax makes them.
        - ``classes``: how many.
        - ``tflite_dtype``, ``tflite_scale``, ``tflite_zero_point``: as those of the input.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    from workers.training.losses import ends_in_softmax

    return {
        "values": "probabilities" if ends_in_softmax(model) else "logits",
        "classes": dataset.n_classes,
        **_number_format(load(tflite).get_output_details()[0]),
    }


def _number_format(details: dict[str, Any]) -> dict[str, Any]:
    dtype = np.dtype(details["dtype"])
    is_float = np.issubdtype(dtype, np.floating)
    scale, zero_point = details["quantization"]
    return {
        "tflite_dtype": dtype.name,
        "tflite_scale": None if is_float else float(scale),
        "tflite_zero_point": None if is_float else int(zero_point),
    }
