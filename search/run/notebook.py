"""Shows a run below the cell of a notebook that started it."""

from __future__ import annotations

from html import escape

from search.notebook import HtmlArea, NotebookBar, bar_html
from search.run.events import RunProgress
from search.run.wording import front, states, times, trials

MAX_MESSAGES = 12
"""Messages that stay to be seen; there may be one for every lost worker of a long run."""


class NotebookDisplay:
    """An observer that shows a run in place, and messages below it.

    Args:
        area: Where it is shown.
    """

    def __init__(self, area: HtmlArea | None = None) -> None:
        self._area = area or HtmlArea()
        self._bar: NotebookBar | None = None
        self._progress: RunProgress | None = None
        self._messages: list[str] = []

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show how far the preparation is; a ``spaces.data.request.Progress``."""
        if self._bar is None:
            self._bar = NotebookBar(self._area)
        self._bar(what, done, total)

    def start(self, progress: RunProgress) -> None:
        """Show the run from now on."""
        self._progress = progress
        self._show(now=True)

    def update(self, progress: RunProgress) -> None:
        """Show the newest state."""
        self._progress = progress
        self._show()

    def message(self, text: str) -> None:
        """Show a line below."""
        self._messages.append(text)
        if self._progress is not None:
            self._show(now=True)

    def finish(self, progress: RunProgress) -> None:
        """Leave the last state."""
        self._progress = progress
        self._show(now=True)

    def _show(self, *, now: bool = False) -> None:
        assert self._progress is not None
        progress = self._progress
        lines = [states(progress), front(progress), progress.last]
        shown = self._messages[-MAX_MESSAGES:]
        if len(shown) < len(self._messages):
            shown = [f"... {len(self._messages) - len(shown)} more before", *shown]
        head = f"{trials(progress)}, {times(progress)}"
        html = (
            f"<div><b>{escape(progress.study_name)}</b> "
            f"{bar_html(progress.n_done, progress.n_target)} {escape(head)}"
            + "".join(f"<br>{escape(line)}" for line in lines if line)
            + "".join(f'<br><span style="opacity:.7">{escape(line)}</span>' for line in shown)
            + "</div>"
        )
        plain = "\n".join([f"{progress.study_name}: {head}", *filter(None, lines), *shown])
        self._area.show(html, plain, now=now)
