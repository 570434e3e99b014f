"""Spearman's rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = Sequence[float] | npt.NDArray[np.float64]


def rank_correlation(first: Values, second: Values) -> float:
    """Return Spearman's correlation; NaN where one has fewer than two different values."""
    from scipy.stats import spearmanr

    if min(len(np.unique(first)), len(np.unique(second))) < 2:
        return float("nan")  # SciPy would warn.
    return float(spearmanr(first, second).statistic)
