"""What lies in a folder, listed so that nothing in it can hang a run or come up twice.

Every reader of folders goes through here. Pipes, sockets and devices are never opened; links are
followed, but each folder is entered once and never one that lies around the first; what systems,
archives and this program leave behind is no data. Whatever is left out is counted by kind.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import DataError

MAX_COUNTED = 100_000
"""Files counted in a folder that is left out; a backup drive's recycle bin may hold millions."""

_FOLDERS = {
    "thumbnails": "@eaDir .@__thumb @__thumb .thumbnails thumbnails _thumbnails .thumb",
    "deleted": "#recycle @Recycle $RECYCLE.BIN RECYCLER RECYCLED .Trash .Trashes Trash-1000",
    "snapshots": "#snapshot .snapshot ~snapshot @Recently-Snapshot .zfs",
    "leftovers": "__MACOSX @tmp @sharebin .@upload_cache lost+found found.000 .AppleDouble "
    ".AppleDB .AppleDesktop __pycache__",
    "system": "System|Volume|Information .Spotlight-V100 .fseventsd .TemporaryItems "
    "Temporary|Items Network|Trash|Folder .DocumentRevisions-V100 Config.Msi",
    "notebook copies": ".ipynb_checkpoints",
    "version control": ".git .svn .hg .dvc",
}
_KIND_OF_FOLDER = {
    name.replace("|", " ").casefold(): kind
    for kind, names in _FOLDERS.items()
    for name in names.split()
}
_FILES = frozenset(
    "thumbs.db ehthumbs.db ehthumbs_vista.db desktop.ini .ds_store .apdisk .localized icon\r "
    "picasa.ini .picasa.ini .directory .nomedia".split()
)

_ARTIFACT = re.compile(r"[0-9a-f]{6,}(-[0-9a-f]+)+")
_DEPLOYED = {"model.tflite", "metrics.json"}
_CACHE = {"datasets", "prepared", "described"}


@dataclass(frozen=True)
class ListedFile:
    """A regular file, or a link that leads nowhere.

    Attributes:
        path: Where it is, through links.
        real: Where its bytes are, without links.
        is_link: Whether it is a link itself.
    """

    path: Path
    real: Path
    is_link: bool

    @property
    def name(self) -> str:
        """Name of the file, without folders."""
        return self.path.name


@dataclass(frozen=True)
class Listed:
    """What lies right in a folder, sorted by name.

    Attributes:
        folders: Folders, and links to folders.
        files: Files that may be data.
    """

    folders: tuple[Path, ...]
    files: tuple[ListedFile, ...]


