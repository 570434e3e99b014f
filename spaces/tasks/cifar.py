"""Tasks ``cifar10``, ``cifar100`` and ``cifar100-fine``: colour photos in 10 to 100 classes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from spaces.data.cifar import load_cifar10, load_cifar100
from spaces.tasks.task import Task

CIFAR100 = Task(
    name="cifar100",
    description="photos in 20 superclasses, 32x32 colour (cifar100-fine: in 100 classes)",
    model="spaces.networks.task_families:cifar_networks",
    load_data=partial(load_cifar100, label_set="coarse"),
    data_help="keras's own copy (~/.keras/datasets/cifar-100-python, downloaded once); "
    "--data: an .npz, of which coarse labels count where it has them",
    epochs=10,
    batch_sizes=(32, 64, 128, 256),
    augmentations=("flip+shift", "none", "flip+shift+cutmix"),
    label_smoothings=(0.0, 0.1),
    lr_schedules=("cosine", "cosine_warmup"),
    families=("cnn", "vgg", "residual", "mobilenet_v2"),
    baseline={
        "family": "vgg",
        "input_pooling": 1,
        "vgg_blocks": 3,
        "vgg_convs": 2,
        "vgg_filters": 64,
        "vgg_units": 512,
        "dropout": 0.5,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "weight_decay": 1e-4,
    },
    baseline_note="VGG-like network of 64, 128 and 256 filters, weight decay and rising dropout; "
    "75 % on the 20 coarse classes in the project it comes from, trained to the end",
)

CIFAR100_FINE = replace(
    CIFAR100,
    name="cifar100-fine",
    description="photos in 100 classes, 32x32 colour",
    load_data=partial(load_cifar100, label_set="fine"),
    data_help=CIFAR100.data_help.replace("coarse", "fine"),
    baseline_note="VGG-like network of 64, 128 and 256 filters, weight decay and rising dropout, "
    "as in task cifar100; its accuracy on 100 classes was not reported",
)

CIFAR10 = replace(
    CIFAR100,
    name="cifar10",
    description="photos of ten animals and vehicles, 32x32 colour",
    load_data=load_cifar10,
    data_help="keras's own copy (~/.keras/datasets/cifar-10-batches-py, downloaded once); "
    "--data: an .npz",
    baseline={
        "family": "residual",
        "input_pooling": 1,
        "residual_stages": 3,
        "residual_blocks": 1,
        "residual_filters": 16,
        "dropout": 0.0,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 32,
        "weight_decay": 1e-4,
    },
    baseline_note="the ResNet-8 of MLPerf Tiny's image classification (Banbury and others, 2021), "
    "whose quality target is 85 % of the test split, trained for 500 epochs",
)
