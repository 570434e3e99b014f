"""What may vary, on which data, and what is measured: the ground floor.

A task of one's own needs :class:`Task`, and :func:`load_image_folder`, :func:`load_npz` or a
:class:`Dataset` made by hand.
"""

from __future__ import annotations

from spaces.config import PruningConfig, TrainingConfig, TrialConfig
from spaces.dataset import Dataset, Split, fingerprint_arrays
from spaces.errors import SearchError
from spaces.folder import load_image_folder
from spaces.npz import load_npz
from spaces.objectives import OBJECTIVES, Objective
from spaces.registry import builtin_tasks, resolve_task
from spaces.schemes import SCHEMES, QuantizationScheme
from spaces.space import Condition, Parameter, SearchSpace
from spaces.task import DataRequest, Task

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
