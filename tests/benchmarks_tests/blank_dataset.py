"""A data set for what looks at no picture."""

from __future__ import annotations

import numpy as np

from spaces.data.dataset import Dataset, Split


def blank_dataset() -> Dataset:
    """Return four black pictures of four classes, in every split."""
    split = Split(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4))
    return Dataset("none", split, split, split, ("a", "b", "c", "d"), "0")
