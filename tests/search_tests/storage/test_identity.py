"""One study has one identity, whoever gives it one at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search.storage import attributes
from search.storage.database import open_storage
from search.storage.identity import settled_identity
from search.study.create_or_resume import create_study


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_several_drivers_that_give_one_the_first_is_right(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'studies.db'}"
        if kind == "sqlite"
        else str(request.getfixturevalue("postgres_url"))
    )
    storage = open_storage(url)
    try:
        studies = [
            create_study(storage, name).study_id for name in ("identity, one", "identity, other")
        ]
        with ThreadPoolExecutor(8) as drivers:
            given = [
                set(
                    drivers.map(lambda _, of=study: settled_identity(storage.engine, of), range(8))
                )
                for study in studies
            ]
        assert [len(found) for found in given] == [1, 1] and given[0] != given[1]
        stored = storage.get_study_user_attrs(studies[0])[attributes.IDENTITY]
        assert given[0] == {stored}
    finally:
        storage.remove_session()
        storage.engine.dispose()
