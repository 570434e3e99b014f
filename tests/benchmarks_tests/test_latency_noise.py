"""Figures of the benchmark of latencies, from made-up samples."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from benchmarks.latency.noise import (
    BUSY,
    CONDITIONS,
    FIGURES,
    GROUPS,
    WALL,
    Samples,
    rank_correlations,
    spread,
    to_markdown,
)


def test_spread_is_relative_and_of_each_network_by_itself() -> None:
    steady = np.array([[1.0, 50.0], [1.0, 50.0], [1.0, 50.0]])
    assert spread(steady) == 0
    doubling = np.linspace(1, 2, 101)[:, None] * [1.0, 50.0]
    assert spread(doubling) == pytest.approx(0.9 / 1.5)


def test_ranks_are_those_of_a_round() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    rows = np.array([[10.0, 20.0, 30.0, 40.0], [4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 4.0]])
    assert rank_correlations(rows, truth) == pytest.approx([1.0, -1.0, 0.8])


def test_the_table_has_a_row_for_every_figure() -> None:
    samples: Samples = defaultdict(list)
    for group, networks in GROUPS.items():
        right = [1.0 + i for i in range(len(networks))]
        for condition in CONDITIONS:
            for figure in FIGURES:
                wrong = condition == BUSY and figure == WALL
                samples[group, condition, figure] = [right[::-1] if wrong else right] * 3
    rows = to_markdown(samples).splitlines()[2:]
    assert len(rows) == len(GROUPS) * len(CONDITIONS) * len(FIGURES)
    turned = [row for row in rows if "| -1.000 | -1.00 |" in row]
    assert len(turned) == len(GROUPS)
    assert all(BUSY in row and FIGURES[WALL] in row for row in turned)
