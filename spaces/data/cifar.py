"""CIFAR-10 and CIFAR-100 from the copy that Keras keeps, downloaded by Keras when there is none.

The files in it are pickles, which can run any code when they are read. Here nothing but
numbers, texts, containers and NumPy arrays comes out of them.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from spaces.data.cache import cached_dataset, content_key
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.data.keras_cache import download, keras_datasets
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.data.splits import split_off
from spaces.errors import DataError
from spaces.wording import one_line

LabelSet = Literal["coarse", "fine"]

READER_VERSION = "1"  # To be raised when the same files come to mean other arrays.
SHAPE = (3, 32, 32)
VAL_FRACTION = 0.1
KNOWN_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""What arrays are made of in a pickle; NumPy 2 knows the first by its old name too."""


@dataclass(frozen=True)
class Archive:
    """One of the two data sets as its authors pack it (Krizhevsky, 2009).

    Attributes:
        title: What people call it.
        module: Its module below ``keras.datasets``.
        folder: What its archive unpacks to.
        megabytes: What is downloaded.
        train: Files of the 50,000 training images.
        test: File of the 10,000 test images.
        meta: File of the names of its classes.
    """

    title: str
    module: str
    folder: str
    megabytes: int
    train: tuple[str, ...]
    test: str
    meta: str

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are read."""
        return (*self.train, self.test, self.meta)


CIFAR10 = Archive(
    "CIFAR-10",
    "cifar10",
    "cifar-10-batches-py",
    170,
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test_batch",
    "batches.meta",
)
CIFAR100 = Archive("CIFAR-100", "cifar100", "cifar-100-python", 169, ("train",), "test", "meta")


def load_cifar10(request: DataRequest) -> Dataset:
    """Load ``request.path``, an ``.npz``, or else CIFAR-10, split as :func:`load_cifar100` does.

    Raises:
        DataError: If there is no copy and none can be downloaded, or the files are no data set.
    """
    if request.path is not None:
        return load_npz(request.path, request)
    return _load(CIFAR10, "", request)


def load_cifar100(request: DataRequest, label_set: LabelSet = "coarse") -> Dataset:
    """Load ``request.path``, an ``.npz``, or else CIFAR-100.

    All 60,000 images: 10,000 to test on, and of the other 50,000 a tenth, stratified and always
    the same, to validate on. Images are ``[n, 32, 32, 3]`` uint8.

    Args:
        request: Where the data is, and the cache.
        label_set: ``coarse`` for the 20 superclasses, ``fine`` for the 100 classes. An ``.npz``
            with one set of labels (``y_train``) is loaded as it is.

    Raises:
        DataError: If there is no copy and none can be downloaded, or the files are no data set.
    """
    if request.path is not None:
        return load_npz(request.path, request, label_set=label_set)
    return _load(CIFAR100, label_set, request)


def _load(archive: Archive, label_set: str, request: DataRequest) -> Dataset:
    folder = _keras_copy(archive)
    if folder is None:
        folder = _download(archive, request)
    key = content_key(archive.module, READER_VERSION, label_set, *_stamps(folder, archive))
    read = partial(_read, folder, archive, label_set, request)
    return cached_dataset(key, request.cache_dir, read)


def _keras_copy(archive: Archive) -> Path | None:
    """Return the folder that Keras unpacked, Keras 2 or Keras 3, if there is one."""
    for folder in (
        keras_datasets() / archive.folder,
        keras_datasets() / f"{archive.folder}-target" / archive.folder,
        keras_datasets() / f"{archive.folder}_extracted" / archive.folder,
    ):
        if all((folder / name).is_file() for name in archive.files):
            return folder
    return None


def _download(archive: Archive, request: DataRequest) -> Path:
    folder = keras_datasets() / archive.folder
    what = f"downloading {archive.title} ({archive.megabytes} MB)"
    request.progress(what, 0, 1)

    def fetch() -> None:
        import tf_keras

        # Told the folder, since `load_data` knows nothing of KERAS_HOME.
        module = getattr(tf_keras.datasets, archive.module)
        module.load_data(cache_dir=str(folder.parent.parent))

    download(
        fetch,
        archive.title,
        folder,
        f"Unpack its archive for Python ({archive.folder}) there, set KERAS_HOME to the folder "
        f"whose datasets/{archive.folder}/ holds it, or name an .npz of it with --data.",
    )
    request.progress(what, 1, 1)
    return folder


def _stamps(folder: Path, archive: Archive) -> list[str]:
    """Return what changes with the files, without reading all of them."""
    stamps = []
    for name in archive.files:
        try:
            state = (folder / name).stat()
        except OSError as error:
            raise DataError(
                f"{folder} must hold {', '.join(archive.files)}, but {name} cannot be read "
                f"({error.strerror}). Delete the folder to have it downloaded again."
            ) from error
        stamps.append(f"{name} {state.st_size} {state.st_mtime_ns}")
    return [str(folder), *stamps]


def _read(folder: Path, archive: Archive, label_set: str, request: DataRequest) -> Dataset:
    request.progress("reading arrays", 0, 1)
    prefix = f"{label_set}_" if label_set else ""
    names = tuple(
        name.decode() if isinstance(name, bytes) else str(name)
        for name in _field(folder / archive.meta, f"{prefix}label_names")
    )
    batches = [_read_batch(folder / name, prefix) for name in archive.train]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    stay, taken = split_off(labels, VAL_FRACTION)
    train, val = Split(images[stay], labels[stay]), Split(images[taken], labels[taken])
    test = Split(*_read_batch(folder / archive.test, prefix))
    request.progress("reading arrays", 1, 1)
    return Dataset(
        name=f"{archive.module} ({label_set} labels)" if label_set else archive.module,
        train=train,
        val=val,
        test=test,
        class_names=names,
        fingerprint=fingerprint_arrays(names, (train, val, test)),
        notes=(f"{len(val)} training images were set aside as val split.",),
    )


def _read_batch(path: Path, prefix: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    pixels = np.asarray(_field(path, "data"))
    labels = np.asarray(_field(path, f"{prefix}labels"))
    if (
        pixels.dtype != np.uint8
        or pixels.ndim != 2
        or pixels.shape[1] != int(np.prod(SHAPE))
        or labels.shape != pixels.shape[:1]
        or labels.dtype.kind not in "iu"
    ):
        raise DataError(
            f"{path} must hold [n, {int(np.prod(SHAPE))}] bytes and a label for each image, but "
            f"got {pixels.dtype} {pixels.shape} and {labels.dtype} {labels.shape}. Delete its "
            "folder to have it downloaded again."
        )
    images = np.ascontiguousarray(pixels.reshape(-1, *SHAPE).transpose(0, 2, 3, 1))
    return images, labels.astype(np.int64)


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain values, and refuses all that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        if name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]  # Wherever this version of NumPy has it.
        return getattr(np, name)


def _field(path: Path, name: str) -> Any:
    """Return one entry of the table in a pickle."""
    try:
        with open(path, "rb") as file:
            table = _table(file)
        return table[name.encode()]
    except Exception as error:  # A damaged pickle raises anything at all.
        raise DataError(
            f"{path} must be a file of CIFAR for Python, but cannot be read: "
            f"{one_line(error)}. Delete its folder to have it downloaded again."
        ) from error


def _table(file: IO[bytes]) -> dict[bytes, Any]:
    # Python 2 wrote them: its texts are bytes here.
    table = _PlainUnpickler(file, encoding="bytes").load()
    return {key if isinstance(key, bytes) else key.encode(): v for key, v in table.items()}