class Lister:
    """Lists folders below one folder, each once.

    Args:
        root: Folder to begin with.

    Attributes:
        ignored: What was left out so far, by kind.
    """

    def __init__(self, root: Path) -> None:
        self.ignored: Counter[str] = Counter()
        self._listed: dict[Path, Listed] = {}
        self._left_out: set[Path] = set()
        real = Path(os.path.realpath(root))
        self._around = {_identity(folder) for folder in (real, *real.parents)}

    def look(self, folder: Path) -> Listed:
        """Return what lies right in a folder.

        Raises:
            DataError: If it cannot be read.
        """
        if folder not in self._listed:
            self._listed[folder] = self._list(folder)
        return self._listed[folder]

    def walk(
        self, folder: Path, skip: frozenset[Path] = frozenset(), doubled: bool = False
    ) -> list[tuple[str, ListedFile]]:
        """Return all files below a folder with their paths below it, with slashes.

        Args:
            folder: Where to begin.
            skip: Folders not to enter.
            doubled: Whether links to files that are listed anyway are listed too.

        Raises:
            DataError: If a folder cannot be read.
        """
        real = Path(os.path.realpath(folder))
        seen = {_identity(parent) for parent in real.parents} | self._around
        seen.discard(_identity(real))
        found: list[tuple[str, ListedFile]] = []
        self._walk(folder, "", seen, skip, found)
        if doubled:
            return found
        taken = {file.real for _, file in found if not file.is_link}
        kept = []
        for name, file in found:
            if file.is_link and file.real in taken:
                self.ignored["links to files that are there anyway"] += 1
                continue
            taken.add(file.real)
            kept.append((name, file))
        return kept

    def leave_out(self, folder: Path, kind: str) -> None:
        """Count the files below a folder as ignored, once."""
        if folder in self._left_out:
            return
        self._left_out.add(folder)
        count = _count_files(folder)
        if count:
            self.ignored[kind] += count

    def _walk(
        self,
        folder: Path,
        prefix: str,
        seen: set[tuple[int, int]],
        skip: frozenset[Path],
        found: list[tuple[str, ListedFile]],
    ) -> None:
        identity = _identity(folder)
        if identity in seen:
            return
        seen.add(identity)
        listed = self.look(folder)
        found += [(prefix + file.name, file) for file in listed.files]
        for below in listed.folders:
            if below not in skip:
                self._walk(below, f"{prefix}{below.name}/", seen, skip, found)

    def _list(self, folder: Path) -> Listed:
        folders: list[Path] = []
        files: list[ListedFile] = []
        real = os.path.realpath(folder)
        for entry in _scan(folder):
            path = Path(entry.path)
            is_folder, is_file = _kinds(entry)
            if is_folder:
                if kind := _kind_of_folder(path):
                    self.leave_out(path, kind)
                elif entry.name.startswith("."):
                    self.ignored["hidden"] += 1
                elif entry.is_symlink() and _identity(path) in self._around:
                    self.ignored["links to folders around them"] += 1
                else:
                    folders.append(path)
            elif kind := _kind_of_file(entry.name):
                self.ignored[kind] += 1
            elif not is_file:
                self.ignored["pipes or devices"] += 1
            else:
                is_link = entry.is_symlink()
                target = os.path.realpath(path) if is_link else os.path.join(real, entry.name)
                files.append(ListedFile(path, Path(target), is_link))
        return Listed(tuple(folders), tuple(files))


def list_files(root: Path) -> list[Path]:
    """List all files below a folder that may be data, sorted by their path below it.

    Raises:
        DataError: If a folder cannot be read.
    """
    found = Lister(root).walk(root, doubled=True)
    return [file.path for _, file in sorted(found, key=lambda pair: pair[0])]


def readable(name: str) -> str:
    """Return a file's name as text that can be stored: composed, undecodable bytes replaced."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text)


def is_own_folder(path: Path) -> bool:
    """Whether this program made a folder: artifacts of a study, a deployed model, its cache."""
    try:
        names = set(os.listdir(path))
    except OSError:
        return False
    if path.name == "artifacts":
        strangers = [name for name in names - {"weights"} if not _ARTIFACT.fullmatch(name)]
        return not strangers
    return _DEPLOYED <= names or (bool(names) and names <= _CACHE)


def _kind_of_folder(path: Path) -> str | None:
    folded = path.name.casefold()
    kind = _KIND_OF_FOLDER.get(folded)
    if kind is None and folded.startswith(".trash"):
        kind = "deleted"
    if kind is not None:
        return f"{kind} ({readable(path.name)})"
    return f"made by search ({readable(path.name)}/)" if is_own_folder(path) else None


def _kind_of_file(name: str) -> str | None:
    if name.startswith("._"):
        return "macOS leftovers (._*)"
    if name.casefold() in _FILES or name.startswith("~$"):
        return f"system ({readable(name).strip()})"
    return "hidden" if name.startswith(".") else None


def _kinds(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Return whether an entry is a folder, and whether a file or a link that leads nowhere."""
    try:
        if entry.is_dir():
            return True, False
        # Neither opens anything; for what is no link, neither asks the disk.
        return False, entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        # A link to itself. What the disk fails to tell comes up again when the file is read.
        return False, True


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"Folder {folder} cannot be read: {error.strerror or error}.") from error


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise DataError(f"Folder {folder} cannot be read: {error.strerror or error}.") from error
    return status.st_dev, status.st_ino


def _count_files(folder: Path) -> int:
    count = 0
    for _, _, files in os.walk(folder):
        count += len(files)
        if count >= MAX_COUNTED:
            break
    return count
