"""Searches within a limit on sizes and on accuracy, replayed; commits and samplers compared.

python -m benchmarks.replay.within_limits run FILE [--seeds N] [--sampler NAME]
python -m benchmarks.replay.within_limits compare OLD NEW

A run appends a line for every search to FILE: the best accuracy within the size, on validation
and on test, whether or not that is as much as was asked for, after as long as a plain loop takes
for 40 trainings. Seeds that are there are left out, so that the same command goes on. A comparison
pairs the lines of two files by data, limit and seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from benchmarks.replay.outcome import within
from benchmarks.replay.runs import MAX_TRIALS, model_of, seconds_of
from benchmarks.replay.simulation import Policy, replay
from search.sampling.samplers import SAMPLERS
from workers.messages.limits import Limits

LIMITS: Mapping[str, Sequence[tuple[int, float]]] = {
    "cifar10": ((6, 0.35), (12, 0.45)),
    "fruit": ((6, 0.7), (12, 0.8)),
    "mnist": ((6, 0.9),),
    "mnist12k": ((6, 0.93), (12, 0.96)),
}
"""Kilobytes, and the accuracy that counts: what recorded networks of the size just reach."""

TRAININGS = 40


def search_within(
    name: str, kilobytes: int, accuracy: float, seed: int, sampler: str
) -> dict[str, Any]:
    """Return what a replayed search ends with: 0 for accuracies where nothing is small enough.

    Args:
        name: Of the recording.
        kilobytes: The limit on sizes, in thousands of bytes.
        accuracy: The limit on accuracy, a fraction.
        seed: Of the search.
        sampler: That it asks.
    """
    model = model_of(name, None)
    seconds = seconds_of(model.recording, TRAININGS)
    limits = Limits(max_size_bytes=1000 * kilobytes, min_accuracy=accuracy)
    policy = Policy(f"search, {sampler}", sampler, limits=limits)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run = replay(model, policy, MAX_TRIALS, seed, timeout_s=seconds)
    best = within(run.measured_by(seconds), 1000 * kilobytes)
    found = (
        {"val": best.accuracy, "test": best.test_accuracy} if best else {"val": 0.0, "test": 0.0}
    )
    return {"data": name, "kb": kilobytes, "seed": seed, **found}


def compared(old: Iterable[dict[str, Any]], new: Iterable[dict[str, Any]]) -> list[str]:
    """Return a line for every data set and limit that both have, in percentage points."""
    first, second = ({(r["data"], r["kb"], r["seed"]): r for r in rows} for rows in (old, new))
    lines = []
    for data, kilobytes in sorted({key[:2] for key in first.keys() & second.keys()}):
        keys = [k for k in sorted(first.keys() & second.keys()) if k[:2] == (data, kilobytes)]
        for split in ("val", "test"):
            a, b = ([100 * rows[k][split] for k in keys] for rows in (first, second))
            gains = [y - x for x, y in zip(a, b, strict=True)]
            error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
            means = " to ".join(f"{statistics.fmean(values):.1f}" for values in (a, b))
            gain = f"{statistics.fmean(gains):+.1f} ± {error:.1f}"
            lines.append(f"{data}, {kilobytes} kB, {split}, {len(keys)} seeds: {means} %, {gain}")
    return lines


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def main(args: Sequence[str] | None = None) -> None:
    """Run or compare, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay.within_limits")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("file", type=Path)
    run.add_argument("--seeds", type=int, default=12)
    run.add_argument("--sampler", choices=SAMPLERS, default="gp", help="one for all of FILE")
    compare = commands.add_parser("compare")
    compare.add_argument("files", type=Path, nargs=2, metavar="FILE")
    options = parser.parse_args(args)
    if options.command == "compare":
        if missing := [str(file) for file in options.files if not file.exists()]:
            parser.error(f"no such file: {', '.join(missing)}; `run` writes them")
        print("\n".join(compared(*map(_rows, options.files))))
        return
    known = {(row["data"], row["kb"], row["seed"]) for row in _rows(options.file)}
    for seed in range(options.seeds):
        for name, limits in LIMITS.items():
            for kilobytes, accuracy in limits:
                if (name, kilobytes, seed) not in known:
                    row = search_within(name, kilobytes, accuracy, seed, options.sampler)
                    with options.file.open("a") as out:
                        out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
