"""The joint space: training and compression parameters beside those of the model.

Parameters are flat names in the database, a :class:`~spaces.config.trial.TrialConfig` is typed
parts; :func:`config_from_params` and :func:`params_from_config` go from one to the other. Which
layers TFMOT can prune and quantize is declared here too, so that what cannot work is not in
the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.training import RECIPE_DEFAULTS
from spaces.config.trial import OPTIMIZERS, ParamValue, PruningConfig, TrainingConfig, TrialConfig
from spaces.errors import ConfigError, TaskError
from spaces.space.search_space import Condition, Parameter, SearchSpace
from spaces.space.training_parameters import START_NAMES
from spaces.space.training_parameters import TRAINING_NAMES as TRAINING_NAMES
from spaces.space.training_parameters import training_parameters as training_parameters
from spaces.tasks.task import Task

PRUNING_NAMES = (
    "pruning_schedule",
    "final_sparsity",
    "pruning_begin",
    "pruning_end",
    "pruning_frequency",
)
COMPRESSION_NAMES = (*PRUNING_NAMES, "quantization")
"""Parameters of compression. No model may use these names."""

MIN_SPARSITY = 0.3
"""Lowest final sparsity searched: below it, neither size nor speed notices."""

# What TFMOT 0.8.1 does with layers, by class name: run against it, layer by layer, by
# tests/workers_tests/hypermodels/test_networks.py. What is not listed (a layer of the user's own,
# too) is never pruned, and refused by quantization-aware training.
PRUNED_LAYERS = frozenset(
    "Conv1D Conv2D Conv2DTranspose Conv3D Conv3DTranspose Dense Embedding GRU LSTM "
    "LocallyConnected1D LocallyConnected2D MultiHeadAttention SeparableConv1D SeparableConv2D "
    "SimpleRNN".split()
)
"""Layers with weights that pruning sets to zero. Of a separable convolution these are the
pointwise ones: depthwise kernels are never pruned."""

QAT_LAYERS = frozenset(
    "Activation Activation(relu6) ActivityRegularization Add AveragePooling1D AveragePooling2D "
    "BatchNormalization Concatenate Conv2D Cropping1D Cropping2D Cropping3D "
    "Dense DepthwiseConv2D Dropout Flatten GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D InputLayer "
    "LeakyReLU MaxPooling2D Permute ReLU Reshape SeparableConv2D Softmax "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D UpSampling2D ZeroPadding1D "
    "ZeroPadding2D".split()
)
"""Layers that may stand in a model trained quantization-aware, pruned or not (TFMOT cannot keep
the zeros of a ``Conv2DTranspose``). Batch normalization only right behind a linear convolution
or dense layer that nothing else uses, and activations only of :data:`QAT_ACTIVATIONS`."""

QAT_ACTIVATIONS = frozenset({"linear", "relu", "softmax", "sigmoid", "tanh", "swish", "gelu"})
"""Activation functions that quantization-aware training knows."""


def unsupported_layers(layer_names: Iterable[str], supported: Iterable[str]) -> tuple[str, ...]:
    """Return the names which are not supported, each once, in order."""
    known = frozenset(supported)
    return tuple(dict.fromkeys(name for name in layer_names if name not in known))


def available_schemes(
    *variants: Iterable[str],
) -> tuple[tuple[QuantizationScheme, ...], tuple[str, ...]]:
    """Return the schemes a model can be converted to, and a line on each that is left out.

    A scheme that some variants can be converted to is kept: where it meets another one, the gate
    says so before anything is trained.

    Args:
        variants: Class names of the layers of each network that it can be; a pattern that
            quantization-aware training refuses comes as a name of its own (see
            ``workers.hypermodels.layers``).
    """
    by_variant = [unsupported_layers(layer_names, QAT_LAYERS) for layer_names in variants]
    refused = list(dict.fromkeys(name for names in by_variant for name in names))
    if not refused:
        return tuple(SCHEMES), ()
    if not all(by_variant):
        note = (
            f"{QuantizationScheme.QAT_INT8} is infeasible for networks with "
            f"{', '.join(refused)}, which quantization-aware training does not take."
        )
        return tuple(SCHEMES), (note,)
    schemes = tuple(scheme for scheme, info in SCHEMES.items() if not info.trains)
    note = (
        f"{QuantizationScheme.QAT_INT8} is not searched: quantization-aware training does not "
        f"take {', '.join(refused)}."
    )
    return schemes, (note,)


def is_prunable(layer_names: Iterable[str]) -> tuple[bool, tuple[str, ...]]:
    """Return whether a model has weights to prune, and a line on why not.

    Args:
        layer_names: Class names of its layers, those of models within it included.
    """
    if PRUNED_LAYERS.intersection(layer_names):
        return True, ()
    return False, ("Pruning is not searched: no layer has weights that TFMOT prunes.",)


def compression_parameters(
    task: Task, schemes: Sequence[QuantizationScheme], prunable: bool
) -> tuple[Parameter, ...]:
    """Return how weights are pruned and in which numbers the model is converted.

    Pruning ends between 50 and 90 % of training, so that weights recover afterwards, and
    begins before 40 %: every schedule in the space is one that TFMOT can follow.

    Args:
        task: Its ``max_sparsity`` is the highest one searched; 0 takes pruning out.
        schemes: Schemes the model can be converted to.
        prunable: Whether the model can be pruned.
    """
    quantization = Parameter(
        "quantization", "categorical", choices=tuple(scheme.value for scheme in schemes)
    )
    if not prunable or task.max_sparsity <= 0:
        return (quantization,)
    high = task.max_sparsity
    low = min(MIN_SPARSITY, high)
    pruning = (Condition("pruning_schedule", ("constant", "polynomial")),)
    return (
        Parameter("pruning_schedule", "categorical", choices=("none", "constant", "polynomial")),
        Parameter(
            "final_sparsity", "float", low, high, default=max(low, high / 2), conditions=pruning
        ),
        Parameter("pruning_begin", "float", 0.0, 0.4, default=0.2, conditions=pruning),
        Parameter("pruning_end", "float", 0.5, 0.9, default=0.7, conditions=pruning),
        Parameter(
            "pruning_frequency", "float", 0.01, 0.1, log=True, default=0.02, conditions=pruning
        ),
        quantization,
    )


def joint_space(
    task: Task,
    model_parameters: Iterable[Parameter],
    schemes: Sequence[QuantizationScheme],
    prunable: bool,
    settled: Mapping[str, ParamValue] = MappingProxyType({}),
) -> SearchSpace:
    """Return all that a study searches: training, model, pruning and quantization.

    Where the model declares a training parameter itself, its range counts, and its value
    serves both the model and the training.

    Args:
        task: Ranges of the training and compression parameters.
        model_parameters: What the model's ``build(hp)`` declares.
        schemes: Schemes the model can be converted to.
        prunable: Whether the model can be pruned.
        settled: Settings of :class:`TrainingConfig` that are not searched, as the model's own
            code decides them. A parameter of the model that has such a name is the model's.

    Raises:
        TaskError: If the model declares a name that has another meaning here, or a training
            parameter that training cannot use.
    """
    model = tuple(model_parameters)
    for parameter in model:
        if parameter.name in COMPRESSION_NAMES:
            raise TaskError(
                f"Task {task.name!r}: the model declares {parameter.name!r}, which is the name of "
                f"a compression parameter; rename it in build(hp)."
            )
        if parameter.name in TRAINING_NAMES and parameter.name not in settled:
            _check_training_parameter(task, parameter)
    declared = {*settled, *(parameter.name for parameter in model)}
    training = tuple(
        parameter
        for parameter in training_parameters(task)
        if not declared.intersection(
            (parameter.name, *(condition.parameter for condition in parameter.conditions))
        )
    )
    return SearchSpace(training + model + compression_parameters(task, schemes, prunable))


def _check_training_parameter(task: Task, parameter: Parameter) -> None:
    """Refuse a declaration of the model that :class:`TrainingConfig` would refuse later."""
    where = f"Task {task.name!r}: the model declares {parameter.name!r}"
    if parameter.conditions:
        raise TaskError(
            f"{where} only under a condition; every trial needs it, so declare it for all."
        )
    if parameter.name == "optimizer" and not set(parameter.choices) <= set(OPTIMIZERS):
        raise TaskError(
            f"{where} with the choices {', '.join(map(str, parameter.choices))}; it must be a "
            f"Choice of {', '.join(OPTIMIZERS)}."
        )
    limits = parameter.choices or (parameter.low, parameter.high)
    usual: dict[str, ParamValue] = {"learning_rate": 1e-3, "batch_size": 32}
    for value in limits:
        try:
            TrainingConfig(**{**usual, parameter.name: value})  # type: ignore[arg-type]
        except ConfigError as error:
            raise TaskError(f"{where} with a value that training cannot use: {error}") from error


def config_from_params(
    params: Mapping[str, ParamValue],
    *,
    task: str,
    data_fingerprint: str,
    epochs: int,
    seed: int,
    threads: int = 1,
    qat_epochs: int = 2,
    settled: Mapping[str, ParamValue] = MappingProxyType({}),
) -> TrialConfig:
    """Return the configuration that a trial's parameters stand for.

    Every name that is not one of training or compression belongs to the model.

    Args:
        params: Values of the active parameters of a joint space.
        task: What ``search run`` names.
        data_fingerprint: Content hash of the data set.
        epochs: Passes over the training images.
        seed: Seeds initial weights, shuffling and dropout.
        threads: TensorFlow threads.
        qat_epochs: Epochs of quantization-aware training, for schemes which train.
        settled: Settings of training that are not searched (see :func:`joint_space`). A
            batch size may be the name of the parameter that it follows.

    Raises:
        ConfigError: If a parameter is missing, or breaks a rule.
    """
    for name in ("learning_rate", "batch_size"):
        if name not in params and name not in settled:
            raise ConfigError(f"Parameter {name!r} is missing in {dict(params)!r}.")
    known = (*TRAINING_NAMES, *START_NAMES) if settled.get("weights") else TRAINING_NAMES
    names = [name for name in known if name not in settled]
    training = {**settled, **{name: params[name] for name in names if name in params}}
    if isinstance(training["batch_size"], str):
        training["batch_size"] = params[training["batch_size"]]
    pruning = {
        name.removeprefix("pruning_"): params[name] for name in PRUNING_NAMES if name in params
    }
    searched = {*names, *COMPRESSION_NAMES}
    return TrialConfig(
        task=task,
        data_fingerprint=data_fingerprint,
        hyperparameters=tuple(
            (name, value) for name, value in params.items() if name not in searched
        ),
        training=TrainingConfig(epochs=epochs, qat_epochs=qat_epochs, **training),  # type: ignore[arg-type]
        pruning=PruningConfig(**pruning),  # type: ignore[arg-type]
        quantization=params.get("quantization", "float32"),  # type: ignore[arg-type]
        seed=seed,
        threads=threads,
    )


def params_from_config(
    config: TrialConfig, space: SearchSpace | None = None
) -> dict[str, ParamValue]:
    """Return the parameters that a configuration stands for.

    Args:
        config: A configuration, as :func:`config_from_params` returns it.
        space: Only its active parameters are returned, in its order; None for all that the
            configuration holds, which may be more than a task searches.
    """
    params: dict[str, ParamValue] = {
        name: getattr(config.training, name) for name in TRAINING_NAMES
    }
    if config.training.weights:
        params.update({name: getattr(config.training, name) for name in START_NAMES})
    params.update(config.hyperparameters)
    params["pruning_schedule"] = config.pruning.schedule
    if config.pruning.is_active:
        for name in PRUNING_NAMES:
            params[name] = getattr(config.pruning, name.removeprefix("pruning_"))
    params["quantization"] = config.quantization.value
    if space is None:
        # What many tasks do not search is in there only where it is used.
        return {
            name: value
            for name, value in params.items()
            if name not in RECIPE_DEFAULTS or value != RECIPE_DEFAULTS[name]
        }
    return {
        parameter.name: params[parameter.name]
        for parameter in space.parameters
        if parameter.name in params and space.is_active(parameter, params)
    }


def build_values(config: TrialConfig) -> dict[str, ParamValue]:
    """Return the values for the model's ``build(hp)``.

    They include those of training: a model may declare ``learning_rate`` too.
    """
    values: dict[str, ParamValue] = {
        name: getattr(config.training, name) for name in TRAINING_NAMES
    }
    return {**values, **config.hyperparameter_dict}
