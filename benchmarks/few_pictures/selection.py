"""What picking by few pictures costs, on recorded real trainings.

A search picks, within a size, what validation says is best. Of the points recorded in
``benchmarks/data`` the accuracy is known to a percent (on 1,600 to 3,000 pictures). Here
validation is drawn anew, of fewer pictures, for a hundred configurations at random: the mean
true accuracy of what is then picked says what the number of pictures is worth. Folds judge by
all pictures, but every configuration is trained several times, so that there are fewer
configurations in the same time.

What one picture says is drawn independently for every model; really, models are wrong on the
same pictures, so that differences are somewhat surer than here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.few_pictures.ranks import rank_correlation
from benchmarks.replay.recordings import DATA, read_rows
from benchmarks.replay.trainings import TASKS
from search.front.budgets import best_within
from search.front.pareto import pareto_mask

BUDGETS_BYTES = (4_000, 8_000, 16_000, 32_000, 64_000)
N_DRAWS = 400
N_CONFIGS = 100

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judge:
    """One way to judge configurations by 440 pictures.

    Attributes:
        name: What it is called.
        n_val: Pictures that an accuracy is of.
        cost: Pictures that all trainings of one configuration learn from.
    """

    name: str
    n_val: int
    cost: int


JUDGES = (
    Judge("15 % for validation", 66, 374),
    Judge("40 % for validation", 176, 264),
    Judge("3 folds", 440, 880),
    Judge("5 folds", 440, 1_760),
)


def recorded(task: str) -> tuple[Numbers, Numbers, npt.NDArray[np.int64]]:
    """Return accuracy, size and training of every recorded point that was measured on test."""
    n_val, n_test = TASKS[task].n_val, TASKS[task].n_test
    points = []
    for training, row in enumerate(read_rows(DATA / f"{task}.jsonl")):
        for val, test, size_bytes, _ in row.get("points", {}).values():
            if test is not None:
                right = val * n_val + test * n_test
                points.append((right / (n_val + n_test), size_bytes, training))
    truth, sizes, trainings = np.array(points).T
    return truth, sizes, trainings.astype(np.int64)


def picked(task: str, judge: Judge) -> tuple[float, float, float]:
    """Return what is true of picks: mean accuracy, its standard error, and rank correlation.

    Args:
        task: One of :data:`TASKS`.
        judge: How they are picked, in the time that ``N_CONFIGS`` configurations take with the
            first of :data:`JUDGES`.
    """
    truth, sizes, trainings = recorded(task)
    random = np.random.default_rng(0)
    n_configs = round(N_CONFIGS * JUDGES[0].cost / judge.cost)
    known = np.unique(trainings)
    means, ranks = [], []
    for _ in range(N_DRAWS):
        chosen = random.choice(known, min(n_configs, len(known)), replace=False)
        points = np.flatnonzero(np.isin(trainings, chosen))
        said = random.binomial(judge.n_val, truth[points]) / judge.n_val
        values = np.column_stack([said, sizes[points], np.ones(len(points))])
        best = [points[index] for index in best_within(values, BUDGETS_BYTES) if index is not None]
        means.append(truth[best].mean())
        front = np.flatnonzero(pareto_mask(values))
        ranks.append(rank_correlation(said[front], truth[points][front]))
    deviation = float(np.std(means)) / np.sqrt(N_DRAWS)
    return float(np.mean(means)), deviation, float(np.nanmean(ranks))


def selection_table() -> str:
    """Return the table of all judges and tasks."""
    lines = [
        "| judged by | pictures | configurations | " + " | ".join(TASKS) + " |",
        "| --- | ---: | ---: |" + " --- |" * len(TASKS),
    ]
    for judge in JUDGES:
        cells = []
        for task in TASKS:
            mean, error, rank = picked(task, judge)
            cells.append(f"{100 * mean:.2f} ± {100 * error:.2f} %, {rank:.2f}")
        n_configs = round(N_CONFIGS * JUDGES[0].cost / judge.cost)
        lines.append(f"| {judge.name} | {judge.n_val} | {n_configs} | {' | '.join(cells)} |")
    return "\n".join(lines)
