"""What a training may still become by branches: what samplers judge it by.

Points on the front were often trained on some times. Beside them a new training, or one that lies
behind the front, is worth nothing as it is, though a few branches might take it further than any
of them; it is judged by what it may become, for the seconds that all its trainings take. Where
there is a limit on sizes, what is too large as it is may keep it once it is pruned, and be more
accurate then than all that is small enough. What that is worth: ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from search.sampling.gaussian_process import Array
from search.sampling.prunings import TABLES_BYTES, Prunings
from search.sampling.training_on import TrainingOn
from spaces.config.schemes import SCHEMES
from spaces.config.trial import ParamValue


@dataclass(frozen=True)
class Further:
    """What a training may still become.

    Attributes:
        error: Factor on its errors, if all of them can be learned.
        cost: Seconds of all its trainings together, as a multiple of the first one's.
        errors: Factors of augmentations under which less is left to learn.
        weights_left: Part of the weights' bytes that is left by scheme, if it is pruned; none if
            it is not.
    """

    error: float = 1.0
    cost: float = 1.0
    errors: Mapping[str, float] = field(default_factory=dict, hash=False)
    weights_left: Mapping[str, float] = field(default_factory=dict, hash=False)

    def error_of(self, params: Mapping[str, ParamValue]) -> float:
        """Return the factor on the errors of a training with these parameters."""
        return self.errors.get(str(params.get("augmentation", "none")), self.error)

    def is_of(self, params: Mapping[str, ParamValue]) -> bool:
        """Whether a training with these parameters may become that."""
        return not (self.weights_left and params.get("final_sparsity"))

    def sizes(self, sizes: Array, schemes: Sequence[str]) -> Array:
        """Return sizes of models as they become.

        Args:
            sizes: In bytes as ``[..., schemes]``.
            schemes: Their names.
        """
        if not self.weights_left:
            return sizes
        tables = np.minimum(sizes, TABLES_BYTES)
        left = np.array([self.weights_left.get(scheme, 1.0) for scheme in schemes])
        return np.asarray(tables + (sizes - tables) * left)

    def slack(self, max_bytes: float) -> float:
        """Return how far over a limit on sizes it may be as it is, as a logarithm."""
        if not self.weights_left or max_bytes <= TABLES_BYTES:
            return 0.0
        left = max(self.weights_left.values())
        return math.log((TABLES_BYTES + (max_bytes - TABLES_BYTES) / left) / max_bytes)


AS_IT_IS = (Further(),)
"""Of a training that no branch starts from."""


def trained_on(training_on: TrainingOn, n: int, cost: float) -> Further:
    """Return what new trainings become by training on.

    Args:
        training_on: Knows what that changes.
        n: Times that they are trained on, each as long as all before.
        cost: Seconds of these, as a part of the first training's.
    """
    return Further(training_on.error(1.0, n), 1 + cost, training_on.errors(n))


def pruned(further: Further, prunings: Prunings, sparsity: float, cost: float) -> Further:
    """Return the same of what is pruned besides.

    Args:
        further: What it becomes without.
        prunings: Knows what they change.
        sparsity: That it is pruned to.
        cost: Seconds of that, as a part of the first training's.
    """
    error = prunings.error(sparsity)
    return Further(
        further.error * error,
        further.cost + cost,
        {name: factor * error for name, factor in further.errors.items()},
        {scheme.value: prunings.weights_left(scheme, sparsity) for scheme in SCHEMES},
    )
