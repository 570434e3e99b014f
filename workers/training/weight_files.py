"""Weights from a file to start from: ``.keras`` or ``.h5``, of Keras 2 or 3.

Only numbers are read, and the names of the layers that they belong to. Nothing in a file is built
or run: a ``Lambda`` layer, or a class of somebody's own, is a name among others, and has none. A
file that points to other files is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spaces.data.damage import READ_ERRORS, reason_of
from spaces.errors import DataError

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 2_000_000_000
"""What a file, and what is packed in it, may hold at most: networks for small devices start from
far less."""

Arrays = tuple[npt.NDArray[np.float32], ...]


@dataclass(frozen=True)
class FileLayer:
    """One layer with weights.

    Attributes:
        name: As the file has it; where that has none but its class and number, these.
        kind: Its class, as ``conv2d``; empty where the file does not tell.
        arrays: In the order in which Keras keeps them.
    """

    name: str
    kind: str
    arrays: Arrays = field(repr=False)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each array."""
        return tuple(array.shape for array in self.arrays)


@dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Attributes:
        name: Of the file, without its folder.
        sha256: Of its content.
        layers: Those that have weights, in the order of the model.
        has_names: Whether layers have names; ``.weights.h5`` numbers them by their classes.
    """

    name: str
    sha256: str
    layers: tuple[FileLayer, ...]
    has_names: bool = True


def read_weight_file(path: str | Path) -> WeightFile:
    """Read the weights of a file.

    Args:
        path: A ``.keras`` file, or an ``.h5`` one of a model or of weights alone.

    Raises:
        DataError: If it cannot be read, holds no weights, or points to other files.
    """
    path = Path(path)
    if path.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise DataError(
            f"Weights to start from are a .keras or .h5 file, but got {path}. Keras writes one: "
            "model.save('mine.keras')."
        )
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} must have at most 2 GB, but has more.")
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"No such file: {path}. Nothing is downloaded: name a .keras or .h5 file."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        is_zip = path.suffix.lower() == ".keras"
        layers = tuple(_of_keras(content) if is_zip else _of_h5(content))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except READ_ERRORS as error:
        raise DataError(
            f"{path} must be a whole file that Keras saved, but cannot be read: "
            f"{reason_of(error)}."
        ) from error
    if not layers:
        raise DataError(f"{path} holds no layer with weights.")
    has_names = is_zip or any(_base(layer.name) != layer.kind for layer in layers)
    return WeightFile(path.name, hashlib.sha256(content).hexdigest(), layers, has_names)


def snake_case(class_name: str) -> str:
    """Return a class's name as Keras numbers layers by: ``depthwise_conv2d``."""
    name = re.sub(r"\W+", "", class_name.partition(">")[2] or class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _of_keras(content: bytes) -> Iterator[FileLayer]:
    """Yield the layers of a ``.keras`` file: names from its description, numbers by class."""
    import h5py

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise DataError("it must hold at most 2 GB, but holds more")
        described = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    counts: Counter[str] = Counter()
    with h5py.File(io.BytesIO(weights), "r") as file:
        for one in described["config"]["layers"]:
            kind = snake_case(str(one["class_name"]))
            place = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
            arrays = _numbered(file, f"layers/{place}/vars")
            if arrays:
                yield FileLayer(str(one["config"]["name"]), kind, arrays)


def _of_h5(content: bytes) -> Iterator[FileLayer]:
    """Yield the layers of an ``.h5`` file: of a model, of weights by name, or by class."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        if _is_by_class(file):
            for place in sorted(file["layers"], key=_by_number):
                arrays = _numbered(file, f"layers/{place}/vars")
                if arrays:
                    yield FileLayer(place, _base(place), arrays)
            return
        kinds = _kinds(file)
        root = "model_weights/" if "model_weights" in file else ""
        group = file[root] if root else file
        for name in map(_text, _attribute(group, "layer_names")):
            names = _attribute(_inner(file, f"{root}{name}"), "weight_names")
            arrays = tuple(_array(file, f"{root}{name}/{_text(one)}") for one in names)
            if arrays:
                yield FileLayer(name, kinds.get(name, ""), arrays)


def _is_by_class(file: h5py.File) -> bool:
    """Whether it is a ``.weights.h5``."""
    return (
        "layers" in file and "layer_names" not in file.attrs and "model_config" not in file.attrs
    )


def _kinds(file: h5py.File) -> Mapping[str, str]:
    """Return the classes of layers by their names, where a file describes its model."""
    if "model_config" not in file.attrs:
        return {}
    described = json.loads(_text(file.attrs["model_config"]))
    return {
        str(one["config"]["name"]): snake_case(str(one["class_name"]))
        for one in described["config"]["layers"]
    }


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


def _numbered(file: h5py.File, place: str) -> Arrays:
    if place not in file:
        return ()
    group = _inner(file, place)
    return tuple(_array(file, f"{place}/{name}") for name in sorted(group, key=int))


def _inner(file: h5py.File, place: str) -> Any:
    """Return what lies at a place within the file, and nowhere else."""
    import h5py

    found: Any = file
    for part in filter(None, place.split("/")):
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise DataError(f"{place} must be in the file itself, but is a link or is missing")
        found = found[part]
    return found


def _array(file: h5py.File, place: str) -> npt.NDArray[np.float32]:
    """Return the numbers at a place."""
    found = _inner(file, place)
    if found.external or found.is_virtual:
        raise DataError(f"{place} must be in the file itself, but is in another")
    if found.dtype.kind != "f" or found.nbytes > MAX_BYTES:
        raise DataError(f"{place} must be an array of floats, but its type is {found.dtype}")
    array = np.asarray(found[()], np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{place} has numbers that are not finite")
    return array


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _base(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _by_number(name: str) -> tuple[str, int]:
    base = _base(name)
    return base, int(name[len(base) + 1 :] or 0)
