"""Tables of the efficiency benchmark, from the files that its runs left."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

from benchmarks.efficiency.duels import Duel, Spread, duel
from benchmarks.efficiency.methods import LABELS, SEARCH, label
from benchmarks.efficiency.picture import draw
from benchmarks.efficiency.runs import Curve, Run, Setting, curve_of
from benchmarks.results import RESULTS, write_section

DOCS = Path(__file__).resolve().parents[2] / "docs"


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
        if s.fixed:
            text += f" All search with {s.fixed}."
        if not found:
            return text
        load = f", load {min(loads):.1f} to {max(loads):.1f} when a run began" if loads else ""
        return (
            f"{text}\n\n{found.get('cpu', '')}{load}; Python {found.get('python', '')}, "
            f"{found.get('libraries', '')}; {found.get('date', '')}."
        )

    def to_markdown(self) -> str:
        """Return the section of RESULTS.md."""
        parts = [
            f"## Efficiency: {data_label(self.setting)}",
            INTRODUCTION,
            self.facts(),
            self.totals(),
        ]
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


def data_label(setting: Setting) -> str:
    """Return a word for what was compared: the data's name, which tells a task's data apart."""
    return re.split(r"[^\w-]", setting.data)[0] or Path(setting.task).stem


def _in_order(methods: Iterable[str]) -> list[str]:
    order = list(LABELS)
    return sorted(
        set(methods), key=lambda name: (order.index(name) if name in order else 99, name)
    )


def write_report(runs: Sequence[Run], results: Path = RESULTS, docs: Path = DOCS) -> None:
    """Write the section of RESULTS.md and the picture of one task."""
    try:
        report = Report(runs)
    except ValueError as error:
        sys.exit(f"efficiency: {error}")
    section = report.to_markdown()
    name = data_label(report.setting)
    picture = docs / f"efficiency_{name}.png"
    draw(report.setting, report.curves, picture)
    section += f"\n![Hypervolume against seconds, trainings and epochs](../docs/{picture.name})\n"
    write_section(f"## Efficiency: {name}", section, results)
    print(section)
