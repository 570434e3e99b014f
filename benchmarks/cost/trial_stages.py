"""Where the seconds of a trial go that do not depend on how long it trains.

python -m benchmarks.cost.trial_stages --before REVISION

A trial of the task ``fruit`` on few generated pictures, one epoch, pruned, with all schemes that
need no training of their own: nearly all of its time is the fixed cost of any trial. The module
runs against older revisions too, in a process of its own, so that before and after are measured
in turns on the same machine. Without a look at the untrained network is how branches are begun
where there are no limits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

N_IMAGES = {"train": 256, "val": 600, "test": 4}
SHAPE = (96, 96, 3)
CLASS_NAMES = ("apple", "orange", "mandarin", "banana")
HYPERPARAMETERS = (
    ("input_pooling", 2),
    ("blocks", 3),
    ("convolution", "plain"),
    ("filters_1", 16),
    ("filters_2", 32),
    ("filters_3", 32),
    ("head", "average"),
    ("dropout", 0.2),
)
STAGES = ("gate", "build", "train", "convert", "measure", "latency")
"""As ``TrialResult.seconds`` names them; older revisions time latencies within ``measure``."""

NO_GATE = "after, no gate"

Seconds = Mapping[str, float]

ROOT = Path(__file__).parents[2]


def stage_seconds(n_trials: int, *, gate: bool = True) -> list[Seconds]:
    """Return the seconds of each stage of some trials in a row, after one that is not counted.

    Args:
        n_trials: So many.
        gate: Whether their untrained network is looked at.
    """
    import numpy as np

    from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
    from spaces.data.dataset import Dataset, Split
    from workers.messages.result import EvaluateRequest
    from workers.trial.evaluate import TrialEvaluator

    rng = np.random.default_rng(0)
    train, val, test = (
        Split(rng.integers(0, 256, (n, *SHAPE), dtype=np.uint8), rng.integers(0, 4, n))
        for n in N_IMAGES.values()
    )
    dataset = Dataset("noise", train, val, test, class_names=CLASS_NAMES, fingerprint="0")
    config = TrialConfig(
        "fruit",
        "0",
        HYPERPARAMETERS,
        TrainingConfig(1e-3, batch_size=32, epochs=1),
        PruningConfig("polynomial", 0.5),
    )
    evaluate = TrialEvaluator("fruit", dataset)
    request = EvaluateRequest(config, check_gate=gate)
    results = [evaluate(request) for _ in range(n_trials + 1)]
    for result in results:
        if result.outcome != "complete":
            raise SystemExit(f"The trial did not complete: {result.reason}")
    return [result.seconds for result in results[1:]]


def compare(revision: str | None, rounds: int, n_trials: int) -> dict[str, Seconds]:
    """Measure the checkout, and an older revision in turns with it.

    Args:
        revision: Of git; None for the checkout alone.
        rounds: Processes of each.
        n_trials: Trials in each process.

    Returns:
        The fastest seconds of every stage, under ``before``, ``after`` and ``after, no gate``.
    """
    with tempfile.TemporaryDirectory() as folder:
        trees = {"after": ROOT}
        if revision is not None:
            _unpack(revision, Path(folder))
            trees = {"before": Path(folder), **trees}
        found: dict[str, list[Seconds]] = {name: [] for name in (*trees, NO_GATE)}
        for _ in range(rounds):
            for name, tree in trees.items():
                found[name] += _in_process(tree, n_trials)
            found[NO_GATE] += _in_process(ROOT, n_trials, "--no-gate")
    return {name: fastest(trials) for name, trials in found.items()}


def fastest(trials: Sequence[Seconds]) -> Seconds:
    """Return the fewest seconds of every stage: a busy machine only ever adds."""
    return {
        stage: min(seconds[stage] for seconds in trials) for stage in STAGES if stage in trials[0]
    }


def to_markdown(found: Mapping[str, Seconds]) -> str:
    """Return a table of seconds, a row for each stage and one for all of them."""
    lines = [f"| s a trial | {' | '.join(found)} |", f"| --- |{' ---: |' * len(found)}"]
    for stage in STAGES:
        cells = [f"{each[stage]:.2f}" if stage in each else "-" for each in found.values()]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    sums = [f"{sum(each.values()):.2f}" for each in found.values()]
    lines.append(f"| together | {' | '.join(sums)} |")
    return "\n".join(lines)


def _unpack(revision: str, folder: Path) -> None:
    """Put the files of a revision into a folder."""
    archive = folder / "tree.tar"
    command = ["git", "-C", str(ROOT), "archive", "--output", str(archive), revision]
    subprocess.run([*command, "spaces", "workers"], check=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)


def _in_process(tree: Path, n_trials: int, *words: str) -> list[Seconds]:
    done = subprocess.run(
        [sys.executable, __file__, "--alone", "--trials", str(n_trials), *words],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        stdout=subprocess.PIPE,
        check=True,
    )
    trials: list[Seconds] = json.loads(done.stdout.splitlines()[-1])
    return trials


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Stages of a trial", allow_abbrev=False)
    parser.add_argument("--before", metavar="REVISION", help="to compare with, in turns")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each")
    parser.add_argument("--trials", type=int, default=5, help="in each process")
    parser.add_argument("--no-gate", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.alone:
        print(json.dumps(stage_seconds(args.trials, gate=not args.no_gate)))
        return
    print(to_markdown(compare(args.before, args.rounds, args.trials)))


if __name__ == "__main__":
    main()
