"""The layers in a file of weights: what each is called, and its numbers.

Keras keeps a network as a tree of groups, whose places follow from classes and attributes:
``layers/lstm/cell/vars/0``. All of that tree is read. Networks within a network give their layers
in their place, so that a whole model and the part of it that is searched have them in common; what
a layer is made of (the cells of an ``LSTM``, what ``Bidirectional`` wraps) stays with the layer.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spaces.errors import DataError

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 2_000_000_000
"""What a file, and what is packed in it, may hold at most: networks for small devices start from
far less."""

NETWORKS = ("functional", "sequential")
"""Classes, in snake case, of networks that other networks hold as layers."""

NO_WEIGHTS = frozenset({"optimizer", "metrics", "compile_metrics", "seed_generator"})
"""Groups of states that are no weights of a layer."""

Arrays: TypeAlias = "tuple[npt.NDArray[np.generic], ...]"


@dataclass(frozen=True)
class FileLayer:
    """One layer with weights.

    Attributes:
        name: As the file has it; where that has none but its class and number, these.
        kind: Its class, as ``conv2d``; empty where the file does not tell.
        arrays: Its numbers.
        places: Where in the layer each array lies, as ``cell/vars/0``; empty where they have the
            order of Keras's ``layer.weights``.
        within: The networks that it is in, by class and number, as ``functional_1/``; only where
            the file has no names.
        parts: What it is made of, if it is a network; only where the file does not tell whether
            it is one, or a layer around others.
    """

    name: str
    kind: str
    arrays: Arrays = field(repr=False)
    places: tuple[str, ...] = ()
    within: str = ""
    parts: tuple[FileLayer, ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each array."""
        return tuple(array.shape for array in self.arrays)


def snake_case(class_name: str) -> str:
    """Return a class's name as Keras numbers layers by: ``depthwise_conv2d``."""
    name = re.sub(r"\W+", "", class_name.partition(">")[2] or class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def base_name(name: str) -> str:
    """Return a name without the number at its end."""
    return re.sub(r"_\d+$", "", name)


def numbered(kind: str, counts: Counter[str]) -> str:
    """Return what Keras calls the next of a class among its like: ``conv2d``, ``conv2d_1``."""
    counts[kind] += 1
    return f"{kind}_{counts[kind] - 1}" if counts[kind] > 1 else kind


def layers_of_keras(content: bytes) -> Iterator[FileLayer]:
    """Yield the layers of a ``.keras`` file: names from its description, numbers by class.

    Raises:
        DataError: If it points to other files, or holds something else than numbers.
    """
    import h5py

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise DataError("it must hold at most 2 GB, but holds more")
        described = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(weights), "r") as file:
        rows = _inner_rows(described)
        yield from _by_attribute(file) if rows is None else _described(file, "layers", rows)


def layers_of_h5(content: bytes) -> Iterator[FileLayer]:
    """Yield the layers of an ``.h5`` file: of a model, of weights by name, or by class.

    Raises:
        DataError: If it points to other files, or holds something else than numbers.
    """
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        if _is_by_class(file):
            yield from _by_class(file, "layers")
            return
        rows: Sequence[Any] = ()
        if "model_config" in file.attrs:
            rows = _inner_rows(json.loads(_text(file.attrs["model_config"]))) or ()
        known = {str(row["config"]["name"]): row for row in rows}
        root = "model_weights/" if "model_weights" in file else ""
        for name in map(_text, _attribute(file[root] if root else file, "layer_names")):
            yield from _named(file, f"{root}{name}", name, known.get(name))


def h5_has_names(content: bytes) -> bool:
    """Return whether layers of an ``.h5`` file have names; those of a ``.weights.h5`` have their
    classes and numbers. Names that Keras gave (``conv2d_1``) are names."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        return not _is_by_class(file)


def _is_by_class(file: h5py.File) -> bool:
    """Whether it is a ``.weights.h5``."""
    return (
        "layers" in file and "layer_names" not in file.attrs and "model_config" not in file.attrs
    )


def _inner_rows(row: Mapping[str, Any]) -> list[Any] | None:
    """Return the layers that a description tells of a network; None of what is none."""
    config = row["config"]
    rows = config.get("layers") if isinstance(config, dict) else None
    return rows if isinstance(rows, list) else None


def _described(file: h5py.File, place: str, rows: Sequence[Any]) -> Iterator[FileLayer]:
    """Yield layers that a description names, which lie by their classes at a place."""
    counts: Counter[str] = Counter()
    for row in rows:
        kind = snake_case(str(row["class_name"]))
        at = f"{place}/{numbered(kind, counts)}"
        inner = _inner_rows(row)
        if inner is not None:
            yield from _described(file, f"{at}/layers", inner)
        elif found := _arrays_below(file, at):
            yield FileLayer(str(row["config"]["name"]), kind, tuple(found.values()), tuple(found))


def _by_class(file: h5py.File, place: str, within: str = "") -> Iterator[FileLayer]:
    """Yield layers that have no names, by class and number."""
    for name in sorted(_inner(file, place), key=_by_number):
        at, kind = f"{place}/{name}", base_name(name)
        if kind in NETWORKS and f"{at}/layers" in file:
            yield from _by_class(file, f"{at}/layers", f"{within}{name}/")
        elif found := _arrays_below(file, at):
            yield FileLayer(name, kind, tuple(found.values()), tuple(found), within)


def _by_attribute(file: h5py.File) -> Iterator[FileLayer]:
    """Yield layers of a model of somebody's own class, which are called as its attributes are."""
    found: dict[str, dict[str, Any]] = {}
    for place, array in _arrays_below(file, "").items():
        holder, _, number = place.rpartition("/vars/")
        found.setdefault(holder, {})[f"vars/{number}"] = array
    for holder, arrays in found.items():
        name = holder.rpartition("/")[2]
        yield FileLayer(name, "", tuple(arrays.values()), tuple(arrays))


