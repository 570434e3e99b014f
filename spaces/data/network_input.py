"""How samples of a data set become what a network sees, told as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from spaces.data.dataset import Dataset
from spaces.data.pictures import RESIZE_RULE


def describe_network_input(dataset: Dataset) -> dict[str, Any]:
    """Return how a sample becomes what a network sees: JSON data.

    Args:
        dataset: What it is trained on.

    Returns:
        - ``shape``: height, width, channels.
        - ``dtype``: of the images that it was trained on, ``uint8`` or ``float32``.
        - ``scale``: what those are divided by before the network sees them; None for nothing.
        - ``range``: lowest and highest number that the network can see (of pictures), or saw in
          training (of other arrays).
        - ``resize``: name of the rule of :mod:`spaces.data.pictures` by which a photo gets that
          shape; None where the images are no pictures.
        - ``kind``: what a sample is, ``image`` or ``signal``.
        - ``standardization``: of signals, ``mean`` and ``deviation`` of each channel: the network
          sees ``(x - mean) / deviation``. None for nothing.
        - ``value_ranges``: of pictures with more than 8 bits a channel, which values became 0 and
          255, by kind (``integers``, ``floats``); empty if it was trained on none.
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
        else {name: list(values) for name, values in asdict(dataset.standardization).items()},
        "value_ranges": {kind: list(scale) for kind, scale in dataset.scales.items()},
    }
