"""What was found, how bad it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from spaces.errors import SearchError
from spaces.wording import kind_and_line

Level = Literal["ok", "note", "stop"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it is about, in a word or two.
        text: What was found, in one line.
        fix: What to do about it; empty where nothing is to be done.
        level: ``ok``; ``note`` where a run goes, but worse than it could; ``stop`` where none
            does.
    """

    topic: str
    text: str
    fix: str = ""
    level: Level = "ok"

    def __post_init__(self) -> None:
        """Check that whatever stops a run says what to do."""
        assert self.fix or self.level != "stop", self


def looked_at(topic: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what a look finds; one that fails is a finding too, and ends no other.

    Args:
        topic: Of the finding if it fails.
        look: Looks at one thing.
    """
    try:
        yield from look()
    except (SearchError, OSError) as error:
        text = str(error) if isinstance(error, SearchError) else kind_and_line(error)
        yield Finding(topic, text, "See to what it names, and run `search doctor` again.", "stop")
