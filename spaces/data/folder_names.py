"""What names of folders say: a split, a fold, pictures, annotations; or nothing but a class."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "validate": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "eval": "eval",
    "evaluation": "eval",
}
"""Words for splits. ``eval`` is whichever of validation and test has no folder yet."""

CANONICAL = frozenset("train training val valid validation test testing".split())
"""Names that need no word on how they were understood."""

_IMAGES = frozenset("images image imgs img jpegimages pictures photos".split())
_ANNOTATIONS = frozenset(
    "masks mask annotations annotation annots labels label groundtruth groundtruths gt bbox "
    "bboxes segmentation segmentations segmentationclass segmentationobject xmls".split()
)
_NEUTRAL = _IMAGES | frozenset(
    "set sets data dataset split splits folder dir samples jpg jpeg png the".split()
)
_FOLDS = frozenset("fold folds cv kfold split".split())
_FOLD_ALONE = frozenset("fold folds kfold".split())
_MASK_OF = re.compile(
    r"(.+?)[ _-](?:masks?|seg|segmentation|labels?|gt|groundtruth)(?:[_-]?\d+)?", re.IGNORECASE
)


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case: ``TrainSet_2`` is ``train`` and ``set``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    found = [word for word in re.split(r"[\W_\d]+", spaced.casefold()) if word]
    return [part for word in found for part in _parts(word)]


def _parts(word: str) -> list[str]:
    """Take ``trainset`` and ``testimages`` apart."""
    if word not in SPLIT_WORDS:
        for split in ("training", "train", "testing", "test", "validation", "val", "dev", "eval"):
            if word.startswith(split) and word[len(split) :] in _NEUTRAL:
                return [split, word[len(split) :]]
            if word.endswith(split) and word[: -len(split)] in _NEUTRAL:
                return [word[: -len(split)], split]
    return [word]


def split_of(name: str, dataset: str = "") -> tuple[str, tuple[str, ...]] | None:
    """Return which split a folder's name says, and what else it says.

    Args:
        name: Name of the folder.
        dataset: Name of the folder around it, whose words say nothing new.

    Returns:
        A value of :data:`SPLIT_WORDS` and the other words; None for names of no or two splits.
    """
    found = words(name)
    splits = [word for word in found if word in SPLIT_WORDS]
    if len(splits) != 1:
        return None
    said = _NEUTRAL | {splits[0]} | (set(words(dataset)) - set(SPLIT_WORDS))
    return SPLIT_WORDS[splits[0]], tuple(word for word in found if word not in said)


def is_wrapper(name: str) -> bool:
    """Whether a name says no more than that data, or a split of it, lies in the folder."""
    found = words(name)
    return bool(found) and all(word in _NEUTRAL or word in SPLIT_WORDS for word in found)


def is_annotation_folder(name: str) -> bool:
    """Whether a folder is named after masks or annotations, and after nothing else."""
    found = [word for word in words(name) if word not in SPLIT_WORDS]
    joined = "".join(found)
    return joined in _ANNOTATIONS or (
        any(word in _ANNOTATIONS for word in found)
        and all(word in _ANNOTATIONS | _NEUTRAL for word in found)
    )


def is_images_folder(name: str) -> bool:
    """Whether a folder is named after pictures, and after nothing else."""
    found = [word for word in words(name) if word not in SPLIT_WORDS]
    joined = "".join(found)
    return joined in _IMAGES or (
        any(word in _IMAGES for word in found)
        and all(word in _NEUTRAL | {"original", "raw", "rgb", "prepped"} for word in found)
    )


def is_fold(name: str, dataset: str = "") -> bool:
    """Whether a name is that of one fold of a cross-validation: ``fold1``, ``cv_2``."""
    found = set(words(name)) - set(words(dataset))
    return bool(re.search(r"\d", name)) and bool(found & _FOLDS) and found <= _FOLDS | _NEUTRAL


def is_fold_alone(name: str) -> bool:
    """Whether a fold's name can mean nothing else, whatever lies in it."""
    return bool(set(words(name)) & _FOLD_ALONE)


def mask_of(stem: str, stems: Iterable[str]) -> bool:
    """Whether a file is named as the mask of another one in its folder: ``x_mask`` of ``x``.

    Args:
        stem: Its name without extension.
        stems: Those of all files in its folder.
    """
    match = _MASK_OF.fullmatch(stem)
    return match is not None and match[1] in stems
