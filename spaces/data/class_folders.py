"""Which picture belongs to which class and split, from the folders it lies in.

::

    flowers/rose/*.jpg              flowers/train/rose/*.jpg
    flowers/tulip/*.jpg     or      flowers/train/tulip/*.jpg
                                    flowers/test/rose/*.jpg     (also val, valid, validation)

Splits may have longer names (``seg_train``, ``test_set``), lie a level deeper
(``seg_train/seg_train``) or inside the classes (``rose/train``). Folders inside class folders
belong to the class, save masks and annotations. Names that begin with a dot are hidden.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spaces.data.folder_names import CANONICAL, is_annotation_folder, is_fold, mask_of
from spaces.data.listing import ListedFile, Lister, readable
from spaces.data.pictures import EXTENSIONS
from spaces.data.split_folders import (
    annotations_beside_classes,
    pictures_beside_annotations,
    refuse_folds,
    split_folders,
    splits_in_classes,
    unwrapped,
)
from spaces.errors import DataError
from spaces.wording import some


@dataclass(frozen=True)
class FoundFile:
    """A file in a class folder; whether it is a picture is not known yet.

    Attributes:
        path: Where it is.
        split: ``train``, ``val`` or ``test``; empty when folders do not say.
        class_name: Name of its class.
        name: Its path below the class folder, with slashes.
        real: Where its bytes are, without links.
    """

    path: Path
    split: str
    class_name: str
    name: str
    real: Path


@dataclass
class FoundFolder:
    """What :func:`find_pictures` found.

    Attributes:
        class_names: Sorted.
        splits: Splits that have folders of their own; empty without such folders.
        files: Everything in class folders that may be data, sorted.
        ignored: What was left out, by kind.
        notes: What a person should know.
    """

    class_names: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    files: list[FoundFile] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


Classes = dict[str, Path]
"""Class folders by folded name."""


def find_pictures(root: Path) -> FoundFolder:
    """List the files of every class below ``root``.

    Raises:
        DataError: If it is no folder of class folders.
    """
    check_folder(root)
    lister = Lister(root)
    found = FoundFolder(ignored=lister.ignored)
    root = _past_annotations(root, lister, found)
    folders = _without_annotations(root, lister)
    refuse_folds(root, folders, lister)
    splits = split_folders(root, folders, lister)
    if splits:
        by_split = _classes_of_splits(root, splits, lister, found)
    else:
        classes = _class_folders(root, folders, root, lister)
        by_split = splits_in_classes(root, classes, lister) or {"": classes}
        inner = [path for folder in classes.values() for path in lister.look(folder).folders]
        if folds := sorted({path.name for path in inner if is_fold(path.name)}):
            found.notes.append(f"Folds inside the classes are joined: {_shown(folds)}.")
        if "" not in by_split:
            found.notes.append(f"Splits lie inside the classes: {_inner_names(by_split)}.")
    spelling = by_split.get("train") or by_split[""]
    if "" in by_split or splits:
        names = {key: readable(path.name) for key, path in spelling.items()}
    else:
        names = {key: readable(path.parent.name) for key, path in spelling.items()}
    for split, own in by_split.items():
        for key, folder in own.items():
            _add_files(found, split, names[key], folder, lister)
    for folder in {path.parent for own in by_split.values() for path in own.values()} | {root}:
        _count_loose(lister.look(folder).files, found)
    found.splits = tuple(split for split in by_split if split)
    found.class_names = tuple(sorted(names.values()))
    found.files.sort(key=lambda file: (file.split, file.class_name, file.name))
    return found


def check_folder(path: Path) -> None:
    """Check that ``path`` is a folder.

    Raises:
        DataError: If it is not; with the nearest name there is.
    """
    if path.is_dir():
        return
    if path.exists():
        hint = (
            " Unpack it first." if path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz") else ""
        )
        raise DataError(
            f"Pictures must come in a folder of class folders, or arrays in an .npz file, but "
            f"{path} is another file.{hint}"
        )
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    try:
        siblings = [entry.name for entry in missing.parent.iterdir()]
    except OSError:
        siblings = []
    close = difflib.get_close_matches(missing.name, siblings, n=1)
    hint = f"Did you mean {missing.parent / close[0]}?" if close else "Name an existing folder."
    raise DataError(f"No such folder: {path}. {hint}")


def _past_annotations(root: Path, lister: Lister, found: FoundFolder) -> Path:
    """Return the folder of class folders, which may have masks or annotations beside it."""
    beside = pictures_beside_annotations(root, lister.look(root).folders, lister)
    if beside is None:
        return root
    images, annotations = beside
    for folder in annotations:
        lister.leave_out(folder, f"annotations ({readable(folder.name)}/)")
    _count_loose(lister.look(root).files, found)
    found.notes.append(f"Classes are the folders in {images.name}/.")
    return images


def _without_annotations(folder: Path, lister: Lister) -> list[Path]:
    """Return the folders in a folder that may be classes or splits."""
    folders = lister.look(folder).folders
    annotations = annotations_beside_classes(folders, lister)
    for path in annotations:
        lister.leave_out(path, f"annotations ({readable(path.name)}/)")
    return [path for path in folders if path not in annotations]


def _classes_of_splits(
    root: Path, splits: Mapping[str, Path], lister: Lister, found: FoundFolder
) -> dict[str, Classes]:
    """Return the class folders of each split, after a check that they are the same."""
    others = [path for path in lister.look(root).folders if path not in splits.values()]
    for folder in others:
        lister.leave_out(folder, f"beside the splits ({readable(folder.name)}/)")
    if others:
        found.notes.append(f"Folders beside {splits['train'].name}/ ignored: {_names(others)}.")
    inside = {
        split: _past_annotations(unwrapped(folder, lister), lister, found)
        for split, folder in splits.items()
    }
    train = inside["train"]
    classes = _class_folders(train, _without_annotations(train, lister), root, lister)
    by_split = {}
    for split, folder in inside.items():
        folders = _without_annotations(folder, lister)
        own = {_fold(path.name): path for path in folders}
        if split != "train" and _has_no_classes(folder, own, classes, lister):
            found.notes.append(
                f"{splits[split].name}/ holds pictures without classes and is ignored."
            )
            lister.leave_out(folder, f"without a class ({readable(splits[split].name)}/)")
            continue
        _check_same_classes(classes, own, train, folder)
        by_split[split] = own
    named = {split: folder for split, folder in inside.items() if split in by_split}
    if any(
        path.name.casefold() not in CANONICAL or path != splits[s] for s, path in named.items()
    ):
        read = ", ".join(
            f"{path.relative_to(root).as_posix()}/ as {split}" for split, path in named.items()
        )
        found.notes.append(f"Split folders: {read}.")
    return by_split


def _has_no_classes(folder: Path, own: Classes, classes: Classes, lister: Lister) -> bool:
    """Whether the pictures of a split lie in one heap, as those of competitions' tests."""
    if not own:
        return any(file.path.suffix.lower() in EXTENSIONS for file in lister.look(folder).files)
    (first, *more) = own.values()
    return not more and _fold(first.name) not in classes and not lister.look(first).folders


