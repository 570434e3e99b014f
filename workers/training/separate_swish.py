"""A network whose swish activations are layers of their own, for quantization-aware training.

TFMOT observes the output of ``Conv2D(activation="swish")``, and not what goes into the swish:
without the range of that, the converter leaves the whole convolution in floats. Of a layer
``Activation("swish")`` behind a linear convolution it knows both.
"""

from __future__ import annotations

import copy
from typing import Any

SWISH = "swish"


def with_separate_swish(model: Any) -> Any:
    """Return a copy in which no layer with weights ends in a swish; itself if there is none.

    Args:
        model: Functional or sequential Keras 2 model; it is not changed.
    """
    split = [
        layer.name
        for layer in model.layers
        if layer.weights and getattr(getattr(layer, "activation", None), "__name__", "") == SWISH
    ]
    if not split:
        return model
    config = copy.deepcopy(model.get_config())
    is_functional = "input_layers" in config
    layers = []
    for each in config["layers"]:
        name = each["config"]["name"]
        if is_functional:
            each["inbound_nodes"] = _behind_swish(each["inbound_nodes"], split)
        layers.append(each)
        if name in split:
            each["config"]["activation"] = "linear"
            layers.append(_swish(name, len(each["inbound_nodes"]) if is_functional else None))
    if is_functional:
        config["output_layers"] = _behind_swish(config["output_layers"], split)
    config["layers"] = layers
    separate = type(model).from_config(config)
    for layer in model.layers:  # By name: there are more layers now.
        separate.get_layer(layer.name).set_weights(layer.get_weights())
    return separate


def _swish(name: str, n_calls: int | None) -> dict[str, Any]:
    """Return the description of the layer that takes a layer's outputs, once for each call."""
    own = f"{name}_{SWISH}"
    described: dict[str, Any] = {
        "class_name": "Activation",
        "config": {"name": own, "trainable": True, "dtype": "float32", "activation": SWISH},
    }
    if n_calls is not None:
        described["name"] = own
        described["inbound_nodes"] = [[[name, call, 0, {}]] for call in range(n_calls)]
    return described


def _behind_swish(references: Any, split: list[str]) -> Any:
    """Replace references to layers, ``[layer, node, tensor, ...]``, by those to their swish."""
    if not isinstance(references, (list, tuple)):
        return references
    if len(references) >= 3 and isinstance(references[0], str) and references[0] in split:
        return [f"{references[0]}_{SWISH}", *references[1:]]
    return [_behind_swish(each, split) for each in references]
