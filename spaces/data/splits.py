"""Splits of labelled arrays: stratified, and the same on every machine and in every version."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ENOUGH = 256
"""Validation pictures with which an accuracy of 80 % has a standard error of 2.5 %. What a search
ranks by fewer is more and more luck."""

MOST = 0.4
"""Share of the pictures that validation takes at most: the rest has to be learned from."""

Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


def validation_share(n: int, usual: float) -> float:
    """Return which share of some pictures validation takes: the usual one, or more of few.

    Args:
        n: Pictures that are for training and validation.
        usual: Share that it takes of many.
    """
    return max(usual, min(MOST, ENOUGH / max(1, n)))


def why_so_many(share: float, usual: float) -> str:
    """Return why validation takes a share, where it is more than the usual one; empty if not."""
    if share <= usual:
        return ""
    return (
        f" Validation has {100 * share:.0f} % of them, not {100 * usual:.0f}, as models ranked on "
        "few pictures are ranked by luck; search retrain --with-validation learns from all."
    )


def split_off(labels: Labels, fraction: float, seed: int = 0) -> tuple[Indices, Indices]:
    """Take a share of every class.

    Args:
        labels: ``[n]`` class indices.
        fraction: Share to take off, in (0, 1).
        seed: Chooses which ones.

    Returns:
        Indices that stay and indices taken, each ascending. The number taken is ``fraction`` of
        all, rounded; of every class with two or more, at least one is taken and one stays.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * fraction
    quotas = np.floor(shares).astype(np.int64)
    # The seats that rounding down left over go to the largest remainders.
    n_left = round(len(labels) * fraction) - int(quotas.sum())
    by_remainder = np.argsort(quotas - shares, kind="stable")
    quotas[by_remainder[:n_left]] += 1
    quotas = np.clip(quotas, np.minimum(1, counts - 1), counts - 1)
    # RandomState, as its streams are frozen: default_rng's may change with NumPy's version.
    random = np.random.RandomState(seed)
    taken = np.concatenate(
        [
            random.permutation(np.flatnonzero(labels == label))[:quota]
            for label, quota in zip(classes, quotas, strict=True)
        ]
    )
    is_taken = np.zeros(len(labels), bool)
    is_taken[taken] = True
    return np.flatnonzero(~is_taken), np.flatnonzero(is_taken)
