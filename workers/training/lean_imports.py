"""TensorFlow, Keras and KerasTuner imported without what they only take where it is there.

They import pandas, matplotlib, scikit-learn, IPython and OpenCV for functions that no trial calls,
and do without on machines that lack them. That is a quarter of the time that a worker takes to
start, and collecting garbage meanwhile, of which there is none, is another.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

OPTIONAL = ("pandas", "matplotlib", "sklearn", "IPython", "cv2")
"""What they try to import, and do without."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import within the block as if :data:`OPTIONAL` were not installed, unless they are imported.

    Other threads, and this one afterwards, import them as ever.
    """
    finder = _Without(threading.get_ident())
    collects = gc.isenabled()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collects:
            gc.enable()


def give_pandas_back() -> None:
    """Let ``fit`` of Keras 2 take tables of pandas as ever: a task's own code may call it."""
    adapter: Any = sys.modules.get("tf_keras.src.engine.data_adapter")
    if getattr(adapter, "pd", adapter) is None and importlib.util.find_spec("pandas"):
        adapter.pd = _WhenUsed("pandas")


class _Without(importlib.abc.MetaPathFinder):
    """Finds nothing, and lets nobody after it find what is optional."""

    def __init__(self, thread: int) -> None:
        self._thread = thread

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in OPTIONAL and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


class _WhenUsed:
    """Stands for a module, which is imported when something of it is wanted."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
