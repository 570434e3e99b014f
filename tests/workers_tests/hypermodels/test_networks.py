"""Small convolutional networks, and the table of layers that TFMOT takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.errors import ConversionError
from spaces.space.compression import PRUNED_LAYERS, available_schemes
from spaces.space.search_space import SearchSpace
from workers.hypermodels.describe import (
    ModelDescription,
    build_model,
    describe_model,
    load_hypermodel,
)
from workers.hypermodels.layers import layer_names
from workers.training.keras_compat import configure_tensorflow, seed_everything
from workers.training.prune import mask_smallest
from workers.training.qat import quantization_aware_copy

FRUIT = ((96, 96, 3), 4)
MNIST = ((28, 28, 1), 10)


@pytest.fixture(autouse=True, scope="module")
def tensorflow() -> None:
    configure_tensorflow(threads=1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def conv_net(data: tuple[tuple[int, int, int], int]) -> Any:
    return load_hypermodel("spaces.networks.families:ConvNet", *data)


@pytest.fixture
def images() -> Any:
    """Noise, as networks for fruit see it."""
    return np.random.default_rng(0).random((8, *FRUIT[0]), np.float32)


@functools.cache
def described(data: tuple[tuple[int, int, int], int]) -> ModelDescription:
    return describe_model(conv_net(data))


def random_networks(
    data: tuple[tuple[int, int, int], int], n: int
) -> list[tuple[dict[str, Any], Any]]:
    hypermodel = conv_net(data)
    space = SearchSpace(described(data).parameters)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=n))
    drawn = [space.suggest(study.ask()) for _ in range(n)]
    return [(values, build_model(hypermodel, values)[0]) for values in drawn]


@pytest.fixture(scope="module")
def fruit_description(tensorflow: None) -> ModelDescription:
    return described(FRUIT)


def test_the_searched_parameters(fruit_description: ModelDescription) -> None:
    space = SearchSpace(fruit_description.parameters)
    assert set(space.names) == {
        "input_pooling",
        "blocks",
        "convolution",
        "filters_1",
        "filters_2",
        "filters_3",
        "filters_4",
        "head",
        "dense_units",
        "dropout",
    }
    assert space["input_pooling"].choices == (1, 2, 4)
    assert space["filters_4"].conditions[0].values == (4,)
    assert space["dense_units"].conditions[0].values == ("flatten",)


def test_everything_can_be_done_with_it(fruit_description: ModelDescription) -> None:
    assert fruit_description.prunable
    assert fruit_description.schemes == tuple(SCHEMES)
    assert fruit_description.notes == ()


@pytest.mark.parametrize(
    ("shape", "offered"),
    [
        ((96, 96, 3), (1, 2, 4)),
        ((28, 28, 1), (1, 2)),
        ((32, 32, 3), (1, 2)),
        ((224, 224, 3), (4, 8, 16)),
        ((16, 60, 1), None),
    ],
)
def test_input_pooling_is_offered_by_image_size(
    shape: tuple[int, int, int], offered: tuple[int, ...] | None
) -> None:
    from spaces.networks.families import ConvNet

    _, parameters = build_model(ConvNet(shape, 5), {})
    space = SearchSpace(parameters)
    if offered is None:
        assert "input_pooling" not in space
    else:
        assert space["input_pooling"].choices == offered


@pytest.mark.parametrize("data", [FRUIT, MNIST, ((16, 60, 3), 7)])
def test_every_configuration_can_be_built(data: tuple[tuple[int, int, int], int]) -> None:
    for values, model in random_networks(data, 5):
        widths = [layer.filters for layer in model.layers if layer.name.startswith("conv_")]
        assert widths == [values[f"filters_{n + 1}"] for n in range(values["blocks"])]
        answer = model(np.random.default_rng(0).random((2, *data[0]), np.float32)).numpy()
        assert answer.shape == (2, data[1])
        np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)


def test_pooling_the_input_saves_work() -> None:
    def first_map(pooling: int) -> int:
        model, _ = build_model(conv_net(FRUIT), {"input_pooling": pooling})
        return int(model.get_layer("conv_1").output_shape[1])

    # The whole picture is visited at every second pixel, as the pooled one at every pixel.
    assert [first_map(pooling) for pooling in (1, 2, 4)] == [48, 48, 24]


def test_the_input_is_averaged(images: Any) -> None:
    import tf_keras

    model, _ = build_model(conv_net(FRUIT), {"input_pooling": 4})
    averaged = tf_keras.layers.AveragePooling2D(4)(images)
    np.testing.assert_allclose(model.get_layer("input_pooling")(images), averaged, atol=1e-6)


@pytest.mark.slow
def test_averaging_stays_what_it_is(images: Any) -> None:
    """Neither training, pruning nor quantization-aware training changes it."""
    from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
    from spaces.data.dataset import Dataset, Split
    from workers.training.loop import train
    from workers.training.prune import achieved_sparsity
    from workers.training.qat import train_quantization_aware

    split = Split(images, np.arange(8) % 4)
    data = Dataset("noise", split, split, split, ("a", "b", "c", "d"), "0")
    config = TrialConfig(
        "noise",
        "0",
        (),
        TrainingConfig(0.01, batch_size=2, weight_decay=0.1),
        PruningConfig("constant", 0.9),
        QuantizationScheme.QAT_INT8,
    )
    model, _ = build_model(conv_net(FRUIT), {"input_pooling": 4, "blocks": 2})
    kernel = model.get_layer("input_pooling").kernel.numpy()

    train(model, data, config)
    aware, _ = train_quantization_aware(model, data, config)

    np.testing.assert_array_equal(model.get_layer("input_pooling").kernel, kernel)
    kernels = {variable.name: variable for variable in aware.variables}
    np.testing.assert_array_equal(kernels["input_pooling/kernel:0"], kernel)
    sparsity = achieved_sparsity(model)
    assert "input_pooling" not in sparsity
    assert sparsity["overall"] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("values", "at_most"),
    [
        # Networks made by hand for MNIST have 12,810 (light) and 225,034 (large) parameters.
        (dict(blocks=2, filters_1=8, filters_2=8, head="average"), 1_000),
        (dict(blocks=3, filters_1=8, filters_2=16, filters_3=40, head="average"), 12_810),
        (
            dict(
                blocks=3, filters_1=32, filters_2=64, filters_3=64, head="flatten", dense_units=128
            ),
            225_034,
        ),
    ],
)
def test_the_space_reaches_from_light_to_large(values: dict[str, Any], at_most: int) -> None:
    model, _ = build_model(conv_net(MNIST), {**values, "dense_units": 128})
    assert at_most / 2 < model.count_params() <= at_most


def test_a_task_may_set_the_ranges() -> None:
    from spaces.networks.families import ConvNet

    net = ConvNet(
        (32, 32, 3),
        10,
        filters=((4, 4), (4, 16)),
        filter_step=4,
        min_blocks=2,
        input_pooling=(1,),
        max_dropout=0.0,
    )
    space = SearchSpace(describe_model(load_hypermodel(net, (32, 32, 3), 10)).parameters)
    assert set(space.names) == {
        "blocks",
        "convolution",
        "filters_1",
        "filters_2",
        "head",
        "dense_units",
    }
    assert space["filters_2"].step == 4


def test_the_loss_sees_logits_behind_the_softmax() -> None:
    import tensorflow as tf
    import tf_keras

    seed_everything(0)
    model, _ = build_model(conv_net(MNIST), {})
    logits = model.get_layer("logits")
    logits.kernel.assign(logits.kernel * 1e4)  # probabilities of exactly 0 and 1
    loss = tf_keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def gradient(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        return value, tape.gradient(value, logits.bias)

    images = np.random.default_rng(0).random((20, 28, 28, 1), np.float32)
    value, slope = gradient(images, np.arange(20) % 10)
    assert value > 100  # clipped probabilities would end at 16
    assert np.abs(slope).max() > 0.01


def test_normalization_keeps_up_with_a_short_training() -> None:
    seed_everything(0)
    model, _ = build_model(conv_net(MNIST), {"dropout": 0.0, "blocks": 2})
    images = np.random.default_rng(0).random((32, 28, 28, 1), np.float32)
    for _ in range(60):
        trained = model(images, training=True)
    np.testing.assert_allclose(model(images), trained, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("convolution", ["plain", "separable"])
@pytest.mark.parametrize("head", ["flatten", "average"])
def test_tfmot_and_the_converter_take_it(convolution: str, head: str, images: Any) -> None:
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot

    values: dict[str, Any] = {
        "convolution": convolution,
        "head": head,
        "input_pooling": 4,
        "blocks": 2,
    }
    model, _ = build_model(conv_net(FRUIT), values)
    tfmot.sparsity.keras.prune_low_magnitude(model)
    aware = tfmot.quantization.keras.quantize_model(model)
    assert aware(images).shape == (8, 4)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    np.testing.assert_allclose(run(converter.convert(), images), model(images), atol=0.02)


def run(tflite: bytes, images: Any) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite, num_threads=1)
    interpreter.allocate_tensors()
    answers = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(answers)


def sandwich(*names: str, **options: Any) -> Callable[[], Any]:
    """Return a model with layers of these names between a convolution and a dense layer."""

    def make() -> Any:
        import tf_keras

        layers = tf_keras.layers
        return tf_keras.Sequential(
            [
                tf_keras.Input((8, 8, 3)),
                layers.Conv2D(4, 3, **options),
                *(made(getattr(layers, name)) for name in names),
                layers.Flatten(),
                layers.Dense(4),
                layers.Softmax(),
            ]
        )

    return make


def made(layer: Any) -> Any:
    arguments = {
        "Conv2D": (4, 3),
        "Conv2DTranspose": (4, 3),
        "SeparableConv2D": (4, 3),
        "DepthwiseConv2D": (3,),
        "Rescaling": (0.5,),
        "Resizing": (4, 4),
        "Activation": ("elu",),
        "RandomRotation": (0.1,),
        "GaussianNoise": (0.1,),
        "Dropout": (0.1,),
        "SpatialDropout2D": (0.1,),
        "AlphaDropout": (0.1,),
    }
    return layer(*arguments.get(layer.__name__, ()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(sandwich(*names, **options), id="-".join([*options.values(), *names]))
        for names, options in [
            (("BatchNormalization", "ReLU"), {}),
            (("ReLU", "BatchNormalization"), {}),
            (("BatchNormalization",), {"activation": "relu"}),
            (("MaxPooling2D", "BatchNormalization"), {}),
            (("SeparableConv2D", "BatchNormalization", "LeakyReLU"), {}),
            (("DepthwiseConv2D", "BatchNormalization", "ReLU"), {}),
            (("Conv2DTranspose", "BatchNormalization"), {}),
            (("AveragePooling2D", "Dropout", "SpatialDropout2D"), {}),
            (("UpSampling2D", "ZeroPadding2D", "Cropping2D"), {}),
            (("ELU",), {}),
            (("Activation",), {}),
            (("PReLU",), {}),
            (("ThresholdedReLU",), {}),
            (("LayerNormalization",), {}),
            (("GaussianNoise",), {}),
            (("AlphaDropout",), {}),
            (("Rescaling",), {}),
            (("Normalization",), {}),
            (("Resizing",), {}),
            (("RandomFlip",), {}),
            (("RandomRotation",), {}),
        ]
    ],
)
def test_the_table_of_layers_says_what_tfmot_does(make: Callable[[], Any]) -> None:
    schemes, _ = available_schemes(layer_names(make()))
    # A trial may ask for either: after pruning, zeros must be kept.
    works = all(can_be_quantized(make(), keep_zeros) for keep_zeros in (False, True))
    assert works == (QuantizationScheme.QAT_INT8 in schemes)


def can_be_quantized(model: Any, keep_zeros: bool) -> bool:
    try:
        quantization_aware_copy(model, keep_zeros=keep_zeros)
    except ConversionError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_a_normalization_must_be_alone_behind_its_convolution(shared: bool) -> None:
    import tf_keras

    layers = tf_keras.layers
    inputs = tf_keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(inputs)
    y = layers.BatchNormalization()(x)
    y = layers.Add()([layers.ReLU()(y), x if shared else y])
    model = tf_keras.Model(inputs, layers.Dense(4)(layers.Flatten()(y)))
    schemes, _ = available_schemes(layer_names(model))
    assert can_be_quantized(model, keep_zeros=True) == (QuantizationScheme.QAT_INT8 in schemes)
    assert can_be_quantized(model, keep_zeros=True) != shared


@pytest.mark.slow
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("activation", ["relu6", "gelu", "selu"])
def test_the_table_says_which_activations_tfmot_takes(activation: str, inside: bool) -> None:
    import tensorflow as tf
    import tf_keras

    layers = tf_keras.layers
    function = tf.nn.relu6 if activation == "relu6" else activation
    first = layers.Conv2D(4, 3, activation=function if inside else None)
    model = tf_keras.Sequential(
        [tf_keras.Input((8, 8, 3)), first, layers.Activation("linear" if inside else function)]
    )
    schemes, _ = available_schemes(layer_names(model))
    assert can_be_quantized(model, keep_zeros=True) == (QuantizationScheme.QAT_INT8 in schemes)


@pytest.mark.slow
def test_the_table_says_what_is_pruned() -> None:
    names = ("SeparableConv2D", "DepthwiseConv2D", "BatchNormalization", "PReLU", "Rescaling")
    model = sandwich(*names)()
    mask_smallest(model, 0.5)
    zeros = {}
    for layer in model.layers:
        weights = [weight for weight in layer.get_weights() if weight.ndim > 1]
        zeros[type(layer).__name__] = [round(float(np.mean(weight == 0)), 1) for weight in weights]
    assert {name for name, shares in zeros.items() if 0.5 in shares} == PRUNED_LAYERS & set(zeros)
    assert zeros["SeparableConv2D"] == [0.0, 0.5]
    assert zeros["DepthwiseConv2D"] == [0.0]
