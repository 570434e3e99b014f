"""Which families of networks each built-in task searches, and within which ranges.

Only workers import this module. Tasks name these functions
(``spaces.networks.task_families:mnist_networks``) and list the names of their families, so that
``search tasks`` need not import TensorFlow.
"""

from __future__ import annotations

from spaces.networks.families import ConvBlocks, Families, Family
from spaces.networks.handmade import DenseLayers, FlattenAndDense, LeNet, VggBlocks
from spaces.networks.residual import InvertedResiduals, ResidualBlocks
from spaces.networks.signals import TimeConvolutions

_USUAL_FILTERS = ((8, 32), (8, 64), (16, 64), (16, 96))


def mnist_networks(input_shape: tuple[int, int, int], n_classes: int) -> Families:
    """Return the families for digits: from dense layers to a MobileNetV2.

    Filters from 4 on and ``valid`` padding, since a digit needs little; a dense layer or none
    behind a flattened map; one or two convolutions in a block.
    """
    cnn = ConvBlocks(
        ((4, 32), (4, 64), (8, 64), (8, 96)),
        filter_step=4,
        convs_per_block=(1, 2),
        paddings=("same", "valid"),
        dense_units=(0, 128),
    )
    return Families(
        input_shape,
        n_classes,
        {
            "cnn": cnn,
            "ann": DenseLayers(),
            "lenet": LeNet(),
            "mobilenet_v2": InvertedResiduals(),
        },
    )


def fruit_networks(input_shape: tuple[int, int, int], n_classes: int) -> Families:
    """Return small convolutional networks, and the large one that is nearly all dense layer."""
    return Families(
        input_shape,
        n_classes,
        {
            "cnn": ConvBlocks(_USUAL_FILTERS),
            "flatten_dense": FlattenAndDense(),
            "mobilenet_v2": InvertedResiduals(),
        },
    )


def cifar_networks(input_shape: tuple[int, int, int], n_classes: int) -> Families:
    """Return families up to a VGG-like network of 64, 128 and 256 filters."""
    return Families(
        input_shape,
        n_classes,
        {
            "cnn": ConvBlocks(((8, 64), (16, 96), (16, 128), (16, 128)), convs_per_block=(1, 2)),
            "vgg": VggBlocks(),
            "residual": ResidualBlocks(),
            "mobilenet_v2": InvertedResiduals(),
        },
    )


def image_networks(input_shape: tuple[int, int, int], n_classes: int) -> Families:
    """Return families for pictures of any size; a larger side gives room for more stages."""
    stages = (16, 24, 32, 64, 96) if min(input_shape[:2]) > 64 else (16, 24, 32, 64)
    return Families(
        input_shape,
        n_classes,
        {
            "cnn": ConvBlocks(_USUAL_FILTERS),
            "residual": ResidualBlocks(max_stages=4, max_blocks=2),
            "mobilenet_v2": InvertedResiduals(stages),
        },
    )


def signal_networks(input_shape: tuple[int, int, int], n_classes: int) -> Families:
    """Return families for sensor readings; rows of features leave nothing to convolve."""
    families: dict[str, Family] = {"dense": DenseLayers()}
    if input_shape[0] > 1:  # Spectrograms: both of their sides mean something.
        families = {"cnn": ConvBlocks(_USUAL_FILTERS), **families}
    elif input_shape[1] > 1:
        families = {
            "conv1d": TimeConvolutions("conv1d"),
            "separable1d": TimeConvolutions("separable1d", separable=True),
            **families,
        }
    return Families(input_shape, n_classes, families, input_pooling=(1,))
