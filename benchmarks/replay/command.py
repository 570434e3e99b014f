"""Search on recorded trainings under a simulated clock: policies compared in seconds.

python -m benchmarks.replay                        # all policies, 20 seeds
python -m benchmarks.replay --seeds 50 --write     # into RESULTS.md
python -m benchmarks.replay --limits               # with the gate and without, under limits
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from benchmarks.replay.recording import (
    EPOCHS,
    N_VAL,
    Policy,
    Recording,
    Run,
    replay,
    settled_epoch,
)
from benchmarks.results import RESULTS, write_section
from search.front.pareto import Front, ReferencePoint, hypervolume
from workers.messages.limits import Limits
from workers.messages.race import Curve, Race

TITLE = "## Searches replayed on recorded trainings"
LIMITS_TITLE = "## Limits, with the gate and without"
QUANTILES = (0.5, 0.8, 0.95, 1.0)
PEERS = ("random", "nsga2", "tpe")


def _plain(name: str) -> Policy:
    return Policy(name, name, fan_out=False, race=False, branch=False, gate=False, n_start=1)


POLICIES = (
    _plain("random"),
    _plain("nsga2"),
    _plain("tpe"),
    Policy("search"),
    Policy("no fan-out", fan_out=False),
    Policy("no race", race=False),
    Policy("no branches", branch=False),
    Policy("no gate, so no race", gate=False),
    Policy("no start design", n_start=1),
    Policy("start design of 3", n_start=3),
    Policy("start design of 12", n_start=12),
    Policy("start design of 20", n_start=20),
    Policy("sampler random", "random"),
    Policy("sampler nsga2", "nsga2"),
    Policy("sampler tpe", "tpe"),
    Policy("fan-out alone", "random", race=False, branch=False, n_start=1),
)


@dataclass(frozen=True)
class RaceRates:
    """What the race did to recorded trainings that came in some order.

    Attributes:
        epochs_saved: Share of all epochs.
        points_lost: Share of the points on the front of all trainings that the race lost.
        hypervolume_lost: Share of the hypervolume.
    """

    epochs_saved: float
    points_lost: float
    hypervolume_lost: float


def race_rates(recording: Recording, quantile: float, seed: int) -> RaceRates:
    """Let all recorded trainings race, one after the other in an order of their own."""
    reference = ReferencePoint.for_classes(10, N_VAL)
    rows = list(recording.rows)
    random.Random(seed).shuffle(rows)
    everything, kept = Front(), Front()
    curves: list[Curve] = []
    stopped: set[int] = set()
    n_epochs = n_trained = 0
    for index, row in enumerate(rows):
        points = [p for scheme, p in row["points"].items() if scheme != "qat_int8"]
        accuracies = tuple(row["val_accuracy"])
        settled = settled_epoch(row)
        race = Race(tuple(map(tuple, kept.values.tolist())), tuple(curves), quantile)
        bar = race.bar([(size, latency) for _, size, latency in points])
        n_epochs += len(accuracies)
        trained = next(
            (
                epoch
                for epoch in range(1, len(accuracies))
                if race.can_judge
                and race.verdict(accuracies[:epoch], len(accuracies), settled, bar)
            ),
            len(accuracies),
        )
        n_trained += trained
        for number, point in enumerate(points):
            everything.add(100 * index + number, point)
        if trained < len(accuracies):
            stopped.add(index)
            continue
        curves.append(Curve(accuracies, settled))
        for number, point in enumerate(points):
            kept.add(100 * index + number, point)
    lost = [key for key in everything.keys if key // 100 in stopped]
    before, after = (hypervolume(front.values, reference) for front in (everything, kept))
    return RaceRates(1 - n_trained / n_epochs, len(lost) / len(everything), 1 - after / before)


def race_table(recording: Recording, seeds: Sequence[int]) -> str:
    """Return what the race saves and loses, as a table."""
    lines = [
        "| quantile | epochs saved | front points lost | hypervolume lost |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for quantile in QUANTILES:
        rates = [race_rates(recording, quantile, seed) for seed in seeds]
        columns = (
            _interval([100 * r.epochs_saved for r in rates], 1),
            _interval([100 * r.points_lost for r in rates], 1),
            _interval([100 * r.hypervolume_lost for r in rates], 2),
        )
        lines.append(f"| {quantile:g} | " + " | ".join(f"{c} %" for c in columns) + " |")
    return "\n".join(lines)


def policy_table(runs: dict[str, list[Run]]) -> str:
    """Return hypervolumes at the end, and how much sooner the peers' are reached."""
    peers = [name for name in PEERS if name in runs]
    lines = [
        "| policy | final hypervolume | simulated s | epochs | stopped | branches | "
        + " | ".join(f"sooner than {peer}" for peer in peers)
        + " |",
        "| --- " + "| ---: " * (5 + len(peers)) + "|",
    ]
    for name, of in runs.items():
        ends = [run.samples[-1] for run in of]
        columns = [
            _interval([end.hypervolume for end in ends], 4),
            f"{statistics.median(end.seconds for end in ends):.0f}",
            f"{statistics.median(end.epochs for end in ends):.0f}",
            f"{statistics.median(run.n_stopped for run in of):.0f}",
            f"{statistics.median(run.n_branches for run in of):.0f}",
        ]
        for peer in peers:
            columns.append("" if name in PEERS else _sooner(of, runs[peer]))
        lines.append(f"| {name} | " + " | ".join(columns) + " |")
    return "\n".join(lines)


