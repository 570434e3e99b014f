"""How pictures came to their splits is part of what a study is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from search.storage import attributes
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.study.create_or_resume import Drawn, drawn_otherwise, study_for_run
from spaces.errors import StudyError
from tests.search_tests import analytic

SETTINGS = StudySettings("analytic", analytic.task_info(), seed=1)


def settings(**changes: object) -> StudySettings:
    return replace(SETTINGS, task=replace(SETTINGS.task, **changes))  # type: ignore[arg-type]


def begin(path: Path, wanted: StudySettings, *, earlier_version: bool = False) -> None:
    with study_for_run(path, wanted):
        pass
    if earlier_version:  # It stored nothing of splits.
        database = open_storage(path)
        study_id = database.get_study_id_from_name(wanted.name)
        task = database.get_study_user_attrs(study_id)[attributes.TASK]
        for key in ("split_rule", "group_by", "leaks", "class_counts"):
            task.pop(key, None)
        database.set_study_user_attr(study_id, attributes.TASK, task)
        database.remove_session()
        database.engine.dispose()


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (
            {"group_by": "^(.*)_"},
            {},
            r"are few --group-by \^\(\.\*\)_; this run.* are few\.",
        ),
        (
            {},
            {"group_by": "*_*"},
            r"started with splits drawn by class, .* --group-by \*_\*\. Ask",
        ),
    ],
)
def test_other_groups_are_refused(
    tmp_path: Path, first: dict[str, object], then: dict[str, object], says: str
) -> None:
    path = tmp_path / "studies.db"
    begin(path, settings(**first))
    with pytest.raises(StudyError, match=says):
        begin(path, settings(**then))
    begin(path, settings(**first))


def drawn(path: Path, name: str = "analytic") -> Drawn | None:
    return drawn_otherwise(path, name, "sized")


def test_a_study_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    begin(path, SETTINGS, earlier_version=True)
    assert drawn(path) == Drawn("by_name", analytic.FINGERPRINT)
    assert drawn(path, "other") is None
    with pytest.raises(StudyError, match="splits drawn by name, as earlier versions did; this"):
        begin(path, settings(data_fingerprint="new"))
    begin(path, settings(split_rule="by_name"))
    assert drawn(path) == Drawn("by_name", analytic.FINGERPRINT)
    begin(path, SETTINGS)  # Its data has splits of its own: nothing was drawn by either rule.
    assert drawn(path) is None


def test_a_study_with_a_smaller_validation_split_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    earlier = settings(split_rule="stratified", group_by="*_*")
    begin(path, earlier)
    assert drawn(path) == Drawn("stratified", analytic.FINGERPRINT)
    with pytest.raises(StudyError, match="15 % for validation, as an earlier version did"):
        begin(path, settings(data_fingerprint="new", group_by="*_*"))
    with pytest.raises(StudyError, match="splits"):
        begin(path, SETTINGS)  # Other groups.
    begin(path, earlier)
    begin(path, settings(group_by="*_*"))  # So many pictures that it is the same by either rule.
    assert drawn(path) is None


def test_what_counts_follows_from_the_largest_class_and_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    uneven = settings(class_counts={"val": [95, 5, 0, 0]})
    begin(path, uneven)
    begin(path, SETTINGS)
    database = open_storage(path)
    study_id = database.get_study_id_from_name(SETTINGS.name)
    stored = database.get_study_user_attrs(study_id)[attributes.REFERENCE_POINT]
    assert stored["error"] == pytest.approx(0.75 * 0.05)
    assert stored["least_error"] == pytest.approx(0.5 / 100)
    database.engine.dispose()
