"""Tables and picture of the efficiency benchmark, from the files that its runs left."""

from __future__ import annotations

import math
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.efficiency_runs import Array, Curve, Run, Setting, curve_of

RESULTS = Path(__file__).with_name("RESULTS.md")
DOCS = Path(__file__).resolve().parents[1] / "docs"
SEARCH = "search"

LABELS: Mapping[str, str] = {
    "random": "random search",
    "optuna-tpe": "Optuna, TPE",
    "optuna-nsga2": "Optuna, NSGA-II",
    "tune": "Ray Tune, OptunaSearch",
    "tune-asha": "Ray Tune, OptunaSearch, ASHA",
    "kerastuner": "KerasTuner Hyperband, then a grid",
    "search": "`search run`",
    "search-no-fan-out": "`search run`, no fan-out",
    "search-no-race": "`search run`, no race",
    "search-no-branch": "`search run`, no branches",
    "search-no-gate": "`search run`, no gate",
}
"""Methods in the order in which they are shown."""

COLOURS: Mapping[str, str] = {
    "random": "#999999",
    "optuna-tpe": "#0072b2",
    "optuna-nsga2": "#56b4e9",
    "tune": "#009e73",
    "tune-asha": "#e69f00",
    "kerastuner": "#cc79a7",
    "search": "#d55e00",
}


