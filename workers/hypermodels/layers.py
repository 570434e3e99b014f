"""Which layers a model is made of, in the words of the tables of ``spaces.space.compression``."""

from __future__ import annotations

from typing import Any

from spaces.space.compression import QAT_ACTIVATIONS
from workers.training.training_layers import TRAINING_LAYERS


def layer_names(model: Any) -> tuple[str, ...]:
    """Return the class names of a model's layers, and of those in models within it.

    Layers that are there for training alone are not in it: no compression sees them. What
    quantization-aware training refuses although it knows the layer is named as a pattern,
    as ``BatchNormalization after ReLU`` or ``Activation(elu)``.
    """
    names: dict[str, None] = {}
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in TRAINING_LAYERS:
            continue
        names[kind] = None
        if hasattr(layer, "layers"):
            names.update(dict.fromkeys(layer_names(layer)))
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if activation not in QAT_ACTIVATIONS:
            names[f"{kind}({activation})"] = None
        if kind == "BatchNormalization":
            for before in _layers_before(layer):
                kind_before = type(before).__name__
                activation = getattr(getattr(before, "activation", None), "__name__", "")
                if kind_before not in _FOLDS_NORMALIZATION:
                    names[f"BatchNormalization after {kind_before}"] = None
                elif activation != "linear":
                    names[f"BatchNormalization after {kind_before}({activation})"] = None
                elif len(before.outbound_nodes) > 1:
                    names[f"BatchNormalization after a shared {kind_before}"] = None
    return tuple(names)


_FOLDS_NORMALIZATION = frozenset({"Conv2D", "Dense", "DepthwiseConv2D", "SeparableConv2D"})


def _layers_before(layer: Any) -> list[Any]:
    before: list[Any] = []
    for node in layer.inbound_nodes:
        layers = node.inbound_layers
        for each in layers if isinstance(layers, (list, tuple)) else [layers]:
            # Quantization-aware training leaves such layers out, and sees what is before them.
            is_left_out = type(each).__name__ in TRAINING_LAYERS
            before.extend(_layers_before(each) if is_left_out else [each])
    return before
