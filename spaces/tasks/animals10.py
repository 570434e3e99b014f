"""Task ``animals10``: ten animals on photos, from a folder with the data set's Italian names."""

from __future__ import annotations

from spaces.data.dataset import Dataset
from spaces.data.image_folder import load_image_folder
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.task import Task

IMAGE_SIZE = 120
ENGLISH = {
    "cane": "dog",
    "cavallo": "horse",
    "elefante": "elephant",
    "farfalla": "butterfly",
    "gallina": "chicken",
    "gatto": "cat",
    "mucca": "cow",
    "pecora": "sheep",
    "ragno": "spider",
    "scoiattolo": "squirrel",
}
"""What the folders of the data set mean. Folders of other names are classes of those names."""

PHOTOS_FOLDER = "raw-img"
"""Where the data set's archive has its class folders."""


def load_animals(request: DataRequest) -> Dataset:
    """Load the photos under ``request.path``, the unpacked Animals-10 or a folder like it.

    Raises:
        DataError: If none are named, or they cannot be used.
    """
    path = request.path
    if path is None:
        raise DataError(
            "Task animals10 has no photos of its own: unpack Animals-10 (folders cane, cavallo, "
            "... or dog, horse, ...) and name its folder with --data."
        )
    if (path / PHOTOS_FOLDER).is_dir():
        path = path / PHOTOS_FOLDER
    return load_image_folder(path, request, image_size=IMAGE_SIZE, display_names=ENGLISH)


ANIMALS10 = Task(
    name="animals10",
    description="ten animals on photos, 120x120 colour",
    model="spaces.networks.task_families:image_networks",
    load_data=load_animals,
    data_help="--data: the unpacked Animals-10 (raw-img/ with cane/, cavallo/, ...), or an .npz",
    epochs=10,
    batch_sizes=(16, 32, 64, 128),
    augmentations=("none", "flip+shift", "flip+shift+rotation+zoom+colour"),
    class_weights=("none", "balanced"),  # From 1,446 elephants to 4,863 dogs.
    families=("cnn", "residual", "mobilenet_v2"),
    baseline={
        "family": "cnn",
        "input_pooling": 2,
        "blocks": 4,
        "convolution": "separable",
        "filters_1": 32,
        "filters_2": 64,
        "filters_3": 64,
        "filters_4": 96,
        "head": "average",
        "dropout": 0.5,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "batch_size": 128,
        "weight_decay": 1e-4,
    },
    baseline_note="network of separable convolutions with batch normalization, dropout and weight "
    "decay; the project chose learning rate and batch size by a loop",
)
