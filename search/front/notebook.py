"""A front in a notebook: an HTML table, and a data frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

from search.front.rows import certainty, point_row
from search.front.study_front import FrontPoint, StudyFront
from search.units import format_accuracy, format_latency, format_size
from spaces.errors import SearchError
from spaces.wording import counted

if TYPE_CHECKING:
    import pandas

MAX_ROWS = 20
"""Rows of the table; a data frame has them all."""

_PICKS = {"knee": "best compromise", "accuracy": "best", "size": "smallest", "latency": "fastest"}


@contextmanager
def needs(module: str) -> Iterator[None]:
    """Say how to install a library where an import of it fails.

    Raises:
        SearchError: Instead of the ``ModuleNotFoundError``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module:
            raise
        raise SearchError(
            f"This needs {module}, which is not installed: pip install 'litefront[notebook]'"
        ) from error


def front_frame(front: StudyFront) -> pandas.DataFrame:
    """Return the points of a front as a data frame, indexed by trial."""
    with needs("pandas"):
        import pandas
    rows = [
        point_row(point)
        | certainty(front, point)
        | {f"params_{name}": value for name, value in point.params.items()}
        for point in front.points
    ]
    if not rows:
        return pandas.DataFrame(index=pandas.Index([], name="trial"))
    return pandas.DataFrame(rows).set_index("trial")


def front_html(front: StudyFront) -> str:
    """Return a front as a table of HTML; whatever comes from a study is escaped."""
    head = (
        f"<b>{escape(front.study)}</b>: {counted(front.n_trials, 'trial')}, "
        f"{counted(len(front.points), 'point')} on the front, hypervolume "
        f"{front.hypervolume:.4f}<br>{escape(front.data_name)}"
    )
    if front.generated and "generated" not in front.data_name:
        head += " (generated pictures)"
    head += f"; latency: {escape(front.device)}"
    if not front.points:
        return f"<div>{head}<br>No point yet.</div>"
    shown = _selection(front)
    marks = _marks(front)
    rows = "".join(_row(point, marks.get(point.trial, "")) for point in shown)
    names = ("trial", "accuracy", "size", "latency", "scheme", "sparsity", "")
    titles = "".join(f"<th>{name}</th>" for name in names)
    more = len(front.points) - len(shown)
    foot = f"<div>{counted(more, 'more point')}: to_frame() has all.</div>" if more else ""
    context = front.accuracy_context.line(max(point.accuracy for point in shown))
    return (
        f"<div>{head}</div><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"
        f"{foot}<div>{escape(context)}</div>"
    )


def _marks(front: StudyFront) -> dict[int, str]:
    marks: dict[int, str] = {}
    for rule, name in _PICKS.items():
        trial = front.pick(rule).trial  # type: ignore[arg-type]
        marks[trial] = f"{marks[trial]}, {name}" if trial in marks else name
    return marks


def _selection(front: StudyFront) -> list[FrontPoint]:
    """Return points spread over the order by size, those that rules pick among them."""
    points = front.points
    if len(points) <= MAX_ROWS:
        return list(points)
    marked = _marks(front)
    kept = {index for index, point in enumerate(points) if point.trial in marked}
    n_even = MAX_ROWS - len(kept)
    kept |= {round(n * (len(points) - 1) / (n_even - 1)) for n in range(n_even)}
    return [points[index] for index in sorted(kept)]


def _row(point: FrontPoint, mark: str) -> str:
    cells = (
        str(point.trial),
        format_accuracy(point.accuracy),
        format_size(point.size_bytes),
        format_latency(point.latency_ms),
        point.quantization,
        "" if point.sparsity is None else f"{100 * point.sparsity:.0f} %",
        mark,
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