LIMITS = {
    "size 4 kB": Limits(max_size_bytes=4e3),
    "size 8 kB": Limits(max_size_bytes=8e3),
    "size 20 kB": Limits(max_size_bytes=20e3),
    "latency 0.02 ms": Limits(max_latency_ms=0.02),
    "size 8 kB, latency 0.02 ms": Limits(max_size_bytes=8e3, max_latency_ms=0.02),
    "accuracy 0.95, size 8 kB": Limits(max_size_bytes=8e3, min_accuracy=0.95),
}


def limits_table(recording: Recording, n_trials: int, seeds: Sequence[int]) -> str:
    """Return what searches find within limits, with the gate and without.

    Without it every trial is trained, so the same number of trials takes longer. Both are compared
    after the seconds that the search with the gate takes.
    """
    lines = [
        "| limits | hypervolume, gate | without | best accuracy, gate | without | refused | "
        "as many trials without take |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, limits in LIMITS.items():
        gated, free = (
            [replay(recording, Policy(name, gate=gate, limits=limits), n_trials, s) for s in seeds]
            for gate in (True, False)
        )
        ends = [run.samples[-1].seconds for run in gated]
        at_end = [f.hypervolume_at(end) for f, end in zip(free, ends, strict=True)]
        longer = [f.samples[-1].seconds / end for f, end in zip(free, ends, strict=True)]
        cells = (
            _interval([run.samples[-1].hypervolume for run in gated], 4),
            _interval(at_end, 4),
            _interval([100 * run.best_accuracy for run in gated], 2),
            _interval([100 * run.best_accuracy for run in free], 2),
            f"{statistics.median(run.n_infeasible for run in gated):.0f}",
            f"{statistics.median(longer):.1f} times as long",
        )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _sooner(of: Sequence[Run], peers: Sequence[Run]) -> str:
    """Return how many times sooner runs reach what peers have in the end: seconds, trials."""
    seconds, trials = [], []
    for run in of:
        for peer in peers:
            final = peer.samples[-1].hypervolume
            seconds.append(peer.seconds_to(final) / max(1e-9, run.seconds_to(final)))
            trials.append(peer.trainings_to(final) / run.trainings_to(final))
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{middle:.1f} ({low:.1f} to {high:.1f}); {statistics.median(trials):.1f}"


def _interval(values: Sequence[float], digits: int) -> str:
    """Return the mean and its 95 % confidence interval."""
    mean = statistics.fmean(values)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _limits_text(args: argparse.Namespace) -> str:
    return (
        f"`python -m benchmarks.replay --limits --trials {args.trials}`: the same recording, "
        f"{args.seeds} seeds, two simulated workers; hypervolumes after the seconds that the "
        "search with the gate takes, accuracies at the end of each. Means with 95 % confidence "
        "intervals."
    )


def main() -> None:
    """Replay, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--policies", nargs="*", default=[p.name for p in POLICIES])
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    parser.add_argument("--limits", action="store_true", help="with the gate and without it")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    recording = Recording.load(args.task)
    seeds = range(args.seeds)
    if args.limits:
        section = f"{LIMITS_TITLE}\n\n{_limits_text(args)}\n\n"
        section += limits_table(recording, args.trials, seeds) + "\n"
        write_section(LIMITS_TITLE, section) if args.write else print(section)
        return
    runs = {
        policy.name: [replay(recording, policy, args.trials, seed) for seed in seeds]
        for policy in POLICIES
        if policy.name in args.policies
    }
    section = f"""{TITLE}

`python -m benchmarks.replay`: {len(recording.rows)} real trainings of `{args.task}` (12,000
images, {EPOCHS} epochs) recorded with all their schemes, learning curves, branches and processor
seconds (`benchmarks/replay/record.py`); {args.trials} trials, {args.seeds} seeds, two simulated
workers. Means with 95 % confidence intervals; "sooner" is how many times fewer seconds until the
peer's final hypervolume, of all pairs of runs the median and the middle half, and after the
semicolon how many times fewer trials. Peers (random, nsga2, tpe) train every trial to its end and
score it under its one scheme. Each recorded training answers once.

{policy_table(runs)}

The race alone, over all recorded trainings in {args.seeds} random orders:

{race_table(recording, seeds)}
"""
    print(section)
    if args.write:
        write_section(TITLE, section)


if __name__ == "__main__":
    main()
