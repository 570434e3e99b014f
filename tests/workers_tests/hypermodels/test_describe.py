"""What is read from a model's ``build(hp)``, and how it is built again."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import optuna
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES
from spaces.errors import SearchError, TaskError, TrialFailedError
from spaces.space.search_space import Parameter, SearchSpace
from workers.hypermodels.describe import (
    ModelDescription,
    build_model,
    describe_model,
    load_hypermodel,
)
from workers.training.keras_compat import configure_tensorflow, seed_everything

INPUT_SHAPE = (8, 8, 3)
N_CLASSES = 4

Build = Callable[[Any], Any]


@pytest.fixture(autouse=True, scope="module")
def tensorflow() -> None:
    configure_tensorflow(threads=1)


def net(
    *layers: Any, units: int = N_CLASSES, input_shape: tuple[int | None, ...] = INPUT_SHAPE
) -> Any:
    import tf_keras

    return tf_keras.Sequential(
        [
            tf_keras.Input(input_shape),
            *layers,
            tf_keras.layers.GlobalAveragePooling2D(),
            tf_keras.layers.Dense(units),
        ]
    )


def load(spec: Any) -> Any:
    return load_hypermodel(spec, INPUT_SHAPE, N_CLASSES)


def describe(build: Build, **options: Any) -> ModelDescription:
    return describe_model(load(build), **options)


def conditions(build: Build, **options: Any) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Return what each parameter hangs on."""
    return {
        parameter.name: {c.parameter: c.values for c in parameter.conditions}
        for parameter in describe(build, **options).parameters
    }


def only(declare: Build) -> Parameter:
    """Return the one parameter that ``declare(hp)`` declares."""

    def build(hp: Any) -> Any:
        declare(hp)
        return net()

    (parameter,) = describe(build).parameters
    return parameter


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda hp: hp.Int("p", 2, 9), Parameter("p", "int", 2, 9, step=1)),
        (
            lambda hp: hp.Int("p", 8, 70, step=16, default=40),
            Parameter("p", "int", 8, 56, step=16, default=40),
        ),
        (lambda hp: hp.Int("p", 4, 64, sampling="log"), Parameter("p", "int", 4, 64, log=True)),
        (
            lambda hp: hp.Int("p", 4, 100, step=2, sampling="log", default=16),
            Parameter("p", "categorical", choices=(4, 8, 16, 32, 64), default=16),
        ),
        (lambda hp: hp.Float("p", 0, 1), Parameter("p", "float", 0.0, 1.0)),
        (
            lambda hp: hp.Float("p", 0.1, 0.35, step=0.1),
            Parameter("p", "float", 0.1, 0.3, step=0.1),
        ),
        (
            lambda hp: hp.Float("p", 1e-4, 1e-1, sampling="log", default=1e-2),
            Parameter("p", "float", 1e-4, 1e-1, log=True, default=1e-2),
        ),
        (
            lambda hp: hp.Float("p", 0.001, 1, step=10, sampling="log"),
            Parameter("p", "categorical", choices=(0.001, 0.01, 0.1, 1.0)),
        ),
        (
            lambda hp: hp.Float("p", 1, 10, sampling="reverse_log"),
            Parameter("p", "float", 1.0, 10.0),
        ),
        (
            lambda hp: hp.Choice("p", ["a", "b"], default="b"),
            Parameter("p", "categorical", choices=("a", "b"), default="b"),
        ),
        (lambda hp: hp.Choice("p", [3, 1, 3]), Parameter("p", "categorical", choices=(3, 1))),
        (
            lambda hp: hp.Boolean("p", default=True),
            Parameter("p", "categorical", choices=(False, True), default=True),
        ),
        (lambda hp: hp.Fixed("p", 7), Parameter("p", "categorical", choices=(7,))),
        (lambda hp: hp.Int("p", 1, 9, step=4, default=4), Parameter("p", "int", 1, 9, step=4)),
    ],
)
def test_every_kind_of_hyperparameter_becomes_plain_data(
    declare: Build, expected: Parameter
) -> None:
    assert only(declare) == expected


def test_a_description_is_suggested_by_optuna_and_built() -> None:
    def build(hp: Any) -> Any:
        import tf_keras

        layers = []
        for number in range(hp.Int("blocks", 1, 3)):
            filters = hp.Int(f"filters_{number + 1}", 2, 8, step=2)
            kernel = hp.Choice("kernel", [1, 3]) if number else 3
            layers.append(tf_keras.layers.Conv2D(filters, kernel))
        layers.append(tf_keras.layers.Dropout(hp.Float("dropout", 0, 0.3, step=0.1)))
        return net(*layers)

    hypermodel = load(build)
    space = SearchSpace(describe_model(hypermodel).parameters)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        values = space.suggest(study.ask())
        _, new = build_model(hypermodel, values)
        assert new == ()
        assert [n for n in values if n.startswith("filters")] == [
            f"filters_{number + 1}" for number in range(int(values["blocks"]))
        ]
        assert ("kernel" in values) == (values["blocks"] != 1)


