"""Training with all data in memory: many steps, one call into TensorFlow.

``model.fit`` comes back to Python for every batch, which for a small network takes as long as
the batch itself. Here the shuffled images of many steps are gathered by numpy, straight from
arrays that may be memory-mapped or shared with other workers, and handed over at once; one
``tf.function`` loops over them. Between two such calls pruning masks are updated.

The learning rate falls along half a cosine from its highest value to zero over all epochs of a
training. Trials are short, and this wins them more accuracy than any constant rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.config import TrainingConfig, TrialConfig
from spaces.dataset import Dataset, Split
from spaces.errors import TrialFailedError
from workers.compiled import NOTHING_OWN, Loss, OwnTraining, own_training, resolved
from workers.optimizers import make_optimizer
from workers.prune import Pruner

if TYPE_CHECKING:
    import numpy.typing as npt

    Steps = Callable[..., tuple[Any, Any]]

OnEpoch = Callable[[int, Mapping[str, float]], bool]
"""Told the epoch (from 0) and its metrics; whether to go on."""

Pause = Callable[[], None]
"""Called between two batches; returns when the next one may begin, usually at once."""

History = dict[str, tuple[float, ...]]
"""One value an epoch, under each of :data:`METRIC_NAMES`."""

METRIC_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")

CHUNK_BYTES = 16 * 2**20
"""Images that one call into TensorFlow takes at most, unless one batch is larger."""

CHUNK_S = 0.15
"""How long one call into TensorFlow shall take: so long does whoever asks for a pause wait."""

EVALUATION_BATCH = 256


def train(
    model: Any,
    dataset: Dataset,
    config: TrialConfig,
    on_epoch: OnEpoch | None = None,
    *,
    pause: Pause | None = None,
) -> History:
    """Train a network as its configuration says, pruning it by its schedule.

    It goes on from the weights that the model has: random ones, or those of a training before,
    whose zeros stay where the schedule ends at least as sparse. What was done with the model
    before, other than to its weights, does not matter: random numbers are seeded here.

    Args:
        model: Built Keras 2 model; its weights are changed, and sparse at the end.
        dataset: Trained on ``train``, judged on ``val`` after every epoch.
        config: What to do. With no epochs, nothing is done, and the history is empty.
        on_epoch: Called after every epoch; training ends when it returns False.
        pause: Called every ``CHUNK_S`` or so, between two batches; it may take its time.

    Raises:
        TrialFailedError: If the loss is no finite number any more.
    """
    import tf_keras

    tf_keras.utils.set_random_seed(config.seed)
    training = resolved(config.training, model)
    pruner = None
    if config.pruning.is_active and training.epochs > 0:
        total_steps = training.epochs * steps_per_epoch(len(dataset.train), training.batch_size)
        pruner = Pruner(model, config.pruning, total_steps)
    own = own_training(model) if training.from_model else NOTHING_OWN
    return train_epochs(
        model,
        dataset.train,
        dataset.val,
        training,
        epochs=training.epochs,
        seed=config.seed,
        pruner=pruner,
        on_epoch=on_epoch,
        pause=pause,
        own=own,
        constant_rate=own.optimizer is not None,
    )


def train_by_loop(
    model: Any, loop: Callable[[Dataset, int], None], dataset: Dataset, config: TrialConfig
) -> History:
    """Train a network by a loop of the user's own, without pruning.

    Args:
        model: Built Keras 2 model; its weights are changed.
        loop: Takes the data and the epochs of the trial, and trains the model.
        dataset: What it is trained and judged on.
        config: Seed and epochs.

    Returns:
        Where it stands at the end: one epoch, as nobody sees into the loop.

    Raises:
        TrialFailedError: If the loop fails, or the loss is no finite number at its end.
    """
    import tf_keras

    tf_keras.utils.set_random_seed(config.seed)
    loop(dataset, config.training.epochs)
    # A network that was never shown how it does on training images: the loop kept it.
    loss, accuracy = evaluate(model, dataset.val)
    if not math.isfinite(loss):
        raise TrialFailedError("loss is no finite number after fit(hp, model, ...)")
    row = (loss, accuracy, loss, accuracy)
    return {name: (value,) for name, value in zip(METRIC_NAMES, row, strict=True)}


def train_epochs(
    model: Any,
    train_split: Split,
    val_split: Split,
    config: TrainingConfig,
    *,
    epochs: int,
    seed: int,
    pruner: Pruner | None = None,
    on_epoch: OnEpoch | None = None,
    pause: Pause | None = None,
    own: OwnTraining = NOTHING_OWN,
    constant_rate: bool = False,
) -> History:
    """Train for some epochs, from the weights that the model has.

    Every epoch sees the images in an order of its own, which depends on ``seed`` and the epoch
    alone; the last images of that order which fill no batch are left out of this epoch. The
    optimizer starts afresh.

    Args:
        model: Built Keras 2 model; its weights are changed.
        train_split: Images to train on.
        val_split: Images to judge by after each epoch.
        config: Learning rate, batch size, optimizer and weight decay; its epochs are not used.
        epochs: Length of the training, which the learning rate's schedule spans; 0 for none.
        seed: Seeds the order of images.
        pruner: Masks to keep and update; made for the same number of steps.
        on_epoch: Called after every epoch; training ends when it returns False.
        pause: Called every ``CHUNK_S`` or so, between two batches; it may take its time.
        own: Optimizer, loss and order of images that the model brings along.
        constant_rate: Whether the learning rate stays what it is.

    Raises:
        TrialFailedError: If the loss is no finite number any more.
    """
    if epochs == 0:
        return {name: () for name in METRIC_NAMES}
    n_images = len(train_split)
    batch_size = min(config.batch_size, n_images)
    n_steps = steps_per_epoch(n_images, batch_size)
    rates = _cosine_decay(config.learning_rate, epochs * n_steps)
    if constant_rate:
        rates = np.full(epochs * n_steps, config.learning_rate, np.float32)
    run_steps = _steps_function(model, train_split, config, batch_size, pruner, own)
    evaluate = _evaluation_function(model, val_split, own.loss)
    chunks = _ChunkSize(max(1, CHUNK_BYTES // (batch_size * train_split.images[:1].nbytes)))

    rows: list[tuple[float, ...]] = []
    for epoch in range(epochs):
        order = np.arange(n_images)
        if own.shuffle:
            order = np.random.default_rng((seed, epoch)).permutation(n_images)
        first_step = epoch * n_steps
        start, end = first_step, first_step + n_steps
        # Sums go in and out, so that they do not depend on where the chunks are cut either.
        sums: tuple[Any, Any] = (np.float32(0), np.int32(0))
        while start < end:
            if pause is not None:
                pause()
            stop = min(start + chunks.n_steps, end)
            if pruner is not None:
                pruner.before_step(start + 1)
                stop = min(stop, (pruner.next_update(start + 1) or end + 1) - 1)
            picked = order[(start - first_step) * batch_size : (stop - first_step) * batch_size]
            with chunks.timed(stop - start):
                images, labels = _gather(train_split, picked, (stop - start, batch_size))
                sums = run_steps(images, labels, rates[start:stop], *sums)
            start = stop
        loss = float(sums[0]) / n_steps
        if not math.isfinite(loss):
            raise TrialFailedError(
                f"loss became {'NaN' if math.isnan(loss) else 'infinite'} in epoch {epoch + 1} "
                + (
                    "(optimizer of the model's compile)"
                    if own.optimizer is not None
                    else f"(learning_rate={config.learning_rate:g}, optimizer={config.optimizer})"
                )
            )
        accuracy = int(sums[1]) / (n_steps * batch_size)
        rows.append((loss, accuracy, *_evaluate(evaluate, val_split, pause)))
        if on_epoch is not None and not on_epoch(
            epoch, dict(zip(METRIC_NAMES, rows[-1], strict=True))
        ):
            break
    return {name: tuple(row[i] for row in rows) for i, name in enumerate(METRIC_NAMES)}


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return how many full batches an epoch has; one, of all images, if they fill none."""
    return max(1, n_images // batch_size)


def evaluate(model: Any, split: Split) -> tuple[float, float]:
    """Return mean loss and accuracy of a Keras model on a split."""
    return _evaluate(_evaluation_function(model, split), split)


def ends_in_softmax(model: Any) -> bool:
    """Whether a model gives probabilities, as opposed to logits."""
    names = getattr(model, "output_names", None)
    layer = model.get_layer(names[0]) if names else model.layers[-1]
    while True:
        if hasattr(layer, "layers"):  # A model within the model.
            return ends_in_softmax(layer)
        if not hasattr(layer, "layer"):
            break
        layer = layer.layer  # What a wrapper wraps.
    activation = getattr(layer, "activation", None)
    activation = getattr(activation, "activation", activation)  # Wrapped for quantization.
    return type(layer).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"


def _cosine_decay(learning_rate: float, total_steps: int) -> npt.NDArray[np.float32]:
    """Return the learning rate of every step."""
    progress = np.arange(total_steps) / total_steps
    return (learning_rate * 0.5 * (1 + np.cos(np.pi * progress))).astype(np.float32)


class _ChunkSize:
    """How many steps take about ``CHUNK_S``, learned from those that ran.

    It decides when a pause is possible, and nothing else: any cut gives the same weights.
    """

    def __init__(self, max_steps: int) -> None:
        self.n_steps = 1  # The first call traces the graph, which tells nothing of its speed.
        self._max_steps = max_steps
        self._is_traced = False

    @contextmanager
    def timed(self, n_steps: int) -> Iterator[None]:
        """Learn from the block, which runs so many steps."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        if self._is_traced:
            fitting = int(n_steps * CHUNK_S / max(seconds, 1e-6))
            # One quick chunk may be luck.
            self.n_steps = max(1, min(fitting, 4 * self.n_steps, self._max_steps))
        self._is_traced = True


def _gather(
    split: Split, picked: npt.NDArray[np.intp], batches: tuple[int, int]
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.int32]]:
    images = split.images[picked].reshape(*batches, *split.images.shape[1:])
    return images, split.labels[picked].astype(np.int32).reshape(batches)


def _steps_function(
    model: Any,
    split: Split,
    config: TrainingConfig,
    batch_size: int,
    pruner: Pruner | None,
    own: OwnTraining,
) -> Steps:
    """Return a function that trains on ``[steps, batch, ...]``.

    It adds to a sum of losses and to a number of right answers, and returns both.
    """
    import tensorflow as tf

    variables = _trained_variables(model)
    if own.optimizer is not None:
        apply_gradients = own.optimizer(variables)
    else:
        apply_gradients = make_optimizer(config.optimizer, variables, config.weight_decay)
    masks = [] if pruner is None else pruner.masks
    losses = own.loss or _cross_entropy(model)
    image_shape = split.images.shape[1:]

    @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
        input_signature=[
            tf.TensorSpec([None, batch_size, *image_shape], split.images.dtype),
            tf.TensorSpec([None, batch_size], tf.int32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def run_steps(
        images: Any, labels: Any, learning_rates: Any, total_loss: Any, n_right: Any
    ) -> tuple[Any, Any]:
        for step in tf.range(tf.shape(images)[0]):
            with tf.GradientTape() as tape:
                outputs = model(_network_input(images[step]), training=True)
                loss = tf.reduce_mean(losses(labels[step], outputs))
                objective = tf.add_n([loss, *model.losses])
            apply_gradients(tape.gradient(objective, variables), learning_rates[step])
            for kernel, mask in masks:
                kernel.assign(kernel * mask)
            total_loss += objective
            n_right += _n_right(labels[step], outputs)
        return total_loss, n_right

    return run_steps  # type: ignore[no-any-return, unused-ignore]


def _trained_variables(model: Any) -> list[Any]:
    """Return what training changes: nothing in a layer that is frozen.

    TFMOT's wrappers for quantization list the kernel of such a layer among the trainable ones.
    """
    frozen = {id(v) for layer in model.layers if not layer.trainable for v in layer.variables}
    return [v for v in model.trainable_variables if id(v) not in frozen]


def _evaluation_function(model: Any, split: Split, loss: Loss | None = None) -> Steps:
    """Return a function of one batch of any size: sum of losses, number right."""
    import tensorflow as tf

    losses = loss or _cross_entropy(model)

    @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
        input_signature=[
            tf.TensorSpec([None, *split.images.shape[1:]], split.images.dtype),
            tf.TensorSpec([None], tf.int32),
        ]
    )
    def evaluate_batch(images: Any, labels: Any) -> tuple[Any, Any]:
        outputs = model(_network_input(images), training=False)
        return tf.reduce_sum(losses(labels, outputs)), _n_right(labels, outputs)

    return evaluate_batch  # type: ignore[no-any-return, unused-ignore]


def _evaluate(
    evaluate_batch: Steps, split: Split, pause: Pause | None = None
) -> tuple[float, float]:
    loss, n_right = 0.0, 0
    for start in range(0, len(split), EVALUATION_BATCH):
        if pause is not None:
            pause()
        stop = start + EVALUATION_BATCH
        batch_loss, batch_right = evaluate_batch(
            split.images[start:stop], split.labels[start:stop].astype(np.int32)
        )
        loss += float(batch_loss)
        n_right += int(batch_right)
    return loss / len(split), n_right / len(split)


def _network_input(images: Any) -> Any:
    """Return pictures as numbers from 0 to 1, and other arrays as they are."""
    import tensorflow as tf

    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return tf.cast(images, tf.float32)


def _cross_entropy(model: Any) -> Loss:
    from_logits = not ends_in_softmax(model)

    def losses(labels: Any, outputs: Any) -> Any:
        # In a graph, Keras finds the logits below a softmax and uses those.
        import tf_keras

        return tf_keras.losses.sparse_categorical_crossentropy(
            labels, outputs, from_logits=from_logits
        )

    return losses


def _n_right(labels: Any, outputs: Any) -> Any:
    import tensorflow as tf

    guesses = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(guesses == labels, tf.int32))
