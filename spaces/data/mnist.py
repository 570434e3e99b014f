"""MNIST from the copy that Keras keeps, downloaded by Keras when it is not there."""

from __future__ import annotations

from pathlib import Path

from spaces.data.dataset import Dataset
from spaces.data.keras_cache import download, keras_datasets
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.errors import DataError


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
    request.progress("downloading MNIST", 0, 1)

    def fetch() -> None:
        import tf_keras

        # `load_data` knows nothing of KERAS_HOME, which the rest of Keras goes by, so it is told
        # the folder.
        tf_keras.datasets.mnist.load_data(cache_dir=str(path.parent.parent))

    download(
        fetch,
        "MNIST",
        path,
        "Put mnist.npz there, set KERAS_HOME to the folder whose datasets/ holds it, or name it "
        "with --data.",
    )
    request.progress("downloading MNIST", 1, 1)
    return load_npz(path, request, name="mnist")


def keras_copy() -> Path:
    """Return where Keras keeps MNIST."""
    return keras_datasets() / "mnist.npz"
