"""Tables of the efficiency benchmark, from the files that its runs left."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.efficiency.bought import bought_table
from benchmarks.efficiency.duels import Duel, Spread, duel
from benchmarks.efficiency.methods import AT_BEST, LABELS, SEARCH, label
from benchmarks.efficiency.picture import draw
from benchmarks.efficiency.runs import Curve, Run, Setting, curve_of
from benchmarks.replay.outcome import (
    Measured,
    mean_error_within,
    test_hypervolume,
    test_within,
)
from benchmarks.results import RESULTS, write_section
from search.front.pareto import ReferencePoint

SHOWN_KB = (2, 4, 8, 16, 32, 64)
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
        self.runs = list(runs)
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

    def duels(self, ours: str, peer: str) -> list[list[Duel]]:
        """Compare every run of ours, a row each, with every run of another program."""
        end_s = self.setting.seconds
        return [[duel(a, b, end_s) for b in self.curves[peer]] for a in self.curves[ours]]

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
                columns = [getattr(curve, name) for curve in curves]
                return Spread.of(float(c[-1]) if len(c) else 0.0 for c in columns).text()

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

    def tests(self) -> str:
        """Return the table of what is on the fronts, on test; empty if that was not measured."""
        budgets = [f"in {kb} kB" for kb in SHOWN_KB]
        head = ["on test, which no program saw", "hypervolume", "mean error", *budgets]
        lines = [f"| {' | '.join(head)} |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
        reference = ReferencePoint.for_classes(self.setting.n_classes, self.setting.n_val)
        for method in self.curves:
            fronts = [
                [Measured(0.0, *tested) for tested in run.front]
                for run in self.runs
                if run.method == method and run.front is not None
            ]
            if not fronts:
                continue
            chance = 1 / self.setting.n_classes
            errors = Spread.of(100 * mean_error_within(front, chance) for front in fronts)
            cells = [
                label(method),
                Spread.of(test_hypervolume(front, reference) for front in fronts).text(4),
                f"{errors.text(1)} %",
            ]
            for kb in SHOWN_KB:
                found = (100 * test_within(front, kb) for front in fronts)
                middle = Spread.of(found, lower=True).median
                cells.append(f"{middle:.1f} %" if middle else "nothing")
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) if len(lines) > 2 else ""

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

        def of(get: Callable[[Duel], float], *, lower: bool = False) -> Spread:
            return Spread.of_pairs([[get(one) for one in row] for row in duels], lower=lower)

        reached = [math.isfinite(one.ours_s) for row in duels for one in row]
        cells = [
            name,
            self.final(peer).text(4),
            Spread.of(one.peer_s for one in duels[0]).text(),
            of(lambda one: one.ours_s).text(),
            of(lambda one: one.seconds, lower=True).text(1),
            of(lambda one: one.trainings, lower=True).text(1),
            of(lambda one: one.epochs, lower=True).text(1),
            of(lambda one: one.points, lower=True).text(1),
            f"{sum(reached)} of {len(reached)}",
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
        images = f"{s.n_train:,} training and {s.n_val:,} validation"
        if s.n_test is not None:
            images = f"{s.n_train:,} training, {s.n_val:,} validation and {s.n_test:,} test"
        text = (
            f"{s.data}: {images} images; {s.epochs} "
            f"epochs a full training, {s.length}, {s.workers} workers, seeds "
            f"{', '.join(map(str, seeds))}."
        )
        if s.fixed:
            text += f" All search with {s.fixed}."
        if not found:
            return text
        load = f", load {min(loads):.1f} to {max(loads):.1f} when a run began" if loads else ""
        commits = sorted({facts["commit"] for facts in machines if facts.get("commit")})
        of = f" Commit {', '.join(commits)}." if commits else ""
        return (
            f"{text}\n\n{found.get('cpu', '')}{load}; Python {found.get('python', '')}, "
            f"{found.get('libraries', '')}; {found.get('date', '')}.{of}"
        )

    def command(self) -> str:
        """Return the command that runs this again, but for ``--data``."""
        s = self.setting
        seeds = sorted({run.seed for run in self.runs})
        words = ["--task", s.task, "--train-images", s.n_train, "--val-images", s.n_val]
        if s.n_test is not None:
            words += ["--test-images", s.n_test]
        words += ["--epochs", s.epochs]
        words += ["--trials", s.trials] if s.seconds is None else ["--seconds", f"{s.seconds:g}"]
        for pair in filter(None, s.fixed.split(", ")):
            words += ["--fix", pair]
        words += ["--seeds", ",".join(map(str, seeds)), "--methods", ",".join(self.curves)]
        return "    python -m benchmarks.efficiency " + " ".join(map(str, words))

    def to_markdown(self) -> str:
        """Return the section of RESULTS.md."""
        parts = [
            f"## Efficiency: {data_label(self.setting)}",
            INTRODUCTION,
            IN_SECONDS if self.setting.seconds is not None else IN_TRIALS,
            *([AT_BEST_WORDS] if any(method in AT_BEST for method in self.curves) else []),
            self.command(),
            self.facts(),
            self.totals(),
            *([ON_TEST, tests] if (tests := self.tests()) else []),
        ]
        if SEARCH in self.curves and self.peers:
            parts += [RATIOS, self.ratios()]
            if len(self.ours) > 1:
                parts += [ABLATIONS, self.ablations()]
        if SEARCH in self.curves:
            parts += [BOUGHT, bought_table([run for run in self.runs if run.method == SEARCH])]
        return "\n\n".join(parts) + "\n"


INTRODUCTION = """\
`python -m benchmarks.efficiency`: the same space, data, epochs and number of workers for all.
Everybody trains, converts and measures with our code, in actors that import TensorFlow once and
share the data; nobody else pays for our gate. Clocks start when workers are ready. Medians over
runs, with 95 % intervals by bootstrap; of fewer than six runs those are about their range, and
less sure."""

ON_TEST = """\
On test, fronts are those of validation. Only accuracies are measured anew: sizes and latencies are
as the search had them."""

IN_SECONDS = """\
All have as many seconds, and what comes back later does not count."""

IN_TRIALS = """\
Plain programs run so many trials, each a full training; ASHA and KerasTuner, which train in parts,
spend the epochs of as many full trainings. `search run` ends after as many trials (a branch is
one), or after the others' median seconds."""

AT_BEST_WORDS = """\
*At its best* is a plain loop with what a careful user would add: our start design, every training
measured under all schemes, and a sampler that is told logarithms of error, size and latency."""

RATIOS = """\
Seconds, trainings (with branches), epochs and measured points that the other program took to its
own final hypervolume, over those that `search run` took to the same. Every run against every
run; a ratio of 0.0 is one where it was not reached."""

BOUGHT = """\
Means of `search run`. A worker is taken to begin a trial when it has ended the one before. What a
new training adds later, as branches start from it, counts as theirs."""

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
