"""Task ``mnist``: handwritten digits, 28x28 gray, from keras's own cache."""

from __future__ import annotations

from spaces.data.mnist import load_mnist
from spaces.tasks.task import Task

# Of the networks whose accuracy and cost the projects compared, the one that textbooks have:
# of known shape to the last parameter, close to the best (99.20 % at 197,482 parameters) and
# trained in half the time. The dense one (97.43 % at 109,386) would flatter every front.
MNIST = Task(
    name="mnist",
    description="handwritten digits, 28x28 gray",
    model="spaces.networks.task_families:mnist_networks",
    load_data=load_mnist,
    data_help="keras's own copy (~/.keras/datasets/mnist.npz, downloaded once); --data: an .npz",
    epochs=5,
    learning_rate=(1e-3, 5e-2),
    batch_sizes=(32, 64, 128, 256),
    augmentations=("none", "shift+rotation+zoom"),  # A mirrored digit is none.
    label_smoothings=(0.1, 0.0),  # Small networks gain by it: benchmarks/cost/distillation.py.
    families=("cnn", "ann", "lenet", "mobilenet_v2"),
    baseline={
        "family": "cnn",
        "input_pooling": 1,
        "blocks": 2,
        "convs_per_block": 1,
        "convolution": "plain",
        "padding": "valid",
        "filters_1": 32,
        "filters_2": 64,
        "head": "flatten",
        "dense_units": 128,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 128,
        "label_smoothing": 0.0,
    },
    baseline_note="CNN of 32 and 64 filters and 128 dense units, 225,034 parameters; 98.98 % on "
    "the test images in the project it comes from",
)
