"""Folders that are no classes although they lie where classes would: splits, folds, annotations.

What names and content say without doubt is followed, and said; for the rest there is one line
with the way out. Nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from spaces.data.folder_names import (
    CANONICAL,
    is_annotation_folder,
    is_fold,
    is_fold_alone,
    is_images_folder,
    is_wrapper,
    mask_of,
    split_of,
)
from spaces.data.listing import ListedFile, Lister, readable
from spaces.data.pictures import EXTENSIONS
from spaces.errors import DataError
from spaces.wording import some

Group = dict[tuple[str, ...], list[tuple[str, Path]]]


def pictures_beside_annotations(
    root: Path, folders: Sequence[Path], lister: Lister
) -> tuple[Path, list[Path]] | None:
    """Return the folder that holds the class folders, where masks or annotations lie beside it.

    Returns:
        It and the folders of annotations; None where there is no such pair of folders.

    Raises:
        DataError: If pictures have masks or annotations but no class folders.
    """
    annotations = [path for path in folders if is_annotation_folder(path.name)]
    images = [path for path in folders if is_images_folder(path.name) and path not in annotations]
    if not images or not annotations:
        return None
    with_classes = [path for path in images if lister.look(path).folders]
    if len(with_classes) == 1 and len(images) + len(annotations) == len(folders):
        return with_classes[0], annotations
    raise DataError(
        f"{root} must hold one folder of pictures for each class, but {images[0].name}/ beside "
        f"{annotations[0].name}/ is a data set for detection or segmentation, whose labels are no "
        "classes of whole pictures. Move the pictures into one folder a class."
    )


def annotations_beside_classes(folders: Sequence[Path], lister: Lister) -> list[Path]:
    """Return folders that hold masks or annotations of what lies in the others.

    Those are folders named so that hold no pictures, or folders called as the others are, or
    pictures called as those in the others. Any other folder may be a class.
    """
    named = [path for path in folders if is_annotation_folder(path.name)]
    others = [path for path in folders if path not in named]
    if not named or len(others) < 2:
        return []
    folded = {path.name.casefold() for path in others}
    stems = [file.path.stem for path in others for file in _pictures_below(path, lister)]
    every = set(stems)
    # Names that are numbers from 0 on in every class say nothing.
    known = every if len(every) == len(stems) else set()
    found = []
    for path in named:
        own = [file.path.stem for file in _pictures_below(path, lister)]
        below = [inner.name.casefold() for inner in lister.look(path).folders]
        n_same = sum(stem in known or mask_of(stem, every) for stem in own)
        if (below and set(below) <= folded) or n_same >= 0.9 * len(own):
            found.append(path)
    return found


def _pictures_below(folder: Path, lister: Lister) -> list[ListedFile]:
    """Return pictures in a folder and in those right in it."""
    listed = lister.look(folder)
    inner = [file for path in listed.folders for file in lister.look(path).files]
    return _pictures([*listed.files, *inner])


def refuse_folds(root: Path, folders: Sequence[Path], lister: Lister) -> None:
    """Refuse folds of a cross-validation where classes should be.

    Raises:
        DataError: If all folders are folds.
    """
    others = [path for path in folders if not is_fold(path.name, root.name)]
    folders = [path for path in folders if path not in others]
    if len(folders) < 2 or not all(split_of(path.name, root.name) for path in others):
        return
    inner = [lister.look(path).folders for path in folders]
    if not all(
        is_fold_alone(path.name) or below for path, below in zip(folders, inner, strict=True)
    ):
        return
    rule = (
        f"{root} must hold one folder of pictures for each class, but {_named(folders)} are folds"
    )
    if all(any(split_of(path.name) for path in below) for below in inner):
        raise DataError(
            f"{rule}, each with splits of its own. Name one of them: {root / folders[0].name}."
        )
    raise DataError(
        f"{rule}. Put one into test/, one into val/ and the others into train/ (class folders of "
        "one name joined), so that it is known which are trained on."
    )


def split_folders(root: Path, folders: Sequence[Path], lister: Lister) -> dict[str, Path]:
    """Return the folders of splits; empty if these are class folders.

    A folder ``train`` may also be a class (of vehicles): then pictures lie right in it.

    Raises:
        DataError: If there are splits, but not one folder for each, or none to train on.
    """
    groups: Group = {}
    for folder in folders:
        if found := split_of(folder.name, root.name):
            split, rest = found
            groups.setdefault(rest, []).append((split, folder))
    _refuse_class_and_split_in_one(root, groups, len(folders))
    group = _chosen(groups)
    said = [split for split, _ in group]
    if not group or (
        len(set(said)) < len(said) and not any(lister.look(path).folders for _, path in group)
    ):
        return {}
    splits = _one_a_split(root, group)
    only_splits = len(splits) == sum(not is_annotation_folder(path.name) for path in folders)
    if "train" not in splits:
        if only_splits and () in groups and (len(splits) > 1 or _is_canonical(splits)):
            names = " and ".join(f"{folder.name}/" for folder in splits.values())
            raise DataError(f"{root} must have a folder train/ too, but has only {names}.")
        return {}
    has_classes = bool(lister.look(splits["train"]).folders)
    return splits if has_classes or only_splits else {}


def unwrapped(folder: Path, lister: Lister) -> Path:
    """Return the folder in it that holds the class folders: ``seg_train/seg_train``."""
    below = lister.look(folder)
    if len(below.folders) != 1 or below.files:
        return folder
    (inner,) = below.folders
    says_nothing = inner.name.casefold() == folder.name.casefold() or is_wrapper(inner.name)
    return inner if says_nothing and lister.look(inner).folders else folder


def splits_in_classes(
    root: Path, classes: dict[str, Path], lister: Lister
) -> dict[str, dict[str, Path]]:
    """Return, for each split, its folder in every class: ``cat/train``, ``cat/test``.

    Returns:
        Folders by split and folded class name; empty where classes hold no splits.

    Raises:
        DataError: If some classes have splits and others have not.
    """
    found: dict[str, dict[str, Path]] = {}
    for key, folder in classes.items():
        below = lister.look(folder)
        own = {
            split[0]: path
            for path in below.folders
            if (split := split_of(path.name, folder.name)) and not split[1]
        }
        is_clean = len(own) == len(below.folders) > 0 and not _pictures(below.files)
        found[key] = own if is_clean or len(own) > 1 else {}
        if len(own) > 1 and not is_clean:
            raise DataError(
                f"{folder} holds splits ({_named(list(own.values()))}) and other pictures beside "
                "them. Move those into one of the splits."
            )
    splits = {split for own in found.values() for split in own}
    if len(splits) < 2:
        return {}
    lacking = [classes[key] for key, own in found.items() if set(own) != splits]
    if lacking or "train" not in splits:
        raise DataError(
            f"{root} must have the same splits in every class, train/ among them, but has "
            f"{' and '.join(sorted(splits))}, and {_named(lacking) or 'no class'} "
            f"{'has' if len(lacking) == 1 else 'have'} not all of them. Add what is missing, or "
            "keep all pictures of a class in one folder."
        )
    return {split: {key: own[split] for key, own in found.items()} for split in sorted(splits)}


def _pictures(files: Sequence[ListedFile]) -> list[ListedFile]:
    return [file for file in files if file.path.suffix.lower() in EXTENSIONS]


def _refuse_class_and_split_in_one(root: Path, groups: Group, n_folders: int) -> None:
    """Refuse ``cat_train``, ``cat_test``, ``dog_train``, ``dog_test``."""
    splits = [sorted(split for split, _ in group) for group in groups.values()]
    if (
        len(groups) > 1
        and () not in groups
        and sum(map(len, splits)) == n_folders
        and all(names == splits[0] and len(names) > 1 for names in splits)
    ):
        folders = [folder for group in groups.values() for _, folder in group]
        raise DataError(
            f"{root} must hold one folder a class, or one a split with class folders in it, but "
            f"{_named(folders)} say both. Move them to train/CLASS, test/CLASS."
        )


def _chosen(groups: Group) -> list[tuple[str, Path]]:
    """Return the folders that are splits of one data set, if there is no doubt."""
    if () in groups:
        return groups[()]
    with_train = [
        group
        for group in groups.values()
        if any(split == "train" for split, _ in group) and len({split for split, _ in group}) > 1
    ]
    return with_train[0] if len(with_train) == 1 else []


def _is_canonical(splits: Mapping[str, Path]) -> bool:
    return all(folder.name.casefold() in CANONICAL for folder in splits.values())


def _one_a_split(root: Path, group: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    # `eval` takes what is left.
    for split, folder in sorted(group, key=lambda pair: pair[0] == "eval"):
        if split == "eval":
            split = "test" if "val" in splits and "test" not in splits else "val"
        if split in splits:
            raise DataError(
                f"{root} must have one folder a split, but both {splits[split].name}/ and "
                f"{folder.name}/ are there. Join or rename one."
            )
        splits[split] = folder
    return splits


def _named(folders: Sequence[Path]) -> str:
    return some([f"{readable(folder.name)}/" for folder in folders])
