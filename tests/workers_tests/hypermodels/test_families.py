"""The families of networks that built-in tasks search, from the smallest to the largest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue
from spaces.data.dataset import Dataset, Split
from spaces.space.compression import config_from_params, joint_space
from spaces.space.search_space import SearchSpace
from spaces.tasks.registry import builtin_tasks
from workers.hypermodels.describe import (
    ModelDescription,
    build_model,
    describe_model,
    load_hypermodel,
)
from workers.messages.result import EvaluateRequest
from workers.training.keras_compat import configure_tensorflow
from workers.trial.prepare import describe_task

SHAPES: Mapping[str, tuple[tuple[int, int, int], int]] = {
    "mnist": ((28, 28, 1), 10),
    "fruit": ((96, 96, 3), 4),
    "cifar100": ((32, 32, 3), 20),
    "animals10": ((120, 120, 3), 10),
}
ALL_SHAPES = {**SHAPES, "signals": ((1, 32, 3), 3)}
"""What tasks are described on; those that are missing have the networks of another one."""

Describe = Callable[[str], ModelDescription]


@pytest.fixture(autouse=True, scope="module")
def tensorflow() -> None:
    configure_tensorflow(threads=1)


def networks(task: str) -> Any:
    return load_hypermodel(builtin_tasks()[task].model, *ALL_SHAPES[task])


@pytest.fixture(scope="module")
def describe(tensorflow: None) -> Describe:
    known: dict[str, ModelDescription] = {}

    def described(task: str) -> ModelDescription:
        model = builtin_tasks()[task].model
        name = next(name for name in ALL_SHAPES if builtin_tasks()[name].model == model)
        if name not in known:
            known[name] = describe_model(networks(name))
        return known[name]

    return described


@pytest.mark.parametrize("name", list(builtin_tasks()))
def test_a_task_declares_what_its_networks_have(name: str, describe: Describe) -> None:
    task, described = builtin_tasks()[name], describe(name)
    space = SearchSpace(described.parameters)
    assert space["family"].choices == task.families
    assert space["family"].default == task.families[0]
    # All of it was found, and every family can be pruned and trained quantization-aware.
    assert described.notes == ()
    assert described.prunable
    assert described.schemes == tuple(SCHEMES)
    for family in task.families:
        own = [p for p in space.parameters if ("family", (family,)) in conditions(p)]
        assert own, f"{family} declares nothing"


def conditions(parameter: Any) -> list[tuple[str, tuple[ParamValue, ...]]]:
    return [(condition.parameter, condition.values) for condition in parameter.conditions]


@pytest.mark.parametrize("name", list(builtin_tasks()))
def test_a_baseline_lies_in_the_space(name: str, describe: Describe) -> None:
    task, described = builtin_tasks()[name], describe(name)
    space = joint_space(task, described.parameters, described.schemes, described.prunable)
    values = {**space.defaults(), **task.baseline}
    for parameter in space.parameters:
        if parameter.name in task.baseline:
            assert parameter.contains(task.baseline[parameter.name]), parameter.name
            assert space.is_active(parameter, values), parameter.name
    assert set(task.baseline) <= set(space.names)
    assert task.baseline_note


DEEP: dict[str, ParamValue] = {
    "blocks": 2,
    "convs_per_block": 2,
    "padding": "valid",
    "filters_1": 32,
    "filters_2": 64,
    "head": "flatten",
    "dense_units": 128,
}
LIGHT = {**DEEP, "convs_per_block": 1, "filters_1": 16, "filters_2": 32, "dense_units": 0}
ANN: dict[str, ParamValue] = {"ann_layers": 2, "ann_units_1": 128, "ann_units_2": 64}
LARGE: dict[str, ParamValue] = {"input_pooling": 1, "flatten_filters": 32, "flatten_units": 1664}


@pytest.mark.parametrize(
    ("task", "family", "values", "n_parameters"),
    [
        # Networks that people made by hand for MNIST, to the last parameter.
        ("mnist", "ann", ANN, 109_386),
        ("mnist", "cnn", LIGHT, 12_810),
        ("mnist", "cnn", {**DEEP, "convs_per_block": 1}, 225_034),
        ("mnist", "cnn", DEEP, 197_482),
        ("mnist", "lenet", {}, 61_706),
        # 15.26 MB at one byte each, and 183 MB as float32 with Adam's two slots.
        ("fruit", "flatten_dense", LARGE, 15_363_140),
    ],
)
def test_networks_made_by_hand(
    task: str, family: str, values: dict[str, ParamValue], n_parameters: int
) -> None:
    model, _ = build_model(networks(task), {"family": family, **values})
    assert deployed_parameters(model) == n_parameters


def deployed_parameters(model: Any) -> int:
    """Count weights and biases once normalization is folded into the convolution before it."""
    folded = sum(
        3 * layer.output_shape[-1]
        for layer in model.layers
        if type(layer).__name__ == "BatchNormalization"
    )
    n_params: int = model.count_params() - folded
    return n_params


def test_baselines_are_the_networks_they_are_said_to_be() -> None:
    for name, n_parameters in (("mnist", 225_034), ("fruit", 15_363_140)):
        model, _ = build_model(networks(name), own_values(name))
        assert deployed_parameters(model) == n_parameters


def own_values(name: str) -> dict[str, ParamValue]:
    training = ("learning_rate", "batch_size", "optimizer", "weight_decay")
    return {k: v for k, v in builtin_tasks()[name].baseline.items() if k not in training}


def test_the_baseline_of_cifar10_is_the_resnet_8_of_mlperf_tiny() -> None:
    hypermodel = load_hypermodel(builtin_tasks()["cifar10"].model, (32, 32, 3), 10)
    model, _ = build_model(hypermodel, own_values("cifar10"))
    # Krizhevsky's 32x32 pictures through seven 3x3 convolutions, two 1x1 shortcuts, one dense.
    kernels = [
        layer.get_weights()[0]
        for layer in model.layers
        if layer.name.endswith("conv")
        or "_conv_" in layer.name
        or layer.name.endswith("shortcut")
        or layer.name == "logits"
    ]
    assert sum(kernel.size for kernel in kernels) == 77_360
    sides = [tuple(model.get_layer(f"res_{stage}_1_add").output.shape[1:]) for stage in (1, 2, 3)]
    assert sides == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]


def test_the_vgg_of_the_baseline_is_as_it_was_described() -> None:
    model, _ = build_model(networks("cifar100"), own_values("cifar100"))
    widths = [layer.filters for layer in model.layers if layer.name.startswith("conv_")]
    assert widths == [64, 64, 128, 128, 256, 256]
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert model.get_layer("dense").units == 512
    names = [type(layer).__name__ for layer in model.layers]
    for number, name in enumerate(names):
        if name == "Conv2D":
            assert names[number + 1 : number + 3] == ["BatchNormalization", "ReLU"]


@pytest.mark.parametrize(
    ("values", "kernel", "first_side"),
    [
        ({}, 3, 16),
        ({"mobilenet_kernel": 5}, 5, 16),
        ({"mobilenet_stem_stride": 1}, 3, 32),
    ],
    ids=["as it was before there was a choice", "larger kernels", "every pixel"],
)
def test_a_mobilenet_has_the_kernels_and_the_stem_it_is_told(
    values: dict[str, ParamValue], kernel: int, first_side: int
) -> None:
    model, _ = build_model(networks("cifar100"), {"family": "mobilenet_v2", **values})
    depthwise = [layer for layer in model.layers if type(layer).__name__ == "DepthwiseConv2D"]
    assert {layer.kernel_size for layer in depthwise} == {(kernel, kernel)}
    assert model.get_layer("stem").output.shape[1:3] == (first_side, first_side)


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_configuration_without_a_family_is_the_convolutional_one(name: str) -> None:
    """Configurations exported before there were families give the same network."""
    values: dict[str, ParamValue] = {"blocks": 3, "filters_1": 8, "filters_2": 16, "filters_3": 24}
    values |= {"convolution": "separable", "head": "average", "dropout": 0.25}
    old = load_hypermodel("spaces.networks.families:ConvNet", *SHAPES[name])
    models = [build_model(hypermodel, values)[0] for hypermodel in (old, networks(name))]
    first, second = ([layer.get_config() for layer in model.layers] for model in models)
    assert first == second


@pytest.mark.parametrize("shape", [(4, 5, 1), (16, 60, 3), (200, 150, 3)])
@pytest.mark.parametrize("name", list(SHAPES))
def test_every_family_takes_images_of_any_size(name: str, shape: tuple[int, int, int]) -> None:
    task = builtin_tasks()[name]
    hypermodel = load_hypermodel(task.model, shape, 3)
    for family in task.families:
        model, _ = build_model(hypermodel, {"family": family})
        answer = model(np.zeros((2, *shape), np.float32)).numpy()
        np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)


def test_what_is_searched_follows_from_the_data(tmp_path: Path) -> None:
    def halves(n: int) -> Dataset:
        images = np.broadcast_to(np.zeros((), np.uint8), (n, 8, 8, 1))
        split = Split(images, np.arange(n, dtype=np.int64) % 2)
        return Dataset("zeros", split, split, split, ("a", "b"), str(n))

    def build(hp: Any) -> Any:
        import tf_keras

        layers = tf_keras.layers
        return tf_keras.Sequential(
            [tf_keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2), layers.Softmax()]
        )

    task = replace(builtin_tasks()["images"], model=build)
    few, many = (describe_task(task, "my.py", None, halves(n), tmp_path) for n in (300, 20_000))
    assert few.epochs > many.epochs
    assert few.space["batch_size"].choices == (8, 16)
    assert many.space["batch_size"].choices == (32, 64, 128, 256)


SMALL: Mapping[str, dict[str, ParamValue]] = {
    "mnist/ann": {"ann_layers": 1, "ann_units_1": 8},
    "mnist/lenet": {"lenet_filters_1": 2, "lenet_filters_2": 4, "lenet_units_1": 8},
    "mnist/cnn": {"blocks": 2, "filters_1": 4, "convs_per_block": 2, "padding": "valid"},
    "mnist/mobilenet_v2": {
        "mobilenet_width": 0.25,
        "mobilenet_stages": 2,
        "mobilenet_repeats": 2,
        "mobilenet_kernel": 5,
        "mobilenet_stem_stride": 1,
    },
    "cifar100/residual": {"residual_stages": 2, "residual_filters": 8, "residual_blocks": 2},
    "cifar100/vgg": {"vgg_blocks": 2, "vgg_filters": 8, "vgg_units": 32},
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("which", list(SMALL))
def test_a_family_is_trained_pruned_quantized_and_run(which: str) -> None:
    """From training to the answer of LiteRT, quantization-aware, with its zeros kept."""
    from workers.trial.evaluate import TrialEvaluator

    task, _, family = which.partition("/")
    rng = np.random.default_rng(0)
    labels = np.arange(96, dtype=np.int64) % 2
    # Bright on the left or on the right.
    images = rng.integers(0, 120, (96, 16, 16, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 8 * label : 8 * label + 8] += 120
    split = Split(images, labels)
    data = Dataset("halves", split, split, split, ("left", "right"), "0")
    config = config_from_params(
        {
            "family": family,
            **SMALL[which],
            "learning_rate": 0.01,
            "batch_size": 8,
            "pruning_schedule": "constant",
            "final_sparsity": 0.4,
            "pruning_begin": 0.0,
            "pruning_end": 0.5,
            "pruning_frequency": 0.1,
            "quantization": "qat_int8",
        },
        task=task,
        data_fingerprint="0",
        epochs=6,
        seed=0,
        qat_epochs=1,
    )
    # All other schemes too, where shortcuts might be in their way.
    fan_out = family in ("mobilenet_v2", "residual")
    result = TrialEvaluator(task, data)(EvaluateRequest(config, fan_out=fan_out))
    assert result.outcome == "complete", result.reason
    assert result.sparsity["overall"] == pytest.approx(0.4, abs=0.05)
    point = result.point
    assert point is not None and point.accuracy > 0.9
    assert result.skipped == {}
    schemes = {sibling.config.quantization for sibling in result.siblings}
    assert schemes == (set(SCHEMES) - {QuantizationScheme.QAT_INT8} if fan_out else set())
