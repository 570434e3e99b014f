"""What to type after a run."""

from __future__ import annotations

import os
from shlex import join

from search.cli.console import hint
from search.cli.options import STORAGE_VARIABLE
from search.front.read import StudyFront
from search.storage.attributes import DEFAULT_STORAGE
from search.storage.urls import masked

_ENDINGS = {
    "timeout": "Time is up before all trials are done; the same command goes on.",
    "exhausted": "There is nothing new left to try in this search space.",
}


def say_what_next(front: StudyFront, storage: str, again: list[str], ended_by: str) -> None:
    """Write the commands that people want to type after a run.

    Args:
        front: The study as it is now.
        storage: Its database.
        again: The command that goes on with the study, without the storage.
        ended_by: What ended the run.
    """
    # What stands in the environment need not be typed; a password is not for logs.
    is_understood = storage in (DEFAULT_STORAGE, os.environ.get(STORAGE_VARIABLE))
    at = [] if is_understood else ["--storage", masked(storage) if "://" in storage else storage]
    commands = [
        (["search", "front", front.study, *at], "the whole front"),
        (["search", "report", front.study, *at, "-o", "report.html"], "one page to choose from"),
        (["search", "dashboard", *at], "the study in a browser"),
        (["search", "export", front.study, *at, "-o", "best.json"], "one model, to retrain it"),
        ([*again, *at], "go on searching"),
    ]
    if not front.points:
        commands = commands[-1:]
    elif ended_by == "exhausted":
        commands = commands[:-1]
    hint()
    if ended_by in _ENDINGS:
        hint(_ENDINGS[ended_by])
    hint("Next:")
    for words, meaning in commands:
        hint(f"  {join(words):<44}  {meaning}")
