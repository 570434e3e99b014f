"""MNIST from the copy that Keras keeps, downloaded by Keras when it is not there."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from pathlib import Path

from spaces.dataset import Dataset
from spaces.errors import DataError
from spaces.npz import load_npz
from spaces.task import DataRequest

DOWNLOAD_TIMEOUT_S = 20.0


def load_mnist(request: DataRequest) -> Dataset:
    """Load ``request.path``, an ``.npz``, or else MNIST.

    All 70,000 digits: 10,000 to test on, and of the other 60,000 a tenth, stratified and always
    the same, to validate on. Images are ``[n, 28, 28, 1]`` uint8.

    Raises:
        DataError: If there is no copy and none can be downloaded, or the file is no data set.
    """
    if request.path is not None:
        return load_npz(request.path, request)
    path = keras_copy()
    if path.is_file():
        try:
            return load_npz(path, request, name="mnist")
        except DataError:
            pass  # Cut short while it was downloaded: Keras checks its hash and fetches it anew.
    _download(path, request)
    return load_npz(path, request, name="mnist")


def keras_copy() -> Path:
    """Return where Keras keeps MNIST: below ``$KERAS_HOME``, or else ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    base = Path(home).expanduser() if home else Path.home() / ".keras"
    return base / "datasets" / "mnist.npz"


def _download(path: Path, request: DataRequest) -> None:
    request.progress("downloading MNIST", 0, 1)
    timeout = socket.getdefaulttimeout()
    # Keras sets none: behind a firewall that drops packets it would wait for minutes.
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    try:
        import tf_keras

        # Keras prints to stdout while it downloads. And `load_data` knows nothing of KERAS_HOME,
        # which the rest of Keras goes by, so it is told the folder.
        with contextlib.redirect_stdout(io.StringIO()):
            tf_keras.datasets.mnist.load_data(cache_dir=str(path.parent.parent))
    except Exception as error:  # Keras raises a bare Exception when it gets no connection.
        raise DataError(
            f"MNIST is not at {path} and cannot be downloaded ({_one_line(error)}). Put mnist.npz "
            "there, set KERAS_HOME to the folder whose datasets/ holds it, or name it with --data."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    if not path.is_file():
        raise DataError(
            f"Keras could not keep MNIST at {path}. Make that folder writable, or set KERAS_HOME "
            "to a folder that is."
        )
    request.progress("downloading MNIST", 1, 1)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
