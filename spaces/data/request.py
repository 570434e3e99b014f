"""What is asked of a task's data, and how its progress is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""


def no_progress(what: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class DataRequest:
    """What a task's ``load_data`` is asked for.

    Attributes:
        path: What the person gave with ``--data``: a folder or an ``.npz``; None for the
            task's own data.
        cache_dir: Folder for decoded or drawn images, shared by all studies of this user.
        progress: Called while it takes time.
        group_by: Which pictures of a folder belong together, as
            :func:`spaces.data.groups.groups_asked_for` reads it; None for what shows by itself.
        split_rule: How missing splits are drawn: ``sized``, or ``stratified`` or ``by_name`` as
            studies of earlier versions did (see :mod:`spaces.data.drawn_splits`).
    """

    path: Path | None
    cache_dir: Path
    progress: Progress = no_progress
    group_by: str | None = None
    split_rule: str = "sized"
