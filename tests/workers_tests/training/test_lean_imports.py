"""What is optional is not there within the block, for this thread alone."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from types import ModuleType

import pytest

from workers.training import lean_imports as lean


@pytest.fixture(autouse=True)
def optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something small stands for what is large."""
    monkeypatch.setattr(lean, "OPTIONAL", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)


def test_it_is_missing_within_the_block_and_there_afterwards() -> None:
    with lean.lean_imports():
        with pytest.raises(ModuleNotFoundError, match="colorsys"):
            importlib.import_module("colorsys")
        assert not gc.isenabled()
    assert gc.isenabled()
    assert importlib.import_module("colorsys").rgb_to_hsv


def test_other_threads_find_it() -> None:
    found: list[ModuleType] = []
    with lean.lean_imports():
        thread = threading.Thread(target=lambda: found.append(importlib.import_module("colorsys")))
        thread.start()
        thread.join()
    assert [module.__name__ for module in found] == ["colorsys"]


def test_what_is_imported_already_stays() -> None:
    before = importlib.import_module("colorsys")
    with lean.lean_imports():
        assert importlib.import_module("colorsys") is before
