"""Source files of code that was named, as they travel to a host that lacks them.

A cluster's nodes have no copy of the folder that a search was started in. What a task is made of
is known (:mod:`spaces.tasks.source`): those files go along, and nothing else that lies there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from spaces.tasks.source import SourceHashes, source_hash
from spaces.tasks.user_code import code_folder, use_copy


@dataclass(frozen=True)
class CodeFiles:
    """Files of one folder.

    Attributes:
        folder: Where they lie on the host that they come from.
        files: Path within the folder, with ``/`` between its parts, and content.
    """

    folder: str
    files: tuple[tuple[str, bytes], ...] = field(repr=False)

    def is_here(self) -> bool:
        """Whether this host has the same files at the same place, as on a shared disk."""
        folder = Path(self.folder)
        try:
            return all((folder / name).read_bytes() == content for name, content in self.files)
        except OSError:
            return False

    def unpack(self, below: Path) -> None:
        """Write them to a new folder, from which this process loads the code from now on.

        Args:
            below: Folder that the new one is made in, ``code``.

        Raises:
            OSError: If they cannot be written.
        """
        folder = below / "code"
        for name, content in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        use_copy(self.folder, str(folder))


def read_code(ref: str, hashes: SourceHashes, import_path: Iterable[str] = ()) -> CodeFiles | None:
    """Read the files that a reference to code is made of.

    Args:
        ref: ``net.py:NAME`` with an absolute path, or ``package.module:NAME``.
        hashes: Its files, as :func:`spaces.tasks.source.source_hashes` tells them.
        import_path: Folders that modules may be imported from, beside the current one.

    Returns:
        The files; None if they lie in none of these folders as they were when they were hashed:
        those of an installed package are to be installed everywhere.
    """
    named = code_folder(ref)
    if named is None or not hashes:
        return None
    for folder in dict.fromkeys((named, *import_path)):
        files = []
        for name, expected in hashes.items():
            try:
                content = Path(folder, name).read_bytes()
            except OSError:
                break
            if source_hash(content) != expected:
                break
            files.append((name, content))
        else:
            return CodeFiles(folder, tuple(files))
    return None
