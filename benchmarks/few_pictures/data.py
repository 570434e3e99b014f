"""A few pictures of four classes of CIFAR-10, and all test pictures of these as the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spaces.data.splits import split_off

CLASSES = {3: "cat", 5: "dog", 7: "horse", 8: "ship"}
"""By CIFAR-10's labels: two that are hard to tell apart, one that is easier, one that is easy."""

N_OF_A_CLASS = 110


def write_few(
    cifar10: Path,
    path: Path,
    seed: int,
    n_of_a_class: int = N_OF_A_CLASS,
    share: float | None = None,
) -> None:
    """Write an ``.npz`` with some training pictures and every test picture of four classes.

    Args:
        cifar10: CIFAR-10 in keras's layout.
        path: The file to write.
        seed: Chooses the training pictures.
        n_of_a_class: How many of each class.
        share: Of them that validation takes; None to leave that to whoever reads the file.
    """
    random = np.random.RandomState(seed)
    with np.load(cifar10) as arrays:
        labels = {split: arrays[f"y_{split}"].reshape(-1) for split in ("train", "test")}
        images = {split: arrays[f"x_{split}"] for split in ("train", "test")}
    chosen = {
        "train": np.concatenate(
            [
                random.permutation(np.flatnonzero(labels["train"] == label))[:n_of_a_class]
                for label in CLASSES
            ]
        ),
        "test": np.flatnonzero(np.isin(labels["test"], list(CLASSES))),
    }
    numbers = {label: number for number, label in enumerate(CLASSES)}
    found = {}
    for split, rows in chosen.items():
        rows = random.permutation(rows)
        found[f"x_{split}"] = images[split][rows]
        found[f"y_{split}"] = np.array([numbers[int(one)] for one in labels[split][rows]])
    if share is not None:
        stay, taken = split_off(found["y_train"], share)
        for name in ("x", "y"):
            found[f"{name}_val"] = found[f"{name}_train"][taken]
            found[f"{name}_train"] = found[f"{name}_train"][stay]
    np.savez(path, class_names=np.array(list(CLASSES.values())), **found)
