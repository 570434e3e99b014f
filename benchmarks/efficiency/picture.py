"""Picture of the efficiency benchmark: hypervolume along three axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.efficiency.duels import Spread, count
from benchmarks.efficiency.methods import COLOURS, SEARCH, label
from benchmarks.efficiency.runs import Array, Curve, Setting


def band(curves: Sequence[Curve], along: str, grid: Array) -> tuple[Array, Array, Array]:
    """Return median, lowest and highest hypervolume of runs at the points of a grid.

    A run that ended earlier keeps what it had.
    """
    rows = []
    for curve in curves:
        indices = np.searchsorted(count(curve, along), grid, side="right")
        rows.append(np.concatenate([[0.0], curve.hypervolume])[indices])
    stacked = np.array(rows)
    return np.median(stacked, axis=0), stacked.min(axis=0), stacked.max(axis=0)


def draw(setting: Setting, curves_of: Mapping[str, Sequence[Curve]], path: Path) -> None:
    """Draw hypervolume against seconds, trainings and epochs.

    Args:
        setting: What all runs have in common.
        curves_of: Curves of the runs by method. Those with parts switched off are not shown.
        path: The picture to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    axes_of = {
        "seconds": "seconds since workers were ready",
        "trainings": "trainings, branches included",
        "epochs": "epochs trained",
    }
    figure, panels = plt.subplots(1, 3, figsize=(12, 4), dpi=90, sharey=True)
    shown = {method: found for method, found in curves_of.items() if method in COLOURS}
    finals = [Spread.of(curve.final for curve in found).median for found in shown.values()]
    lowest_shown = 0.75 * min(finals, default=0.0)
    for panel, (along, name) in zip(panels, axes_of.items(), strict=True):
        for method, curves in shown.items():
            ends = [float(count(curve, along)[-1]) for curve in curves]
            starts = [float(count(curve, along)[0]) for curve in curves]
            low = max(min(starts), 1.0)
            grid = np.geomspace(low, max(*ends, low * 1.01), 300)
            middle, lowest, highest = band(curves, along, grid)
            colour = COLOURS[method]
            text = label(method).replace("`", "")
            panel.plot(
                grid, middle, color=colour, linewidth=2.4 if method == SEARCH else 1.4, label=text
            )
            panel.fill_between(grid, lowest, highest, color=colour, alpha=0.15, linewidth=0)
        panel.set_xscale("log")
        panel.set_xlim(left=_entry(shown.values(), along, lowest_shown))
        panel.set_xlabel(name)
        panel.grid(True, which="both", alpha=0.2)
        panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
    panels[0].set_ylim(lowest_shown, max(finals, default=1.0) * 1.02)
    panels[0].set_ylabel("hypervolume")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="lower center", ncol=len(names), frameon=False)
    figure.suptitle(
        f"{setting.task}: {setting.length}, {setting.epochs} epochs, {setting.workers} "
        f"workers; median and range",
        fontsize=10,
    )
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def _entry(groups: Iterable[Sequence[Curve]], along: str, hypervolume: float) -> float:
    """Return where the first curve comes into the picture, and a little less."""
    entries = [
        float(count(curve, along)[index])
        for curves in groups
        for curve in curves
        if (index := curve.reached(hypervolume)) is not None
    ]
    return 0.8 * max(min(entries, default=1.0), 1.0)