def test_declared_conditions_are_kept() -> None:
    def build(hp: Any) -> Any:
        hp.Choice("kind", ["a", "b", "c"])
        with hp.conditional_scope("kind", ["b", "c"]):
            width = hp.Int("width", 1, 3)
            with hp.conditional_scope("width", [3]):
                if width == 3:
                    hp.Boolean("wide")
        hp.Float("rate", 0, 1, parent_name="kind", parent_values="a")
        with hp.name_scope("stem"):
            hp.Choice("kind", [1, 2])
            hp.Int("size", 1, 4, parent_name="kind", parent_values=[2])
        return net()

    assert conditions(build) == {
        "kind": {},
        "width": {"kind": ("b", "c")},
        "wide": {"kind": ("b", "c"), "width": (3,)},
        "rate": {"kind": ("a",)},
        "stem/kind": {},
        "stem/size": {"stem/kind": (2,)},
    }


def test_all_declared_conditions_must_hold() -> None:
    def build(hp: Any) -> Any:
        hp.Choice("a", [0, 1])
        with hp.conditional_scope("a", [1]):
            hp.Choice("b", [0, 1])
            with hp.conditional_scope("b", [1]):
                hp.Int("both", 1, 2)
        return net()

    space = SearchSpace(describe(build).parameters)
    for a in (0, 1):
        for b in (0, 1):
            values = {"a": a} | ({"b": b} if a else {}) | ({"both": 2} if a and b else {})
            assert space.suggest(optuna.trial.FixedTrial(values)) == values


def test_a_plain_if_gives_a_condition() -> None:
    def build(hp: Any) -> Any:
        if hp.Choice("head", ["flat", "average"], default="average") == "flat":
            if hp.Boolean("dense"):
                hp.Int("units", 1, 100)
        else:
            hp.Float("temperature", 0, 1)
        hp.Int("last", 1, 2)
        return net()

    assert conditions(build) == {
        "head": {},
        "dense": {"head": ("flat",)},
        "units": {"dense": (True,)},
        "temperature": {"head": ("average",)},
        "last": {},
    }


@pytest.mark.parametrize("most", [3, 12])
def test_a_loop_gives_conditions_in_order(most: int) -> None:
    def build(hp: Any) -> Any:
        for number in range(1, hp.Int("blocks", 1, most) + 1):
            hp.Int(f"filters_{number}", 8, 64, step=8)
        hp.Int("units", 8, 64, step=8)
        return net()

    found = conditions(build)
    assert list(found) == ["blocks", *(f"filters_{n}" for n in range(1, most + 1)), "units"]
    assert found["filters_1"] == {}
    for number in range(2, most + 1):
        assert found[f"filters_{number}"] == {"blocks": tuple(range(number, most + 1))}
    assert found["units"] == {}


def test_where_a_condition_is_in_doubt_the_parameter_is_searched_always() -> None:
    def build(hp: Any) -> Any:
        a, b = hp.Boolean("a"), hp.Boolean("b")
        if a or b:
            hp.Int("either", 1, 2)
        return net()

    assert conditions(build)["either"] == {}


def test_the_same_name_in_two_branches_is_one_parameter() -> None:
    def build(hp: Any) -> Any:
        hp.Choice("kind", ["a", "b", "c"])
        for kind in ("a", "b"):
            with hp.conditional_scope("kind", [kind]):
                hp.Int("units", 1, 8)
        return net()

    assert conditions(build) == {"kind": {}, "units": {"kind": ("a", "b")}}


def test_the_same_name_with_two_ranges_is_refused() -> None:
    def build(hp: Any) -> Any:
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            hp.Int("units", 1, 8)
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("units", 1, 16)
        return net()

    with pytest.raises(TaskError, match="'units' twice"):
        describe(build)


def test_a_branch_that_cannot_be_built_is_noted_and_the_rest_described() -> None:
    def build(hp: Any) -> Any:
        depth = hp.Int("depth", 1, 3)
        if depth == 3:
            raise ValueError("Negative dimension size")
        hp.Boolean("bias")
        return net()

    description = describe(build)
    assert [parameter.name for parameter in description.parameters] == ["depth", "bias"]
    assert description.parameters[1].conditions == ()
    (note,) = description.notes
    assert "depth=3" in note and "Negative dimension size" in note


