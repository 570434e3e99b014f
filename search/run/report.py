"""How a run ended: what :func:`search.run_study` returns."""

from __future__ import annotations

from dataclasses import dataclass

from search.run.events import RunProgress
from search.run.wording import front, trials
from workers.messages.executor import Interrupted


@dataclass(frozen=True, repr=False)
class RunReport:
    """How a run ended.

    Attributes:
        progress: Where the study stands.
        ended_by: ``target``, ``timeout``, ``interrupt`` (Ctrl-C, SIGTERM, SIGHUP) or
            ``exhausted`` (nothing new to try).
        n_abandoned: Trials under way that were given up, to be tried again.
        signal_number: Of the signal that interrupted it; 0 if none did.
    """

    progress: RunProgress
    ended_by: str
    n_abandoned: int = 0
    signal_number: int = 0

    def check_whole(self) -> None:
        """Raise the signal that cut the run short; whoever measures runs takes no part for one.

        Raises:
            KeyboardInterrupt: If Ctrl-C, SIGTERM or SIGHUP ended it.
        """
        if self.ended_by == "interrupt":
            raise Interrupted(self.signal_number)

    def __repr__(self) -> str:
        """Return where the study stands, in one line: what a notebook shows of it."""
        found = self.progress
        return f"<RunReport {found.study_name}: {trials(found)}, {front(found)}; {self.ended_by}>"
