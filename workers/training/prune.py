"""Magnitude pruning while training, by TFMOT's schedules and rules but without its wrappers.

TFMOT wraps every layer and asks in every step of the graph whether its mask is due. Here the
training loop stops at the few steps where it is, and masks are updated in numpy in between:
what is pruned (TFMOT's registry), how far (its schedules) and which weights (the smallest of
each kernel) are the same, the steps are faster, and there is nothing to strip at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.config.trial import PruningConfig
from spaces.errors import ConfigError

if TYPE_CHECKING:
    import numpy.typing as npt


def pruning_steps(config: PruningConfig, total_steps: int) -> tuple[int, int, int]:
    """Turn fractions of training into TFMOT's ``begin_step``, ``end_step`` and ``frequency``.

    TFMOT updates masks at ``begin_step``, ``begin_step + frequency`` and so on, never after
    ``end_step``; the final sparsity is reached only by an update at ``end_step`` itself, and
    only if training comes that far. So here the distance is always a whole number of
    frequencies, for which pruning may begin up to one frequency later than asked for, and
    ``end_step`` is a step of the training, whatever the batch size.

    Args:
        config: Schedule with its fractions.
        total_steps: Steps of the whole training, at least 1. They are counted from 1.

    Returns:
        ``0 <= begin_step < end_step <= total_steps``, and a frequency of at least 1 that
        divides their distance.

    Raises:
        ConfigError: If nothing is to be pruned, or there is no step.
    """
    if not config.is_active:
        raise ConfigError("`schedule != 'none'` must hold to have steps, but got 'none'.")
    if total_steps < 1:
        raise ConfigError(f"`1 <= total_steps` must hold, but got ({total_steps=}).")
    end = min(max(round(config.end * total_steps), 1), total_steps)
    begin = min(round(config.begin * total_steps), end - 1)
    if begin == 0 and end > 1:
        begin = 1  # There is no step 0; TFMOT would first prune at step `frequency`.
    frequency = min(max(round(config.frequency * total_steps), 1), end - begin)
    return end - (end - begin) // frequency * frequency, end, frequency


def make_schedule(config: PruningConfig, total_steps: int) -> Any:
    """Return TFMOT's pruning schedule for a training of so many steps."""
    import tensorflow_model_optimization as tfmot

    begin, end, frequency = pruning_steps(config, total_steps)
    if config.schedule == "constant":
        return tfmot.sparsity.keras.ConstantSparsity(
            config.final_sparsity, begin_step=begin, end_step=end, frequency=frequency
        )
    return tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=config.final_sparsity,
        begin_step=begin,
        end_step=end,
        frequency=frequency,
    )


class Pruner:
    """Masks of a model's prunable kernels, and when they change.

    The training loop calls :meth:`before_step` before each step in ``update_steps`` and
    multiplies the kernels with their masks after every optimizer step.

    A kernel that is sparse at the start, from a training before, stays as sparse until the
    schedule overtakes it. One that is sparser than the schedule ends is pruned as a dense one.

    Args:
        model: Built Keras 2 model, with the weights that training starts from.
        config: Schedule; not ``none``.
        total_steps: Steps of the whole training.

    Attributes:
        masks: Kernels and their masks of zeros and ones: pairs of variables.
        update_steps: Steps, counted from 1, before which masks are updated; ascending.
    """

    def __init__(self, model: Any, config: PruningConfig, total_steps: int) -> None:
        import tensorflow as tf

        begin, end, frequency = pruning_steps(config, total_steps)
        schedule = make_schedule(config, total_steps)
        steps = range(begin or frequency, end + 1, frequency)
        self._sparsities = {step: float(schedule(step)[1]) for step in steps}
        self.update_steps: tuple[int, ...] = tuple(steps)
        self.masks: list[tuple[Any, Any]] = []
        self._most_kept: list[int] = []
        for _, kernel in _prunable_kernels(model):
            is_kept = kernel.numpy() != 0
            if np.count_nonzero(is_kept) < _n_kept(is_kept.size, config.final_sparsity):
                is_kept[...] = True
            self._most_kept.append(int(np.count_nonzero(is_kept)))
            mask = tf.Variable(is_kept.astype(kernel.dtype.as_numpy_dtype), trainable=False)
            self.masks.append((kernel, mask))

    def before_step(self, step: int) -> None:
        """Update and apply the masks, if they are due before this step (counted from 1)."""
        sparsity = self._sparsities.get(step)
        if sparsity is None:
            return
        for (kernel, mask), most_kept in zip(self.masks, self._most_kept, strict=True):
            weights = kernel.numpy()
            kept = _largest(weights, min(_n_kept(weights.size, sparsity), most_kept))
            mask.assign(kept)
            kernel.assign(weights * kept)

    def next_update(self, step: int) -> int | None:
        """Return the first step after this one before which masks change, if there is one."""
        return next((each for each in self.update_steps if each > step), None)