def _named(
    file: h5py.File, place: str, name: str, row: Mapping[str, Any] | None
) -> Iterator[FileLayer]:
    """Yield a layer whose group has its name, or the layers of a network that is one.

    The group of a network has the weights of all its layers, each called after its layer.
    """
    weights = list(map(_text, _attribute(_inner(file, place), "weight_names")))
    arrays = tuple(_array(file, f"{place}/{one}") for one in weights)
    if not arrays:
        return
    if row is None:
        parts: tuple[FileLayer, ...] = ()
        firsts = dict.fromkeys((one.partition("/")[0] for one in weights if "/" in one), "")
        if len(firsts) > 1 and name not in firsts:
            parts = _by_owner(firsts, weights, arrays)
        yield FileLayer(name, "", arrays, parts=parts)
        return
    kinds = dict(_leaves(row))
    yield from _by_owner(kinds, weights, arrays) or [
        FileLayer(name, snake_case(str(row["class_name"])), arrays)
    ]


def _by_owner(
    kinds: Mapping[str, str], weights: Sequence[str], arrays: Arrays
) -> tuple[FileLayer, ...]:
    """Return the layers that weights belong to by their names; none if one belongs to none.

    Args:
        kinds: Classes of the layers by their names, in their order.
        weights: Names such as ``conv/kernel:0``.
        arrays: As many.
    """
    found: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in kinds}
    for weight, array in zip(weights, arrays, strict=True):
        owner = next((part for part in weight.split("/") if part in kinds), None)
        if owner is None:
            return ()
        found[owner].append(array)
    return tuple(FileLayer(name, kinds[name], tuple(its)) for name, its in found.items() if its)


def _leaves(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and class of every layer of a network; nothing of what is none."""
    for inner in _inner_rows(row) or ():
        if _inner_rows(inner) is None:
            yield str(inner["config"]["name"]), snake_case(str(inner["class_name"]))
        yield from _leaves(inner)


def _attribute(group: Any, name: str) -> Sequence[Any]:
    """Return a list that Keras cuts into pieces where it is long."""
    if name in group.attrs:
        return list(group.attrs[name])
    pieces: list[Any] = []
    while f"{name}{len(pieces)}" in group.attrs:
        pieces.append(group.attrs[f"{name}{len(pieces)}"])
    if not pieces:
        raise DataError(f"it does not tell its {name.replace('_', ' ')}")
    return [one for piece in pieces for one in piece]


def _arrays_below(file: h5py.File, place: str) -> dict[str, npt.NDArray[np.generic]]:
    """Return all arrays at and below a place, by where they lie from there.

    Keras 2 keeps ``_query_dense`` where Keras 3 has ``query_dense``: they are the same.
    """
    import h5py

    found: dict[str, npt.NDArray[np.generic]] = {}
    seen: set[Any] = set()

    def walk(at: str, told: tuple[str, ...]) -> None:
        group = _inner(file, at)
        if group in seen:  # Links may go round in circles.
            raise DataError(f"{at} must stand in it once, but is there twice")
        seen.add(group)
        for name in sorted(group, key=_by_number):
            inner = f"{at}/{name}" if at else name
            if name in NO_WEIGHTS:
                continue
            if told and told[-1] == "vars":
                found["/".join((*told, name))] = _array(file, inner)
            elif isinstance(_inner(file, inner), h5py.Group):
                walk(inner, (*told, name.lstrip("_")))

    if not place or place in file:
        walk(place, ())
    return found


def _inner(file: h5py.File, place: str) -> Any:
    """Return what lies at a place within the file, and nowhere else."""
    import h5py

    found: Any = file
    for part in filter(None, place.split("/")):
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise DataError(f"{place} must be in the file itself, but is a link or is missing")
        found = found[part]
    return found


def _array(file: h5py.File, place: str) -> npt.NDArray[np.generic]:
    """Return the numbers at a place; floats in float32."""
    found = _inner(file, place)
    if found.external or found.is_virtual:
        raise DataError(f"{place} must be in the file itself, but is in another")
    if found.dtype.kind not in "fiu" or found.nbytes > MAX_BYTES:
        raise DataError(f"{place} must be an array of numbers, but its type is {found.dtype}")
    if found.dtype.kind != "f":  # How many images a ``Normalization`` has seen.
        return np.asarray(found[()])
    array = np.asarray(found[()], np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{place} has numbers that are not finite")
    return array


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _by_number(name: str) -> tuple[str, int]:
    """Return what sorts ``conv2d_10`` behind ``conv2d_9``, and ``10`` behind ``9``."""
    if name.isdecimal():
        return "", int(name)
    base = base_name(name)
    return base, int(name[len(base) + 1 :] or 0)
