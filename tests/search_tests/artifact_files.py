"""Files of trials, as optuna-dashboard finds them."""

from __future__ import annotations

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from optuna_dashboard.artifact._backend import list_trial_artifacts


def files_of(
    storage: BaseStorage, trial: FrozenTrial, study_name: str = "analytic"
) -> dict[str, str]:
    """Return file names of a trial's artifacts, and their ids."""
    study_id = storage.get_study_id_from_name(study_name)
    study_attrs = storage.get_study_system_attrs(study_id)
    found = list_trial_artifacts(study_attrs, trial.system_attrs, trial)
    return {meta["filename"]: meta["artifact_id"] for meta in found}