@dataclass(frozen=True)
class Spread:
    """Median and range of one quantity over runs; infinite where it was never reached."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values."""
        found = sorted(values)
        # Between a number and infinity there is no middle: the worse one counts.
        middle = found[len(found) // 2] if math.inf in found else statistics.median(found)
        return cls(middle, found[0], found[-1])

    def text(self, digits: int = 0, missing: str = "not reached") -> str:
        """Return ``median (low to high)``."""

        def one(value: float) -> str:
            return f"{value:,.{digits}f}" if math.isfinite(value) else missing

        if one(self.low) == one(self.high):
            return one(self.median)
        return f"{one(self.median)} ({one(self.low)} to {one(self.high)})"


@dataclass(frozen=True)
class Duel:
    """One run of ``search`` against one run of another program.

    Attributes:
        target: Hypervolume that the other had in the end.
        peer_s: Seconds after which the other had it.
        ours_s: Seconds after which ``search`` had it; infinite if never.
        seconds: How many times as many seconds the other took; 0 if ``search`` never got there.
        trainings: The same of trainings, branches included on our side.
        epochs: The same of epochs trained, in trainings and branches.
        points: The same of measured models, derived ones included.
        ours_then: Hypervolume that ``search`` had when the other ended.
    """

    target: float
    peer_s: float
    ours_s: float
    seconds: float
    trainings: float
    epochs: float
    points: float
    ours_then: float


def duel(ours: Curve, peer: Curve) -> Duel:
    """Compare one run with one of another program, at the other's final hypervolume."""
    there, here = peer.reached(peer.final), ours.reached(peer.final)
    if there is None:
        raise ValueError("A run without events cannot be compared with.")
    then = ours.at(float(peer.seconds[-1]))
    peer_s = float(peer.seconds[there])
    if here is None:
        return Duel(peer.final, peer_s, math.inf, 0.0, 0.0, 0.0, 0.0, then)

    def ratio(name: str) -> float:
        counts = [_count(curve, name) for curve in (peer, ours)]
        return float(counts[0][there]) / max(float(counts[1][here]), 1e-9)

    return Duel(
        target=peer.final,
        peer_s=peer_s,
        ours_s=float(ours.seconds[here]),
        seconds=ratio("seconds"),
        trainings=ratio("trainings"),
        epochs=ratio("epochs"),
        points=ratio("points"),
        ours_then=then,
    )


def _count(curve: Curve, name: str) -> Array:
    if name == "trainings":
        return curve.trainings + curve.branches
    found: Array = getattr(curve, name)
    return found


class Report:
    """What the runs of one setting show.

    Args:
        runs: Runs of one setting, any methods and seeds.

    Raises:
        ValueError: If there are none, or they were made with several settings.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        settings = {run.setting for run in runs}
        if len(settings) != 1:
            raise ValueError(f"Runs of one setting are needed, but got {len(settings)} settings.")
        self.setting: Setting = settings.pop()
        self.runs = [run for run in runs if run.events]
        self.curves: dict[str, list[Curve]] = {
            method: [curve_of(run) for run in self.runs if run.method == method]
            for method in _in_order(run.method for run in self.runs)
        }

    @property
    def peers(self) -> list[str]:
        """Methods that are other programs."""
        return [method for method in self.curves if not method.startswith(SEARCH)]

    @property
    def ours(self) -> list[str]:
        """``search``, whole and with parts switched off."""
        return [method for method in self.curves if method.startswith(SEARCH)]

    @property
    def best_peer(self) -> str | None:
        """The other program with the highest final hypervolume, by its median."""
        return max(self.peers, key=lambda method: self.final(method).median, default=None)

    def final(self, method: str) -> Spread:
        """Return the final hypervolume of a method."""
        return Spread.of(curve.final for curve in self.curves[method])

    def duels(self, ours: str, peer: str) -> list[Duel]:
        """Compare every run of ours with every run of another program."""
        return [duel(a, b) for a, b in product(self.curves[ours], self.curves[peer])]

    # --- Tables ---------------------------------------------------------------------------

    def totals(self) -> str:
        """Return the table of what each method had in the end."""
        lines = [
            "| in the end | runs | hypervolume | seconds | trainings | branches | epochs | points "
            "| set-up, s |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for method, curves in self.curves.items():

            def last(name: str, curves: list[Curve] = curves) -> str:
                return Spread.of(float(getattr(curve, name)[-1]) for curve in curves).text()

            setup = Spread.of(run.setup_s for run in self.runs if run.method == method)
            cells = [
                label(method),
                str(len(curves)),
                self.final(method).text(4),
                *(last(name) for name in ("seconds", "trainings", "branches", "epochs", "points")),
                setup.text(),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def ratios(self) -> str:
        """Return the table of ``search`` against each other program."""
        lines = [
            "| `search run` against | its final hypervolume | its seconds to there | ours | "
            "ratio of seconds | of trainings | of epochs | of points | reached | "
            "ours when it ended |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [self._ratio_row(label(peer), SEARCH, peer) for peer in self.peers]
        return "\n".join(lines)

    def ablations(self) -> str:
        """Return the table of our variants against the best other program."""
        best = self.best_peer
        if best is None:
            return ""
        lines = [
            f"| against {label(best)} | its final hypervolume | its seconds to there | ours | "
            "ratio of seconds | of trainings | of epochs | of points | reached | "
            "ours when it ended |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [self._ratio_row(label(ours), ours, best) for ours in self.ours]
        return "\n".join(lines)

    def _ratio_row(self, name: str, ours: str, peer: str) -> str:
        duels = self.duels(ours, peer)

        def of(get: Callable[[Duel], float]) -> Spread:
            return Spread.of(get(one) for one in duels)

        reached = sum(math.isfinite(one.ours_s) for one in duels)
        cells = [
            name,
            of(lambda one: one.target).text(4),
            of(lambda one: one.peer_s).text(),
            of(lambda one: one.ours_s).text(),
            of(lambda one: one.seconds).text(1),
            of(lambda one: one.trainings).text(1),
            of(lambda one: one.epochs).text(1),
            of(lambda one: one.points).text(1),
            f"{reached} of {len(duels)}",
            of(lambda one: one.ours_then).text(4),
        ]
        return f"| {' | '.join(cells)} |"

    def facts(self) -> str:
        """Return what a reader needs to know of the setting, and of the machine."""
        s = self.setting
        seeds = sorted({run.seed for run in self.runs})
        machines = [run.machine for run in self.runs if run.machine]
        loads = [float(facts["load"]) for facts in machines if "load" in facts]
        found = machines[-1] if machines else {}
        text = (
            f"{s.data}: {s.n_train:,} training and {s.n_val:,} validation images; {s.epochs} "
            f"epochs a full training, {s.trials} trials, {s.workers} workers, seeds "
            f"{', '.join(map(str, seeds))}."
        )
        if not found:
            return text
        load = f", load {min(loads):.1f} to {max(loads):.1f} when a run began" if loads else ""
        return (
            f"{text}\n\n{found.get('cpu', '')}{load}; Python {found.get('python', '')}, "
            f"{found.get('libraries', '')}; {found.get('date', '')}."
        )

    def to_markdown(self) -> str:
        """Return the section of RESULTS.md."""
        parts = [title(self.setting.task), INTRODUCTION, self.facts(), self.totals()]
        if SEARCH in self.curves and self.peers:
            parts += [RATIOS, self.ratios()]
            if len(self.ours) > 1:
                parts += [ABLATIONS, self.ablations()]
        return "\n\n".join(parts) + "\n"


INTRODUCTION = """\
`python -m benchmarks.efficiency`: the same space, data, epochs and number of workers for all.
Everybody trains, converts and measures with our code, in actors that import TensorFlow once and
share the data; nobody else pays for our gate. Clocks start when workers are ready. Plain programs
run so many trials, each a full training; ASHA and KerasTuner, which train in parts, spend the
epochs of as many full trainings. `search run` ends after as many trials (a branch is one), or
after the others' median seconds. Medians, and ranges over runs."""

RATIOS = """\
Seconds, trainings (with branches), epochs and measured points that the other program took to its
own final hypervolume, over those that `search run` took to the same. Every run against every
run; a ratio of 0.0 is one where it was not reached."""

ABLATIONS = "With parts switched off, against the other program with the best final hypervolume."


def title(task: str) -> str:
    """Return the heading of a task's section."""
    return f"## Efficiency: {task}"


def label(method: str) -> str:
    """Return what a method is called in tables."""
    return LABELS.get(method, method)


def _in_order(methods: Iterable[str]) -> list[str]:
    order = list(LABELS)
    return sorted(
        set(methods), key=lambda name: (order.index(name) if name in order else 99, name)
    )


def replace_section(text: str, heading: str, section: str) -> str:
    """Return a document with one section replaced, or added at its end."""
    pattern = re.compile(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if not pattern.search(text):
        return f"{text.rstrip()}\n\n{section.rstrip()}\n"
    replaced = pattern.sub(lambda _: f"{section.rstrip()}\n\n", text)
    return f"{replaced.rstrip()}\n"


# --- Picture ------------------------------------------------------------------------------


def band(curves: Sequence[Curve], along: str, grid: Array) -> tuple[Array, Array, Array]:
    """Return median, lowest and highest hypervolume of runs at the points of a grid.

    A run that ended earlier keeps what it had.
    """
    rows = []
    for curve in curves:
        indices = np.searchsorted(_count(curve, along), grid, side="right")
        rows.append(np.concatenate([[0.0], curve.hypervolume])[indices])
    stacked = np.array(rows)
    return np.median(stacked, axis=0), stacked.min(axis=0), stacked.max(axis=0)


def draw(report: Report, path: Path) -> None:
    """Draw hypervolume against seconds, trainings and epochs."""
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
    shown = [method for method in report.curves if method in COLOURS]
    finals = [report.final(method).median for method in shown]
    lowest_shown = 0.75 * min(finals, default=0.0)
    for panel, (along, name) in zip(panels, axes_of.items(), strict=True):
        for method in shown:
            curves = report.curves[method]
            ends = [float(_count(curve, along)[-1]) for curve in curves]
            starts = [float(_count(curve, along)[0]) for curve in curves]
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
        panel.set_xlim(left=_entry(report, shown, along, lowest_shown))
        panel.set_xlabel(name)
        panel.grid(True, which="both", alpha=0.2)
        panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
    panels[0].set_ylim(lowest_shown, max(finals, default=1.0) * 1.02)
    panels[0].set_ylabel("hypervolume")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="lower center", ncol=len(names), frameon=False)
    setting = report.setting
    figure.suptitle(
        f"{setting.task}: {setting.trials} trials, {setting.epochs} epochs, {setting.workers} "
        f"workers; median and range",
        fontsize=10,
    )
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def _entry(report: Report, methods: Iterable[str], along: str, hypervolume: float) -> float:
    """Return where the first curve comes into the picture, and a little less."""
    entries = [
        float(_count(curve, along)[index])
        for method in methods
        for curve in report.curves[method]
        if (index := curve.reached(hypervolume)) is not None
    ]
    return 0.8 * max(min(entries, default=1.0), 1.0)


def write_report(runs: Sequence[Run], results: Path = RESULTS, docs: Path = DOCS) -> None:
    """Write the section of RESULTS.md and the picture of one task."""
    try:
        report = Report(runs)
    except ValueError as error:
        sys.exit(f"efficiency: {error}")
    text = results.read_text() if results.exists() else "# Benchmarks\n"
    section = report.to_markdown()
    picture = docs / f"efficiency_{Path(report.setting.task).stem}.png"
    draw(report, picture)
    section += f"\n![Hypervolume against seconds, trainings and epochs](../docs/{picture.name})\n"
    results.write_text(replace_section(text, title(report.setting.task), section))
    print(section)
