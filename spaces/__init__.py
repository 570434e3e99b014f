"""What may vary, on which data, and what is measured: the ground floor.

A task of one's own needs :class:`Task`, and :func:`load_image_folder`, :func:`load_npz` or a
:class:`Dataset` made by hand.
"""

from __future__ import annotations

from spaces.config.objectives import OBJECTIVES, Objective
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.data.image_folder import load_image_folder
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.errors import SearchError
from spaces.space.search_space import Condition, Parameter, SearchSpace
from spaces.tasks.registry import builtin_tasks, resolve_task
from spaces.tasks.task import Task

__all__ = [
    "Condition",
    "DataRequest",
    "Dataset",
    "OBJECTIVES",
    "Objective",
    "Parameter",
    "PruningConfig",
    "QuantizationScheme",
    "SCHEMES",
    "SearchError",
    "SearchSpace",
    "Split",
    "Task",
    "TrainingConfig",
    "TrialConfig",
    "builtin_tasks",
    "fingerprint_arrays",
    "load_image_folder",
    "load_npz",
    "resolve_task",
]
