"""Networks that start from weights of a file instead of random ones, layer by layer.

A configuration names the file by the SHA-256 of its content, so that equal configurations give
equal models wherever the file lies. Every process that trains is handed its content once
(:func:`remember`).

Layers that were taken are frozen at first, so that new ones cannot spoil them, and then trained
on at a rate of their own (Howard and Ruder, "Universal Language Model Fine-tuning", 2018). What
is frozen are the weights that training changes; statistics of normalization follow the pictures
from the start.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spaces.config.training import TrainingConfig
from spaces.errors import TrialFailedError
from workers.training.weight_files import FileLayer, WeightFile, snake_case

_NAME = "_search_taken_layers"

_known: dict[str, WeightFile] = {}


def remember(file: WeightFile) -> None:
    """Have the weights of a file at hand for configurations that start from it."""
    _known[file.sha256] = file


def start_from(model: Any, training: TrainingConfig) -> None:
    """Put the weights that a configuration starts from into a network as it was built.

    Args:
        model: Keras 2 model; layers that the file has none for keep their random weights.
        training: Names the file; nothing is done where it names none.

    Raises:
        TrialFailedError: If the file is not at hand.
    """
    if not training.weights:
        return
    if training.weights not in _known:
        raise TrialFailedError(f"the weights {training.weights[:12]} to start from are not here")
    taken = []
    layers = weighted_layers(model)
    for index, found in match(layers, _known[training.weights]).items():
        model_layer = layers[index].layer
        model_layer.set_weights(list(found.arrays))
        taken.append(model_layer)
    object.__setattr__(model, _NAME, tuple(taken))  # Keras would track it.


def taken_variables(model: Any) -> list[Any]:
    """Return the variables whose weights came from a file."""
    return [v for layer in getattr(model, _NAME, ()) for v in layer.trainable_variables]


@dataclass(frozen=True)
class ModelLayer:
    """A layer with weights of a network that was built."""

    layer: Any
    name: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]


def weighted_layers(model: Any) -> list[ModelLayer]:
    """Return the layers of a network that have weights, in their order."""
    return [
        ModelLayer(
            layer,
            layer.name,
            snake_case(type(layer).__name__),
            tuple(tuple(v.shape) for v in layer.weights),
        )
        for layer in model.layers
        if layer.weights
    ]


def match(layers: Sequence[ModelLayer], file: WeightFile) -> dict[int, FileLayer]:
    """Return which layer of a file each layer of a network takes, by its place.

    A number at the end of a name says no more than the order: Keras numbers layers through, so
    that the second network of a process has ``conv2d_5`` where the first had ``conv2d``. First
    the n-th of a name takes the n-th of that name, where their shapes are the same; then what is
    left takes what is left of the same name and shapes, in order. A file without names is matched
    by class in place of the name; layers of different classes never match, where it tells them.
    """
    found: dict[int, FileLayer] = {}
    in_file = _ranked([one.name for one in file.layers])
    places = {key: place for place, key in enumerate(in_file)}
    names = [layer.name if file.has_names else layer.kind for layer in layers]
    for index, key in enumerate(_ranked(names)):
        place = places.get(key)
        if place is not None and _fits(layers[index], file.layers[place]):
            found[index] = file.layers[place]
            del places[key]
    left: dict[tuple[str, Any], list[FileLayer]] = defaultdict(list)
    for (name, _), place in places.items():
        left[name, file.layers[place].shapes].append(file.layers[place])
    for index, (name, _) in enumerate(_ranked(names)):
        if index not in found:
            queue = left[name, layers[index].shapes]
            if queue and _fits(layers[index], queue[0]):
                found[index] = queue.pop(0)
    return found


def _ranked(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name without a number at its end, and the how-manieth of that name it is."""
    counts: Counter[str] = Counter()
    ranked = []
    for name in map(_base, names):
        ranked.append((name, counts[name]))
        counts[name] += 1
    return ranked


def _fits(layer: ModelLayer, one: FileLayer) -> bool:
    return layer.shapes == one.shapes and one.kind in ("", layer.kind)


def _base(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def describe_match(model: Any, file: WeightFile) -> str:
    """Return in one sentence which layers of a network start from a file, and which do not."""
    layers = weighted_layers(model)
    found = match(layers, file)
    text = f"{len(found)} of its {len(layers)} layers with weights start from {file.name}"
    names = [layer.name for index, layer in enumerate(layers) if index not in found]
    if not names:
        return f"{text}."
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{text}; not {', '.join(names[:6])}{more}."
