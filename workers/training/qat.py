"""Quantization-aware training: fine-tuning with simulated 8-bit weights and activations.

It starts from trained weights, since from scratch it ends well below float accuracy, and runs
at a fraction of the learning rate, which falls to zero once more: the weights are to settle on
the grid of 8 bits, not to learn anew. Pruned weights stay zero throughout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset
from spaces.errors import ConversionError
from spaces.wording import one_line
from workers.training.compiled import NOTHING_OWN, own_training, resolved
from workers.training.hooks import NO_HOOKS, Hooks
from workers.training.loop import History, train_epochs
from workers.training.losses import interface_of, keep_interface
from workers.training.separate_swish import with_separate_swish
from workers.training.training_layers import without_training_layers

QAT_LEARNING_RATE_FACTOR = 0.3
"""Highest learning rate of quantization-aware training, as a fraction of the training's.

Well-trained networks hardly care (from 0.03 to 1 they ended within 0.3 % of each other, lower
being better); pruned ones and those trained for few epochs still gain, the more the higher.
"""


def train_quantization_aware(
    model: Any, dataset: Dataset, config: TrialConfig, hooks: Hooks = NO_HOOKS
) -> tuple[Any, History]:
    """Fine-tune a copy of a trained network for int8.

    Args:
        model: Trained Keras 2 model, pruned or not; it keeps its weights.
        dataset: What it was trained on.
        config: Configuration it was trained with; ``qat_epochs`` says how long.
        hooks: What is asked of it while it runs.

    Returns:
        The quantization-aware model, ready for the TFLite converter, and its metrics by epoch.

    Raises:
        ConversionError: If TFMOT cannot quantize one of the layers.
        TrialFailedError: If the loss is no finite number any more.
    """
    import tf_keras

    # Of its own, so that this phase gives the same weights wherever the model comes from, and
    # other orders of images than the epochs before.
    seed = config.seed + 1
    tf_keras.utils.set_random_seed(seed)
    training = resolved(config.training, model)
    training = replace(training, learning_rate=training.learning_rate * QAT_LEARNING_RATE_FACTOR)
    own = own_training(model) if training.from_model else NOTHING_OWN
    quantized = quantization_aware_copy(model, keep_zeros=config.pruning.is_active)
    keep_interface(quantized, interface_of(model))  # Its layers are others.
    history = train_epochs(
        quantized,
        dataset.train,
        dataset.val,
        training,
        epochs=training.qat_epochs,
        seed=seed,
        hooks=hooks,
        own=own,
    )
    return quantized, history


def quantization_aware_copy(model: Any, *, keep_zeros: bool) -> Any:
    """Return a copy that simulates int8, by TFMOT's default 8-bit scheme.

    Layers like ``DropBlock``, which do nothing but in training, are not in it, and swish
    activations are layers of their own.

    Args:
        model: Trained Keras 2 model; it is not changed.
        keep_zeros: Whether weights that are zero now stay zero in training.

    Raises:
        ConversionError: If TFMOT cannot quantize one of the layers.
    """
    import tensorflow_model_optimization as tfmot

    schemes = tfmot.experimental.combine
    scheme = (
        schemes.Default8BitPrunePreserveQuantizeScheme()
        if keep_zeros
        else tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
    )
    try:
        annotated = tfmot.quantization.keras.quantize_annotate_model(
            with_separate_swish(without_training_layers(model))
        )
        with tfmot.quantization.keras.quantize_scope():
            return tfmot.quantization.keras.quantize_apply(annotated, scheme)
    except (ValueError, RuntimeError, NotImplementedError, TypeError, AttributeError) as error:
        raise ConversionError(
            f"TFMOT cannot quantize this network for training: {one_line(error)}"
        ) from error
