"""A run and its trials in some words, wherever they are shown."""

from __future__ import annotations

from search.run.events import RunProgress
from search.study.messages import Told
from search.units import format_accuracy, format_duration, format_latency, format_size
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


def times(progress: RunProgress, since_s: float = 0.0) -> str:
    """Return how long a run has taken, and what is left of it."""
    text = format_duration(progress.elapsed_s + since_s)
    if progress.eta_s is not None and progress.n_done < progress.n_target:
        text += f", {format_duration(max(0.0, progress.eta_s - since_s))} left"
    return text


def trials(progress: RunProgress) -> str:
    """Return how many of the trials are done."""
    return f"{progress.n_done:,}/{progress.n_target:,} trials"


def states(progress: RunProgress) -> str:
    """Return how the trials stand, without what there is none of."""
    counts = [
        (progress.n_running, "running"),
        (progress.n_infeasible, "infeasible"),
        (progress.n_stopped, "stopped"),
        (progress.n_failed, "failed"),
    ]
    parts = [f"{count:,} {name}" for count, name in counts if count or name == "running"]
    if progress.n_points:
        parts.append(f"{counted(progress.n_points, 'model')} measured")
    return ", ".join(parts)


def front(progress: RunProgress) -> str:
    """Return what the front has come to."""
    parts = [f"front {progress.front_size:,}", f"hypervolume {progress.hypervolume:.4f}"]
    if progress.best_accuracy is not None:
        parts.append(f"best {format_accuracy(progress.best_accuracy)}")
    if progress.smallest_bytes is not None:
        parts.append(f"smallest {format_size(progress.smallest_bytes)}")
    if progress.fastest_ms is not None:
        parts.append(f"fastest {format_latency(progress.fastest_ms)}")
    return ", ".join(parts)
