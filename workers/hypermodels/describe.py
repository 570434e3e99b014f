"""Read a model's search space from its ``build(hp)``, and build it with given values.

A model declares its hyperparameters while it is built, with KerasTuner's ``HyperParameters``.
:func:`describe_model` runs ``build(hp)`` with different values until every branch it can find
was taken, and returns plain data that the driver understands without TensorFlow.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset
from spaces.errors import ConfigError, SearchError, TaskError, TrialFailedError
from spaces.space.compression import available_schemes, is_prunable
from spaces.space.search_space import Parameter
from spaces.tasks.constructor_arguments import accepted, of_data
from spaces.tasks.keras_tuner_models import made
from spaces.wording import kind_and_line
from workers.hypermodels.conditions import MAX_BUILDS, BranchExplorer
from workers.hypermodels.fitting import fitted
from workers.hypermodels.hyperparameters import (
    active_values,
    build_fresh,
    new_hyperparameters,
    read_parameters,
)
from workers.hypermodels.keras3 import is_keras3, to_keras2
from workers.hypermodels.own_space import own_space
from workers.hypermodels.precision import built_in_float32, precision_notes, to_float32
from workers.hypermodels.user_fit import (
    batch_size,
    callbacks_of,
    class_weight,
    listen,
    notes_of,
    overrides_fit,
    run_loop,
)
from workers.training.compiled import (
    OwnTraining,
    attach,
    own_training,
    read_compiled,
)
from workers.training.interface import as_before, observed, range_notes
from workers.training.losses import interface_of, keep_interface
from workers.training.own_callbacks import described, honoured
from workers.training.own_loss import decided_interface, last_activation

USE_TF_KERAS = (
    "Layers and models must come from tf_keras, since TFMOT prunes and quantizes Keras 2 only: "
    "write `import tf_keras as keras` or `from tensorflow import keras` instead of `import keras`"
)


@dataclass(frozen=True)
class ModelDescription:
    """What a model's ``build(hp)`` says, as plain data.

    Attributes:
        parameters: What it declares; parents stand before the parameters they switch.
        schemes: Quantization schemes that all its variants can be converted to.
        prunable: Whether all its variants can be pruned.
        notes: What a person should know: what is not searched, and why.
        settled: Settings of training that the model's own code decides.
        declared: Those of the parameters which lost values for which ``build(hp)`` always fails,
            as the model declares them.
    """

    parameters: tuple[Parameter, ...]
    schemes: tuple[QuantizationScheme, ...]
    prunable: bool
    notes: tuple[str, ...] = ()
    settled: Mapping[str, ParamValue] = field(default_factory=dict)
    declared: tuple[Parameter, ...] = ()


class LoadedModel:
    """A hypermodel whose every model is checked to fit the data.

    Args:
        hypermodel: Anything with ``build(hp)``.
        input_shape: Height, width and channels of the images.
        n_classes: Outputs that the model must have.
        dataset: What a ``fit`` of its own is shown; None for nothing in particular.
    """

    def __init__(
        self,
        hypermodel: Any,
        input_shape: tuple[int, int, int],
        n_classes: int,
        dataset: Dataset | None = None,
    ) -> None:
        self.hypermodel = hypermodel
        self.input_shape = input_shape
        self.n_classes = n_classes
        self._dataset = dataset
        self._has_fit = overrides_fit(hypermodel)

    def build(self, hp: Any) -> Any:
        """Build a model, fit it to the data and check it.

        How its own code has it trained goes with it (``workers.training.compiled.own_training``).

        Raises:
            TaskError: If it is no tf_keras model, or does not fit the data.
            TrialFailedError: If a ``fit`` of its own fails before it trains, or it is a model of
                Keras 3 with layers that Keras 2 lacks.
        """
        policies: list[str] = []
        try:
            with built_in_float32(policies):
                built = self.hypermodel.build(hp)
        except Exception as error:
            # Keras 2 refuses layers of Keras 3 with texts that do not say what is wrong.
            if "keras.src" in str(error).replace("tf_keras.src", ""):
                raise TaskError(f"build(hp) mixes Keras 2 and Keras 3. {USE_TF_KERAS}.") from error
            raise
        notes: tuple[str, ...] = ()
        if is_keras3(built):
            try:
                built, notes = to_keras2(built, self.input_shape)
            except TaskError as error:
                # Of these values: with others it may be another model.
                raise TrialFailedError(str(error).rstrip(".")) from error
        check_kind(built)
        policies += to_float32(built)
        notes = (*notes, *precision_notes(policies))
        model = fitted(built, self.input_shape)
        check_shapes(model, self.input_shape, self.n_classes)
        images = None if self._dataset is None else self._dataset.train.images
        face = decided_interface(built, observed(model, images), model.output_shape[-1])
        keep_interface(model, face)
        own = self._own_training(built, model, hp)
        own = replace(own, notes=(*notes, *own.notes, *range_notes(model, face, images)))
        if face != as_before(model) and own.before is None:
            own = replace(own, before=own)
        attach(model, own)
        # It is compiled for whoever loads it, who has not got the user's code.
        model._is_compiled = False
        return model

    def _own_training(self, built: Any, model: Any, hp: Any) -> OwnTraining:
        if not self._has_fit:
            return read_compiled(built, model, self.n_classes)
        before = {declared.name for declared in hp.space}
        heard = listen(self.hypermodel, hp, built, self._dataset, self.n_classes)
        names = frozenset(declared.name for declared in hp.space) - before
        if heard.is_loop:
            is_compiled = built._is_compiled

            def loop(dataset: Dataset, epochs: int) -> None:
                factor = interface_of(model).factor
                built._is_compiled = is_compiled  # It may call model.fit.
                run_loop(self.hypermodel, hp, built, dataset, epochs, factor)
                built._is_compiled = False
                if model is not built:
                    model.set_weights(built.get_weights())

            metrics = read_compiled(built, model, self.n_classes).metrics
            return OwnTraining(
                loop=loop,
                fit_names=names,
                notes=notes_of(heard),
                settings="loop",
                metrics=metrics,
            )
        (call,) = heard.calls
        weights = class_weight(call)
        own = read_compiled(built, model, self.n_classes, weights)
        size, shuffle = batch_size(call), bool(call.get("shuffle", True))
        callbacks = honoured(callbacks_of(call), own.metrics, own.rate)
        said = " ".join(map(described, callbacks))
        own = replace(
            own,
            batch_size=size,
            shuffle=shuffle,
            settings=f"{own.settings} {size} {shuffle} {said}".rstrip(),
            fit_names=names,
            notes=(*own.notes, *notes_of(heard, callbacks)),
        )
        if own.before is not None:
            own = replace(own, before=replace(own, loss=own.before.loss, before=None))
        elif callbacks:
            own = replace(own, before=own)
        return replace(own, callbacks=callbacks)


def load_hypermodel(
    spec: Any,
    input_shape: tuple[int, int, int],
    n_classes: int,
    dataset: Dataset | None = None,
) -> LoadedModel:
    """Return an object whose ``build(hp)`` gives models that fit the data.

    Args:
        spec: A KerasTuner ``HyperModel`` class (or any callable that takes ``input_shape`` and
            ``n_classes`` and returns something with ``build(hp)``), an instance of one, a
            function ``build(hp)``, or ``"package.module:NAME"`` of any of these.
        input_shape: Height, width and channels of the images.
        n_classes: Number of classes.
        dataset: What is trained on, which a ``fit`` of the model's own may look at.

    Raises:
        TaskError: If ``spec`` is none of these.
    """
    target = _import(spec) if isinstance(spec, str) else spec
    if inspect.isclass(target) or (callable(target) and not hasattr(target, "build")):
        arguments = accepted(target, of_data(input_shape, n_classes))
        if arguments or inspect.isclass(target):
            target = made(target, arguments)
        else:
            target = _BuildFunction(target)
    if not callable(getattr(target, "build", None)) or _is_keras_model(target):
        raise TaskError(
            f"The model must be a HyperModel, its class, a function build(hp) or "
            f"'package.module:NAME' of one, but got {_name_of(spec)}."
        )
    return LoadedModel(target, input_shape, n_classes, dataset)


def check_kind(model: Any) -> None:
    """Check that what ``build(hp)`` returned is a model of Keras 2.

    Raises:
        TaskError: If it cannot.
    """
    import tf_keras

    if model is None:
        raise TaskError("build(hp) must return a model, but got None. Is a `return` missing?")
    if not isinstance(model, tf_keras.Model):
        kind = f"{type(model).__module__.partition('.')[0]}'s {type(model).__name__}"
        raise TaskError(f"build(hp) must return a tf_keras model, but got {kind}. {USE_TF_KERAS}.")


def check_shapes(model: Any, input_shape: tuple[int, ...], n_classes: int) -> None:
    """Check that a model can be trained on the data.

    Raises:
        TaskError: If it cannot.
    """
    expected = (None, *input_shape)
    shape = model.input_shape
    if not isinstance(shape, tuple) or not _fits(shape, expected):
        raise TaskError(
            f"build(hp) must return a model for images of shape {input_shape}, but its input is "
            f"{_said(shape, 'inputs')}."
        )
    shape = model.output_shape
    is_binary = n_classes == 2 and shape == (None, 1)
    if not is_binary and (not isinstance(shape, tuple) or shape != (None, n_classes)):
        or_one = ", or of one unit that stands for the second" if n_classes == 2 else ""
        raise TaskError(
            f"build(hp) must return a model with one output of {n_classes} units, one a "
            f"class{or_one}, but its output is {_said(shape)}."
        )
    if is_binary and last_activation(model).startswith("softmax"):
        raise TaskError(
            "A softmax over one unit is always 1, but the model ends in one. Take a sigmoid for "
            "one unit, or two units."
        )


def build_model(
    hypermodel: Any, values: Mapping[str, ParamValue]
) -> tuple[Any, tuple[Parameter, ...]]:
    """Build the model that ``values`` stand for.

    Layers get the same names in any process, whatever was built before.

    Args:
        hypermodel: What :func:`load_hypermodel` returned.
        values: Values by name. Names the model does not ask for are ignored; what it asks for
            and is not given takes its default.

    Returns:
        The model, and the parameters that took their default because no value was given:
        those which a search does not know yet.

    Raises:
        TaskError: If it is no tf_keras model, or does not fit the data.
        TrialFailedError: If ``build(hp)`` raises on these values.
    """
    hp = new_hyperparameters(values)
    try:
        model = build_fresh(hypermodel, hp)
    except SearchError as error:
        if type(error) is ConfigError:
            raise TrialFailedError(_why_build_failed(error, hp, values)) from error
        raise
    except Exception as error:
        raise TrialFailedError(_why_build_failed(error, hp, values)) from error
    asked = read_parameters(hp)
    active = active_values(hp)
    # Whether one of `fit` matters at all, only describe_model can tell.
    known = {*values, *own_training(model).fit_names}
    return model, tuple(asked[name] for name in active if name not in known)


def describe_model(hypermodel: Any, max_builds: int = MAX_BUILDS) -> ModelDescription:
    """Read the search space of a model, and what can be done with it.

    Declared conditions (``conditional_scope``, ``parent_name``) are taken as they are. A
    parameter that is asked for inside a plain ``if`` gets the condition that is seen when one
    value at a time is changed. Where that leaves a doubt, the parameter is searched always:
    a value that nobody asks for does no harm.

    Args:
        hypermodel: What :func:`load_hypermodel` returned.
        max_builds: Models built at most.

    Raises:
        TaskError: If it cannot be built with its defaults, a model does not fit the data, or
            a name is declared twice with different ranges.
    """
    explorer = BranchExplorer(hypermodel, max_builds)
    explorer.explore()
    explorer.leave_out_failures()
    schemes, scheme_notes = available_schemes(
        *(layer_names for _, layer_names, _ in explorer.variants)
    )
    prunable, pruning_notes = is_prunable(explorer.layer_names)
    parameters, settled, own_notes = own_space(hypermodel, explorer)
    return ModelDescription(
        parameters,
        schemes,
        prunable,
        (*own_notes, *pruning_notes, *scheme_notes, *explorer.notes),
        settled,
        tuple(each for each in explorer.declared() if each.name in explorer.narrowed),
    )


def _why_build_failed(error: Exception, hp: Any, values: Mapping[str, ParamValue]) -> str:
    for name, parameter in read_parameters(hp).items():
        if name in values and not parameter.contains(values[name]):
            return f"{name}={values[name]!r} is outside of what the model declares for it"
    return f"build(hp) failed: {kind_and_line(error)}"


class _BuildFunction:
    """A build function where an object with ``build(hp)`` is expected."""

    def __init__(self, build: Any) -> None:
        self.build = build


def _import(spec: str) -> Any:
    module_name, separator, name = spec.partition(":")
    if not separator or not name:
        raise TaskError(f"A model's name must be 'package.module:NAME', but got {spec!r}.")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise TaskError(
            f"Module {module_name!r} of model {spec!r} cannot be imported: {kind_and_line(error)}."
        ) from error
    if not hasattr(module, name):
        raise TaskError(f"Module {module_name!r} has no model {name!r}.")
    return getattr(module, name)


def _is_keras_model(target: Any) -> bool:
    """Whether it is a model itself: Keras models have a ``build`` that means something else."""
    return any(
        base.__module__.partition(".")[0] in ("keras", "tf_keras") for base in type(target).__mro__
    )


def _name_of(spec: Any) -> str:
    return repr(spec) if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)


def _said(shape: Any, what: str = "outputs") -> str:
    """Return shapes of inputs or outputs as people write them."""
    if isinstance(shape, tuple):
        return str(shape[1:])
    if isinstance(shape, dict):
        return f"{len(shape)} {what}, {', '.join(f'{k} {v[1:]}' for k, v in shape.items())}"
    return f"{len(shape)} {what}, {', '.join(str(each[1:]) for each in shape)}"


def _fits(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        got is None or got == want for got, want in zip(shape, expected, strict=True)
    )
