"""A scheme that fails in most trainings is said, with the reason and the count."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from search.cli.front_data import front_to_dict
from search.cli.front_table import print_front, print_summary
from search.front.read import StudyFront, load_front
from search.storage.artifacts import ArtifactKeeper
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.space.compression import config_from_params
from tests.search_tests.conftest import TASK, analytic_point
from workers.messages.result import TrialResult

INT8 = QuantizationScheme.INT8


def front_of(folder: Path, reasons: list[str], outcome: str = "") -> StudyFront:
    """Return the front of a study with a training for each reason why int8 failed, or none.

    Args:
        folder: Where the database is.
        reasons: Empty where int8 gave a model.
        outcome: ``failed`` or ``infeasible`` of trials that have no model at all for a reason.
    """
    storage = open_storage(folder / "studies.db")
    settings = StudySettings("fruit", TASK, sampler="random", fan_out=True)
    study = open_study(storage, settings, ArtifactKeeper(folder / "artifacts", "fruit"))
    for reason in reasons:
        asked = study.ask(
            lambda params: config_from_params(
                params, task="fruit", data_fingerprint="0123456789abcdef", epochs=3, seed=0
            )
        )
        assert asked is not None
        if outcome:
            result = TrialResult(asked.config, outcome, reason=reason)  # type: ignore[arg-type]
        else:
            own = asked.config.quantization
            left_out = {own, INT8} if reason else {own}
            point = analytic_point(asked.config)
            fails = bool(reason) and own is INT8
            result = TrialResult(
                asked.config,
                "failed" if fails else "complete",
                reason=reason if fails else "",
                point=None if fails else point,
                siblings=tuple(
                    replace(point, config=asked.config.with_quantization(s))
                    for s in POST_TRAINING_SCHEMES
                    if s not in left_out
                ),
                skipped={INT8: reason} if reason else {},
            )
        study.tell(asked.number, result)
    storage.engine.dispose()
    return load_front("fruit", folder / "studies.db")


def shown(front: StudyFront) -> list[str]:
    texts = []
    for show in (print_front, print_summary):
        console = Console(file=io.StringIO(), width=400)
        show(console, front)
        texts.append(console.file.getvalue())  # type: ignore[attr-defined]
    return texts


REFUSED = "LiteRT cannot run the model: Node number {} (TfLiteXNNPackDelegate) failed to prepare."


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ([REFUSED.format(n) for n in range(4)], f"all, 4 of 4 trainings: {REFUSED.format(3)}"),
        (
            ["", *[REFUSED.format(n) for n in range(2)], "another"],
            f"most, 3 of 4 trainings: {REFUSED.format(1)}",
        ),
        ([REFUSED.format(7)], f"1 of 1 training: {REFUSED.format(7)}"),
        (["", "another"], None),
        (["", ""], None),
    ],
)
def test_what_fails_in_most_trainings_is_said(
    tmp_path: Path, reasons: list[str], said: str | None
) -> None:
    front = front_of(tmp_path, reasons)
    for text in shown(front):
        assert ("int8 gave no model in" in text) == (said is not None)
        assert said is None or f"Note: int8 gave no model in {said}\n" in text
    stored = front_to_dict(front)["scheme_failures"]
    assert [row["scheme"] for row in stored] == ([] if said is None else ["int8"])


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("failed", "loss is nan"), ("infeasible", "cannot be converted: no operation tf.FFT2D")],
)
def test_an_empty_front_says_why(tmp_path: Path, outcome: str, reason: str) -> None:
    front = front_of(tmp_path, [reason] * 3, outcome)
    for text in shown(front):
        assert f"no trial is complete. Most failed so: {reason}" in text


def test_what_was_not_worth_converting_is_no_failure(tmp_path: Path) -> None:
    assert not front_of(tmp_path, ["not converted: it would take 18 s"] * 3).scheme_failures


def test_limits_are_no_failure(tmp_path: Path) -> None:
    front = front_of(tmp_path, ["size 9 bytes exceeds the limit of 1"] * 2, "infeasible")
    assert front.why_no_model == ""
    assert not front.scheme_failures


def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    (failure,) = front_of(tmp_path, ["because " * 100] * 2).scheme_failures
    assert len(failure.reason) <= 160
    assert failure.reason.endswith("...")