def test_a_range_that_depends_on_other_values_is_noted() -> None:
    def build(hp: Any) -> Any:
        wide = hp.Boolean("wide")
        hp.Int("units", 1, 16 if wide else 8, default=4)
        return net()

    description = describe(build)
    assert description.parameters[1] == Parameter("units", "int", 1, 8, step=1, default=4)
    (note,) = description.notes
    assert "'units'" in note


def test_no_condition_is_made_of_values_that_were_not_tried() -> None:
    def build(hp: Any) -> Any:
        if hp.Choice("kind", ["a", "b", "c", "d"]) in ("b", "d"):
            hp.Int("units", 1, 2)
        return net()

    assert conditions(build)["units"] == {"kind": ("b", "d")}
    assert conditions(build, max_builds=3)["units"] == {}


def test_exploring_ends() -> None:
    built = 0

    def build(hp: Any) -> Any:
        nonlocal built
        built += 1
        for depth in range(100):
            if not hp.Boolean(f"deeper_{depth}"):
                break
        return net()

    description = describe(build, max_builds=5)
    assert built == 5
    assert len(description.parameters) == 5
    assert "5 builds" in description.notes[-1]


def test_parameters_that_appear_while_building_are_reported() -> None:
    def build(hp: Any) -> Any:
        if hp.Boolean("a") and hp.Boolean("b") and hp.Float("c", 0, 1) > 0.5:
            hp.Int("late", 1, 8, default=3)
        return net()

    hypermodel = load(build)
    space = SearchSpace(describe_model(hypermodel).parameters)
    assert "late" not in space
    values = {"a": True, "b": True, "c": 0.9}
    _, new = build_model(hypermodel, values)
    assert new == (Parameter("late", "int", 1, 8, step=1, default=3),)
    space = space.merged(new)
    assert "late" in space
    assert build_model(hypermodel, {**values, "late": 8})[1] == ()


def test_unknown_values_are_ignored_and_missing_ones_take_their_default() -> None:
    asked: dict[str, Any] = {}

    def build(hp: Any) -> Any:
        asked["units"] = hp.Int("units", 1, 8, default=5)
        asked["kind"] = hp.Choice("kind", ["a", "b"])
        return net()

    _, new = build_model(load(build), {"kind": "b", "batch_size": 32})
    assert asked == {"units": 5, "kind": "b"}
    assert [parameter.name for parameter in new] == ["units"]


def test_a_build_that_fails_says_why() -> None:
    def build(hp: Any) -> Any:
        if hp.Int("depth", 1, 3) > 2:
            raise ValueError("Negative\ndimension size.")
        return net()

    with pytest.raises(TrialFailedError, match=r"ValueError: Negative dimension size$"):
        build_model(load(build), {"depth": 3})
    with pytest.raises(TrialFailedError, match="depth=9 is outside"):
        build_model(load(build), {"depth": 9})
    assert build_model(load(build), {"depth": 1})[1] == ()


def test_a_model_that_cannot_be_built_at_all_is_refused() -> None:
    def build(hp: Any) -> Any:
        raise RuntimeError("out of ideas")

    with pytest.raises(TaskError, match="default values: RuntimeError: out of ideas"):
        describe(build)


def test_names_and_weights_do_not_depend_on_what_was_built_before() -> None:
    def build(hp: Any) -> Any:
        import tf_keras

        return net(tf_keras.layers.Conv2D(hp.Int("filters", 1, 4), 3), tf_keras.layers.ReLU())

    hypermodel = load(build)
    seed_everything(3)
    first, _ = build_model(hypermodel, {"filters": 3})
    build_model(hypermodel, {"filters": 2})
    seed_everything(3)
    again, _ = build_model(hypermodel, {"filters": 3})
    assert [layer.name for layer in again.layers] == [layer.name for layer in first.layers]
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()


def hypermodel_class() -> Any:
    import keras_tuner

    class Net(keras_tuner.HyperModel):
        def __init__(self, input_shape: tuple[int, ...], n_classes: int, width: int = 4) -> None:
            super().__init__()
            self.input_shape, self.n_classes, self.width = input_shape, n_classes, width

        def build(self, hp: Any) -> Any:
            hp.Int("units", 1, self.width)
            return net(units=self.n_classes, input_shape=self.input_shape)

    return Net


