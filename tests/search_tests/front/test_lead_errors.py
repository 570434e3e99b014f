"""Leads in accuracy that are no more than which few pictures there happened to be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.cli.front_data import front_to_dict
from search.front.lead_errors import lead_errors
from search.front.picks import pick
from search.front.read import load_front
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.config.trial import TrialConfig
from spaces.space.compression import config_from_params
from tests.search_tests.conftest import TASK, analytic_point
from tests.search_tests.front.test_front import shown
from workers.messages.hits import packed_hits
from workers.messages.result import TrialResult

N = 40


def hits(n_right: int, start: int = 0, n: int = N) -> str:
    """So many right ones in a row, from a place on."""
    right = np.zeros(n, bool)
    right[start : start + n_right] = True
    return packed_hits(right)


@pytest.mark.parametrize(
    ("first", "second", "lead", "is_real"),
    [
        (hits(30), hits(29), 1, False),  # A single picture decides nothing.
        (hits(30), hits(28), 2, True),
        (hits(30, 10), hits(28), 2, False),  # 12 for the one, 10 for the other.
        (hits(38), hits(20, 20), 18, True),
    ],
)
def test_only_pictures_that_one_of_two_gets_right_are_a_reason_for_doubt(
    first: str, second: str, lead: int, is_real: bool
) -> None:
    error = lead_errors([first, second], N)[0, 1]
    assert bool(lead / N > error) is is_real


@given(st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=2, max_size=4))
def test_it_is_the_standard_error_of_a_mean_of_differences(rows: list[list[bool]]) -> None:
    found = lead_errors([packed_hits(np.array(row)) for row in rows], 9)
    # Half a picture more for each: both right, both wrong, only the first, only the second.
    weights = [*[1.0] * 9, 1.0, 0.5, 0.5]
    for i, first in enumerate(rows):
        for j, second in enumerate(rows):
            differences = [*np.subtract(first, second, dtype=float), 0, 1, -1]
            mean = np.average(differences, weights=weights)
            variance = np.average((differences - mean) ** 2, weights=weights)
            assert found[i, j] == pytest.approx(math.sqrt(variance / 11), abs=1e-6)


def test_what_is_not_recorded_is_not_known() -> None:
    found = lead_errors([hits(30), "", "nonsense", hits(20)], N)
    assert np.isnan(found[0, 1]) and np.isnan(found[2]).all()
    assert found[0, 3] > 0
    assert np.isnan(lead_errors(["", ""], N)).all()


FRONT = [(0.75, 1_000, 0.1), (0.86, 4_000, 0.4), (0.875, 5_000, 0.5), (0.9, 50_000, 4.0)]
KNEE = 2


def errors(lead: float) -> np.ndarray:
    return np.full((len(FRONT), len(FRONT)), lead)


@pytest.mark.parametrize(
    ("lead_error", "picked"),
    [
        (0.0, KNEE),
        (0.0149, KNEE),  # It leads by 0.015.
        (0.0151, 1),
        (math.nan, KNEE),  # Nobody knows.
        (0.2, 0),  # Everything may be as good.
    ],
)
def test_a_lead_within_its_error_does_not_displace_a_smaller_point(
    lead_error: float, picked: int
) -> None:
    assert pick(FRONT, "knee", lead_errors=errors(lead_error)) == picked
    for rule, plain in (("accuracy", 3), ("size", 0), ("latency", 0)):
        assert pick(FRONT, rule, lead_errors=errors(lead_error)) == plain  # type: ignore[arg-type]


def test_no_larger_point_takes_its_place() -> None:
    assert pick(FRONT, "knee") == KNEE
    assert pick([FRONT[0], *FRONT[2:]], "knee", lead_errors=np.full((3, 3), 0.1)) == 1
    assert pick(FRONT[2:], "knee", lead_errors=np.full((2, 2), 0.5)) == 0


def test_what_one_had_before_is_still_kept() -> None:
    """A point below the baseline's accuracy stays behind one that is not."""
    assert pick(FRONT, "knee", at_least=0.87, lead_errors=errors(0.2)) == KNEE
    assert pick(FRONT, "knee", at_least=0.86, lead_errors=errors(0.2)) == 1


def test_slower_by_much_is_no_better_for_being_smaller() -> None:
    values = [(0.86, 4_900, 3.0), *FRONT[2:], FRONT[0]]
    assert pick(values, "knee") == 1
    found = np.full((4, 4), math.nan)
    found[1, 0] = found[0, 1] = 0.05
    assert pick(values, "knee", lead_errors=found) == 1


def test_a_study_keeps_hits_and_its_front_says_what_they_show(tmp_path: Path) -> None:
    database = tmp_path / "studies.db"
    storage = open_storage(database)
    task = replace(TASK, n_val=N)
    study = open_study(storage, StudySettings("fruit", task, sampler="random", fan_out=False))
    models = [(30, 1_000, 0), (33, 4_000, 0), (34, 5_000, 0), (36, 5_500, 4), (40, 9_000, 0)]

    def make(params: object) -> TrialConfig:
        return config_from_params(
            params,  # type: ignore[arg-type]
            task="fruit",
            data_fingerprint="0123456789abcdef",
            epochs=3,
            seed=0,
        )

    for n_right, size_bytes, start in models:
        asked = study.ask(make)
        assert asked is not None
        point = replace(
            analytic_point(asked.config),
            accuracy=n_right / N,
            size_bytes=size_bytes,
            hits=hits(n_right, start),
        )
        study.tell(asked.number, TrialResult(asked.config, "complete", point=point))
    storage.engine.dispose()
    front = load_front("fruit", str(database))
    by_size = {point.size_bytes: point for point in front.points}
    marked = {size: point.same_accuracy_as for size, point in by_size.items()}
    # One picture more is nothing, and so are three more with four others wrong instead.
    trials = {size: point.trial for size, point in by_size.items()}
    assert marked == {
        1_000: None,
        4_000: None,
        5_000: trials[4_000],
        5_500: trials[4_000],
        9_000: None,
    }
    rows = {row["size_bytes"]: row for row in front_to_dict(front)["front"]}
    assert rows[5_000]["same_accuracy_as"] == trials[4_000]
    assert rows[9_000]["accuracy_error"] == pytest.approx(math.sqrt(41 / 42 / 42 / N))
    text = shown(front)
    assert "~85.0 %" in text and "~90.0 %" in text
    assert "~ more accurate than a smaller point" in text
    assert max(map(len, text.splitlines())) <= 80
