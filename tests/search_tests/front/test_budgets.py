"""The best accuracy within so many kilobytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from search.cli.budget_table import print_budgets
from search.cli.front_data import front_to_dict
from search.front.budgets import BUDGETS_BYTES, best_within, budget_rows
from search.front.finalists import Finalist, SeedRun
from search.front.pareto import pareto_mask
from search.front.read import StudyFront, load_front
from spaces.data.accuracy_context import wilson_interval
from workers.messages.result import Limits

VALUES = [(0.9, 8_001, 0.2), (0.8, 3_000, 0.1), (0.8, 2_900, 0.3), (0.95, 200_000, 1.0)]

points = st.tuples(
    st.sampled_from([0.2, 0.5, 0.9, 1.0]), st.floats(100, 3e5), st.sampled_from([0.1, 0.2])
)


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ((2_000, 4_000, 8_000, 8_001), (None, 2, 2, 0)),
        ((128_000, 200_000, float("inf")), (0, 3, 3)),
        ((), ()),
    ],
)
def test_best_within(budgets: tuple[float, ...], expected: tuple[int | None, ...]) -> None:
    """What is as accurate and smaller comes first."""
    assert best_within(VALUES, budgets) == expected


def test_nothing_measured_is_within_no_budget() -> None:
    assert best_within([]) == (None,) * len(BUDGETS_BYTES)


@given(st.lists(points, max_size=12))
def test_it_is_the_most_accurate_of_all_and_of_the_front(
    values: list[tuple[float, float, float]],
) -> None:
    front = [value for value, is_on in zip(values, pareto_mask(values), strict=True) if is_on]
    found = zip(BUDGETS_BYTES, best_within(values), best_within(front), strict=True)
    for budget, of_all, of_front in found:
        small = [accuracy for accuracy, size, _ in values if size <= budget]
        best = max(small, default=None)
        assert (None if of_all is None else values[of_all][0]) == best
        assert (None if of_front is None else front[of_front][0]) == best


@pytest.fixture
def front(make_study) -> StudyFront:  # type: ignore[no-untyped-def]
    return load_front("fruit", make_study(n_trials=8))


def test_rows_are_the_best_of_the_study_with_their_interval(front: StudyFront) -> None:
    rows = budget_rows(front)
    assert [row.max_bytes for row in rows] == [*BUDGETS_BYTES, None]
    assert rows[-1].point == front.pick("accuracy")
    for row in rows:
        if row.max_bytes is not None:
            is_small = [p for p in front.points if p.size_bytes <= row.max_bytes]
            assert (row.point is None) is not bool(is_small)
        if row.point is not None:
            interval = wilson_interval(row.point.accuracy, front.n_val)
            assert (row.accuracy_low, row.accuracy_high) == interval


def test_budgets_end_at_the_limit_on_size(make_study) -> None:  # type: ignore[no-untyped-def]
    limited = load_front("fruit", make_study(n_trials=8, limits=Limits(max_size_bytes=16_000)))
    rows = budget_rows(limited)
    assert [row.max_bytes for row in rows] == [2_000, 4_000, 8_000, None]
    text = shown(limited)
    assert "limits" in text and "any size" not in text
    assert "All keep the study's limits: --max-size 16.0 kB." in text


def shown(front: StudyFront, finalists: Sequence[Finalist] = ()) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_budgets(console, front, finalists)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_80_columns_and_says_of_how_many_pictures(front: StudyFront) -> None:
    lines = shown(front).splitlines()
    assert max(map(len, lines)) <= 80
    best = front.pick("accuracy")
    last = next(line for line in lines if line.startswith("any size"))
    assert f"{100 * best.accuracy:.1f} %" in last and str(best.trial) in last.split()
    assert any(line.startswith("Accuracy: of 600 validation images") for line in lines)
    assert any(line.endswith("On test: search finalists fruit") for line in lines)


def test_a_budget_that_nothing_keeps_says_none(front: StudyFront) -> None:
    large = tuple(replace(p, size_bytes=p.size_bytes + 3_000) for p in front.points)
    text = shown(replace(front, points=large))
    assert [line.split() for line in text.splitlines() if "2 kB" in line][0] == ["2", "kB", "none"]


def test_another_metric_has_a_column_of_its_own(front: StudyFront) -> None:
    scored = tuple(replace(p, score=p.accuracy / 2) for p in front.points)
    text = shown(replace(front, points=scored, metric="balanced_accuracy"))
    assert "balanced" in text
    best = front.pick("accuracy")
    assert f"{100 * best.accuracy:.1f} %" in text and f"{50 * best.accuracy:.1f} %" in text


def test_a_point_trained_again_has_its_test_accuracy(front: StudyFront) -> None:
    best = front.pick("accuracy")
    runs = (SeedRun(1, 0.8, 0.76), SeedRun(2, 0.8, 0.78), SeedRun(3, reason="diverged"))
    again = [Finalist(best.trial, 3, None, best.accuracy, 600, 1_000, 1e4, runs)]
    lines = shown(front, again).splitlines()
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if line.startswith("any size")).count("77.0 %") == 1
    assert not any("search finalists" in line for line in lines)
    *others, last = front_to_dict(front, None, again)["budgets"]
    assert (last["test_accuracy"], last["n_test_seeds"]) == (pytest.approx(0.77), 2)
    for row in others:
        assert (row["test_accuracy"] is not None) is (row["trial"] == best.trial)


def test_programs_read_the_same(front: StudyFront) -> None:
    rows = front_to_dict(front)["budgets"]
    assert [row["max_bytes"] for row in rows] == [*BUDGETS_BYTES, None]
    best = front.pick("accuracy")
    assert (rows[-1]["trial"], rows[-1]["accuracy"]) == (best.trial, best.accuracy)
    assert rows[-1]["n_val"] == 600
    assert rows[-1]["accuracy_low"] < best.accuracy < rows[-1]["accuracy_high"]


def test_an_empty_front_says_why(tmp_path: Path, front: StudyFront) -> None:
    text = shown(replace(front, points=(), n_points=0))
    assert "No point yet" in text
