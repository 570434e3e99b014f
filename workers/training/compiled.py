"""What a model's own code says of its training: its ``compile``, and the ``fit`` around it.

A model that was compiled is trained with its own optimizer, learning rate and loss. They run in
our loop (``workers.training.loop``), which knows pruning and quantization-aware training. What
that loop has no place for is said in notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spaces.errors import TrialFailedError
from spaces.wording import one_line
from workers.training.losses import (
    Interface,
    Loss,
    cross_entropy,
    ends_in_softmax,
    keep_interface,
)
from workers.training.own_loss import loss_before, own_loss, weighted
from workers.training.own_metrics import OwnMetric, read_metrics

if TYPE_CHECKING:
    from spaces.config.trial import ParamValue, TrainingConfig
    from spaces.data.dataset import Dataset
    from workers.training.optimizers import ApplyGradients

MakeOptimizer = Callable[[Sequence[Any]], "ApplyGradients"]
"""Takes the variables that are trained."""

KERAS_BATCH_SIZE = 32
"""Of ``model.fit`` where nothing else is said."""

_NAME = "_search_own_training"


@dataclass(frozen=True)
class OwnTraining:
    """How a model's own code has it trained.

    Attributes:
        optimizer: Makes what applies gradients, at a rate which is a factor of the model's own;
            None if the model is not compiled.
        loss: Per image; None for cross-entropy.
        batch_size: Images a step; None if it is left open.
        shuffle: Whether every epoch has an order of its own.
        loop: Trains the model by the user's own loop; None if training is ours.
        settings: What decides about the training, as text: two that are equal train alike.
        fit_names: Hyperparameters that ``fit`` asks for, and ``build`` does not.
        notes: What a person should know.
        weighs_classes: Whether its own code weighs the losses of classes.
        metrics: What is measured beside accuracy.
        rate: Learning rate that the model's own training begins at; None if not known.
        callbacks: Of ``fit``, which are called after every epoch.
        before: What earlier versions made of the same model, where that was something else.
    """

    optimizer: MakeOptimizer | None = None
    loss: Loss | None = None
    batch_size: int | None = None
    shuffle: bool = True
    loop: Callable[[Dataset, int], None] | None = None
    settings: str = ""
    fit_names: frozenset[str] = field(default_factory=frozenset)
    notes: tuple[str, ...] = ()
    weighs_classes: bool = False
    metrics: tuple[OwnMetric, ...] = ()
    rate: float | None = None
    callbacks: tuple[Any, ...] = ()
    before: OwnTraining | None = None

    @property
    def settled(self) -> dict[str, ParamValue]:
        """Settings of ``TrainingConfig`` that are not to be searched."""
        found: dict[str, ParamValue] = {}
        if self.before is not None:
            found["as_written"] = True
        if self.optimizer is None and self.loop is None:
            return found
        found["from_model"] = True
        if self.optimizer is not None:
            found.update(learning_rate=1.0, optimizer="adam", weight_decay=0.0)
        if self.batch_size is not None:
            found.update(batch_size=self.batch_size)
        if self.loop is not None or self.weighs_classes:
            found.update(class_weights="none")  # Not ours to decide, or decided already.
        return found


NOTHING_OWN = OwnTraining()
"""Of a model whose code says nothing of its training."""


def attach(model: Any, own: OwnTraining) -> None:
    """Keep with a model how it is trained."""
    object.__setattr__(model, _NAME, own)  # Keras would track it.


def own_training(model: Any) -> OwnTraining:
    """Return what :func:`attach` kept with a model; that nothing is said if it kept nothing."""
    found = getattr(model, _NAME, None)
    return found if isinstance(found, OwnTraining) else NOTHING_OWN


def follow(model: Any, *, as_written: bool) -> None:
    """Have a model trained and read as a configuration says.

    Args:
        model: As it was built.
        as_written: As in :class:`spaces.config.training.TrainingConfig`; earlier configurations
            do not have it, and give what they gave.
    """
    before = own_training(model).before
    if not as_written and before is not None and model.output_shape[-1] > 1:
        keep_interface(model, Interface(not ends_in_softmax(model)))
        attach(model, before)


def resolved(training: TrainingConfig, model: Any) -> TrainingConfig:
    """Return a recipe with what the model's own code decides.

    Raises:
        TrialFailedError: If the recipe is left to the model, and it says nothing.
    """
    if not training.from_model:
        return training
    own = own_training(model)
    if own.optimizer is None and own.loop is None:
        raise TrialFailedError("build(hp) compiles the model with some values, and not with these")
    changed: dict[str, Any] = {}
    if own.optimizer is not None:
        changed.update(learning_rate=1.0)
    if own.batch_size is not None:
        changed.update(batch_size=own.batch_size)
    return replace(training, **changed)


def read_compiled(
    compiled: Any, model: Any, n_classes: int, class_weight: Mapping[int, float] | None = None
) -> OwnTraining:
    """Return what a model was compiled with.

    Args:
        compiled: The model as the user's code built it.
        model: The one that is trained, which may be it.
        n_classes: Number of classes.
        class_weight: Of ``model.fit``; None to count every image the same.
    """
    optimizer = getattr(compiled, "optimizer", None)
    if optimizer is None:
        return OwnTraining(metrics=read_metrics(compiled, model, n_classes)[0])
    make, text, rate, notes = _optimizer(optimizer)
    metrics, metric_notes = read_metrics(compiled, model, n_classes)
    if _has_own_step(compiled):
        metric_notes = (
            *metric_notes,
            f"train_step of {type(compiled).__name__} is not called: training takes the optimizer "
            f"and loss of compile(...). A loop of its own in fit(hp, model, ...) would run as it "
            f"is.",
        )
    loss, loss_text, loss_notes = own_loss(compiled, model, n_classes)
    before = loss_before(compiled, model, n_classes)
    guessed = before[0] if before else None
    if class_weight is not None:
        loss = weighted(loss or cross_entropy(model), class_weight, n_classes)
        guessed = guessed or cross_entropy(model, from_logits=not ends_in_softmax(model))
        guessed = weighted(guessed, class_weight, n_classes)
    own = OwnTraining(
        make,
        loss,
        settings=f"{text} {loss_text} {class_weight}",
        notes=(*notes, *loss_notes, *metric_notes),
        weighs_classes=class_weight is not None,
        metrics=metrics,
        rate=rate,
    )
    return own if before is None else replace(own, before=replace(own, loss=guessed))


def _has_own_step(model: Any) -> bool:
    """Whether a model brings a ``train_step`` of its own."""
    own = getattr(type(model), "train_step", None)
    return own is not None and own.__module__.partition(".")[0] not in ("keras", "tf_keras")


def _optimizer(optimizer: Any) -> tuple[MakeOptimizer, str, float | None, tuple[str, ...]]:
    """Return how to make the same optimizer afresh, what it is, its rate, and notes.

    The rate is None where it follows a schedule of its own.
    """
    import tf_keras

    # Around an optimizer of mixed precision; training is in float32.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    kind = type(optimizer)
    # Optimizers of Keras 2 proper, and those under `legacy`.
    rate: Any = getattr(optimizer, "_learning_rate", None)
    if rate is None:
        rate = getattr(optimizer, "_hyper", {}).get("learning_rate")
    is_schedule = isinstance(rate, tf_keras.optimizers.schedules.LearningRateSchedule)
    try:
        config = dict(optimizer.get_config())
    except Exception as error:
        raise TrialFailedError(
            f"the optimizer {kind.__name__} cannot be made afresh: {one_line(error)}"
        ) from error
    notes = [
        f"Training takes the optimizer of compile(...), {kind.__name__}, and its learning rate; "
        f"none of our own is searched."
    ]
    if config.pop("use_ema", False):
        notes.append(f"The moving average of weights of {kind.__name__} (use_ema) is not taken.")
        config = {key: value for key, value in config.items() if not key.startswith("ema_")}
    config.pop("jit_compile", None)  # Slower here, for networks as small as these.
    text = f"{kind.__name__} {config} {rate.get_config() if is_schedule else ''}"
    base = 0.0 if is_schedule else float(rate)
    config["learning_rate"] = 1.0  # Set before every step.

    def make(variables: Sequence[Any]) -> ApplyGradients:
        import tensorflow as tf

        extra = {} if hasattr(optimizer, "_hyper") else {"jit_compile": False}
        fresh = kind.from_config({**config, **extra})
        (fresh.build if hasattr(fresh, "build") else fresh._create_all_weights)(list(variables))
        fresh.iterations  # noqa: B018  # Makes its variable, which no graph may do.

        def apply_gradients(gradients: Sequence[Any], learning_rate: Any) -> None:
            own = rate(tf.cast(fresh.iterations, tf.float32)) if is_schedule else base
            fresh.learning_rate.assign(tf.cast(own, tf.float32) * learning_rate)
            pairs = zip(gradients, variables, strict=True)
            fresh.apply_gradients([(g, v) for g, v in pairs if g is not None])

        return apply_gradients

    return make, text, None if is_schedule else base, tuple(notes)
