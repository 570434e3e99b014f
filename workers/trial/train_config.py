"""From a configuration to trained weights: what searching and retraining share.

Both give the same weights, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset
from spaces.space.compression import build_values
from spaces.space.search_space import Parameter
from workers.training.compiled import follow, own_training
from workers.training.hooks import NO_HOOKS, Hooks
from workers.training.loop import train, train_by_loop
from workers.training.start_weights import start_from

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Weights: TypeAlias = "Sequence[npt.NDArray[np.generic]]"
"""Weights of a network in the order of Keras's ``get_weights``."""


@dataclass(frozen=True)
class Trained:
    """What training one configuration gives.

    Attributes:
        model: Trained, pruned and stripped Keras model, before any quantization.
        qat_model: The quantization-aware model, where the scheme asks for it.
        epochs_trained: Epochs really trained, quantization-aware ones included.
        sparsity: Achieved fraction of zero weights, ``overall`` and by layer.
        history: Metrics by epoch.
        new_parameters: Parameters that showed up only while building.
        best_epoch: The epoch (from 0) whose weights these are, where early stopping was asked
            for; None for those of the last one.
    """

    model: Any
    qat_model: Any | None
    epochs_trained: int
    sparsity: Mapping[str, float]
    history: Mapping[str, tuple[float, ...]]
    new_parameters: tuple[Parameter, ...] = ()
    best_epoch: int | None = None


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


Built: TypeAlias = "tuple[Any, tuple[Parameter, ...]]"
"""A Keras model, and parameters that showed up only while it was built."""


def build(hypermodel: Any, config: TrialConfig) -> Built:
    """Build a configuration's network from its seed, whatever was built before.

    Its weights are random ones, or those of the file that the configuration starts from.

    Raises:
        TrialFailedError: If the model's ``build(hp)`` raises on these values, or the file is not
            at hand.
    """
    from workers.hypermodels.describe import build_model
    from workers.training.keras_compat import seed_everything

    seed_everything(config.seed)
    model, new_parameters = build_model(hypermodel, build_values(config))
    follow(model, as_written=config.training.as_written)
    start_from(model, config.training)
    return model, new_parameters


def train_config(
    hypermodel: Any,
    dataset: Dataset,
    config: TrialConfig,
    watch: Stopwatch | None = None,
    hooks: Hooks = NO_HOOKS,
    *,
    start_weights: Weights | None = None,
    built: Built | None = None,
) -> Trained:
    """Train, prune and, where the scheme asks for it, train quantization-aware.

    The same configuration gives the same weights, bit for bit, in any process with the same
    library versions and thread count: it is built anew from its seed.

    Args:
        hypermodel: Builds the network.
        dataset: Trained on ``train``.
        config: What to do.
        watch: Takes the seconds by stage.
        hooks: What is asked of this training while it runs. Those before it (what it branched
            from) and after it (quantization-aware training) only pause as it does: they are told
            to nobody, and are done whole and anew.
        start_weights: What a branch starts from; None to train what it branched from first.
        built: What :func:`build` gave for this configuration, with its weights as they were
            then; None to build it here.

    Raises:
        TrialFailedError: If the loss is no number, or the model cannot be built.
        ConversionError: If the network cannot be trained quantization-aware.
    """
    from workers.training.prune import achieved_sparsity
    from workers.training.qat import train_quantization_aware

    watch = watch or Stopwatch()
    with watch.stage("build"):
        model, new_parameters = built or build(hypermodel, config)
    if config.branched_from is not None:
        if start_weights is None:
            before = train_config(
                hypermodel, dataset, config.branched_from, watch, hooks.of_another_phase
            )
            start_weights = before.model.get_weights()
        model.set_weights(start_weights)
    was_ended = False

    def told(epoch: int, metrics: Mapping[str, float]) -> bool:
        nonlocal was_ended
        was_ended = not hooks.goes_on(epoch, metrics)
        return not was_ended

    loop = own_training(model).loop if config.training.from_model else None
    runs_loop = loop is not None and config.branched_from is None
    with watch.stage("train"):
        if runs_loop:
            assert loop is not None
            history = train_by_loop(model, loop, dataset, config)
        if not runs_loop or config.pruning.is_active:
            history = train(model, dataset, config, hooks.with_on_epoch(told))
    best_epoch = None
    if hooks.early_stopping is not None and not runs_loop:
        best_epoch = hooks.early_stopping.settled_with(config).best_epoch(history)
    sparsity = achieved_sparsity(model)
    epochs = len(history["loss"])
    qat_model = None
    given_up = was_ended and epochs < config.training.epochs
    if config.quantization is QuantizationScheme.QAT_INT8 and not given_up:
        with watch.stage("qat"):
            qat_model, qat_history = train_quantization_aware(
                model, dataset, config, hooks.of_another_phase
            )
        history = {name: (*values, *qat_history.get(name, ())) for name, values in history.items()}
        epochs += config.training.qat_epochs
    return Trained(model, qat_model, epochs, sparsity, history, new_parameters, best_epoch)
