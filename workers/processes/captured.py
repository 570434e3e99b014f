"""What C and C++ code writes to stdout or stderr, past Python's own objects of that name."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator


class Captured:
    """Text that was written; complete when its block has ended."""

    def __init__(self) -> None:
        self.text = ""

    def lines(self) -> list[str]:
        """Return the lines which are not empty, stripped."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]


@contextlib.contextmanager
def captured(descriptor: int) -> Iterator[Captured]:
    """Take what is written to a file descriptor within the block.

    Args:
        descriptor: 1 for stdout, 2 for stderr.
    """
    found = Captured()
    with tempfile.TemporaryFile() as sink:
        try:
            saved = os.dup(descriptor)
        except OSError:  # Closed: nothing is written, and nobody misses it.
            yield found
            return
        flush = ctypes.CDLL(None).fflush
        flush(None)  # C keeps what was written before in a buffer of its own.
        os.dup2(sink.fileno(), descriptor)
        try:
            yield found
        finally:
            flush(None)
            os.dup2(saved, descriptor)
            os.close(saved)
            sink.seek(0)
            found.text = sink.read().decode(errors="replace")
