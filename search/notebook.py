"""What a Jupyter notebook shows while something takes its time.

IPython is there wherever there is a notebook, and nowhere else: it is asked for by name only once
a kernel is known to run, and is no dependency.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from spaces.data.request import Progress, no_progress

MIN_INTERVAL_S = 0.2
"""Seconds between two updates: each is a message to the browser."""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def progress_for_notebook(progress: Progress) -> Progress:
    """Return a progress bar where nobody asked for another progress in a notebook."""
    return NotebookBar() if progress is no_progress and in_notebook() else progress


class HtmlArea:
    """A place below a cell whose HTML is replaced, at most some times a second.

    Args:
        clock: Seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._handle: Any = None
        self._shown_s = -float("inf")

    def show(self, html: str, plain: str, *, now: bool = False) -> None:
        """Show HTML in place of what was there.

        Args:
            html: What is shown; the caller has escaped what is not its own.
            plain: The same for what shows no HTML.
            now: Whether it must be shown, however soon after the last time.
        """
        if not now and self._clock() - self._shown_s < MIN_INTERVAL_S:
            return
        self._shown_s = self._clock()
        self._send(html, plain)

    def _send(self, html: str, plain: str) -> None:
        data = {"text/html": html, "text/plain": plain}
        if self._handle is None:
            shown = importlib.import_module("IPython.display")
            self._handle = shown.display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class NotebookBar:
    """A progress bar below a cell; a ``spaces.data.request.Progress``.

    Args:
        area: Where it is shown.
    """

    def __init__(self, area: HtmlArea | None = None) -> None:
        self._area = area or HtmlArea()
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far something is."""
        is_new, self._what = what != self._what, what
        text = f"{what}: {done:,}/{total:,}" if total > 1 else what
        html = f"{bar_html(done, total)} {escape(text)}"
        self._area.show(html, text, now=is_new or done >= total)


def bar_html(done: float, total: float) -> str:
    """Return a bar that needs no style sheet and no script."""
    return f'<progress max="{max(total, 1):g}" value="{done:g}" style="width:14em"></progress>'
