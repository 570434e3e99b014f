"""Images and labels in memory, in three splits, with a fingerprint of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spaces.data.dataset_checks import check_class_names, check_labels, check_values
from spaces.data.large_arrays import joined as joined_rows
from spaces.data.samples import SampleKind, Standardization, sample_kind
from spaces.errors import DataError

SPLIT_NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        images: ``[n, height, width, channels]``; uint8 pictures (networks see them divided by
            255) or float32 arrays that networks see as they are.
        labels: ``[n]`` integers, int64 as a rule: class indices.
    """

    images: npt.NDArray[np.generic]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set ready for training. Arrays may be memory-mapped and read-only.

    Training sees ``train`` only, the objectives are measured on ``val``, and ``test`` is
    touched only when a finished front is reported or a model retrained.

    Attributes:
        name: What it is called where numbers are shown.
        train: Training split.
        val: Validation split.
        test: Test split.
        class_names: One name a class, in the order of the labels.
        fingerprint: Content hash, 16 hex digits (see :func:`fingerprint_arrays`). It is computed
            anew before a search; what code of a user gives is not relied on, and may be left out.
        generated: Whether the program made the pictures itself; said wherever numbers show.
        notes: What a person should know (pictures skipped, how it was split, ...).
        ignored: Files that were left out, by kind: ``{".xml": 12, "broken": 1}``.
        scales: What became 0 and 255 of pictures with more than 8 bits a channel, for integers
            and for floats (:mod:`spaces.data.pixel_values`).
        group_by: What was heeded of ``DataRequest.group_by``; None for nothing.
        kind: What a sample is (:mod:`spaces.data.samples`): ``image`` or ``signal``.
        standardization: What was done to the readings of signals; None for nothing.
        leaks: Those of the notes that make accuracies doubtful: copies across splits or classes.
        learns_from_validation: Whether the validation split is in the training split too: nothing
            can be judged by it then.
    """

    name: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    fingerprint: str = ""
    generated: bool = False
    notes: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    group_by: str | None = None
    leaks: tuple[str, ...] = ()
    kind: str = "image"
    standardization: Standardization | None = None
    learns_from_validation: bool = False

    def __post_init__(self) -> None:
        check_class_names(self.name, self.class_names)
        if self.n_classes < 2:
            raise DataError(
                f"Data set {self.name!r}: at least two classes are needed, but got "
                f"{', '.join(self.class_names) or 'none'}."
            )
        for split_name in SPLIT_NAMES:
            split: Split = getattr(self, split_name)
            check_values(self.name, split_name, split.images)
            check_labels(self.name, split_name, split.labels, self.class_names)
            if len(split.images) != len(split.labels):
                raise DataError(
                    f"Data set {self.name!r}: as many images as labels must be in split "
                    f"{split_name!r}, but got {len(split.images)} and {len(split.labels)}."
                )
            if len(split) == 0:
                raise DataError(f"Data set {self.name!r}: split {split_name!r} has no images.")
            if split.images.shape[1:] != self.train.images.shape[1:] or split.images.ndim != 4:
                raise DataError(
                    f"Data set {self.name!r}: images must be [n, height, width, channels] and of "
                    f"one size, but split {split_name!r} has shape {split.images.shape}."
                )

    def with_true_fingerprint(self) -> Dataset:
        """Return the data set with the fingerprint of what it holds."""
        splits = (self.train, self.val, self.test)
        return replace(self, fingerprint=fingerprint_arrays(self.class_names, splits))

    def learning_from_validation(self, folder: Path) -> Dataset:
        """Return the data set with the validation split in the training split too.

        Args:
            folder: Where the images lie meanwhile, if they are large.
        """
        images = joined_rows(self.train.images, self.val.images, folder)
        labels = np.concatenate([self.train.labels, self.val.labels])
        joined = replace(self, train=Split(images, labels), learns_from_validation=True)
        return joined.with_true_fingerprint()

    @property
    def samples(self) -> SampleKind:
        """What its samples are, and what they are called."""
        return sample_kind(self.kind)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one image: height, width, channels."""
        height, width, channels = self.train.images.shape[1:]
        return int(height), int(width), int(channels)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def fingerprint_arrays(class_names: tuple[str, ...], splits: tuple[Split, Split, Split]) -> str:
    """Return 16 hex digits that change when any pixel, label or class name changes."""
    digest = hashlib.sha256("\n".join(class_names).encode())
    for split in splits:
        for array in (split.images, split.labels):
            contiguous = np.ascontiguousarray(array)
            digest.update(f"{contiguous.dtype.str}{contiguous.shape}".encode())
            digest.update(contiguous.data)
    return digest.hexdigest()[:16]
