"""Layers that a network has for training alone, and the same network without them."""

from __future__ import annotations

from typing import Any

TRAINING_LAYERS = frozenset({"DropBlock"})
"""Class names of layers which do nothing but in training, have no weights, and which TFMOT does
not know."""


def without_training_layers(model: Any) -> Any:
    """Return a copy of a model without :data:`TRAINING_LAYERS`; itself if it has none.

    Args:
        model: Functional or sequential Keras 2 model; it is not changed.
    """
    left_out = {layer.name for layer in model.layers if _is_training_layer(layer)}
    if not left_out:
        return model
    config = model.get_config()
    kept = [each for each in config["layers"] if each["config"]["name"] not in left_out]
    if "input_layers" in config:
        feeds = {
            each["config"]["name"]: each["inbound_nodes"]
            for each in config["layers"]
            if each["config"]["name"] in left_out
        }
        for each in kept:
            each["inbound_nodes"] = _rewired(each["inbound_nodes"], feeds)
        config["output_layers"] = _rewired(config["output_layers"], feeds)
    config["layers"] = kept
    copy = type(model).from_config(config)
    for layer in copy.layers:  # By name: in a model with branches their order may be another.
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def _is_training_layer(layer: Any) -> bool:
    return type(layer).__name__ in TRAINING_LAYERS and not layer.weights


def _rewired(references: Any, feeds: dict[str, Any]) -> Any:
    """Replace references to the output of a layer that is left out by its input.

    A reference is ``[layer, node, tensor, ...]``: the output of the ``node``-th call of a layer.
    """
    if not isinstance(references, (list, tuple)):
        return references
    if len(references) >= 3 and isinstance(references[0], str) and references[0] in feeds:
        name, node, _, *rest = references
        source = feeds[name][node][0]
        return _rewired([*source[:3], *rest], feeds)
    return [_rewired(each, feeds) for each in references]
