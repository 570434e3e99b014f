"""What a second of a worker bought: new trainings beside branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.efficiency.runs import Kind, Run, curve_of
from search.storage.settings import DEFAULT_START

_ROWS = ("start design", "new trainings after it", "branches")


def bought_table(runs: Sequence[Run]) -> str:
    """Return the table of what seconds bought in runs of ``search``.

    Args:
        runs: Of one setting.
    """
    lines = [
        "| what a second of a worker bought | trials a run | seconds each | hypervolume each | "
        "in 1,000 seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    found = [one for run in runs for one in _trials(run)]
    for row in _ROWS:
        seconds = [s for name, s, _ in found if name == row]
        gains = [gain for name, _, gain in found if name == row]
        if not seconds:
            continue
        cells = [
            row,
            f"{len(seconds) / len(runs):.0f}",
            f"{sum(seconds) / len(seconds):.1f}",
            f"{sum(gains) / len(gains):.5f}",
            f"{1000 * sum(gains) / sum(seconds):.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _trials(run: Run) -> Iterator[tuple[str, float, float]]:
    """Yield of each trial what it was, its seconds, and the hypervolume that it added."""
    volumes = curve_of(run).hypervolume.tolist()
    n_new, before = 0, 0.0
    seconds = _seconds((event.seconds for event in run.events), run.setting.workers)
    for event, took, volume in zip(run.events, seconds, volumes, strict=True):
        yield _row(event.kind, n_new), took, volume - before
        n_new += event.kind != "branch"
        before = volume


def _row(kind: Kind, n_new: int) -> str:
    """Return what a trial was, after so many that are no branches."""
    if kind == "branch":
        return "branches"
    return "start design" if n_new < DEFAULT_START else "new trainings after it"


def _seconds(ends: Iterable[float], n_workers: int) -> Iterator[float]:
    """Yield how long trials took: a worker begins the next one when it has ended one."""
    free = [0.0] * n_workers
    for end in ends:
        begun = min(free)
        free[free.index(begun)] = end
        yield end - begun
