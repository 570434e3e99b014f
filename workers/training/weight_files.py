"""Weights from a file to start from: ``.keras`` or ``.h5``, of Keras 2 or 3.

Only numbers are read, and the names of the layers that they belong to. Nothing in a file is built
or run: a ``Lambda`` layer, or a class of somebody's own, is a name among others, and has none. A
file that points to other files is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from spaces.data.damage import READ_ERRORS, reason_of
from spaces.errors import DataError
from workers.training.file_layers import (
    MAX_BYTES,
    FileLayer,
    h5_has_names,
    layers_of_h5,
    layers_of_keras,
)


@dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Attributes:
        name: Of the file, without its folder.
        sha256: Of its content.
        layers: Those that have weights, in the order of the model; networks within it give
            theirs in their place.
        has_names: Whether layers have names, if only those that Keras gives; ``.weights.h5``
            numbers them by their classes.
    """

    name: str
    sha256: str
    layers: tuple[FileLayer, ...]
    has_names: bool = True


def read_weight_file(path: str | Path, sha256: str | None = None) -> WeightFile:
    """Read the weights of a file.

    Args:
        path: A ``.keras`` file, or an ``.h5`` one of a model or of weights alone.
        sha256: What its content was when it was read before; None if it was not.

    Raises:
        DataError: If it cannot be read, holds no weights, points to other files, or is not what
            it was.
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
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise DataError(
            f"{path} must stay as it is while a search is prepared, but it changed: its SHA-256 "
            f"was {sha256[:12]}, and is {found[:12]}. Run the same once more."
        )
    try:
        is_zip = path.suffix.lower() == ".keras"
        layers = tuple(layers_of_keras(content) if is_zip else layers_of_h5(content))
        has_names = is_zip or h5_has_names(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except READ_ERRORS as error:
        raise DataError(
            f"{path} must be a whole file that Keras saved, but cannot be read: "
            f"{reason_of(error)}."
        ) from error
    if not layers:
        raise DataError(f"{path} holds no layer with weights.")
    return WeightFile(path.name, found, layers, has_names)
