"""Quiet windows: the workers of a node pause while one of them measures a latency.

Three files in a folder that the workers of one node share, locked with ``flock``. The *floor*
is held shared by whoever keeps a core busy, and alone by the one who measures. The *turnstile*
is held by the one who wants the floor alone: workers look at it between two batches, leave the
floor while it is taken, and come back through it. So one who measures waits for one batch and
not for a moment at which nobody happens to work, and two who want to measure take turns. The
*roll* is held shared by all who are on the floor or wait to come back: a window that finds
nobody there costs nothing.

The kernel lets go of a lock when its process ends, however it ends: a worker that dies within a
window blocks nobody. One that hangs in it does so for a bounded time.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Not on Windows.
    fcntl = None  # type: ignore[assignment, unused-ignore]

MAX_SHARE = 0.1
"""Share of a run that others may have to wait for windows."""

MAX_WAIT_S = 0.5
"""How long one who measures waits for the others to pause: longer than a chunk of batches."""

MAX_PAUSE_S = 20.0
"""How long a worker pauses at most; no window is meant to last this long."""

_POLL_S = 0.001
_PAUSED_POLL_S = 0.005

_LEDGER = struct.Struct("=dd")
"""Begin of the run and seconds spent in windows since, as the turnstile file holds them."""


class QuietWindows:
    """The windows of one node, as one worker sees them. Made by every worker for itself.

    **Who may call it.** One thread of a process. A process that is forked off a worker shares
    its locks; workers start processes of their own with ``exec``, as Python does.

    Args:
        folder: On a local disk, the same for all workers of the node, nobody else's. It is made
            if it is not there.
        max_share: Share of the time since the first worker came that may be spent in windows
            while others wait.

    Attributes:
        problem: Why there are no windows on this node; empty if there are.
        refusal: Why the last window was not quiet; empty if it was.
    """

    def __init__(self, folder: Path, *, max_share: float = MAX_SHARE) -> None:
        self._max_share = max_share
        self._is_busy = False
        self._has_given_up = False
        self._window: bool | None = None
        self.problem = ""
        self.refusal = ""
        try:
            self._folder = _own_folder(folder)
            self._turnstile = _Lock(self._folder / "turnstile")
            self._floor = _Lock(self._folder / "floor")
            self._roll = _Lock(self._folder / "roll")
            self._begin_ledger()
        except _NoLocks as error:
            self._disable(str(error))

    @classmethod
    def of_run(cls, name: str, *, max_share: float = MAX_SHARE) -> QuietWindows:
        """Return the windows of a run on this node.

        Args:
            name: The same for all workers of the run, and for no other run. Letters, digits,
                ``-`` and ``_``.
            max_share: As for the class.
        """
        owner = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir()) / f"search-windows-{owner}-{name}"
        return cls(folder, max_share=max_share)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep a core busy: train, convert, evaluate. Waits for a window to end.

        Call :meth:`pause` often within the block, or nobody can measure meanwhile.
        """
        was_busy, self._is_busy = self._is_busy, True
        if not was_busy:
            self.pause()
        try:
            yield
        finally:
            self._is_busy = was_busy
            if not was_busy and not self.problem:
                self._floor.release()
                self._roll.release()

    def pause(self) -> None:
        """Return at once, or, if another worker measures or wants to, when it has done so."""
        if self.problem or self._window is not None:
            return
        try:
            if self._come_in():
                self._has_given_up = False
            elif not self._has_given_up:
                self._floor.release()
                # Whoever holds the window hangs if it takes longer: not waited for again.
                self._has_given_up = not _poll(self._come_in, MAX_PAUSE_S, _PAUSED_POLL_S)
        except _NoLocks as error:
            self._disable(str(error))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep no core busy within the block: wait for something, while others measure."""
        if self.problem or self._window is not None:
            yield
            return
        self._floor.release()
        self._roll.release()
        try:
            yield
        finally:
            self.pause()

    @contextmanager
    def window(self) -> Iterator[bool]:
        """Measure within the block, while all others pause.

        The block is run in any case. A window within a window is the same window.

        Yields:
            Whether it is quiet: no other worker of the run is busy on this node.
        """
        if self._window is not None or self.problem:
            self.refusal = self.problem or self.refusal
            yield bool(self._window)
            return
        start = time.monotonic()
        is_quiet, others_wait = self._open_window()
        if not is_quiet:
            # Measuring keeps a core busy like anything else.
            self.pause()
        self._window = is_quiet
        try:
            yield is_quiet
        finally:
            self._window = None
            if is_quiet:
                self._close_window(time.monotonic() - start if others_wait else 0.0)
                self.pause()

    def remove(self) -> None:
        """Remove the files; for the one who made up the name, when the run is over."""
        if self.problem:
            return
        for lock in (self._floor, self._roll, self._turnstile):
            lock.remove()
        try:
            self._folder.rmdir()
        except OSError:
            pass
        self.problem = "the run is over"

    # --- Windows --------------------------------------------------------------------------

    def _come_in(self) -> bool:
        """Pass the turnstile and, if busy, take the floor with the others."""
        if not self._turnstile.take_shared():
            return False
        # Nobody holds the others alone now: who does holds the turnstile too.
        is_in = not self._is_busy or (self._roll.take_shared() and self._floor.take_shared())
        self._turnstile.release()
        return is_in

    def _open_window(self) -> tuple[bool, bool]:
        """Take the floor alone; return whether that worked, and whether others wait for it."""
        try:
            self._floor.release()
            self._roll.release()
            start = time.monotonic()
            if not _poll(self._turnstile.take_alone, MAX_PAUSE_S, _POLL_S):
                self.refusal = "another worker measured for too long"
                return False, False
            self.refusal = ""
            others_wait = not self._roll.take_alone()
            self._roll.release()
            begin, spent = self._read_ledger()
            if others_wait and spent > self._max_share * (time.monotonic() - begin):
                self.refusal = f"windows took {100 * self._max_share:g} % of the run already"
            elif _poll(self._floor.take_alone, MAX_WAIT_S, _POLL_S):
                return True, others_wait
            else:
                self.refusal = f"another worker did not pause within {MAX_WAIT_S:g} s"
                self._write_ledger(begin, spent + time.monotonic() - start)
            self._turnstile.release()
        except _NoLocks as error:
            self._disable(str(error))
        return False, False

    def _close_window(self, seconds: float) -> None:
        try:
            begin, spent = self._read_ledger()
            self._write_ledger(begin, spent + seconds)
            self._floor.release()
            self._turnstile.release()
        except _NoLocks as error:
            self._disable(str(error))

    # --- Seconds spent --------------------------------------------------------------------

    def _begin_ledger(self) -> None:
        if _poll(self._turnstile.take_alone, MAX_PAUSE_S, _POLL_S):
            self._write_ledger(*self._read_ledger())
            self._turnstile.release()

    def _read_ledger(self) -> tuple[float, float]:
        data = self._turnstile.read(_LEDGER.size)
        now = time.monotonic()
        if len(data) < _LEDGER.size:
            return now, 0.0
        begin, spent = _LEDGER.unpack(data)
        # A begin in the future is one of before the machine was started anew.
        return (now, 0.0) if begin > now else (begin, spent)

    def _write_ledger(self, begin: float, spent: float) -> None:
        self._turnstile.write(_LEDGER.pack(begin, spent))

    def _disable(self, problem: str) -> None:
        self.problem = self.refusal = problem
        warnings.warn(
            f"Latencies are measured while others train, for want of quiet windows: {problem}.",
            stacklevel=3,
        )


class _NoLocks(Exception):
    """Files cannot be locked here."""


class _Lock:
    """A file that is locked without waiting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_held = False
        with _os_errors(path):
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._descriptor = os.open(path, flags, 0o600)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def take_shared(self) -> bool:
        return self._take(fcntl.LOCK_SH)

    def take_alone(self) -> bool:
        return self._take(fcntl.LOCK_EX)

    def release(self) -> None:
        if self._is_held:
            with _os_errors(self._path):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._is_held = False

    def read(self, n: int) -> bytes:
        with _os_errors(self._path):
            return os.pread(self._descriptor, n, 0)

    def write(self, data: bytes) -> None:
        with _os_errors(self._path):
            os.pwrite(self._descriptor, data, 0)

    def remove(self) -> None:
        self.release()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            pass

    def _take(self, how: int) -> bool:
        with _os_errors(self._path):
            try:
                fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
            except BlockingIOError:
                self._is_held = False  # Where it changes its kind, the old lock is gone.
                return False
        self._is_held = True
        return True


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _NoLocks(f"{path} cannot be used for locks ({error.strerror})") from error


def _own_folder(folder: Path) -> Path:
    """Make a folder, or see that the one which is there is ours: temporary folders are shared."""
    if fcntl is None:
        raise _NoLocks("this system has no flock")
    with _os_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise _NoLocks(f"{folder} belongs to somebody else")
    return folder


def _poll(is_done: Callable[[], bool], max_s: float, interval_s: float) -> bool:
    """Call until it returns true; return whether it did so in time."""
    deadline = time.monotonic() + max_s
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval_s)
    return True
