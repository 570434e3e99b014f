"""Data sets from an ``.npz`` file of the layout that Keras uses.

::

    x_train, y_train                 needed: images [n, h, w] or [n, h, w, c] and their labels
    x_val, y_val, x_test, y_test     optional: split off the training images when missing
    class_names                      optional: one string a class

Other names that people give (``X_train``, ``x_valid``, ``train_images``, ``images``) are taken for
these, which is said, as is all that is converted; what contradicts itself is refused.

Labels are integers ``[n]`` or ``[n, 1]``, names, or one-hot rows ``[n, classes]``. A file may
hold several sets of labels for the same images: of the set ``fine`` they are ``y_train_fine``,
``y_test_fine`` and ``fine_label_names``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.data.cache import cached_dataset, content_key
from spaces.data.damage import READ_ERRORS, reason_of
from spaces.data.dataset import SPLIT_NAMES, Dataset, Split, fingerprint_arrays
from spaces.data.npz_images import as_pixels, check_splits_differ, laid_out
from spaces.data.npz_names import names_of_arrays
from spaces.data.request import DataRequest
from spaces.data.samples import IMAGE, SIGNAL, SampleKind, Standardization, as_signals
from spaces.data.splits import split_off, validation_share, why_so_many
from spaces.errors import DataError
from spaces.wording import some

READER_VERSION = "2"  # To be raised when the same file comes to mean other arrays.
SPLIT_FRACTION = 0.1

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def is_npz(path: Path) -> bool:
    """Whether a path that a person gave is of such a file, which need not be there."""
    return path.suffix.lower() == ".npz" and not path.is_dir()


def load_npz(
    path: Path,
    request: DataRequest,
    name: str | None = None,
    label_set: str = "",
    kind: SampleKind = IMAGE,
) -> Dataset:
    """Load an ``.npz`` file; from the cache if its content was read before.

    Nothing in the file is unpickled. Images of integers within 0 to 255 become uint8 (networks
    see them divided by 255; 0 and 1 become 0 and 255), those of floats become float32 (networks
    see them as they are). A missing validation or test split is a tenth of the training images,
    the same one each time, with its share of every class; of few, validation takes more
    (:func:`spaces.data.splits.validation_share`).

    Args:
        path: The file.
        request: Where the cache is, and whom to tell about progress.
        name: What to call the data set; by default the file's name.
        label_set: Which of several sets of labels counts; a file with ``y_train`` has but one.
        kind: What its samples are. Signals are standardized by their training split.

    Raises:
        DataError: If the file cannot be read, or its arrays cannot be used.
    """
    name = name or path.stem
    request.progress("reading arrays", 0, 1)
    parts = [label_set] if label_set else []
    parts += [] if kind is IMAGE else [kind.name]
    is_sized = request.split_rule == "sized"
    parts += ["sized"] if is_sized else []
    key = content_key("npz", READER_VERSION, name, _content_hash(path), *parts)
    dataset = cached_dataset(
        key, request.cache_dir, lambda: _read_dataset(path, name, label_set, kind, is_sized)
    )
    request.progress("reading arrays", 1, 1)
    return dataset


def _content_hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise DataError(f"No such file: {path}. Name an existing .npz file.") from None
    except IsADirectoryError:
        raise DataError(f"An .npz file is needed here, but {path} is a folder.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def _read_dataset(
    path: Path, name: str, label_set: str, kind: SampleKind, is_sized: bool
) -> Dataset:
    notes: list[str] = []
    arrays = _read_arrays(path, label_set, notes)
    splits = [split for split in SPLIT_NAMES if f"x_{split}" in arrays]
    # Rows of features are no images, whoever asks: a network of one's own takes them as they are.
    is_raw = kind is IMAGE and arrays["x_train"].ndim == 2
    kind = SIGNAL if is_raw else kind
    images = {
        split: _samples(arrays[f"x_{split}"], split, path, kind, len(arrays[f"y_{split}"]))
        for split in splits
        if _is_list(arrays[f"y_{split}"], f"y_{split}", path)
    }
    labels, class_names = _labels(arrays, splits, path, notes)
    _check_pairs(images, labels, path)
    if kind is IMAGE:
        images = as_pixels(images, path, notes)
    leaks = check_splits_differ(images, labels, path)
    for split in ("test", "val"):
        if split not in images:
            share = SPLIT_FRACTION
            if split == "val" and is_sized:
                share = validation_share(len(labels["train"]), SPLIT_FRACTION)
            _split_off_train(images, labels, split, class_names, path, share)
            notes.append(
                f"{_training_samples(len(labels[split]), kind)} set aside as {split} split, as "
                f"{path.name} has no x_{split}.{why_so_many(share, SPLIT_FRACTION)}"
            )
    standardization = None
    if kind is SIGNAL and not is_raw:
        standardization = Standardization.of(images["train"])
        images = {split: standardization(values) for split, values in images.items()}
        notes.append(
            f"Each of {images['train'].shape[-1]} channels was standardized by mean and deviation "
            f"of the training split."
        )
    train, val, test = (Split(images[split], labels[split]) for split in SPLIT_NAMES)
    return Dataset(
        name=name,
        train=train,
        val=val,
        test=test,
        class_names=class_names,
        fingerprint=fingerprint_arrays(class_names, (train, val, test)),
        notes=(*notes, *leaks),
        leaks=leaks,
        kind=kind.name,
        standardization=standardization,
    )


def _read_arrays(path: Path, label_set: str, notes: list[str]) -> Arrays:
    broken = "must be a whole .npz file of plain arrays (numpy.savez), but cannot be read"
    try:
        with open(path, "rb") as stream:  # np.load(path) leaves a broken file open.
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it is a single array")
            names = names_of_arrays(list(file), path, label_set, notes)
            found = {known: file[one] for known, one in names.items()}
            # Whatever lies in the archive and is no array comes as its bytes.
            odd = [names[known] for known, one in found.items() if isinstance(one, bytes)]
            if odd:
                raise ValueError(f"{some(odd)} is no array")
            return found
    except DataError:
        raise
    except READ_ERRORS as error:
        if "allow_pickle" in str(error) or "pickled" in str(error):
            # NumPy advises to unpickle, which would run code from the file.
            error_text = "it holds Python objects, or is no .npz at all"
        else:
            error_text = reason_of(error)
        raise DataError(f"{path} {broken}: {error_text}. Save or download it again.") from error


def _training_samples(n: int, kind: SampleKind) -> str:
    return f"1 training {kind.noun} was" if n == 1 else f"{n:,} training {kind.nouns} were"


def _is_list(labels: Array, key: str, path: Path) -> bool:
    if labels.ndim == 0:
        raise DataError(f"{path}: {key} must hold a label an image, but it is a single one.")
    return True


def _samples(samples: Array, split: str, path: Path, kind: SampleKind, n_labels: int) -> Array:
    if kind is SIGNAL:
        return as_signals(samples, f"{path}: x_{split}")
    return laid_out(samples, f"x_{split}", path, n_labels)


def _labels(
    arrays: Arrays, splits: list[str], path: Path, notes: list[str]
) -> tuple[Arrays, tuple[str, ...]]:
    """Return labels of every split as indices of the class names."""
    given = _class_names(arrays, path)
    raw = {split: _plain_labels(arrays[f"y_{split}"], f"y_{split}", path) for split in splits}
    width = _one_hot_width(raw, path)
    if width is not None:
        raw = {split: _from_one_hot(raw[split], f"y_{split}", path) for split in splits}
    values = np.unique(np.concatenate([raw[split] for split in splits]))
    if not len(raw["train"]):
        raise DataError(f"{path}: y_train must hold a label an image, but it is empty.")
    trained = np.unique(raw["train"])
    untrained = [str(value) for value in values if value not in trained]
    if untrained:
        raise DataError(
            f"{path}: every label must be in y_train too, but it lacks {some(untrained)}."
        )
    if values.dtype.kind == "U":
        names = given or tuple(str(value) for value in values)
        unknown = [str(value) for value in values if str(value) not in names]
        if unknown:
            raise DataError(
                f"{path}: labels must be among class_names ({some(names)}), but got "
                f"{some(unknown)}."
            )
        index = {class_name: number for number, class_name in enumerate(names)}
        numbers = np.array([index[str(value)] for value in values], np.int64)
    else:
        n_classes = width or len(given) or len(values)
        if given and (len(given) < n_classes or values[0] < 0 or values[-1] >= len(given)):
            raise DataError(
                f"{path}: class_names has {len(given)} names, so labels must be 0 to "
                f"{len(given) - 1}, but they are {values[0]} to {values[-1]}"
                f"{f' in {width} columns' if width else ''}."
            )
        if given or width or (values[0] == 0 and values[-1] == n_classes - 1):
            names = given or tuple(str(number) for number in range(n_classes))
            numbers = values.astype(np.int64)
        else:
            names = tuple(str(value) for value in values)
            numbers = np.arange(len(values))
            notes.append(f"Labels {some(names)} were renumbered 0 to {len(values) - 1}.")
    labels = {split: numbers[np.searchsorted(values, raw[split])] for split in splits}
    return labels, names


def _class_names(arrays: Arrays, path: Path) -> tuple[str, ...]:
    if "class_names" not in arrays:
        return ()
    names = _as_text(arrays["class_names"])
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != len(names):
        raise DataError(
            f"{path}: class_names must be different strings, one a class, but got an array of "
            f"type {names.dtype} and shape {names.shape}."
        )
    return tuple(names.tolist())


def _as_text(array: Array) -> Array:
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def _plain_labels(labels: Array, key: str, path: Path) -> Array:
    """Return labels as int64 or text, ``[n]`` or ``[n, classes]``."""
    labels = _as_text(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "U" and labels.ndim == 1:
        return labels
    if labels.ndim in (1, 2) and labels.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            whole = labels.astype(np.int64)
        if np.array_equal(whole, labels):
            return whole
    raise DataError(
        f"{path}: {key} must be whole numbers or names, [n], [n, 1] or one-hot [n, classes], but "
        f"its type is {labels.dtype} and its shape {labels.shape}."
    )


def _one_hot_width(raw: Arrays, path: Path) -> int | None:
    shapes = {labels.shape[1:] for labels in raw.values()}
    kinds = {labels.dtype.kind for labels in raw.values()}
    if len(shapes) > 1 or len(kinds) > 1:
        described = ", ".join(
            f"y_{split} {labels.dtype} {labels.shape}" for split, labels in raw.items()
        )
        raise DataError(f"{path}: labels of all splits must be alike, but got {described}.")
    (shape,) = shapes
    return int(shape[0]) if shape else None


def _from_one_hot(labels: Array, key: str, path: Path) -> Array:
    if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
        raise DataError(
            f"{path}: {key} has {labels.shape[1]} columns, so each row must hold a single 1 and "
            "else zeros, but some rows do not. One label an image is needed."
        )
    return np.asarray(labels.argmax(axis=1))


def _check_pairs(images: Arrays, labels: Arrays, path: Path) -> None:
    for split, split_images in images.items():
        if len(split_images) != len(labels[split]):
            raise DataError(
                f"{path}: as many labels as images are needed, but x_{split} has "
                f"{len(split_images)} and y_{split} {len(labels[split])}."
            )


def _split_off_train(
    images: Arrays,
    labels: Arrays,
    split: str,
    class_names: tuple[str, ...],
    path: Path,
    share: float,
) -> None:
    counts = np.bincount(labels["train"], minlength=len(class_names))
    scarce = [name for name, count in zip(class_names, counts, strict=True) if count == 1]
    if scarce:
        raise DataError(
            f"{path}: every class needs an image in each split, but x_train has too few of "
            f"{some(scarce)} to set some aside for x_{split}. Add images, or x_{split}."
        )
    stay, taken = split_off(labels["train"], share)
    images[split], labels[split] = images["train"][taken], labels["train"][taken]
    images["train"], labels["train"] = images["train"][stay], labels["train"][stay]
