"""The two functions of a training's graph: steps of training, and a batch of evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spaces.data.dataset import Split
from workers.training.losses import Loss, has_one_unit, interface_of, mixed
from workers.training.optimizers import ApplyGradients

if TYPE_CHECKING:
    from workers.training.augment import Augment
    from workers.training.averaging import Average

    Steps = Callable[..., tuple[Any, Any]]


def steps_function(
    model: Any,
    split: Split,
    batch_size: int,
    loss: Loss,
    make_optimizer: Callable[[Sequence[Any]], ApplyGradients],
    *,
    masks: Sequence[tuple[Any, Any]] = (),
    augment: Augment | None = None,
    average: Average | None = None,
    fine_tuning: FineTuning | None = None,
) -> Steps:
    """Return a function that trains on ``[steps, batch, ...]``.

    It takes images, labels, the learning rate of each step, the number of the first step from 0,
    a sum of losses and a number of right answers, adds to both, and returns them.

    Args:
        model: Built Keras 2 model.
        split: Tells the shape and type of images.
        batch_size: Images a step.
        loss: Mean of it is what is minimized, beside the model's own regularization.
        make_optimizer: Takes the variables that are trained.
        masks: Kernels, and what they are multiplied with after every step.
        augment: Changes the images; None to take them as they are.
        average: Follows the weights; None for no average.
        fine_tuning: Variables that have a rate of their own; None if none has.
    """
    import tensorflow as tf

    variables = _trained_variables(model)
    apply_gradients = _optimized(variables, make_optimizer, fine_tuning)
    image_shape = split.images.shape[1:]
    face = interface_of(model)

    @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
        input_signature=[
            tf.TensorSpec([None, batch_size, *image_shape], split.images.dtype),
            tf.TensorSpec([None, batch_size], tf.int32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def run_steps(
        images: Any,
        labels: Any,
        learning_rates: Any,
        first_step: Any,
        total_loss: Any,
        n_right: Any,
    ) -> tuple[Any, Any]:
        for step in tf.range(tf.shape(images)[0]):
            inputs, shares = _network_input(images[step]), None
            if augment is not None:
                inputs, shares = augment(inputs, first_step + step)
            if face.factor != 1.0:
                inputs *= face.factor
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                mean_loss = tf.reduce_mean(mixed(loss, labels[step], outputs, shares))
                objective = tf.add_n([mean_loss, *model.losses])
            gradients = tape.gradient(objective, variables)
            apply_gradients(gradients, learning_rates[step], first_step + step)
            for kernel, mask in masks:
                kernel.assign(kernel * mask)
            if average is not None:
                average.update(first_step + step)
            total_loss += objective
            n_right += _n_right(labels[step], outputs, face.are_logits)
        return total_loss, n_right

    return run_steps  # type: ignore[no-any-return, unused-ignore]


@dataclass(frozen=True)
class FineTuning:
    """Variables that are frozen at first, and then trained at a rate of their own.

    Attributes:
        variables: Which ones.
        n_frozen: Steps in which they are not changed, from the first on.
        factor: By which the learning rate is multiplied afterwards.
    """

    variables: Sequence[Any]
    n_frozen: int
    factor: float


def _optimized(
    variables: Sequence[Any],
    make_optimizer: Callable[[Sequence[Any]], ApplyGradients],
    fine_tuning: FineTuning | None,
) -> Callable[[Sequence[Any], Any, Any], None]:
    """Return what takes gradients, the learning rate and the number of the step."""
    import tensorflow as tf

    tuned = {id(v) for v in fine_tuning.variables} if fine_tuning is not None else set()
    places = [index for index, v in enumerate(variables) if id(v) in tuned]
    if fine_tuning is None or not places:
        apply_all = make_optimizer(variables)
        return lambda gradients, rate, step: apply_all(gradients, rate)
    others = [index for index, v in enumerate(variables) if id(v) not in tuned]
    apply_others = make_optimizer([variables[index] for index in others]) if others else None
    # Of its own: at a rate of 0 it changes nothing, and has seen the gradients when it may.
    apply_tuned = make_optimizer([variables[index] for index in places])

    def apply_gradients(gradients: Sequence[Any], rate: Any, step: Any) -> None:
        if apply_others is not None:
            apply_others([gradients[index] for index in others], rate)
        factor = tf.where(step < fine_tuning.n_frozen, 0.0, fine_tuning.factor)
        apply_tuned([gradients[index] for index in places], rate * factor)

    return apply_gradients


def evaluation_function(model: Any, split: Split, loss: Loss) -> Steps:
    """Return a function of one batch of any size: sum of losses, number right."""
    import tensorflow as tf

    face = interface_of(model)

    @tf.function(  # type: ignore[untyped-decorator, unused-ignore]
        input_signature=[
            tf.TensorSpec([None, *split.images.shape[1:]], split.images.dtype),
            tf.TensorSpec([None], tf.int32),
        ]
    )
    def evaluate_batch(images: Any, labels: Any) -> tuple[Any, Any]:
        inputs = _network_input(images)
        if face.factor != 1.0:
            inputs *= face.factor
        outputs = model(inputs, training=False)
        return (
            tf.reduce_sum(loss(labels, outputs)),
            _n_right(labels, outputs, face.are_logits),
        )

    return evaluate_batch  # type: ignore[no-any-return, unused-ignore]


def _trained_variables(model: Any) -> list[Any]:
    """Return what training changes: nothing in a layer that is frozen.

    TFMOT's wrappers for quantization list the kernel of such a layer among the trainable ones.
    """
    frozen = {id(v) for layer in model.layers if not layer.trainable for v in layer.variables}
    return [v for v in model.trainable_variables if id(v) not in frozen]


def _network_input(images: Any) -> Any:
    """Return pictures as numbers from 0 to 1, and other arrays as they are."""
    import tensorflow as tf

    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return tf.cast(images, tf.float32)


def _n_right(labels: Any, outputs: Any, are_logits: bool) -> Any:
    import tensorflow as tf

    if has_one_unit(outputs):
        guesses = tf.cast(outputs[:, 0] > (0.0 if are_logits else 0.5), tf.int32)
        return tf.reduce_sum(tf.cast(guesses == labels, tf.int32))
    guesses = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(guesses == labels, tf.int32))
