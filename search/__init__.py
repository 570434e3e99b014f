"""Search hyperparameters and compression of small image networks together.

The verbs of the command line, for Python::

    from search import load_front, run_study

    run_study("fruit", trials=100)
    for point in load_front("fruit").points:
        print(point.size_bytes, point.accuracy)
"""

from __future__ import annotations

import importlib
import os
import sys

if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()]:
    # `python -m search` has put the current folder first: a `random.py` there is somebody's file
    # and not Python's. What is imported from here on is looked for where programs are installed.
    sys.path[:1] = []
    if (_home := __path__[0].rpartition("/")[0]) not in sys.path:
        sys.path.append(_home)  # A checkout that is not installed is that folder.

from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from search.deploy.classify import classify
    from search.deploy.export import export_config
    from search.deploy.retrain import retrain
    from search.front.read import load_front
    from search.ray_tune.searcher import StudySearcher
    from search.ray_tune.trainable import task_trainable
    from search.run.run_study import run_study
    from spaces.tasks.task import Task
    from workers.devices.device import Device, Measurement

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
    "Device": "workers.devices.device",
    "Measurement": "workers.devices.device",
    "StudySearcher": "search.ray_tune.searcher",
    "Task": "spaces.tasks.task",
    "classify": "search.deploy.classify",
    "export_config": "search.deploy.export",
    "load_front": "search.front.read",
    "retrain": "search.deploy.retrain",
    "run_study": "search.run.run_study",
    "task_trainable": "search.ray_tune.trainable",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    # Importing search/deploy/retrain.py has just made the module `search.deploy.retrain`: the
    # function is meant.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
