"""A watch over a Ray of our own: its end becomes one line even where nobody can raise.

Whoever calls Ray while its GCS is gone waits within C++, where no exception and no signal of
Python gets through, and after a minute C++ ends the process without a word about why.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from spaces.errors import WorkersLostError

PATIENCE_S = 40.0
"""How long the process may take to notice by itself; Ray ends it after 60 s."""

_POLL_S = 1.0


class Watch:
    """Ends this process with one line when Ray has died and nobody has noticed for too long.

    Args:
        check: Raises ``WorkersLostError`` when Ray has died.
        clean_up: Removes what is left of it; called before the process ends.
    """

    def __init__(self, check: Callable[[], None], clean_up: Callable[[], None]) -> None:
        self._check, self._clean_up = check, clean_up
        self._is_over = threading.Event()
        self._may_end = threading.Lock()
        threading.Thread(target=self._look, name="watch over Ray", daemon=True).start()

    def stop(self) -> None:
        """End the watch: Ray's end was noticed, or is wanted. May be called twice."""
        self._is_over.set()
        with self._may_end:  # Or it ends the process within that.
            pass

    def _look(self) -> None:
        while not self._is_over.wait(_POLL_S):
            try:
                self._check()
            except WorkersLostError as error:
                if not self._is_over.wait(PATIENCE_S):
                    self._end(str(error))
                return

    def _end(self, reason: str) -> None:
        with self._may_end:
            if self._is_over.is_set():
                return
            try:
                self._clean_up()
            finally:
                sys.stderr.write(f"\nError: {reason}\n")
                sys.stderr.flush()
                os._exit(1)
