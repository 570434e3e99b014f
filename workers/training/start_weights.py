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

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spaces.config.training import TrainingConfig
from spaces.errors import TrialFailedError
from workers.training.file_layers import FileLayer, base_name, numbered, snake_case
from workers.training.weight_files import WeightFile

_NAME = "_search_taken_layers"

_NOT_ATTRIBUTES = frozenset({"_self_tracked_trackables", "_metrics", "_inbound_nodes"})
"""What Keras keeps of a layer's parts beside the attributes that somebody gave them."""

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
    """A layer with weights of a network that was built.

    Attributes:
        layer: Keras's.
        name: Of it.
        kind: Its class, as ``conv2d``.
        shapes: Of each of its weights.
        places: Where in the layer each of them lies, as ``cell/vars/0``; none where no file that
            tells it is to be matched.
        within: The networks that it is in, by class and number, as ``functional_1/``.
    """

    layer: Any
    name: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    places: tuple[str, ...] = ()
    within: str = ""


def weighted_layers(model: Any) -> list[ModelLayer]:
    """Return the layers of a network that have weights, in their order; those of networks within
    it in their place."""
    return list({id(one.layer): one for one in _weighted(model, "")}.values())


def _weighted(model: Any, within: str) -> Iterator[ModelLayer]:
    counts: Counter[str] = Counter()
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        name = numbered(kind, counts)
        if _is_network(layer):
            yield from _weighted(layer, f"{within}{name}/")
        elif layer.weights:
            places = dict(_places(layer, ""))
            yield ModelLayer(
                layer,
                layer.name,
                kind,
                tuple(tuple(v.shape) for v in layer.weights),
                tuple(places.get(id(v), "") for v in layer.weights),
                within,
            )


def _is_network(layer: Any) -> bool:
    return bool(getattr(layer, "_is_graph_network", False))


def _places(layer: Any, within: str, above: tuple[Any, ...] = ()) -> Iterator[tuple[int, str]]:
    """Yield the id of each variable of a layer, and where Keras keeps it in a file."""
    import tf_keras

    own = [*layer._trainable_weights, *layer._non_trainable_weights]
    yield from ((id(variable), f"{within}vars/{index}") for index, variable in enumerate(own))
    held = {name: each for name, each in vars(layer).items() if name not in _NOT_ATTRIBUTES}
    if _is_network(layer):
        held = {"layers": layer.layers}
    for name, each in held.items():
        counts: Counter[str] = Counter()
        is_one = isinstance(each, tf_keras.layers.Layer)
        several = each.values() if isinstance(each, dict) else each
        if not (is_one or isinstance(each, (list, tuple, dict))):
            continue
        for inner in [each] if is_one else several:
            if not isinstance(inner, tf_keras.layers.Layer) or any(inner is one for one in above):
                continue
            place = name.lstrip("_")
            if not is_one:
                place += "/" + numbered(snake_case(type(inner).__name__), counts)
            yield from _places(inner, f"{within}{place}/", (*above, layer))


def match(layers: Sequence[ModelLayer], file: WeightFile) -> dict[int, FileLayer]:
    """Return which layer of a file each layer of a network takes, by its place.

    A number at the end of a name says no more than the order: Keras numbers layers through, so
    that the second network of a process has ``conv2d_5`` where the first had ``conv2d``. First
    the n-th of a name takes the n-th of that name, where their shapes are the same; then what is
    left takes what is left of the same name and shapes, in order. A file without names is matched
    by class in place of the name; layers of different classes never match, where it tells them.
    """
    found: dict[int, FileLayer] = {}
    held = layers_for(layers, file)
    in_file = _ranked([f"{one.within}{one.name}" for one in held])
    places = {key: place for place, key in enumerate(in_file)}
    names = [one.name if file.has_names else f"{one.within}{one.kind}" for one in layers]
    for index, key in enumerate(_ranked(names)):
        place = places.get(key)
        if place is not None and (fits := _fitting(held[place], layers[index])):
            found[index] = fits
            del places[key]
    left: dict[str, list[FileLayer]] = defaultdict(list)
    for (name, _), place in places.items():
        left[name].append(held[place])
    for index, (name, _) in enumerate(_ranked(names)):
        if index in found:
            continue
        for number, one in enumerate(left[name]):
            if fits := _fitting(one, layers[index]):
                found[index] = fits
                del left[name][number]
                break
    return found


def layers_for(layers: Sequence[ModelLayer], file: WeightFile) -> list[FileLayer]:
    """Return the layers of a file as a network is to see them.

    What may be a network is one, unless the network has a layer of that name and those weights.
    """
    found: list[FileLayer] = []
    for one in file.layers:
        is_layer = not one.parts or any(
            base_name(layer.name) == base_name(one.name) and _fitting(one, layer)
            for layer in layers
        )
        found += [one] if is_layer else one.parts
    return found


def _ranked(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name without a number at its end, and the how-manieth of that name it is."""
    counts: Counter[str] = Counter()
    ranked = []
    for name in map(base_name, names):
        ranked.append((name, counts[name]))
        counts[name] += 1
    return ranked


def _fitting(one: FileLayer, layer: ModelLayer) -> FileLayer | None:
    """Return a file's layer with its arrays in the order of a network's; None if it does not fit.

    Arrays that both know the places of go by these. Where they call them otherwise, the order
    is the same within one holder of weights, and not known across several (which of the two
    directions of a ``Bidirectional`` comes first is Keras's matter).
    """
    arrays = one.arrays
    if one.places and layer.places:
        by_place = dict(zip(one.places, one.arrays, strict=True))
        if set(by_place) == set(layer.places):
            arrays = tuple(by_place[place] for place in layer.places)
        elif len({place.rpartition("/")[0] for place in one.places}) > 1:
            return None
    fits = replace(one, arrays=arrays, places=())
    return fits if fits.shapes == layer.shapes and one.kind in ("", layer.kind) else None


def describe_match(model: Any, file: WeightFile) -> str:
    """Return in one sentence which layers of a network start from a file, and which do not."""
    layers = weighted_layers(model)
    found = match(layers, file)
    text = (
        f"{len(found)} of its {len(layers)} layers with weights start from {file.name}, which has "
        f"{len(layers_for(layers, file))}"
    )
    names = [layer.name for index, layer in enumerate(layers) if index not in found]
    if not names:
        return f"{text}."
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{text}; not {', '.join(names[:6])}{more}."
