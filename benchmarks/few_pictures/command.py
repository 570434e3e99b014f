"""Searches on a few pictures, and what is true of what they find.

    python -m benchmarks.few_pictures run cifar10.npz --seeds 2 --trials 24

Four classes of CIFAR-10 with 110 training pictures each; their 4,000 test pictures are the truth,
which no search sees. For every share of the pictures that validation takes, a search is run, and
the file of every point on its front is measured on the truth: how well validation ranks them
(Spearman), and what the points are worth that it picks within sizes, as they are and trained
again on all pictures (``search retrain --with-validation``).

``python -m benchmarks.few_pictures selection`` says what picking by few pictures costs, on
recorded real trainings and at equal cost (:mod:`benchmarks.few_pictures.selection`); ``--write``
puts it into ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.few_pictures.data import write_few
from benchmarks.few_pictures.ranks import rank_correlation
from benchmarks.few_pictures.selection import selection_table
from benchmarks.results import RESULTS, write_section
from search.deploy.export import export_config
from search.deploy.retrain import retrain
from search.front.budgets import BUDGETS_BYTES, best_within
from search.front.read import find_study, load_front, reading
from search.report.model_files import read_model_files
from search.run.run_study import run_study
from spaces.data.dataset import Split
from workers.conversion.accuracy import tflite_accuracy

SHARES = (0.15, 0.40)

TITLE = "## Few pictures: how they are judged"
ABOUT = """\
`python -m benchmarks.few_pictures selection`: mean true accuracy of what is picked within 4 to
64 kB by so many of 440 pictures, with its standard error over 400 draws, and Spearman's
correlation of validation with truth along the front. Configurations: as many as 100 take with
15 % for validation, by pictures learned from. Recorded real trainings (`benchmarks/data`);
validation is drawn anew from their accuracies, picture by picture and independently for every
model, which makes all of them less sure than they are. What learning from fewer pictures costs
a network is not in it: a chosen one is trained again on all (`search retrain
--with-validation`). No processor matters: nothing is trained or timed."""


def searched(data: Path, folder: Path, seed: int, n_trials: int) -> dict[str, Any]:
    """Run a search and return what is true of its front.

    Args:
        data: Four classes as :func:`benchmarks.few_pictures.data.write_few` writes them.
        folder: For the database; empty.
        seed: Of the search.
        n_trials: How long it is.
    """
    storage = folder / "studies.db"
    report = run_study("images", data=data, storage=storage, trials=n_trials, seed=seed)
    report.check_whole()
    front = load_front("images", storage)
    with np.load(data) as arrays:
        truth = Split(arrays["x_test"], arrays["y_test"].astype(np.int64))
    with reading(storage) as opened:
        study = find_study(opened, "images")
    files = read_model_files(study, storage, [point.trial for point in front.points]).by_trial
    points = [point for point in front.points if point.trial in files]
    rows = [
        (
            point.trial,
            point.accuracy,
            tflite_accuracy(base64.b64decode(files[point.trial]), truth),
        )
        for point in points
    ]
    picks = best_within([point.values for point in points], BUDGETS_BYTES)
    again: dict[int, float] = {}
    for index in {index for index in picks if index is not None}:
        trial = rows[index][0]
        export = export_config("images", storage, trial=trial)
        found = retrain(export, folder / f"trial {trial}", with_validation=True, float_model=False)
        again[trial] = found["test"]["accuracy"]
    return {
        "n_val": front.n_val,
        "n_points": len(rows),
        "spearman": rank_correlation([row[1] for row in rows], [row[2] for row in rows]),
        "knee": next(row[2] for row in rows if row[0] == front.pick("knee").trial),
        "within": {
            budget: None if index is None else [*rows[index][1:3], again[rows[index][0]]]
            for budget, index in zip(BUDGETS_BYTES, picks, strict=True)
        },
    }


def live_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return what searches found as a table, a column for each share."""
    lines = [
        "| validation | searches | Spearman | "
        + " | ".join(f"{b // 1000} kB" for b in BUDGETS_BYTES),
    ]
    lines = [f"{lines[0]} |", "|" + " --- |" * (3 + len(BUDGETS_BYTES))]
    for n_val in sorted({row["n_val"] for row in rows}):
        same = [row for row in rows if row["n_val"] == n_val]
        cells = [
            f"{n_val}",
            f"{len(same)}",
            f"{np.nanmean([row['spearman'] for row in same]):.2f}",
        ]
        for budget in BUDGETS_BYTES:
            found = [row["within"][budget] for row in same if row["within"][budget] is not None]
            mean = np.mean(found, axis=0) * 100 if found else None
            cells.append("" if mean is None else " / ".join(f"{value:.1f}" for value in mean))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked for, and print its table."""
    parser = argparse.ArgumentParser(description="What is true of searches on a few pictures")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="searches, live")
    run.add_argument("data", type=Path, help="CIFAR-10 in keras's layout")
    run.add_argument("--seeds", type=int, default=2)
    run.add_argument("--trials", type=int, default=24)
    selection = commands.add_parser("selection", help="picks by few pictures, recorded")
    selection.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    options = parser.parse_args()
    if options.command == "selection":
        table = selection_table()
        print(table)
        if options.write:
            write_section(TITLE, f"{TITLE}\n\n{ABOUT}\n\n{table}\n")
        return
    rows = []
    for seed in range(options.seeds):
        for share in SHARES:
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder) / "few.npz"
                write_few(options.data, data, seed, share=share)
                rows.append(searched(data, Path(folder), seed, options.trials))
                print(json.dumps(rows[-1]), flush=True)
    print(live_table(rows))
