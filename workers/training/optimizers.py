"""Optimizers as single fused operations, for a training loop that runs inside one graph.

They compute what ``tf_keras.optimizers`` of the same name compute with their default settings
(and Nesterov momentum 0.9 for ``sgd``). Weight decay is decoupled for all of them, by which
``adam`` is ``adamw`` already. Those of Keras build about ten operations for every variable; here
it is one, which shortens both the tracing and the steps of small networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spaces.errors import ConfigError

SGD_MOMENTUM = 0.9
RMSPROP_RHO = 0.9
ADAM_BETA_1 = 0.9
ADAM_BETA_2 = 0.999
EPSILON = 1e-7

ApplyGradients = Callable[[Sequence[Any], Any], None]
"""Takes one gradient a variable (None for none) and the learning rate, in a graph or out."""


def make_optimizer(name: str, variables: Sequence[Any], weight_decay: float) -> ApplyGradients:
    """Return a function that updates ``variables``; its slots start at zero.

    Args:
        name: One of ``spaces.config.trial.OPTIMIZERS``.
        variables: Trainable variables.
        weight_decay: Each step takes ``learning_rate * weight_decay`` of every weight away
            (decoupled, Loshchilov and Hutter, 2019). Biases and normalization are spared: all
            that has less than two axes.
    """
    makers = {"adam": _adam, "adamw": _adam, "sgd": _sgd, "rmsprop": _rmsprop}
    if name not in makers:
        raise ConfigError(f"`optimizer in ({', '.join(makers)})` must hold, but got {name!r}.")
    update = makers[name](variables)

    def apply_gradients(gradients: Sequence[Any], learning_rate: Any) -> None:
        import tensorflow as tf

        if weight_decay:
            for variable in variables:
                if variable.shape.rank >= 2:
                    variable.assign_sub(variable * (weight_decay * learning_rate))
        dense = [None if each is None else tf.convert_to_tensor(each) for each in gradients]
        update(dense, learning_rate)

    return apply_gradients


def _slots(variables: Sequence[Any]) -> list[Any]:
    import tensorflow as tf

    return [tf.Variable(tf.zeros(each.shape, each.dtype), trainable=False) for each in variables]


def _adam(variables: Sequence[Any]) -> ApplyGradients:
    import tensorflow as tf

    means, squares = _slots(variables), _slots(variables)
    power_1 = tf.Variable(ADAM_BETA_1, trainable=False)
    power_2 = tf.Variable(ADAM_BETA_2, trainable=False)

    def update(gradients: Sequence[Any], learning_rate: Any) -> None:
        beta_1_power, beta_2_power = power_1.read_value(), power_2.read_value()
        for variable, mean, square, gradient in zip(
            variables, means, squares, gradients, strict=True
        ):
            if gradient is not None:
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle,
                    m=mean.handle,
                    v=square.handle,
                    beta1_power=beta_1_power,
                    beta2_power=beta_2_power,
                    lr=learning_rate,
                    beta1=ADAM_BETA_1,
                    beta2=ADAM_BETA_2,
                    epsilon=EPSILON,
                    grad=gradient,
                )
        power_1.assign(beta_1_power * ADAM_BETA_1)
        power_2.assign(beta_2_power * ADAM_BETA_2)

    return update


def _sgd(variables: Sequence[Any]) -> ApplyGradients:
    import tensorflow as tf

    velocities = _slots(variables)

    def update(gradients: Sequence[Any], learning_rate: Any) -> None:
        for variable, velocity, gradient in zip(variables, velocities, gradients, strict=True):
            if gradient is not None:
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.handle,
                    accum=velocity.handle,
                    lr=learning_rate,
                    grad=gradient,
                    momentum=SGD_MOMENTUM,
                    use_nesterov=True,
                )

    return update


def _rmsprop(variables: Sequence[Any]) -> ApplyGradients:
    import tensorflow as tf

    squares, velocities = _slots(variables), _slots(variables)

    def update(gradients: Sequence[Any], learning_rate: Any) -> None:
        for variable, square, velocity, gradient in zip(
            variables, squares, velocities, gradients, strict=True
        ):
            if gradient is not None:
                tf.raw_ops.ResourceApplyRMSProp(
                    var=variable.handle,
                    ms=square.handle,
                    mom=velocity.handle,
                    lr=learning_rate,
                    rho=RMSPROP_RHO,
                    momentum=0.0,
                    epsilon=EPSILON,
                    grad=gradient,
                )

    return update
