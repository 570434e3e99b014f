"""Task ``mnist``: handwritten digits, 28x28 gray, from keras's own cache."""

from __future__ import annotations

from spaces.mnist import load_mnist
from spaces.task import Task

MNIST = Task(
    name="mnist",
    description="handwritten digits, 28x28 gray",
    model="spaces.networks:ConvNet",
    load_data=load_mnist,
    data_help="keras's own copy (~/.keras/datasets/mnist.npz, downloaded once); --data: an .npz",
    epochs=5,
    batch_sizes=(32, 64, 128, 256),
)
