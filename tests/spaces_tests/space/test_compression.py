"""The joint space, and the way from flat parameters to a configuration and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.training import RECIPE_DEFAULTS
from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest
from spaces.errors import ConfigError, TaskError
from spaces.space.compression import (
    COMPRESSION_NAMES,
    QAT_LAYERS,
    TRAINING_NAMES,
    available_schemes,
    build_values,
    compression_parameters,
    config_from_params,
    is_prunable,
    joint_space,
    params_from_config,
    training_parameters,
    unsupported_layers,
)
from spaces.space.search_space import Condition, Parameter, SearchSpace
from spaces.tasks.task import Task

ALL_SCHEMES = tuple(SCHEMES)
MODEL = (
    Parameter("blocks", "int", 1, 2),
    Parameter("filters_1", "int", 8, 32, step=8),
    Parameter("filters_2", "int", 8, 32, step=8, conditions=(Condition("blocks", (2,)),)),
    Parameter("separable", "categorical", choices=(False, True)),
    Parameter("dropout", "float", 0.0, 0.5),
)


def load_nothing(request: DataRequest) -> Dataset:
    raise NotImplementedError


def make_task(**changes: Any) -> Task:
    return Task("net", "a net", "package.module:Net", load_nothing, **changes)


def make_config(params: dict[str, Any]) -> TrialConfig:
    return config_from_params(
        params, task="net", data_fingerprint="0123456789abcdef", epochs=4, seed=11, threads=2
    )


def random_params(space: SearchSpace, seed: int) -> dict[str, Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return space.suggest(study.ask())


SPACES = {
    "all": joint_space(make_task(), MODEL, ALL_SCHEMES, prunable=True),
    "no pruning": joint_space(make_task(), MODEL, ALL_SCHEMES, prunable=False),
    "no quantization-aware training": joint_space(make_task(), (), POST_TRAINING_SCHEMES, True),
    "little": joint_space(
        make_task(
            max_weight_decay=0.0, max_sparsity=0.1, batch_sizes=(8,), optimizers=("rmsprop",)
        ),
        MODEL,
        [QuantizationScheme.INT8],
        prunable=True,
    ),
    "all of the recipe": joint_space(
        make_task(
            augmentations=("none", "flip", "shift+rotation", "flip+shift+cutmix"),
            label_smoothings=(0, 0.1),
            lr_schedules=("cosine", "constant", "cosine_warmup", "plateau"),
            emas=(0.0, 0.05),
            class_weights=("balanced", "none"),
            optimizers=("adamw", "sgd"),
        ),
        MODEL,
        ALL_SCHEMES,
        prunable=True,
    ),
    "one recipe": joint_space(
        make_task(augmentations=("flip",), emas=(0.1,)), (), ALL_SCHEMES, prunable=False
    ),
    "declared by the model": joint_space(
        make_task(),
        (
            *MODEL,
            Parameter("learning_rate", "categorical", choices=(0.01, 0.1)),
            Parameter("weight_decay", "float", 0.0, 0.1),
        ),
        ALL_SCHEMES,
        prunable=True,
    ),
}


@pytest.fixture(autouse=True, scope="module")
def quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@given(seed=st.integers(0, 2**32 - 1))
def test_parameters_and_configurations_turn_into_each_other(space: SearchSpace, seed: int) -> None:
    params = random_params(space, seed)
    config = make_config(params)
    assert params_from_config(config, space) == params
    assert make_config(params_from_config(config)) == config
    assert TrialConfig.from_dict(config.to_dict()) == config
    # Optuna accepts them back: that is how derived trials enter a study.
    assert space.suggest(optuna.trial.FixedTrial(params_from_config(config, space))) == params


@given(seed=st.integers(0, 2**32 - 1))
def test_every_schedule_in_the_space_can_be_followed(seed: int) -> None:
    pruning = make_config(random_params(SPACES["all"], seed)).pruning
    if pruning.is_active:
        assert pruning.begin + pruning.frequency <= pruning.end <= 0.9
        assert 0.3 <= pruning.final_sparsity <= 0.95


def test_parameters_arrive_where_they_belong() -> None:
    config = make_config(
        {
            "learning_rate": 0.003,
            "batch_size": 64,
            "optimizer": "sgd",
            "weight_decay": 0.0001,
            "blocks": 2,
            "separable": True,
            "pruning_schedule": "polynomial",
            "final_sparsity": 0.8,
            "pruning_begin": 0.1,
            "pruning_end": 0.6,
            "pruning_frequency": 0.05,
            "quantization": "int16x8",
        }
    )
    assert config.to_dict() == {
        "task": "net",
        "data_fingerprint": "0123456789abcdef",
        "hyperparameters": {"blocks": 2, "separable": True},
        "training": {
            "learning_rate": 0.003,
            "batch_size": 64,
            "optimizer": "sgd",
            "weight_decay": 0.0001,
            "epochs": 4,
            "qat_epochs": 2,
        },
        "pruning": {
            "schedule": "polynomial",
            "final_sparsity": 0.8,
            "begin": 0.1,
            "end": 0.6,
            "frequency": 0.05,
        },
        "quantization": "int16x8",
        "seed": 11,
        "threads": 2,
    }


def test_what_is_not_searched_takes_its_default() -> None:
    config = make_config({"learning_rate": 0.01, "batch_size": 8})
    assert config.training.optimizer == "adam"
    assert config.training.weight_decay == 0
    assert not config.pruning.is_active
    assert config.quantization is QuantizationScheme.FLOAT32


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"batch_size": 8}, "'learning_rate' is missing"),
        ({"learning_rate": 0.1}, "'batch_size' is missing"),
        ({"learning_rate": 0.1, "batch_size": 8, "quantization": "int3"}, "quantization in"),
        ({"learning_rate": 0.1, "batch_size": 8, "pruning_schedule": "constant"}, "sparsity"),
    ],
)
def test_parameters_that_make_no_configuration_are_refused(
    params: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_config(params)


def test_the_joint_space_has_the_names_that_databases_hold() -> None:
    assert SPACES["all"].names == (
        *(name for name in TRAINING_NAMES if name not in RECIPE_DEFAULTS),
        *(parameter.name for parameter in MODEL),
        *COMPRESSION_NAMES,
    )


def test_only_what_a_task_declares_of_the_recipe_is_searched() -> None:
    def names(**changes: Any) -> tuple[str, ...]:
        parameters = training_parameters(make_task(**changes))
        return tuple(p.name for p in parameters if p.name in RECIPE_DEFAULTS)

    assert names() == ()
    assert names(augmentations=("none", "flip")) == ("augmentation",)
    assert names(augmentations=("shift",)) == ("augmentation", "augmentation_strength")
    assert names(lr_schedules=("constant",), emas=(0.0, 0.05)) == ("lr_schedule", "ema")
    assert SPACES["all of the recipe"].names[4:10] == tuple(RECIPE_DEFAULTS)


def test_strength_is_asked_for_where_there_is_something_to_strengthen() -> None:
    strength = SPACES["all of the recipe"]["augmentation_strength"]
    assert strength.conditions == (
        Condition("augmentation", ("shift+rotation", "flip+shift+cutmix")),
    )
    assert SPACES["one recipe"].defaults()["augmentation"] == "flip"


def test_the_recipe_arrives_in_training() -> None:
    params = {
        "learning_rate": 0.003,
        "batch_size": 64,
        "augmentation": "shift+mixup",
        "augmentation_strength": 0.3,
        "label_smoothing": 0.1,
        "lr_schedule": "plateau",
        "ema": 0.05,
        "class_weights": "balanced",
    }
    config = make_config(params)
    assert config.hyperparameters == ()
    assert config.to_dict()["training"].items() >= params.items()
    assert params_from_config(config).items() >= params.items()
    plain = params_from_config(make_config({"learning_rate": 0.003, "batch_size": 64}))
    assert not set(plain) & set(RECIPE_DEFAULTS)


def test_a_model_may_declare_a_part_of_the_recipe() -> None:
    task = make_task(augmentations=("none", "shift"))
    declared = Parameter("augmentation", "categorical", choices=("none", "flip"))
    space = joint_space(task, (declared,), ALL_SCHEMES, prunable=False)
    assert space["augmentation"] == declared
    assert "augmentation_strength" not in space
    assert build_values(make_config({**space.defaults(), "augmentation": "flip"})).items() >= {
        ("augmentation", "flip")
    }
    with pytest.raises(TaskError, match="training cannot use"):
        joint_space(task, (Parameter("ema", "float", 0.0, 1.0),), ALL_SCHEMES, prunable=False)


def test_without_a_schedule_nothing_of_pruning_is_suggested() -> None:
    space = SearchSpace(compression_parameters(make_task(), ALL_SCHEMES, prunable=True))
    for schedule in ("none", "constant", "polynomial"):
        values: dict[str, str | float] = {"pruning_schedule": schedule, "quantization": "int8"}
        if schedule != "none":
            values |= {
                "final_sparsity": 0.5,
                "pruning_begin": 0.1,
                "pruning_end": 0.6,
                "pruning_frequency": 0.05,
            }
        # FixedTrial raises on a name that it has no value for.
        assert space.suggest(optuna.trial.FixedTrial(values)) == values


@pytest.mark.parametrize("task", [make_task(max_sparsity=0.0), make_task()])
def test_pruning_is_left_out_where_it_cannot_be(task: Task) -> None:
    names = joint_space(task, MODEL, ALL_SCHEMES, prunable=task.max_sparsity == 0).names
    assert [name for name in names if name in COMPRESSION_NAMES] == ["quantization"]


def test_a_task_sets_the_ranges_of_training() -> None:
    task = make_task(
        learning_rate=(1e-5, 1e-4),
        batch_sizes=(8, 16),
        optimizers=("sgd", "adam"),
        max_weight_decay=0.0,
    )
    space = SearchSpace(training_parameters(task))
    assert space.names == ("learning_rate", "batch_size", "optimizer")
    assert (space["learning_rate"].low, space["learning_rate"].high) == (1e-5, 1e-4)
    assert space["learning_rate"].log
    assert space["batch_size"].choices == (8, 16)
    assert space["optimizer"].choices == ("sgd", "adam")


def test_a_training_parameter_of_the_model_wins_and_serves_both() -> None:
    declared = Parameter("learning_rate", "categorical", choices=(0.01, 0.1))
    space = joint_space(make_task(), (*MODEL, declared), ALL_SCHEMES, prunable=True)
    assert space["learning_rate"] == declared
    assert space.names.count("learning_rate") == 1
    config = make_config({**space.defaults(), "learning_rate": 0.1})
    assert config.training.learning_rate == 0.1
    assert build_values(config)["learning_rate"] == 0.1
    assert build_values(config)["filters_1"] == config.hyperparameter_dict["filters_1"]


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        (Parameter("quantization", "categorical", choices=("int8",)), "compression parameter"),
        (Parameter("final_sparsity", "float", 0.1, 0.2), "compression parameter"),
        (Parameter("optimizer", "categorical", choices=("adam", "nadam")), "Choice of adam"),
        (Parameter("optimizer", "int", 0, 1), "training cannot use"),
        (Parameter("learning_rate", "float", 0.0, 0.1), "training cannot use"),
        (Parameter("batch_size", "float", 1.0, 2.5), "training cannot use"),
        (
            Parameter("batch_size", "int", 1, 2, conditions=(Condition("blocks", (1,)),)),
            "only under a condition",
        ),
    ],
)
def test_a_declaration_that_training_cannot_use_is_refused(
    declared: Parameter, complaint: str
) -> None:
    with pytest.raises(TaskError, match=complaint):
        joint_space(make_task(), (*MODEL, declared), ALL_SCHEMES, prunable=True)


@pytest.mark.parametrize(
    ("layers", "prunable", "quantization_aware"),
    [
        (["InputLayer", "Conv2D", "BatchNormalization", "ReLU", "Dense", "Softmax"], True, True),
        (["SeparableConv2D", "GlobalAveragePooling2D", "Dense"], True, True),
        (["Conv2D", "ELU", "Dense"], True, False),
        (["Conv2D", "LayerNormalization", "Dense"], True, False),
        (["Rescaling", "Conv2D"], True, False),
        (["Conv2D", "PReLU"], True, False),
        (["Conv2D", "MyOwnLayer"], True, False),
        (["MyOwnLayer"], False, False),
        (["DepthwiseConv2D", "GlobalAveragePooling2D", "Softmax"], False, True),
    ],
)
def test_what_a_model_of_these_layers_can_be_made_into(
    layers: Sequence[str], prunable: bool, quantization_aware: bool
) -> None:
    schemes, scheme_notes = available_schemes(layers)
    assert (QuantizationScheme.QAT_INT8 in schemes) == quantization_aware
    assert set(POST_TRAINING_SCHEMES) <= set(schemes)
    assert bool(scheme_notes) != quantization_aware
    answer, pruning_notes = is_prunable(layers)
    assert answer == prunable
    assert bool(pruning_notes) != prunable


def test_notes_name_the_layers() -> None:
    _, (note,) = available_schemes(["Conv2D", "ELU", "ELU", "Dense", "GaussianNoise"])
    assert "ELU, GaussianNoise." in note
    assert "Conv2D" not in note


def test_unsupported_layers_are_named_once() -> None:
    assert unsupported_layers(["Dense", "ELU", "ELU"], QAT_LAYERS) == ("ELU",)
