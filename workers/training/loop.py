"""Training with all data in memory: many steps, one call into TensorFlow.

``model.fit`` comes back to Python for every batch, which for a small network takes as long as
the batch itself. Here the shuffled images of many steps are gathered by numpy, straight from
arrays that may be memory-mapped or shared with other workers, and handed over at once; one
``tf.function`` loops over them. Between two such calls pruning masks are updated.

By default the learning rate falls along half a cosine from its highest value to zero over all
epochs of a training. Trials are short, and this wins them more accuracy than any constant rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.config.trial import TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split
from spaces.errors import TrialFailedError
from workers.messages.race import settled_from
from workers.training.augment import Augment
from workers.training.averaging import Average
from workers.training.checkpoint import collected_variables
from workers.training.compiled import NOTHING_OWN, OwnTraining, own_training, resolved
from workers.training.early_stopping import BestWeights
from workers.training.hooks import NO_HOOKS, Hooks
from workers.training.learning_rates import LearningRates
from workers.training.losses import cross_entropy, interface_of, training_loss
from workers.training.optimizers import make_optimizer
from workers.training.own_callbacks import CallbackRun, judging_by_validation
from workers.training.own_metrics import OwnMetric, measured
from workers.training.prune import Pruner
from workers.training.start_weights import taken_variables
from workers.training.steps import FineTuning, evaluation_function, steps_function

if TYPE_CHECKING:
    import numpy.typing as npt

    from workers.training.steps import Steps

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
    hooks: Hooks = NO_HOOKS,
) -> History:
    """Train a network as its configuration says, pruning it by its schedule.

    It goes on from the weights that the model has: random ones, or those of a training before,
    whose zeros stay where the schedule ends at least as sparse. What was done with the model
    before, other than to its weights, does not matter: random numbers are seeded here.

    Args:
        model: Built Keras 2 model; its weights are changed, and sparse at the end.
        dataset: Trained on ``train``, judged on ``val`` after every epoch. Where it learns from
            that too, callbacks of the model's own that go by it are not called.
        config: What to do. With no epochs, nothing is done, and the history is empty.
        hooks: What is asked of it while it runs.

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
    if hooks.early_stopping is not None:
        hooks = replace(hooks, early_stopping=hooks.early_stopping.settled_with(config))
    own = own_training(model) if training.from_model else NOTHING_OWN
    callbacks, called = None, own.callbacks
    if dataset.learns_from_validation:
        called = tuple(each for each in called if each not in judging_by_validation(called))
    if called and config.branched_from is None:
        callbacks = CallbackRun(
            called,
            model,
            own.rate or 1.0,
            settled_from=settled_from(config),
            measure=partial(_own_metrics, model, dataset.val, own.metrics),
        )
    if own.optimizer is not None:
        training = replace(training, lr_schedule="constant")  # It has its own.
    return train_epochs(
        model,
        dataset.train,
        dataset.val,
        training,
        epochs=training.epochs,
        seed=config.seed,
        pruner=pruner,
        hooks=hooks,
        own=own,
        callbacks=callbacks,
        # A branch goes on from weights that were fine-tuned already.
        fine_tuned=taken_variables(model) if config.branched_from is None else (),
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
    # What the loop saw of its own figures, it kept: both splits are measured at its end.
    loss, accuracy = evaluate(model, dataset.train)
    val_loss, val_accuracy = evaluate(model, dataset.val)
    if not (math.isfinite(loss) and math.isfinite(val_loss)):
        raise TrialFailedError("loss is no finite number after fit(hp, model, ...)")
    row = (loss, accuracy, val_loss, val_accuracy)
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
    hooks: Hooks = NO_HOOKS,
    own: OwnTraining = NOTHING_OWN,
    callbacks: CallbackRun | None = None,
    fine_tuned: Sequence[Any] = (),
) -> History:
    """Train for some epochs, from the weights that the model has.

    Every epoch sees the images in an order of its own, which depends on ``seed`` and the epoch
    alone; the last images of that order which fill no batch are left out of this epoch. The
    optimizer starts afresh.

    Args:
        model: Built Keras 2 model; its weights are changed.
        train_split: Images to train on.
        val_split: Images to judge by after each epoch.
        config: The recipe; its epochs are not used.
        epochs: Length of the training, which the learning rate's schedule spans; 0 for none.
        seed: Seeds the order of images and their augmentation.
        pruner: Masks to keep and update; made for the same number of steps.
        hooks: What is asked of it while it runs; its early stopping knows the pruning schedule.
        own: The optimizer, the loss and the order of images that are somebody's own, instead of
            the recipe's, cross-entropy, and an order for every epoch.
        callbacks: Somebody's own, which change the learning rate and may end the training.
        fine_tuned: Variables that started from weights of a file; as ``config`` says, they are
            frozen at first and have a rate of their own.

    Raises:
        TrialFailedError: If the loss is no finite number any more.
    """
    if epochs == 0:
        return {name: () for name in METRIC_NAMES}
    n_images = len(train_split)
    batch_size = min(config.batch_size, n_images)
    n_steps = steps_per_epoch(n_images, batch_size)
    rates = LearningRates(config, epochs, n_steps)
    masks = [] if pruner is None else pruner.masks
    n_frozen = round(config.frozen_share * epochs) * n_steps
    fine_tuning = None
    if fine_tuned:
        fine_tuning = FineTuning(fine_tuned, n_frozen, config.fine_tuning_factor)
    made: list[Any] = []
    with collected_variables(made):  # Slots of the optimizer, and whatever else training keeps.
        average = Average(model, config.ema, epochs * n_steps, masks) if config.ema else None
        run_steps = steps_function(
            model,
            train_split,
            batch_size,
            training_loss(model, config, train_split.labels, own.loss),
            own.optimizer
            or partial(make_optimizer, config.optimizer, weight_decay=config.weight_decay),
            masks=masks,
            augment=None if config.augmentation == "none" else Augment(config, train_split, seed),
            average=average,
            fine_tuning=fine_tuning,
        )
    evaluate = evaluation_function(model, val_split, own.loss or cross_entropy(model))
    best = BestWeights(model, hooks.early_stopping)
    chunks = _ChunkSize(max(1, CHUNK_BYTES // (batch_size * train_split.images[:1].nbytes)))

    history: dict[str, list[float]] = {name: [] for name in METRIC_NAMES}
    rows: list[tuple[float, ...]] = []
    if hooks.resume is not None:
        kept = [*model.variables, *made, *(mask for _, mask in masks)]
        # What callbacks remember is in no checkpoint.
        rows = hooks.resume.begin(kept, run_steps, replay=callbacks is not None)
    for row in rows:
        _note(history, dict(zip(METRIC_NAMES, row, strict=True)), rates)
    for epoch in range(len(rows), epochs):
        if average is not None and epoch > 0:
            average.swap_out()
        order = np.arange(n_images)
        if own.shuffle:
            order = np.random.default_rng((seed, epoch)).permutation(n_images)
        learning_rates = rates.of_epoch(epoch)
        if callbacks is not None:
            learning_rates = learning_rates * np.float32(callbacks.begin_epoch(epoch))
        first_step = epoch * n_steps
        start, end = first_step, first_step + n_steps
        # Sums go in and out, so that they do not depend on where the chunks are cut either.
        sums: tuple[Any, Any] = (np.float32(0), np.int32(0))
        while start < end:
            hooks.wait()
            stop = min(start + chunks.n_steps, end)
            if pruner is not None:
                pruner.before_step(start + 1)
                stop = min(stop, (pruner.next_update(start + 1) or end + 1) - 1)
            steps = slice(start - first_step, stop - first_step)
            picked = order[steps.start * batch_size : steps.stop * batch_size]
            with chunks.timed(stop - start):
                images, labels = _gather(train_split, picked, (stop - start, batch_size))
                sums = run_steps(images, labels, learning_rates[steps], np.int32(start), *sums)
            start = stop
        mean_loss = float(sums[0]) / n_steps
        if not math.isfinite(mean_loss):
            became = "NaN" if math.isnan(mean_loss) else "infinite"
            raise TrialFailedError(
                f"loss became {became} in epoch {epoch + 1} ("
                + (
                    "optimizer of the model's compile)"
                    if own.optimizer is not None
                    else f"learning_rate={config.learning_rate:g}, optimizer={config.optimizer})"
                )
            )
        if average is not None:
            average.swap_in()
        accuracy = int(sums[1]) / (n_steps * batch_size)
        row = (mean_loss, accuracy, *_evaluate(evaluate, val_split, hooks))
        rows.append(row)
        metrics = dict(zip(METRIC_NAMES, row, strict=True))
        _note(history, metrics, rates)
        is_over = best.is_over(history)
        is_over |= callbacks is not None and callbacks.end_epoch(epoch, metrics)
        if not hooks.goes_on(epoch, metrics) or is_over:
            break
    if callbacks is not None:
        callbacks.end()
    best.restore(len(history["loss"]))
    return {name: tuple(values) for name, values in history.items()}


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return how many full batches an epoch has; one, of all images, if they fill none."""
    return max(1, n_images // batch_size)


def evaluate(model: Any, split: Split) -> tuple[float, float]:
    """Return mean loss and accuracy of a Keras model on a split."""
    return _evaluate(evaluation_function(model, split, cross_entropy(model)), split)


def _own_metrics(model: Any, split: Split, metrics: Sequence[OwnMetric]) -> dict[str, float]:
    """Return metrics of the user's own on a split, of the model as it is."""
    factor = np.float32(interface_of(model).factor)
    outputs = []
    for start in range(0, len(split), EVALUATION_BATCH):
        images = np.asarray(split.images[start : start + EVALUATION_BATCH])
        numbers = images.astype(np.float32)
        if images.dtype == np.uint8:
            numbers /= np.float32(255)
        outputs.append(np.asarray(model(numbers * factor, training=False)))
    return measured(metrics, split.labels, np.concatenate(outputs))


def _note(
    history: dict[str, list[float]], metrics: Mapping[str, float], rates: LearningRates
) -> None:
    """Take the metrics of an epoch."""
    for name, value in metrics.items():
        history[name].append(value)
    rates.note(metrics["val_loss"])


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


def _evaluate(evaluate_batch: Steps, split: Split, hooks: Hooks = NO_HOOKS) -> tuple[float, float]:
    loss, n_right = 0.0, 0
    for start in range(0, len(split), EVALUATION_BATCH):
        hooks.wait()
        stop = start + EVALUATION_BATCH
        batch_loss, batch_right = evaluate_batch(
            split.images[start:stop], split.labels[start:stop].astype(np.int32)
        )
        loss += float(batch_loss)
        n_right += int(batch_right)
    return loss / len(split), n_right / len(split)
