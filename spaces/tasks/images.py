"""Task ``images``: any folder of class folders; what is searched follows from the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from spaces.data.cache import content_key
from spaces.data.class_folders import FoundFile
from spaces.data.dataset import Dataset
from spaces.data.image_folder import ImageSide, load_image_folder
from spaces.data.listing import readable
from spaces.data.pictures import picture_size
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.task import Task

SIDES = (32, 48, 64, 96, 128)
"""Sides that pictures may be scaled to, in pixels."""

MAX_PIXELS = 250_000_000
"""Pixels of one epoch. With more pictures these become smaller, so that a trial on two cores
takes minutes and the decoded data set less than a gigabyte."""

N_SAMPLED = 200
"""Pictures whose size is looked up, evenly over the folder."""

STEPS_OF_A_TRIAL = 3000
"""Steps of batch 32 that training shall have, within ``EPOCHS``."""

EPOCHS = (5, 30)
BATCH_SIZES = (8, 16, 32, 64, 128, 256)
N_BATCH_SIZES = 4

MIN_STEPS_OF_AN_EPOCH = 12
"""Steps an epoch that the largest batch must leave."""


def load_images(request: DataRequest) -> Dataset:
    """Load the pictures under ``request.path``, scaled to the side that suits them.

    Raises:
        DataError: If none are named, or they cannot be used.
    """
    path = request.path
    if path is None:
        raise DataError(
            "Task images has no pictures of its own: name a folder with one folder a class "
            "(or train/ and test/ around such folders) with --data."
        )
    return load_image_folder(path, request, image_size=choose_side)


def choose_side(pictures: Sequence[FoundFile]) -> ImageSide:
    """Return the side that suits pictures, and why."""
    sides = _sides(pictures)
    pixels = usual_side(sides, len(pictures))
    if not sides:
        return ImageSide(pixels, "")
    low, middle, high = min(sides), round(median(sides)), max(sides)
    they = f"{low} to {high}, half of them {middle} or more" if low < high else f"{low}"
    return ImageSide(
        pixels,
        f"Images are {pixels}x{pixels} pixels: the shorter side of the pictures is {they}"
        + (
            f", and there are {len(pictures):,} of them."
            if pixels < _fitting(median(sides))
            else "."
        ),
    )


def usual_side(sides: list[int], n_pictures: int) -> int:
    """Return the side to scale pictures to.

    Args:
        sides: Shorter sides of some of them, in pixels; empty if none could be looked up.
        n_pictures: How many there are.

    Returns:
        The largest of :data:`SIDES` which the usual picture has and ``MAX_PIXELS`` allows.
    """
    found = median(sides) if sides else SIDES[-1]
    fitting = [s for s in SIDES if s <= found and s * s * n_pictures <= MAX_PIXELS]
    return fitting[-1] if fitting else SIDES[0]


def _fitting(found: float) -> int:
    return max((side for side in SIDES if side <= found), default=SIDES[0])


def _sides(pictures: Sequence[FoundFile]) -> list[int]:
    """Return the shorter sides of some pictures, as many of each class as it is large."""
    by_class: dict[tuple[str, str], list[FoundFile]] = {}
    for file in pictures:
        by_class.setdefault((file.split, file.class_name), []).append(file)
    share = min(1.0, N_SAMPLED / max(1, len(pictures)))
    sizes = []
    for files in by_class.values():
        # By a hash, not in order: names often are numbers in the order of taking.
        ordered = sorted(files, key=lambda file: content_key("side", readable(file.name)))
        sizes += [picture_size(file.path) for file in ordered[: math.ceil(share * len(files))]]
    return [min(size) for size in sizes if size is not None]


def adapt_to_images(task: Task, dataset: Dataset) -> Task:
    """Return the task with epochs and batch sizes for so many images.

    Few images are seen more often, and in batches that leave enough steps.
    """
    n = len(dataset.train)
    return replace(task, epochs=epochs_for(n), batch_sizes=batch_sizes_for(n))


def epochs_for(n_train: int) -> int:
    """Return how many epochs suit so many training samples."""
    low, high = EPOCHS
    return min(max(round(STEPS_OF_A_TRIAL * 32 / n_train), low), high)


def batch_sizes_for(n_train: int) -> tuple[int, ...]:
    """Return the batch sizes that leave an epoch some steps."""
    fitting = [size for size in BATCH_SIZES if size * MIN_STEPS_OF_AN_EPOCH <= n_train]
    return tuple(fitting[-N_BATCH_SIZES:]) or BATCH_SIZES[:1]


IMAGES = Task(
    name="images",
    description="any folder of class folders; image side, epochs and batch sizes follow from it",
    model="spaces.networks.task_families:image_networks",
    load_data=load_images,
    data_help="--data: folder of class folders (or train/ and test/ around them), or an .npz",
    augmentations=("none", "flip+shift", "flip+shift+rotation+zoom+colour"),
    class_weights=("none", "balanced"),
    families=("cnn", "residual", "mobilenet_v2"),
    adapt=adapt_to_images,
    baseline={"family": "cnn"},
    baseline_note="three plain convolutions of 16, 32 and 40 filters and an average, unpruned "
    "float32: what one would begin with",
)
