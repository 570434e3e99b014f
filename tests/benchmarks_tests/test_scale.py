"""Figures and tables of the benchmark of load; the runs themselves take minutes to hours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import section_at
from benchmarks.scale.command import PARTS, TITLE, write_part
from benchmarks.scale.figures import (
    Costs,
    Load,
    busy_share,
    costs_table,
    exponent,
    load_table,
    n_log_n_exponent,
    too_fast,
)
from benchmarks.scale.versions import Turns, by_turns, versions_table

CHECKOUT = Path(__file__).parents[2]

COSTS = Costs(
    n_trials=1000,
    ask_ms=2.0,
    tell_ms=3.0,
    memory_mb=100.0,
    resume_s=0.2,
    resume_mb=90.0,
    front_s=0.1,
    front_mb=80.0,
    report_s=0.3,
    report_mb=95.0,
)
LINEAR = replace(COSTS, n_trials=10_000, resume_s=2.0, front_s=1.0, report_s=3.0)


def test_busy_share() -> None:
    window = (10.0, 20.0)
    assert busy_share([(10.0, 20.0)], 1, window) == 1
    assert busy_share([(10.0, 15.0), (12.0, 17.0)], 2, window) == pytest.approx(0.5)
    # What began before or ended after counts by its part; the rest does not.
    assert busy_share([(0.0, 12.0), (19.0, 30.0), (21.0, 22.0)], 1, window) == pytest.approx(0.3)
    assert busy_share([], 64, window) == 0


@pytest.mark.parametrize(
    ("after", "expected"), [(1.0, 0.0), (10.0, 1.0), (100.0, 2.0), (10**1.5, 1.5)]
)
def test_exponent(after: float, expected: float) -> None:
    assert exponent(100, 1000, 1.0, after) == pytest.approx(expected)


def test_n_log_n_is_a_little_faster_than_n() -> None:
    assert n_log_n_exponent(10_000, 100_000) == pytest.approx(1.0969, abs=1e-4)
    assert n_log_n_exponent(100, 1000) > n_log_n_exponent(1000, 10_000) > 1


def test_what_is_linear_is_not_too_fast() -> None:
    assert too_fast([COSTS, LINEAR]) == []
    assert too_fast([COSTS]) == []


@pytest.mark.parametrize(
    ("name", "value"), [("report_s", 300.0), ("ask_ms", 20.0), ("memory_mb", 9000.0)]
)
def test_what_is_quadratic_is_named(name: str, value: float) -> None:
    # Ten times as long an ask is a sum over the study a hundred times as long.
    found = [COSTS, replace(LINEAR, **{name: value})]  # type: ignore[arg-type]
    [line] = too_fast(found)
    assert name in line and "1,000 to 10,000" in line
    assert costs_table(found).count("**") == 2


def test_tables_have_as_many_cells_in_each_line() -> None:
    load = Load("random", 64, 1.0, 1000, 16.2, 0.971, 61.5, 60.1, 0.8, 210.0, 140.0)
    for table in (costs_table([COSTS, LINEAR]), load_table([load])):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "| exponent, 1,000 to 10,000 | 1.00 |" in costs_table([COSTS, LINEAR])
    assert "| 97.1 % |" in load_table([load])


def test_ratios_of_versions_are_of_the_same_round() -> None:
    """The median of ratios, which is not the ratio of medians."""
    old, new = [{"s": 1.0}, {"s": 2.0}, {"s": 4.0}], [{"s": 2.0}, {"s": 1.0}, {"s": 6.0}]
    line = versions_table([Turns(1000, old, new)]).splitlines()[-1]
    assert line == "| 1,000 | s | 2.00 | 2.00 | 1.50 (0.50 to 2.00) |"


@pytest.mark.slow
def test_a_version_beside_itself() -> None:
    turns = by_turns(CHECKOUT, CHECKOUT, n_trials=1, n_rounds=1)
    [[old], [new]] = turns.old, turns.new
    assert list(old) == list(new)
    assert all(value > 0 for value in (*old.values(), *new.values()))


def test_a_part_leaves_the_others(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Benchmarks\n\n## Another\n\nIts text.\n")
    write_part("postgres", "Old postgres.", results)
    write_part("workers", "Of workers.\n\n| a |\n| - |", results)
    write_part("postgres", "New postgres.", results)
    written = results.read_text()
    assert written.startswith("# Benchmarks\n\n## Another\n\nIts text.\n\n" + TITLE)
    section = section_at(TITLE, results)
    assert section.index("Of workers.") < section.index("New postgres.")
    assert "Old postgres." not in written and written.count("### ") == 2
    write_part("versions", "Of versions.", results)
    write_part("sqlite", "Of SQLite.", results)
    headings = [line[4:] for line in results.read_text().splitlines() if line[:4] == "### "]
    assert headings == list(PARTS.values())
