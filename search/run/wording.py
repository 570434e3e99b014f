"""Trials in some words, as a run tells of them."""

from __future__ import annotations

from search.study.messages import Told
from search.units import format_accuracy, format_latency, format_size
from spaces.config.trial import TrialConfig
from spaces.wording import counted


def described(config: TrialConfig) -> str:
    """Say in some words what a configuration is: family, scheme, pruning, epochs."""
    family = config.hyperparameter_dict.get("family")
    words = [] if family is None else [str(family)]
    words.append(config.quantization.value)
    if config.pruning.final_sparsity > 0:
        words.append(f"{100 * config.pruning.final_sparsity:.0f} % sparse")
    words.append(counted(config.training.epochs, "epoch"))
    return ", ".join(words)


def ended_line(told: Told) -> str:
    """Say in one line how a trial ended."""
    if told.values is None:
        return f"trial {told.number} {told.outcome}: {told.reason}"
    accuracy, size_bytes, latency_ms = told.values
    text = (
        f"trial {told.number}: {format_accuracy(accuracy)}, {format_size(size_bytes)}, "
        f"{format_latency(latency_ms)}"
    )
    if told.n_derived:
        text += f", +{counted(told.n_derived, 'point')}"
    if told.n_on_front:
        text += f", {told.n_on_front} on the front"
    return text
