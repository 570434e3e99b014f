"""Sensor readings from an ``.npz``: rows of features, series of channels, or spectrograms."""

from __future__ import annotations

from spaces.data.dataset import Dataset
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.data.samples import SIGNAL
from spaces.errors import DataError


def load_signals(request: DataRequest) -> Dataset:
    """Load the ``.npz`` at ``request.path``, standardized by its training split.

    Raises:
        DataError: If none is named, or it cannot be used.
    """
    path = request.path
    if path is None or path.is_dir() or path.suffix.lower() != ".npz":
        got = "none is named" if path is None else f"{path} is none"
        raise DataError(
            f"Task signals takes an .npz with x_train [n, features] or [n, time, channels] and "
            f"y_train, but {got}. Save one with numpy.savez, and name it with --data."
        )
    return load_npz(path, request, kind=SIGNAL)
