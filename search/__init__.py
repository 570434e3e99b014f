"""Search hyperparameters and compression of small image networks together.

The verbs of the command line, for Python::

    from search import load_front, run_study

    run_study("fruit", trials=100)
    front = load_front("fruit")  # In a notebook, a table; front.plot() draws it.
    for point in front.points:
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
    from search.deploy.export import export_config, read_export, write_export
    from search.deploy.export_model import export_model
    from search.deploy.finalists import train_finalists
    from search.deploy.retrain import retrain
    from search.front.finalists import load_finalists
    from search.front.read import load_front, load_fronts
    from search.front.study_front import StudyFront
    from search.front.trials import load_trials
    from search.ray_tune.searcher import StudySearcher
    from search.ray_tune.trainable import task_trainable
    from search.run.run_study import run_study
    from spaces.tasks.task import Task
    from workers.devices.device import Device, Measurement
    from workers.messages.limits import Limits

__all__ = [
    "Device",
    "Limits",
    "Measurement",
    "StudyFront",
    "StudySearcher",
    "Task",
    "__version__",
    "classify",
    "export_config",
    "export_model",
    "load_finalists",
    "load_front",
    "load_fronts",
    "load_trials",
    "read_export",
    "retrain",
    "run_study",
    "task_trainable",
    "train_finalists",
    "write_export",
]

__version__ = "0.1.0"

# Imported when first asked for: `search --help` must not wait for any of them.
_MODULES = {
    "Device": "workers.devices.device",
    "Limits": "workers.messages.limits",
    "Measurement": "workers.devices.device",
    "StudyFront": "search.front.study_front",
    "StudySearcher": "search.ray_tune.searcher",
    "Task": "spaces.tasks.task",
    "classify": "search.deploy.classify",
    "export_config": "search.deploy.export",
    "export_model": "search.deploy.export_model",
    "load_finalists": "search.front.finalists",
    "load_front": "search.front.read",
    "load_fronts": "search.front.read",
    "load_trials": "search.front.trials",
    "read_export": "search.deploy.export",
    "retrain": "search.deploy.retrain",
    "run_study": "search.run.run_study",
    "task_trainable": "search.ray_tune.trainable",
    "train_finalists": "search.deploy.finalists",
    "write_export": "search.deploy.export",
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