def mask_smallest(model: Any, sparsity: float) -> None:
    """Set the smallest weights of each prunable kernel to zero, as one mask update would.

    On an untrained model this foretells the compressed size of the trained and pruned one:
    which weights are the smallest is as random before training as it is after it.

    Args:
        model: Built Keras 2 model; its prunable kernels are changed.
        sparsity: Fraction of zeros in each of them, in [0, 1).
    """
    for _, kernel in _prunable_kernels(model):
        weights = kernel.numpy()
        kernel.assign(weights * _largest(weights, _n_kept(weights.size, sparsity)))


def achieved_sparsity(model: Any) -> dict[str, float]:
    """Return the fraction of zeros in prunable kernels: ``overall`` and by layer.

    Layers that TFMOT never prunes (depthwise convolutions, normalization) are not in it, nor
    in the overall figure. A model without prunable layers has 0 overall.

    Args:
        model: Built Keras 2 model, not a quantization-aware one (its wrappers hide kernels).
    """
    zeros: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for name, kernel in _prunable_kernels(model):
        weights = kernel.numpy()
        zeros[name] = zeros.get(name, 0) + int(np.sum(weights == 0))
        sizes[name] = sizes.get(name, 0) + weights.size
    overall = sum(zeros.values()) / max(1, sum(sizes.values()))
    return {"overall": overall, **{name: zeros[name] / sizes[name] for name in zeros}}


def _n_kept(size: int, sparsity: float) -> int:
    """Return how many weights TFMOT keeps: the rounded number, in its 32 bits, one at least."""
    # float32 throughout, half to even: one weight more or less would be another file.
    n_kept = np.round(np.float32(size) * (np.float32(1) - np.float32(sparsity)))
    return max(int(n_kept), 1)


def _largest(weights: npt.NDArray[np.float32], n_kept: int) -> npt.NDArray[np.float32]:
    """Return a mask of zeros and ones that keeps so many weights, of largest magnitude.

    TFMOT keeps all that tie with the smallest of them; here the first ones of those are kept.
    """
    magnitudes = np.abs(weights).ravel()
    threshold = np.partition(magnitudes, magnitudes.size - n_kept)[magnitudes.size - n_kept]
    mask = magnitudes > threshold
    ties = np.flatnonzero(magnitudes == threshold)
    mask[ties[: n_kept - np.count_nonzero(mask)]] = True
    kept: npt.NDArray[np.float32] = mask.reshape(weights.shape).astype(np.float32)
    return kept


def _prunable_kernels(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield layer names and the kernels that TFMOT would prune, models within it included.

    Kernels that are not trained are left alone: nothing could make up for what they lose.
    """
    import tf_keras
    from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry

    registry = prune_registry.PruneRegistry
    for layer in model.layers:
        name = prefix + layer.name
        if isinstance(layer, tf_keras.Model):
            yield from _prunable_kernels(layer, f"{name}/")
        elif layer.trainable and registry.supports(layer):
            kernels = registry.make_prunable(layer).get_prunable_weights()
            del layer.get_prunable_weights  # It would be saved with the model.
            for kernel in kernels:
                yield name, kernel
