"""Tables of replayed searches."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from benchmarks.replay.held_out import held_out
from benchmarks.replay.intervals import intervals
from benchmarks.replay.outcome import BUDGETS_KB, bootstrap, bootstrap_ratio
from benchmarks.replay.race_rates import QUANTILES, race_rates
from benchmarks.replay.recordings import Recording
from benchmarks.replay.runs import Line
from search.sampling.prunings import LARGE, TABLES_BYTES, Prunings
from spaces.config.schemes import QuantizationScheme

SHOWN_KB = (4, 16, 64)
QUARTILES = (0.25, 0.5, 0.75)
_COMPRESSED = ("int8", "dynamic_int4", "float32")
N_KNOWN = {16: 12, 80: 4}
"""Trainings that intervals are learned from, and how often they are drawn."""


def of(lines: Sequence[Line], data: str, policy: str) -> list[Line]:
    """Return the runs of a policy on a data set, by seed."""
    found = [line for line in lines if line["data"] == data and line["policy"] == policy]
    return sorted(found, key=lambda line: int(line["seed"]))


def policy_table(lines: Sequence[Line], data: str, policies: Sequence[str]) -> str:
    """Return where searches ended: means with bootstrap intervals."""
    budgets = [f"test accuracy in {kb} kB" for kb in SHOWN_KB]
    head = ["policy", "hypervolume", "on test", "mean error on test", *budgets, "trials", "seeds"]
    rows = [f"| {' | '.join(head)} |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
    for policy in policies:
        runs = of(lines, data, policy)
        if not runs:
            continue
        columns = [
            bootstrap([run["hypervolume"] for run in runs]).text(4),
            bootstrap([run["test_hypervolume"] for run in runs]).text(4),
            bootstrap([100 * run["test_error"] for run in runs]).text(2) + " %",
        ]
        for kb in SHOWN_KB:
            at = BUDGETS_KB.index(kb)
            mean = statistics.fmean(100 * run["test_within"][at] for run in runs)
            columns.append(f"{mean:.1f} %")
        columns.append(f"{statistics.median(run['trials'] for run in runs):.0f}")
        columns.append(str(len(runs)))
        rows.append(f"| {policy} | " + " | ".join(columns) + " |")
    return "\n".join(rows)


def difference_table(
    lines: Sequence[Line], names: Sequence[str], policies: Sequence[str], than: str
) -> str:
    """Return by how much policies end lower on test than one does, with intervals.

    Per cent of that one's mean test hypervolume; runs of one seed are compared, of the seeds that
    both have.
    """
    rows = [
        f"| lower than `{than}` by, % | " + " | ".join(names) + " | all |",
        "| --- " + "| ---: " * (len(names) + 1) + "|",
    ]
    for policy in policies:
        if policy == than:
            continue
        cells, every = [], []
        for data in names:
            base = {run["seed"]: run["test_hypervolume"] for run in of(lines, data, than)}
            other = {run["seed"]: run["test_hypervolume"] for run in of(lines, data, policy)}
            scale = statistics.fmean(base.values())
            lower = [100 * (base[seed] - other[seed]) / scale for seed in other if seed in base]
            every.append(lower)
            cells.append(bootstrap(lower).text(1))
        cells.append(
            bootstrap([statistics.fmean(seed) for seed in zip(*every, strict=True)]).text(1)
        )
        rows.append(f"| {policy} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def seconds_to(run: Line, hypervolume: float) -> float:
    """Return when a run reached a hypervolume; infinity if it did not."""
    return next((step[0] for step in run["steps"] if step[2] >= hypervolume), math.inf)


def sooner_table(
    lines: Sequence[Line], names: Sequence[str], peers: Sequence[str], policy: str
) -> str:
    """Return how many times sooner a policy has a peer's median final hypervolume."""
    rows = [
        f"| `{policy}` sooner than | " + " | ".join(names) + " |",
        "| --- " + "| ---: " * len(names) + "|",
    ]
    for peer in peers:
        cells = []
        for data in names:
            others, ours = of(lines, data, peer), of(lines, data, policy)
            goal = statistics.median(run["hypervolume"] for run in others)
            # A run that never got there counts as one that does not get there at all.
            mine = [seconds_to(run, goal) for run in ours]
            theirs = [seconds_to(run, goal) for run in others]
            reached = sum(math.isfinite(one) for one in mine)
            late = max(run["seconds"] for run in others)
            ratio = bootstrap_ratio(
                [min(one, 10 * late) for one in mine], [min(one, late) for one in theirs]
            )
            cells.append(f"{ratio.text(1)}; {reached} of {len(mine)}")
        rows.append(f"| {peer} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def error_table(recordings: Sequence[Recording]) -> str:
    """Return how well surrogates foretell trainings that they did not see."""
    from scipy.stats import spearmanr

    rows = ["| foreseen | " + " | ".join(r.name for r in recordings) + " |"]
    rows.append("| --- " + "| ---: " * len(recordings) + "|")
    found = [held_out(recording) for recording in recordings]
    for name in sorted({key for one in found for key in one}):
        cells = []
        for one in found:
            if name not in one:
                cells.append("")
                continue
            true, foreseen = one[name]
            rank = float(spearmanr(true, foreseen).statistic)
            if name.startswith("accuracy"):
                off = f"{100 * abs(true - foreseen).mean():.1f} %"
            else:
                off = f"{100 * statistics.median(abs(foreseen / true - 1)):.0f} %"
            cells.append(f"{rank:.2f}; {off} (n = {len(true)})")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def interval_table(recordings: Sequence[Recording]) -> str:
    """Return how often the intervals of the errors that ``gp`` guesses hold."""
    rows = [
        "| data | trainings known | in the 95 % interval | in the 68 % one | error unexplained |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for recording in recordings:
        for n_known, n_splits in N_KNOWN.items():
            found = intervals(recording, n_known, n_splits)
            cells = (found.within_95, found.within_68, found.unexplained)
            rows.append(
                f"| {recording.name} | {n_known} | "
                + " | ".join(f"{100 * cell:.0f} %" for cell in cells)
                + " |"
            )
    return "\n".join(rows)


def race_table(recordings: Sequence[Recording], n_orders: int) -> str:
    """Return what the race saves and loses on recorded trainings."""
    rows = [
        "| data | quantile | epochs saved | front points lost | hypervolume lost |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for recording in recordings:
        for quantile in QUANTILES:
            rates = [race_rates(recording, quantile, seed) for seed in range(n_orders)]
            cells = (
                bootstrap([100 * rate.epochs_saved for rate in rates]).text(1),
                bootstrap([100 * rate.points_lost for rate in rates]).text(1),
                bootstrap([100 * rate.hypervolume_lost for rate in rates]).text(2),
            )
            rows.append(
                f"| {recording.name} | {quantile:g} | "
                + " | ".join(f"{cell} %" for cell in cells)
                + " |"
            )
    return "\n".join(rows)


def pruning_table(recordings: Sequence[Recording]) -> str:
    """Return what recorded prunings of trained networks changed."""
    rows = [
        "| data | sparsity | prunings | more errors, float32 | steepness | size, int8 | saved of "
        "what is expected: int8 | dynamic_int4 | float32 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for recording in recordings:
        errors: dict[float, list[float]] = defaultdict(list)
        sizes: dict[float, list[float]] = defaultdict(list)
        saved: dict[tuple[float, str], list[float]] = defaultdict(list)
        for before, after in recording.branches:
            sparsity = after["final_sparsity"]
            accuracies = [row["points"]["float32"][0] for row in (before, after)]
            if accuracies[0] < 1:
                errors[sparsity].append((1 - accuracies[1]) / (1 - accuracies[0]))
            if all("int8" in row["points"] for row in (before, after)):
                sizes[sparsity].append(after["points"]["int8"][2] / before["points"]["int8"][2])
            for scheme in _COMPRESSED:
                if all(scheme in row["points"] for row in (before, after)):
                    old, new = (row["points"][scheme][2] for row in (before, after))
                    pruned = (sparsity, before.get("final_sparsity") or 0.0)
                    expected = old - Prunings().size(old, QuantizationScheme(scheme), *pruned)
                    if old > LARGE * TABLES_BYTES and expected > 0:
                        saved[sparsity, scheme].append((old - new) / expected)
        for sparsity, found in sorted(errors.items()):
            low, middle, high = np.quantile([100 * (error - 1) for error in found], QUARTILES)
            rows.append(
                f"| {recording.name} | {sparsity:g} | {len(found)} | {middle:.0f} % ({low:.0f} to "
                f"{high:.0f}) | {middle / 100 / sparsity**5:.1f} | "
                f"{100 * statistics.median(sizes[sparsity]):.0f} % | "
                + " | ".join(f"{statistics.median(saved[sparsity, s]):.2f}" for s in _COMPRESSED)
                + " |"
            )
    return "\n".join(rows)
