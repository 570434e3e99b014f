"""The fixtures of conftest.py give what they promise, so that a skip elsewhere means absence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def test_shared_data_has_pictures_of_every_class(shared_data: Path) -> None:
    for name in ("apple", "banana", "mandarin", "orange"):
        assert any((shared_data / "fruit360" / "train" / name).glob("*.jpg"))


def test_browser_runs_scripts(browser: Chrome) -> None:
    browser.get("data:text/html,<title>before</title><script>document.title='after'</script>")
    assert browser.title == "after"


def test_postgres_answers_and_listens_on_no_network_address(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        assert connection.execute(sqlalchemy.text("SHOW listen_addresses")).scalar() == ""
    engine.dispose()
