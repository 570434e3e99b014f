"""How sure it is that one model is more accurate than another, of the same few pictures.

Two models that were measured on the same pictures differ by those that only one of them labels
rightly. What they both get right, or both wrong, is no reason for doubt (McNemar, 1947). Half a
picture is added to each of the four cases, so that a single one that decides is no certainty
(Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", 2005).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workers.messages.hits import unpacked_hits


def lead_errors(hits: Sequence[str], n: int) -> npt.NDArray[np.float64]:
    """Return the standard error of the lead in accuracy of every model over every other.

    Args:
        hits: Of each model, as ``workers.messages.hits`` packs them; empty if not known.
        n: Pictures that they are of.

    Returns:
        ``[models, models]``, symmetric; NaN where the hits of one are not known.
    """
    errors = np.full((len(hits), len(hits)), np.nan)
    found = [unpacked_hits(text, n) if text else None for text in hits]
    known = [index for index, one in enumerate(found) if one is not None]
    if not known or n < 1:
        return errors
    right = np.array([found[index] for index in known], np.float32)
    both = right @ right.T
    alone = np.diag(both)[:, None] - both + 0.5  # Only the first of two is right.
    n_adjusted = n + 2
    variance = (alone + alone.T - (alone - alone.T) ** 2 / n_adjusted) / n_adjusted**2
    errors[np.ix_(known, known)] = np.sqrt(variance)
    return errors