def build_function(hp: Any) -> Any:
    hp.Int("units", 1, 4)
    return net()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an importable module with models in it."""
    made = types.ModuleType("a_users_models")
    made.Net = hypermodel_class()  # type: ignore[attr-defined]
    made.build = build_function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made.__name__


@pytest.mark.parametrize(
    "spec",
    [
        hypermodel_class,
        lambda: hypermodel_class()(INPUT_SHAPE, N_CLASSES),
        lambda: partial(hypermodel_class(), width=4),
        lambda: build_function,
        lambda: "a_users_models:Net",
        lambda: "a_users_models:build",
    ],
    ids=["class", "instance", "class with options", "function", "name of class", "name of build"],
)
def test_models_come_in_many_forms(spec: Callable[[], Any], module: str) -> None:
    description = describe_model(load(spec()))
    assert description.parameters == (Parameter("units", "int", 1, 4, step=1),)
    assert description.prunable
    assert description.schemes == tuple(SCHEMES)
    assert description.notes == ()


class NeedsMore:
    def __init__(self, input_shape: tuple[int, ...], depth: int) -> None: ...

    def build(self, hp: Any) -> Any: ...


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("no_colon", "package.module:NAME"),
        ("a_users_models:Missing", "no model 'Missing'"),
        ("no.such.module:Net", "cannot be imported"),
        (NeedsMore, "may only need input_shape"),
        (42, "must be a HyperModel"),
        (dict, "must be a HyperModel"),
    ],
)
def test_what_is_no_model_is_refused(spec: Any, complaint: str, module: str) -> None:
    with pytest.raises(TaskError, match=complaint):
        load(spec)


def test_a_ready_keras_model_is_refused() -> None:
    # It has a method build() too, which means something else.
    with pytest.raises(TaskError, match="must be a HyperModel"):
        load(net())


def keras_3_model(hp: Any) -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            keras.layers.RMSNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(N_CLASSES),
        ]
    )


def keras_3_layer(hp: Any) -> Any:
    import keras

    return net(keras.layers.Conv2D(2, 3))


def two_outputs(hp: Any) -> Any:
    import tf_keras

    inputs = tf_keras.Input(INPUT_SHAPE)
    x = tf_keras.layers.Flatten()(inputs)
    return tf_keras.Model(inputs, [tf_keras.layers.Dense(N_CLASSES)(x) for _ in range(2)])


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda hp: None, "got None. Is a `return` missing"),
        (lambda hp: "model", "must return a tf_keras model"),
        (keras_3_model, "RMSNormalization 'rms_normalization' has no counterpart in Keras 2"),
        (keras_3_layer, "import tf_keras as keras"),
        (two_outputs, "one output of 4 units"),
        (lambda hp: net(units=10), r"one output of 4 units.*its output is \(10,\)"),
        (lambda hp: net(input_shape=(8, 8, 1)), r"shape \(8, 8, 3\).*its input is \(8, 8, 1\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(build: Build, complaint: str) -> None:
    with pytest.raises(TaskError, match=complaint):
        describe(build)
    with pytest.raises(SearchError, match=complaint):
        build_model(load(build), {})


def test_a_model_for_any_image_size_fits() -> None:
    assert describe(lambda hp: net(input_shape=(None, None, 3))).parameters == ()


def test_what_tfmot_does_not_take_is_left_out_with_a_note() -> None:
    import tf_keras

    def build(hp: Any) -> Any:
        x = inputs = tf_keras.Input(INPUT_SHAPE)
        if hp.Boolean("noise"):
            x = tf_keras.layers.GaussianNoise(0.1)(x)
        x = tf_keras.layers.DepthwiseConv2D(8)(x)
        x = tf_keras.layers.SpatialDropout2D(0.1)(x)
        x = tf_keras.layers.Flatten()(x)
        return tf_keras.Model(inputs, tf_keras.layers.Concatenate()([x, x[:, :1]]))

    description = describe(build)
    assert not description.prunable
    assert description.schemes == POST_TRAINING_SCHEMES
    assert any("Pruning" in note for note in description.notes)
    assert any("GaussianNoise" in note and "qat_int8" in note for note in description.notes)


def test_layers_of_a_model_within_the_model_count() -> None:
    import tf_keras

    def build(hp: Any) -> Any:
        x = inputs = tf_keras.Input(INPUT_SHAPE)
        x = tf_keras.layers.Flatten()(x)
        x = tf_keras.Sequential([tf_keras.layers.Dense(N_CLASSES)])(x)
        return tf_keras.Model(inputs, x)

    description = describe(build)
    assert description.prunable
    assert description.schemes == POST_TRAINING_SCHEMES
    assert "Sequential" in description.notes[0]


def test_an_activation_before_its_normalization_only_hinders_quantization_aware_training() -> None:
    import tf_keras

    layers = tf_keras.layers

    def build(hp: Any) -> Any:
        return net(layers.Conv2D(2, 3, activation="relu"), layers.BatchNormalization())

    description = describe(build)
    assert description.prunable
    assert description.schemes == POST_TRAINING_SCHEMES
    (note,) = description.notes
    assert "BatchNormalization after Conv2D(relu)" in note
