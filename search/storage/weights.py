"""Weights of good trainings, kept for branches, and checkpoints of trainings under way.

The weights are bounded in number and in bytes. They lie in a folder of their own beside the
artifacts, one file a training, named by its trial; so they are there again after a restart, and
the driver hands them to any worker with the request. Every branch knows its whole lineage, so that
losing a file only loses time. A checkpoint is a folder there, named by its configuration, into
which the worker writes itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MAX_COUNT = 32
MAX_BYTES = 256 * 2**20

_SUFFIX = ".npz"
_HALF = ".part"
"""Of a file that is being written."""
_CHECKPOINT = ".training"
"""Of the folder in which a trial under way keeps how its training stands."""


class WeightKeeper:
    """Kept weights of one study, by trial number.

    Args:
        folder: Folder of the artifact store; a folder in it is made when the first file comes.
            None keeps them in memory.
        owner: Identity of the study; several studies share a folder.
        formerly: What the owner was called before studies had an identity; its weights are taken
            over.
        max_count: Trainings kept at most.
        max_bytes: Bytes kept at most, over all of them.
    """

    def __init__(
        self,
        folder: Path | None = None,
        owner: str = "",
        max_count: int = MAX_COUNT,
        max_bytes: int = MAX_BYTES,
        *,
        formerly: str = "",
    ) -> None:
        self._folder = None if folder is None else folder / "weights"
        self._prefix = _prefix(owner)
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._in_memory: dict[int, bytes] = {}
        self._sizes: dict[int, int] = {}
        if self._folder is not None:
            if formerly:
                self._take_over(self._folder, _prefix(formerly))
            for path in self._folder.glob(f"{self._prefix}*{_SUFFIX}"):
                number = path.name[len(self._prefix) : -len(_SUFFIX)]
                if number.isdigit():
                    self._sizes[int(number)] = path.stat().st_size

    def _take_over(self, folder: Path, prefix: str) -> None:
        for path in folder.glob(f"{prefix}*{_SUFFIX}"):
            with suppress(OSError):
                path.replace(path.with_name(self._prefix + path.name.removeprefix(prefix)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Trials whose weights are kept, in order."""
        return tuple(sorted(self._sizes))

    def files(self) -> list[Path]:
        """Return the files that they and checkpoints lie in; none if they are in memory."""
        if self._folder is None:
            return []
        found = [*self._folder.glob(f"{self._prefix}*"), *self._folder.glob(f"{self._prefix}*/*")]
        return [path for path in found if path.is_file()]

    def clear(self) -> None:
        """Remove all of the study's."""
        for path in () if self._folder is None else self._folder.glob(f"{self._prefix}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self._sizes.clear()
        self._in_memory.clear()

    def checkpoint(self, config_hash: str) -> Path | None:
        """Return the folder of a configuration's training under way; None without a folder."""
        if self._folder is None:
            return None
        return self._folder / f"{self._prefix}{config_hash}{_CHECKPOINT}"

    def drop_checkpoints(self, is_over: Callable[[str], bool]) -> None:
        """Remove checkpoints of trainings that nobody goes on with.

        Args:
            is_over: Whether that is so, by the hash of the configuration.
        """
        pattern = f"{self._prefix}*{_CHECKPOINT}*"
        for path in () if self._folder is None else self._folder.glob(pattern):
            if is_over(path.name.removeprefix(self._prefix).partition(".")[0]):
                shutil.rmtree(path, ignore_errors=True)

    def sweep(self) -> None:
        """Remove half a file that a killed driver left; for whoever holds the study."""
        for half in () if self._folder is None else self._folder.glob(f"{self._prefix}*{_HALF}"):
            with suppress(OSError):
                half.unlink()

    def put(self, number: int, content: bytes, worth: Callable[[int], float]) -> None:
        """Keep a trial's weights, and let go of those that are worth least.

        A disk without room keeps nothing: then there are fewer branches.

        Args:
            number: Of the trial.
            content: As ``workers.training.weights`` packs it.
            worth: Of a trial's weights; of equal ones the newer are kept.
        """
        if len(content) > self._max_bytes:
            return
        if self._folder is None:
            self._in_memory[number] = content
        else:
            path = self._path(number)
            half = path.with_suffix(_HALF)
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                half.write_bytes(content)
                os.replace(half, path)
            except OSError:
                with suppress(OSError):
                    half.unlink()
                return
        self._sizes[number] = len(content)
        order = sorted(self._sizes, key=lambda n: (worth(n), n))
        while len(self._sizes) > self._max_count or sum(self._sizes.values()) > self._max_bytes:
            self.drop(order.pop(0))

    def get(self, number: int) -> bytes | None:
        """Return a trial's weights; None if they are not kept any more."""
        if self._folder is None:
            return self._in_memory.get(number)
        try:
            return self._path(number).read_bytes()
        except OSError:
            return None

    def drop(self, number: int) -> None:
        """Let go of a trial's weights."""
        self._sizes.pop(number, None)
        self._in_memory.pop(number, None)
        if self._folder is not None:
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._prefix}{number}{_SUFFIX}"


def _prefix(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:12] + "-"
