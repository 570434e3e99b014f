"""How many images of which class each split holds, and what was left out, as lines to read.

The layout of a folder is read from names. What was understood is shown before anything is
searched, and stored with the study, so that nobody finds out from an odd accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spaces.data.dataset import SPLIT_NAMES, Dataset
from spaces.wording import one_line

MAX_ROWS = 24
"""Classes that get a row each; more are written one after another."""

ClassCounts = Mapping[str, Sequence[int]]
"""For each split, images of every class in the order of the labels."""


def count_classes(dataset: Dataset) -> dict[str, list[int]]:
    """Return the images of every class in each split, in the order of the labels."""
    return {
        name: np.bincount(getattr(dataset, name).labels, minlength=dataset.n_classes).tolist()
        for name in SPLIT_NAMES
    }


def describe_classes(
    class_names: Sequence[str], counts: ClassCounts, ignored: Mapping[str, int]
) -> list[str]:
    """Return lines that say what a data set holds.

    Args:
        class_names: In the order of the labels.
        counts: As :func:`count_classes` returns them; empty for studies that hold none.
        ignored: Files that were left out, by kind.

    Returns:
        A table of classes and splits (run-in for more than ``MAX_ROWS`` classes), and a line
        on what was ignored; none of what is not known.
    """
    lines = []
    if counts:
        splits = [name for name in SPLIT_NAMES if name in counts]
        rows = [
            (one_line(name), [f"{counts[split][label]:,}" for split in splits])
            for label, name in enumerate(class_names)
        ]
        total = ("all", [f"{sum(counts[split]):,}" for split in splits])
        if len(rows) <= MAX_ROWS:
            lines += _aligned([("class", splits), *rows, total])
        else:
            lines.append(f"{len(rows)} classes, images in {' / '.join(splits)}:")
            lines.append(", ".join(f"{name} {' / '.join(cells)}" for name, cells in rows))
            lines.append(f"all {' / '.join(total[1])}")
    if ignored:
        lines.append(f"ignored: {describe_ignored(ignored)}")
    return lines


def describe_ignored(ignored: Mapping[str, int]) -> str:
    """Return ``12 .xml, 3 thumbnails (@eaDir)``, the most first."""
    ordered = sorted(ignored.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered)


def _aligned(rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[i]) for _, cells in rows) for i in range(len(rows[0][1]))]
    return [
        "  ".join(
            [name.ljust(first), *(c.rjust(width) for c, width in zip(cells, widths, strict=True))]
        )
        for name, cells in rows
    ]
