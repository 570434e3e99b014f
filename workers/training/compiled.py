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
from workers.training.losses import Loss, cross_entropy, ends_in_softmax

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

    @property
    def settled(self) -> dict[str, ParamValue]:
        """Settings of ``TrainingConfig`` that are not to be searched."""
        if self.optimizer is None and self.loop is None:
            return {}
        found: dict[str, ParamValue] = {"from_model": True}
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
        return NOTHING_OWN
    make, text, notes = _optimizer(optimizer)
    loss, loss_text, loss_notes = _loss(compiled, model, n_classes)
    if class_weight is not None:
        loss = _weighted(loss or cross_entropy(model), class_weight, n_classes)
    return OwnTraining(
        make,
        loss,
        settings=f"{text} {loss_text} {class_weight}",
        notes=(*notes, *loss_notes, *_unused_metrics(compiled)),
        weighs_classes=class_weight is not None,
    )


def _optimizer(optimizer: Any) -> tuple[MakeOptimizer, str, tuple[str, ...]]:
    """Return how to make the same optimizer afresh, what it is, and notes."""
    import tf_keras

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
            f"the optimizer {kind.__name__} cannot be made afresh: {' '.join(str(error).split())}"
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

    return make, text, tuple(notes)


def _loss(compiled: Any, model: Any, n_classes: int) -> tuple[Loss | None, str, tuple[str, ...]]:
    """Return the loss per image, None for plain cross-entropy; what it is, and notes."""
    given = getattr(compiled, "loss", None)
    if isinstance(given, (list, tuple)) and len(given) == 1:
        given = given[0]
    elif isinstance(given, Mapping) and len(given) == 1:
        given = next(iter(given.values()))
    if given is None:
        return None, "", ()
    kind, config = _kind(given)
    ending = _last_activation(model)
    if kind in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        smoothing = float(config.get("label_smoothing", 0.0))
        if ending in ("softmax", "linear"):
            notes: tuple[str, ...] = ()
            if bool(config.get("from_logits", False)) != (ending == "linear"):
                notes = (
                    f"The model ends in {ending}, which does not go with from_logits of its "
                    f"loss; training goes by how it ends.",
                )
            loss = cross_entropy(model, smoothing) if smoothing else None
            return loss, f"{kind} {smoothing}", notes
    per_image = getattr(given, "call", given)
    if isinstance(given, str):
        import tf_keras

        per_image = tf_keras.losses.get(given)
        per_image = getattr(per_image, "call", per_image)
    one_hot, why = _wants_one_hot(compiled, kind)
    notes = (f"Training takes the loss of compile(...), {kind}, with {why}.",)
    return _per_image(per_image, one_hot, n_classes), f"{kind} {config}", notes


def _kind(loss: Any) -> tuple[str, Mapping[str, Any]]:
    """Return a loss's name in snake case, and its settings."""
    import tf_keras

    if isinstance(loss, str):
        loss = tf_keras.losses.get(loss)
    if isinstance(loss, tf_keras.losses.Loss):
        name = tf_keras.src.utils.generic_utils.to_snake_case(type(loss).__name__)
        try:
            return name, loss.get_config()
        except Exception:
            return name, {}
    return getattr(loss, "__name__", type(loss).__name__), {}


_OF_LABELS = ("sparse_categorical_crossentropy",)
_OF_ONE_HOT = (
    "binary_crossentropy binary_focal_crossentropy categorical_crossentropy "
    "categorical_focal_crossentropy categorical_hinge cosine_similarity hinge huber "
    "kl_divergence kullback_leibler_divergence log_cosh mean_absolute_error "
    "mean_squared_error poisson squared_hinge"
).split()


def _wants_one_hot(compiled: Any, kind: str) -> tuple[bool, str]:
    """Whether a loss takes one-hot rows, and how to say what it gets."""
    if kind in _OF_ONE_HOT:
        return True, "one-hot labels"
    if kind in _OF_LABELS:
        return False, "labels from 0"
    metrics = " ".join(_metric_names(compiled))
    if "categorical" in metrics.replace("sparse_categorical", ""):
        return True, "one-hot labels, as its metrics ask for"
    return False, "labels from 0 (metrics=['categorical_accuracy'] would make them one-hot)"


def _per_image(function: Any, one_hot: bool, n_classes: int) -> Loss:
    def loss(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf

        # As model.fit shapes them.
        answers = tf.one_hot(labels, n_classes) if one_hot else labels[:, None]
        losses = tf.convert_to_tensor(function(answers, outputs))
        if losses.shape.rank == 0:
            return tf.fill(tf.shape(labels), losses)
        return (
            tf.reshape(losses, [tf.shape(labels)[0], -1])[:, 0]
            if losses.shape.rank == 1
            else (tf.reduce_mean(losses, axis=list(range(1, losses.shape.rank))))
        )

    return loss


def _weighted(base: Loss, class_weight: Mapping[int, float], n_classes: int) -> Loss:
    weights = [float(class_weight.get(number, 1.0)) for number in range(n_classes)]

    def loss(labels: Any, outputs: Any) -> Any:
        import tensorflow as tf

        return base(labels, outputs) * tf.gather(tf.constant(weights), labels)

    return loss


def _last_activation(model: Any) -> str:
    """Return the name of the activation that a model ends in."""
    if ends_in_softmax(model):
        return "softmax"
    layer = model.get_layer(model.output_names[0])
    while hasattr(layer, "layers"):
        layer = layer.layers[-1]
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def _metric_names(compiled: Any) -> list[str]:
    """Return the names of metrics in snake case, as far as they have any."""
    import tf_keras

    found = getattr(getattr(compiled, "compiled_metrics", None), "_user_metrics", None) or []
    flat: list[Any] = []
    for each in found.values() if isinstance(found, Mapping) else [found]:
        flat.extend(_flattened(each))
    snake = tf_keras.src.utils.generic_utils.to_snake_case
    return [
        each if isinstance(each, str) else snake(getattr(each, "__name__", type(each).__name__))
        for each in flat
        if each is not None
    ]


def _flattened(metrics: Any) -> list[Any]:
    if isinstance(metrics, (list, tuple)):
        return [leaf for each in metrics for leaf in _flattened(each)]
    return [metrics]


_ACCURACIES = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy")


def _unused_metrics(compiled: Any) -> tuple[str, ...]:
    names = dict.fromkeys(n for n in _metric_names(compiled) if n not in _ACCURACIES)
    if not names:
        return ()
    return (f"Metrics of compile(...) are not measured, except accuracy: {', '.join(names)}.",)