def _inner_names(by_split: Mapping[str, Classes]) -> str:
    return ", ".join(
        f"{next(iter(own.values())).name}/ as {split}" for split, own in by_split.items()
    )


def _fold(name: str) -> str:
    return readable(name).casefold()


def _class_folders(folder: Path, folders: Sequence[Path], root: Path, lister: Lister) -> Classes:
    """Return class folders by folded name, or say why there are too few."""
    classes: Classes = {}
    for path in folders:
        twin = classes.setdefault(_fold(path.name), path)
        if twin is not path:
            raise DataError(
                f"{folder} must have one folder a class, but {twin.name}/ and {path.name}/ differ "
                "in case or accents only. Join or rename one."
            )
    if len(classes) >= 2:
        return classes
    rule = f"{folder} must hold one folder of pictures for each class, two or more"
    files = lister.look(folder).files
    loose = [file.name for file in files if file.path.suffix.lower() in EXTENSIONS]
    if not classes and loose:
        lists = [f for f in files if f.path.suffix.lower() in (".json", ".xml", ".txt", ".csv")]
        hint = f" What {lists[0].name} says of them is not read." if lists else ""
        raise DataError(
            f"{rule}, but {len(loose)} pictures lie right in it ({_shown(loose, 1)}). Move them "
            f"into class folders.{hint}"
        )
    if not classes:
        raise DataError(f"{rule}, but it has no folders in it.")
    (only,) = classes.values()
    if lister.look(only).folders and folder == root:
        raise DataError(f"{rule}, but it has only {only.name}/. Did you mean {only}?")
    raise DataError(f"{rule}, but it has only {only.name}/. Add a folder for another class.")


def _check_same_classes(
    classes: dict[str, Path], own: dict[str, Path], train: Path, folder: Path
) -> None:
    missing = [path.name for key, path in classes.items() if key not in own]
    extra = [path.name for key, path in own.items() if key not in classes]
    if missing or extra:
        parts = []
        if missing:
            parts.append(f"{folder.name}/ lacks {_shown(missing)}")
        if extra:
            parts.append(f"{train.name}/ lacks {_shown(extra)}")
        raise DataError(
            f"{folder.parent} must have the same class folders in {train.name}/ and "
            f"{folder.name}/, but {' and '.join(parts)}."
        )


def _add_files(
    found: FoundFolder, split: str, class_name: str, folder: Path, lister: Lister
) -> None:
    """Add the files of a class, without masks and annotations of its pictures."""
    skipped = _annotation_folders(folder, lister)
    for path in skipped:
        lister.leave_out(path, f"annotations ({readable(path.name)}/)")
    listed = lister.walk(folder, skip=frozenset(skipped))
    stems: dict[Path, set[str]] = {}
    for _, file in listed:
        stems.setdefault(file.path.parent, set()).add(file.path.stem)
    for name, file in listed:
        if mask_of(file.path.stem, stems[file.path.parent]):
            found.ignored["masks of pictures beside them"] += 1
        else:
            found.files.append(FoundFile(file.path, split, class_name, name, file.real))


def _annotation_folders(folder: Path, lister: Lister) -> list[Path]:
    """Return the folders of masks and annotations in a class that has pictures beside them."""
    below = lister.look(folder)
    annotations = [path for path in below.folders if is_annotation_folder(path.name)]
    has_pictures = len(annotations) < len(below.folders) or any(
        file.path.suffix.lower() in EXTENSIONS for file in below.files
    )
    return annotations if has_pictures else []


def _count_loose(files: Sequence[ListedFile], found: FoundFolder) -> None:
    for file in files:
        found.ignored[kind_of_file(file.name)] += 1


def kind_of_file(name: str) -> str:
    """Return what to count a file as that is no picture of a class."""
    suffix = Path(name).suffix.lower()
    if suffix in EXTENSIONS:
        return f"{suffix} outside class folders"
    return readable(suffix) or "files without extension"


def _names(paths: Sequence[Path]) -> str:
    return _shown([path.name for path in paths])


def _shown(names: Sequence[str], limit: int = 5) -> str:
    return some([readable(name) for name in names], limit)
