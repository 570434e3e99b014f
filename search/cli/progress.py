"""Shows a run while it goes on: live on a terminal, a line now and then elsewhere.

Both are observers (see ``search.run.events``) and also show how far the preparation of the data
is. All of it goes to stderr.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from search.cli.front_plot import is_ascii
from search.cli.live_view import compact_view, live_view
from search.run.events import Observer, RunProgress
from search.run.wording import front, states, times, trials

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

Clock = Callable[[], float]

LINE_INTERVAL_S = 30.0
"""Seconds after which a line is due even if little has happened."""

LINE_SHARE = 0.1
"""Share of all trials after which a line is due."""


class Display(Observer, Protocol):
    """Shows preparation and run. :meth:`close` is called once, whatever happened before."""

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show how far the preparation is; a ``spaces.data.request.Progress``."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


def make_display(console: Console) -> Display:
    """Return the display that suits a console: live if it is a terminal."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console)
    return LineDisplay(console)


class LineDisplay:
    """Writes whole lines, few of them: for logs, CI and pipes.

    Args:
        console: Where to write.
        clock: Seconds from some moment on; tests bring their own.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._written_s = -float("inf")
        self._written_share = 0.0
        self._preparing = ""

    def prepare(self, what: str, done: int, total: int) -> None:
        """Write a line when something starts, and then when one is due."""
        share = done / total if total else 0.0
        if what != self._preparing:
            self._preparing = what
            self._written_share = share
        elif not self._is_due(share):
            return
        self._write(_step(what, done, total), share)

    def start(self, progress: RunProgress) -> None:
        """Write how many trials there are to do."""
        share = _share(progress)
        self._write(f"{progress.study_name}: {trials(progress)}, {states(progress)}", share)

    def update(self, progress: RunProgress) -> None:
        """Write a line when one is due."""
        if self._is_due(_share(progress)):
            self._write(_line(progress), _share(progress))

    def message(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def finish(self, progress: RunProgress) -> None:
        """Write the last line."""
        self._write(_line(progress), _share(progress))

    def close(self) -> None:
        """Nothing is left open."""

    def _is_due(self, share: float) -> bool:
        elapsed_s = self._clock() - self._written_s
        # Far more than a line a second helps nobody, however fast trials are.
        return elapsed_s >= LINE_INTERVAL_S or (
            share - self._written_share >= LINE_SHARE - 1e-9 and elapsed_s >= 1
        )

    def _write(self, text: str, share: float) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
        self._written_s = self._clock()
        self._written_share = share


class LiveDisplay:
    """Redraws a few lines in place while a run goes on.

    Args:
        console: A terminal.
        clock: Seconds from some moment on.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live: Live | None = None
        self._preparing: tuple[str, int, int] | None = None
        self._progress: RunProgress | None = None
        self._updated_s = 0.0
        self._is_over = False

    def __rich__(self) -> RenderableType:
        """Return what the terminal shows now; called several times a second."""
        if self._progress is not None:
            if self._is_over:
                return compact_view(self._progress)
            size = self._console.size
            return live_view(
                self._progress,
                self._clock() - self._updated_s,
                width=self._console.width,
                height=size.height,
                ascii_only=is_ascii(self._console),
            )
        if self._preparing is not None:
            return _bar(*self._preparing)
        return ""

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show a bar."""
        if self._preparing is not None and self._preparing[0] != what:
            self.close()  # Leaves the finished bar above the next one.
        self._preparing = (what, done, total)
        self._open()

    def start(self, progress: RunProgress) -> None:
        """Show the run from now on."""
        self.close()
        self._is_over = False
        self.update(progress)

    def update(self, progress: RunProgress) -> None:
        """Show the newest state at the next refresh."""
        self._progress = progress
        self._updated_s = self._clock()
        self._open()

    def message(self, text: str) -> None:
        """Print a line above the display."""
        self._console.print(text, markup=False)

    def finish(self, progress: RunProgress) -> None:
        """Leave the last state on the terminal, in a few lines."""
        self._is_over = True
        self.update(progress)
        self.close()

    def close(self) -> None:
        """Draw once more, and give the cursor back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _open(self) -> None:
        if self._live is None:
            from rich.live import Live

            # Output of libraries on stdout and stderr would tear the display apart.
            self._live = Live(self, console=self._console, refresh_per_second=4)
            self._live.start()


def _share(progress: RunProgress) -> float:
    return progress.n_done / progress.n_target if progress.n_target else 0.0


def _line(progress: RunProgress) -> str:
    return (
        f"{progress.study_name}: {trials(progress)}, {states(progress)}; {front(progress)}; "
        f"{times(progress)}"
    )


def _step(what: str, done: int, total: int) -> str:
    """Return one line of preparation; nobody counts to one."""
    if total <= 1:
        return f"{what}: done" if done else f"{what} ..."
    return f"{what}: {done:,}/{total:,}"


def _bar(what: str, done: int, total: int) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    if total <= 1:
        return _step(what, done, total)
    row = Table.grid(padding=(0, 2))
    row.add_row(
        what, ProgressBar(total=max(total, 1), completed=done, width=30), f"{done:,}/{total:,}"
    )
    return row
