"""Whether small networks learn more from a large one than from labels, at the same epochs.

    python -m benchmarks.cost.distillation ../shared/data/mnist.npz [--write]

A large network is trained on some of MNIST's pictures. Small ones (2 to 6 kB as gzip-compressed
int8) are trained on the same pictures with its answers beside the labels (Hinton et al., 2015),
with the labels alone, and with what else costs as little: smoothed labels, shifted pictures.
The loss is ``(1 - w) * CE(label) + w * T^2 * CE(softmax(teacher / T))``. Judged is the float
network on MNIST's test split, over some seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cost.training_speed import machine
from benchmarks.results import RESULTS, write_section
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrainingConfig
from spaces.data.dataset import Split
from workers.training.compiled import OwnTraining
from workers.training.keras_compat import configure_tensorflow, seed_everything

TITLE = "## Distillation on MNIST"
STUDENTS = ((6, 8, 12), (8, 16, 24))
TEACHER = (32, 64, 128)
TEACHER_EPOCHS = 8
BATCH_SIZE = 32
VARIANTS: dict[str, Any] = {
    "labels": {},
    "labels, smoothed 0.1": {"label_smoothing": 0.1},
    "labels, shifted pictures": {"augmentation": "shift"},
    "teacher, T=2, w=0.5": (2.0, 0.5),
    "teacher, T=4, w=0.7": (4.0, 0.7),
    "teacher, T=4, w=1": (4.0, 1.0),
}


def build(filters: Sequence[int], seed: int) -> Any:
    """Blocks of convolution, normalization, ReLU and pooling; logits of averaged maps."""
    import tf_keras

    seed_everything(seed)
    layers = tf_keras.layers
    inputs = x = tf_keras.Input((28, 28, 1))
    for number, n_filters in enumerate(filters):
        x = layers.Conv2D(
            n_filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal"
        )(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        if number < 2:
            x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(inputs, layers.Dense(10)(x))


def distilling(teacher: Any, split: Split, temperature: float, weight: float) -> Any:
    """Return a loss of picture numbers and outputs: labels and the teacher's answers mixed."""
    import tensorflow as tf
    import tf_keras

    logits = np.concatenate(
        [
            teacher(split.images[start : start + 256] / np.float32(255)).numpy()
            for start in range(0, len(split), 256)
        ]
    )
    answers = tf.nn.softmax(logits / temperature)
    labels = tf.constant(split.labels)

    def loss(numbers: Any, outputs: Any) -> Any:
        hard = tf_keras.losses.sparse_categorical_crossentropy(
            tf.gather(labels, numbers), outputs, from_logits=True
        )
        soft = tf_keras.losses.categorical_crossentropy(
            tf.gather(answers, numbers), outputs / temperature, from_logits=True
        )
        return (1 - weight) * hard + weight * temperature**2 * soft

    return loss


def accuracy(
    filters: Sequence[int], variant: Any, seed: int, splits: tuple[Split, Split], options: Any
) -> float:
    """Train one network; return its accuracy on the test split."""
    from workers.training.loop import evaluate, train_epochs

    train_split, test_split = splits
    model = build(filters, seed)
    numbered, loss = train_split, None
    config = TrainingConfig(options.learning_rate, BATCH_SIZE)
    if isinstance(variant, dict):
        config = replace(config, **variant)
    else:
        loss = distilling(options.teacher, train_split, *variant)
        numbered = Split(train_split.images, np.arange(len(train_split)))
    few = Split(train_split.images[:1], np.zeros(1, np.int64))
    own = OwnTraining(loss=loss)
    train_epochs(model, numbered, few, config, epochs=options.epochs, seed=seed, own=own)
    return evaluate(model, test_split)[1]


def int8_gzip_size(filters: Sequence[int], split: Split) -> int:
    """Return the bytes of a network of this size, with random weights."""
    from workers.conversion.convert import float_tflite, quantize_variant, representative_images
    from workers.conversion.sizes import gzip_size

    images = representative_images(split, seed=0, n=100)
    float_model = float_tflite(build(filters, 0))
    return gzip_size(quantize_variant(float_model, QuantizationScheme.INT8, images))


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description="Distillation on MNIST")
    parser.add_argument("data", type=Path, help="MNIST as Keras has it: mnist.npz")
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=2e-2, help="of the small ones")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    options = parser.parse_args()

    facts = machine()
    print(facts, flush=True)
    configure_tensorflow(threads=1)
    from workers.training.loop import evaluate, train_epochs

    with np.load(options.data) as arrays:
        train_split, test_split = (
            Split(arrays[f"x_{name}"][..., None], arrays[f"y_{name}"].astype(np.int64))
            for name in ("train", "test")
        )
    train_split = Split(train_split.images[: options.images], train_split.labels[: options.images])
    splits = train_split, test_split
    few = Split(test_split.images[:1], test_split.labels[:1])
    options.teacher = build(TEACHER, 100)
    train_epochs(
        options.teacher,
        train_split,
        few,
        TrainingConfig(2e-3, BATCH_SIZE, augmentation="shift"),
        epochs=TEACHER_EPOCHS,
        seed=100,
    )
    teacher_accuracy = evaluate(options.teacher, test_split)[1]
    print(f"teacher {TEACHER}: {teacher_accuracy:.4f}", flush=True)
    lines = ["| student | int8, gzip | trained on | mean | by seed |", "| --- " * 5 + "|"]
    print("\n".join(lines))
    for filters in STUDENTS:
        size = int8_gzip_size(filters, train_split)
        for name, variant in VARIANTS.items():
            found = [
                accuracy(filters, variant, seed, splits, options) for seed in range(options.seeds)
            ]
            by_seed = ", ".join(f"{100 * each:.2f}" for each in found)
            lines.append(
                f"| {'-'.join(map(str, filters))} | {size:,} B | {name} "
                f"| {100 * np.mean(found):.2f} % | {by_seed} |"
            )
            print(lines[-1], flush=True)
    if options.write:
        table = "\n".join(lines)
        write_section(
            TITLE,
            f"{TITLE}\n\n`python -m benchmarks.cost.distillation mnist.npz`: {len(train_split):,} "
            f"training pictures, {options.epochs} epochs, "
            f"learning rate {options.learning_rate:g}, test split; the teacher "
            f"({'-'.join(map(str, TEACHER))} filters, {TEACHER_EPOCHS} epochs, shifted pictures) "
            f"reaches {100 * teacher_accuracy:.2f} %.\n\n{facts}\n\n{table}\n",
        )


if __name__ == "__main__":
    main()
