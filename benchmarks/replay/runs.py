"""Replayed searches, run side by side and kept as lines of a file."""

from __future__ import annotations

import json
import statistics
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import optuna

from benchmarks.replay.outcome import (
    BUDGETS_KB,
    Run,
    mean_error_within,
    test_hypervolume,
    test_within,
)
from benchmarks.replay.policies import ALL
from benchmarks.replay.recordings import DATA, Recording
from benchmarks.replay.simulation import N_WORKERS, replay
from benchmarks.replay.surrogate import Surrogate
from search.front.pareto import ReferencePoint, hypervolume

MAX_TRIALS = 400
"""More than any search begins in the time that it has."""

Line = Mapping[str, Any]


@cache
def model_of(name: str, n_rows: int | None, folder: Path = DATA) -> Surrogate:
    """Return the surrogate of a data set, fitted once a process."""
    return Surrogate(Recording.load(name, folder, n_rows))


def seconds_of(recording: Recording, n_trainings: int) -> float:
    """Return how long a plain loop takes for so many trainings on average, on two workers."""
    stages = ("build", "train", "convert", "measure", "latency")
    means = statistics.fmean(
        sum(row["seconds"].get(stage, 0.0) for stage in stages[:2])
        + sum(row["seconds"][stage] for stage in stages[2:]) / len(row["points"])
        for row in recording.rows
    )
    return n_trainings * means / N_WORKERS


def summary(run: Run, recording: Recording, timeout_s: float) -> dict[str, Any]:
    """Return what tables need of a run, of its models measured in time."""
    n_classes = len(recording.about["class_names"])
    n_val = recording.about["settings"]["n_val"]
    reference = ReferencePoint.for_classes(n_classes, n_val)
    in_time = run.measured_by(timeout_s)
    steps: list[tuple[float, int, float]] = []
    for sample in run.samples:
        if sample.seconds <= timeout_s and sample.hypervolume > (steps[-1][2] if steps else 0.0):
            steps.append(
                (round(sample.seconds, 1), sample.trainings, round(sample.hypervolume, 6))
            )
    values = [(m.accuracy, m.size_bytes, m.latency_ms) for m in in_time]
    return {
        "hypervolume": round(hypervolume(values, reference), 6),
        "test_hypervolume": round(test_hypervolume(in_time, reference), 6),
        "test_error": round(mean_error_within(in_time, 1 / n_classes), 5),
        "test_within": [round(test_within(in_time, kb), 4) for kb in BUDGETS_KB],
        "trials": run.samples[-1].trainings,
        "points": len(in_time),
        "epochs": run.samples[-1].epochs,
        "stopped": run.n_stopped,
        "branches": run.n_branches,
        "steps": steps,
    }


def one_run(job: tuple[str, str, int, int, int | None, bool]) -> dict[str, Any]:
    """Replay one search."""
    name, policy_name, seed, n_trainings, n_rows, nearest = job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    model = model_of(name, n_rows)
    (policy,) = (policy for policy in ALL if policy.name == policy_name)
    timeout_s = seconds_of(model.recording, n_trainings)
    run = replay(model, policy, MAX_TRIALS, seed, timeout_s=timeout_s, nearest=nearest)
    found = summary(run, model.recording, timeout_s)
    return {"data": name, "policy": policy_name, "seed": seed, "seconds": timeout_s, **found}


def run_all(
    jobs: Sequence[tuple[str, str, int, int, int | None, bool]], path: Path, n_processes: int
) -> None:
    """Run what a file does not hold yet, and add it there as it ends."""
    done = {(line["data"], line["policy"], line["seed"]) for line in read_lines(path)}
    left = [job for job in jobs if job[:3] not in done]
    with ProcessPoolExecutor(n_processes) as pool, path.open("a") as file:
        for line in pool.map(one_run, left):
            file.write(json.dumps(line) + "\n")
            file.flush()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the runs of a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def complete_seeds(lines: Iterable[Line], policies: Sequence[str]) -> list[dict[str, Any]]:
    """Return, of each policy, the runs of the seeds that it has on every data set."""
    lines = [line for line in lines if line["policy"] in policies]
    names = {line["data"] for line in lines}
    n_of = Counter((line["policy"], line["seed"]) for line in lines)
    return [dict(line) for line in lines if n_of[line["policy"], line["seed"]] == len(names)]
