"""A training in full that learns from the validation pictures too: what it can tell of them.

They have done their work, once a point is chosen. Nothing is judged by them from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spaces.config.trial import TrialConfig
from workers.training.compiled import own_training
from workers.training.own_callbacks import judging_by_validation, named

if TYPE_CHECKING:
    from workers.trial.train_config import Trained


def leave_out_validation(metrics: dict[str, Any]) -> None:
    """Take out what was measured on pictures that were learned from."""
    for name in ("images", "accuracy", "accuracy_interval", "class_scores"):
        metrics["measured"].pop(name, None)
    metrics["measured"]["metrics"] = {}
    metrics["curves"]["best_epoch"] = None
    seeds = metrics["seeds"] or {"runs": []}
    curves = [metrics["history"], metrics["curves"]["history"], *seeds["runs"], seeds]
    curves += [(metrics["models"]["float"] or {}).get("history", {})]
    for found in curves:
        for name in [name for name in found if name.startswith("val_")]:
            del found[name]


def validation_notes(trained: Trained, config: TrialConfig) -> list[str]:
    """Return what of a training went by the validation split, and cannot now: a line each.

    Args:
        trained: A training from the start.
        config: Its configuration.
    """
    training = config.training
    notes = []
    if training.from_model:
        own = own_training(trained.model)
        if off := judging_by_validation(own.callbacks):
            names = list(dict.fromkeys(map(named, off)))
            note = (
                f"{' and '.join(names)} would go by pictures that are learned from, and "
                f"{'are' if len(names) > 1 else 'is'} not called"
            )
            if any(name.startswith("EarlyStopping") for name in names):
                note += f": training takes all {training.epochs} epochs, or --epochs N"
            notes.append(f"{note}.")
        if own.loop is not None:
            notes.append(
                "fit(hp, model, ...) trains by a loop of its own: what it judges by its "
                "validation_data is judged by pictures that are learned from."
            )
        return notes
    if training.lr_schedule == "plateau":
        notes.append(
            "The learning rate falls where the validation loss does not (lr_schedule plateau): it "
            "goes by pictures that are learned from, and falls later than in the trial."
        )
    return notes
