"""Several studies as people read them: the list, and two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.cli.front_table import data_line
from search.front.compare import Comparison
from search.front.study_front import StudyFront
from search.tables import plain_table
from search.units import format_accuracy, format_size
from spaces.wording import counted

if TYPE_CHECKING:
    from rich.console import Console


def print_studies(console: Console, fronts: Sequence[StudyFront]) -> None:
    """Print one line for each study."""
    table = plain_table()
    # Names are to be copied: the data column gives way first.
    longest = max((len(front.study) for front in fronts), default=0)
    table.add_column("study", overflow="fold", min_width=min(longest, 24))
    # Most studies are named after their task, and 80 columns are full without.
    with_task = console.width > 80 and any(front.study != front.task for front in fronts)
    if with_task:
        table.add_column("task", overflow="fold")
    for name in ("trials", "front", "best", "volume"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("device", overflow="fold")
    table.add_column("data", overflow="fold", min_width=11)  # Of "(generated)".
    table.add_column("active", no_wrap=True, min_width=10)
    for front in fronts:
        target = "" if front.n_target is None else f"/{front.n_target:,}"
        when = front.last_activity
        table.add_row(
            front.study,
            *([front.task] if with_task else []),
            f"{front.n_trials:,}{target}",
            f"{len(front.points):,}",
            format_accuracy(front.pick("accuracy").accuracy) if front.points else "",
            f"{front.hypervolume:.4f}",
            front.device,
            data_line(front.data_name, front.generated).replace(" pictures)", ")"),
            "" if when is None else f"{when:%Y-%m-%d}",
        )
    console.print(table)


def print_comparison(console: Console, found: Comparison) -> None:
    """Print how two studies compare."""
    first, second = found.fronts
    for line in found.differences:
        console.print(f"Careful: {line}", markup=False)
    table = plain_table()
    table.add_column("")
    for front in found.fronts:
        table.add_column(front.study, justify="right", overflow="fold")
    rows: list[tuple[str, Sequence[str]]] = [
        ("trials", [f"{front.n_trials:,}" for front in found.fronts]),
        ("points on the front", [f"{len(front.points):,}" for front in found.fronts]),
        ("hypervolume", [f"{one:.4f}" for one in found.hypervolumes]),
        ("of both together", [f"{found.joint_hypervolume:.4f}", ""]),
        ("dominated by the other", [f"{one:,}" for one in found.n_dominated]),
    ]
    for name, cells in rows:
        table.add_row(name, *cells)
    console.print(table)
    if found.n_equal:
        console.print(f"{counted(found.n_equal, 'point')} of {first.study} is in both.")
    console.print()
    sizes = plain_table()
    for name in ("best accuracy up to", first.study, second.study, "gain"):
        sizes.add_column(name, justify="right", overflow="fold")
    for gain in found.gains:
        sizes.add_row(
            format_size(gain.size_bytes),
            *("" if one is None else format_accuracy(one) for one in gain.accuracies),
            "" if gain.gain is None else f"{100 * gain.gain:+.1f}",
        )
    console.print(sizes)
    if first.points and second.points:
        context = first.accuracy_context
        low, high = context.interval(first.pick("accuracy").accuracy)
        console.print(
            f"Of {context.n_images:,} {context.split} {context.nouns}, {first.study}'s best means "
            f"{100 * low:.1f} to {100 * high:.1f} % (95 %): smaller gains may be luck.",
            markup=False,
        )
    console.print(_verdict(found), markup=False)


def _verdict(found: Comparison) -> str:
    names = [front.study for front in found.fronts]
    volumes = found.hypervolumes
    if volumes[0] == volumes[1]:
        return "Both fronts dominate the same volume."
    better = int(volumes[1] > volumes[0])
    lead = abs(volumes[1] - volumes[0])
    share = f" ({lead / volumes[1 - better]:.1%} more)" if volumes[1 - better] else ""
    return f"{names[better]} dominates more: {lead:.4f}{share}."


def comparison_to_dict(found: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data."""
    return {
        "studies": [
            {
                "study": front.study,
                "n_trials": front.n_trials,
                "front_size": len(front.points),
                "hypervolume": volume,
                "n_dominated_by_other": n_dominated,
            }
            for front, volume, n_dominated in zip(
                found.fronts, found.hypervolumes, found.n_dominated, strict=True
            )
        ],
        "reference_point": found.reference.to_dict(),
        "joint_hypervolume": found.joint_hypervolume,
        "n_equal": found.n_equal,
        "gains": [
            {
                "max_size_bytes": gain.size_bytes,
                "best_accuracies": list(gain.accuracies),
                "gain": gain.gain,
            }
            for gain in found.gains
        ],
        "differences": list(found.differences),
    }
