"""Which picture belongs to which class and split, from the folders it lies in.

::

    flowers/rose/*.jpg              flowers/train/rose/*.jpg
    flowers/tulip/*.jpg     or      flowers/train/tulip/*.jpg
                                    flowers/test/rose/*.jpg     (also val, valid, validation)

Folders inside class folders belong to the class. Names that begin with a dot are hidden.
"""

from __future__ import annotations

import difflib
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from spaces.data.pictures import EXTENSIONS
from spaces.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class FoundFile:
    """A file in a class folder; whether it is a picture is not known yet.

    Attributes:
        path: Where it is.
        split: ``train``, ``val`` or ``test``; empty when folders do not say.
        class_name: Name of its class.
        name: Its path below the class folder, with slashes.
    """

    path: Path
    split: str
    class_name: str
    name: str


@dataclass
class FoundFolder:
    """What :func:`find_pictures` found.

    Attributes:
        class_names: Sorted.
        splits: Splits that have folders of their own; empty without such folders.
        files: Everything in class folders, sorted.
        n_ignored: Hidden files, and files outside class folders.
        notes: What a person should know.
    """

    class_names: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    files: list[FoundFile] = field(default_factory=list)
    n_ignored: int = 0
    notes: list[str] = field(default_factory=list)


def find_pictures(root: Path) -> FoundFolder:
    """List the files of every class below ``root``.

    Raises:
        DataError: If it is no folder of class folders.
    """
    check_folder(root)
    found = FoundFolder()
    folders = _list(root, found)
    splits = _split_folders(root, folders)
    if not splits:
        classes = _class_folders(root, folders, root)
        _add_files(found, "", classes)
    else:
        others = [folder.name for folder in folders if folder not in splits.values()]
        if others:
            found.notes.append(f"Folders beside {splits['train'].name}/ ignored: {_some(others)}.")
        classes = _class_folders(splits["train"], _list(splits["train"], found), root)
        found.splits = tuple(splits)
        for split, folder in splits.items():
            own = {_fold(path.name): path for path in _list(folder, found)}
            _check_same_classes(classes, own, splits["train"], folder)
            _add_files(found, split, own, spelling=classes)
    found.class_names = tuple(sorted(readable(path.name) for path in classes.values()))
    found.files.sort(key=lambda file: (file.split, file.class_name, file.name))
    return found


def list_files(root: Path) -> list[Path]:
    """List all files below a folder that are not hidden, sorted by their path below it.

    Raises:
        DataError: If a folder cannot be read.
    """
    found = FoundFolder()
    _walk(found, "", "", root, "", set())
    return [file.path for file in sorted(found.files, key=lambda file: file.name)]


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


def readable(name: str) -> str:
    """Return a file's name as text that can be stored: composed, undecodable bytes replaced."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text)


def _fold(name: str) -> str:
    return readable(name).casefold()


def _list(folder: Path, found: FoundFolder) -> list[Path]:
    """Return the visible folders in a folder, sorted, and count its files as ignored."""
    folders = []
    for entry in _scan(folder):
        if entry.name.startswith("."):
            found.n_ignored += not _is_dir(entry)
        elif _is_dir(entry):
            folders.append(Path(entry.path))
        else:
            found.n_ignored += 1
    return folders


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"Folder {folder} cannot be read: {error.strerror or error}.") from error


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link to itself
        return False


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path]:
    """Return the folders of splits; empty if these are class folders.

    A folder ``train`` may also be a class (of vehicles): then pictures lie right in it.
    """
    splits: dict[str, Path] = {}
    for folder in folders:
        split = SPLIT_FOLDERS.get(folder.name.casefold())
        if split is None:
            continue
        if split in splits:
            raise DataError(
                f"{root} must have one folder a split, but both {splits[split].name}/ and "
                f"{folder.name}/ are there. Join or rename one."
            )
        splits[split] = folder
    if not splits:
        return {}
    only_splits = len(splits) == len(folders)
    if "train" not in splits:
        if only_splits:
            names = " and ".join(f"{folder.name}/" for folder in splits.values())
            raise DataError(f"{root} must have a folder train/ too, but has only {names}.")
        return {}
    has_classes = any(_is_dir(entry) for entry in _scan(splits["train"]))
    return splits if has_classes or only_splits else {}


def _class_folders(folder: Path, folders: list[Path], root: Path) -> dict[str, Path]:
    """Return class folders by folded name, or say why there are too few."""
    classes: dict[str, Path] = {}
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
    loose = [
        entry.name for entry in _scan(folder) if Path(entry.name).suffix.lower() in EXTENSIONS
    ]
    if not classes and loose:
        raise DataError(
            f"{rule}, but {len(loose)} pictures lie right in it ({_some(loose, 1)}). Move them "
            "into class folders."
        )
    if not classes:
        raise DataError(f"{rule}, but it has no folders in it.")
    (only,) = classes.values()
    if any(_is_dir(entry) for entry in _scan(only)) and folder == root:
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
            parts.append(f"{folder.name}/ lacks {_some(missing)}")
        if extra:
            parts.append(f"{train.name}/ lacks {_some(extra)}")
        raise DataError(
            f"{folder.parent} must have the same class folders in {train.name}/ and "
            f"{folder.name}/, but {' and '.join(parts)}."
        )


def _add_files(
    found: FoundFolder,
    split: str,
    folders: dict[str, Path],
    spelling: dict[str, Path] | None = None,
) -> None:
    for key, folder in folders.items():
        class_name = readable((spelling or folders)[key].name)
        # A link back to a folder around this one would bring in the pictures of other classes.
        seen = {_identity(parent) for parent in folder.resolve().parents}
        _walk(found, split, class_name, folder, "", seen)


def _walk(
    found: FoundFolder,
    split: str,
    class_name: str,
    folder: Path,
    prefix: str,
    seen: set[tuple[int, int]],
) -> None:
    """Collect files; symbolic links are followed, but each folder is entered once."""
    identity = _identity(folder)
    if identity in seen:
        return
    seen.add(identity)
    for entry in _scan(folder):
        name = prefix + entry.name
        if entry.name.startswith("."):
            found.n_ignored += not _is_dir(entry)
        elif _is_dir(entry):
            _walk(found, split, class_name, Path(entry.path), f"{name}/", seen)
        else:
            found.files.append(FoundFile(Path(entry.path), split, class_name, name))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _some(names: list[str], limit: int = 5) -> str:
    shown = ", ".join(readable(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
