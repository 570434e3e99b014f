"""Ctrl-C at a moment of our choosing.

A ``KeyboardInterrupt`` may strike between any two instructions, also between writing a trial
and remembering that it was written. So while a driver runs, the first Ctrl-C (or SIGTERM) only
leaves a note, unless the driver waits for workers: there it is raised at once. The second one
is raised wherever it strikes.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Catches interrupts of the main thread while it is entered."""

    def __init__(self) -> None:
        self.is_requested = False
        self._is_waiting = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # Signals come to the main thread only; in another one there is nothing to catch.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        is_second, self.is_requested = self.is_requested, True
        if is_second or self._is_waiting:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise what was requested.

        Raises:
            KeyboardInterrupt: If somebody pressed Ctrl-C.
        """
        if self.is_requested:
            raise KeyboardInterrupt

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let an interrupt strike at once within the block."""
        self._is_waiting = True
        try:
            self.check()
            yield
        finally:
            self._is_waiting = False
