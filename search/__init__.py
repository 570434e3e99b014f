"""Search hyperparameters and compression of small image networks together.

The verbs of the command line, for Python::

    from search import load_front, run_study

    run_study("fruit", trials=100)
    for point in load_front("fruit").points:
        print(point.size_bytes, point.accuracy)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.export import export_config
    from search.front import load_front
    from search.predictions import classify
    from search.retrain import retrain
    from search.run import run_study
    from search.tune_searcher import StudySearcher
    from search.tune_task import task_trainable
    from spaces.task import Task
    from workers.device import Device, Measurement

__all__ = [
    "Device",
    "Measurement",
    "StudySearcher",
    "Task",
    "__version__",
    "classify",
    "export_config",
    "load_front",
    "retrain",
    "run_study",
    "task_trainable",
]

__version__ = "0.1.0"

# Imported when first asked for: `search --help` must not wait for any of them.
_MODULES = {
    "Device": "workers.device",
    "Measurement": "workers.device",
    "StudySearcher": "search.tune_searcher",
    "Task": "spaces.task",
    "classify": "search.predictions",
    "export_config": "search.export",
    "load_front": "search.front",
    "retrain": "search.retrain",
    "run_study": "search.run",
    "task_trainable": "search.tune_task",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    # Importing search/retrain.py has just made the module `search.retrain`: the function is meant.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
