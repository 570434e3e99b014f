"""What tests ask of a training in full."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workers.deploy.full_training import FullTraining

_ASKED: dict[str, Any] = {
    "epochs": None,
    "data": None,
    "task": None,
    "device": None,
    "float_model": False,  # It takes as long again.
    "tta": False,
    "seeds": 0,
    "patience": None,
}


def asked(**options: Any) -> dict[str, Any]:
    """Return the options of ``retrain_job``: the trial's own training, and no float model."""
    return asdict(FullTraining(**{**_ASKED, **options}))
