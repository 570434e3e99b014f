"""Which parameters decide over each objective.

By Optuna's PED-ANOVA (Watanabe et al., IJCAI 2023, with its extension to conditional parameters),
which needs no other library: fANOVA's forest would need scikit-learn. It asks how differently a
parameter is spread among the best models than among all. Only the order of the models counts, so
that one large outlier does not decide over everything, and a logarithm of sizes changes nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.front.pareto import SIGNS
from search.report.models import thinned
from search.storage import attributes
from spaces.config.objectives import OBJECTIVES

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MIN_TRAININGS = 10
"""With fewer trainings, nothing can be told of a parameter."""

MAX_MODELS = 3000
"""Models that are looked at, spread evenly over the study: more make it slow, and no surer."""

_BEST_TRAININGS = 8
"""As many trainings as possible should be among the best, up to a quarter of all."""


@dataclass(frozen=True)
class Importance:
    """How much a parameter decides over an objective.

    Attributes:
        parameter: Its name.
        objective: The objective's name.
        share: Of all parameters together, in [0, 1].
    """

    parameter: str
    objective: str
    share: float


@dataclass(frozen=True)
class Importances:
    """What parameters decide.

    Attributes:
        rows: Every parameter that varied, for every objective; the weightiest parameter first.
        quantile: Which share of the models counts as the best.
        n_trainings: Trainings that were looked at.
    """

    rows: tuple[Importance, ...]
    quantile: float
    n_trainings: int

    @property
    def parameters(self) -> list[str]:
        """Names, the one first that weighs most over all objectives together."""
        return list(dict.fromkeys(row.parameter for row in self.rows))


def importances(trials: Sequence[FrozenTrial]) -> Importances | None:
    """Return what every parameter decides over every objective; None with too few trainings.

    Args:
        trials: Complete ones, derived ones too.
    """
    trainings = {
        trial.user_attrs.get(attributes.DERIVED_FROM, trial.number): trial for trial in trials
    }
    n_trainings = len(trainings)
    if n_trainings < MIN_TRAININGS:
        return None
    quantile = min(0.25, max(0.1, _BEST_TRAININGS / n_trainings))
    by_objective = _shares(thinned(trials, MAX_MODELS), quantile)
    names = sorted({name for shares in by_objective.values() for name in shares})
    weights = {
        name: sum(shares.get(name, 0.0) for shares in by_objective.values()) for name in names
    }
    rows = tuple(
        Importance(name, objective, shares.get(name, 0.0))
        for name in sorted(names, key=lambda name: (-weights[name], name))
        for objective, shares in by_objective.items()
    )
    return Importances(rows, quantile, n_trainings) if rows else None


def _shares(trials: Sequence[FrozenTrial], quantile: float) -> dict[str, dict[str, float]]:
    import optuna
    from optuna.trial import FrozenTrial as Trial
    from optuna.trial import TrialState

    from search.storage.batches import new_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=[objective.direction for objective in OBJECTIVES])
    study.add_trials(
        [
            new_trial(
                -1,
                t.params,
                t.distributions,
                user_attrs={},
                system_attrs={},
                state=TrialState.COMPLETE,
                values=tuple(t.values),
            )
            for t in trials
            if all(math.isfinite(value) for value in t.values)
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    found: dict[str, dict[str, float]] = {}
    for index, objective in enumerate(OBJECTIVES):

        def target(trial: Trial, index: int = index) -> float:
            return float(trial.values[index] * SIGNS[index])  # It takes less for better.

        with warnings.catch_warnings():
            # That less is taken for better, and that some values of a parameter are rare.
            warnings.simplefilter("ignore")
            raw = evaluator.evaluate(study, target=target)
        total = sum(raw.values())
        if total > 0:
            found[objective.name] = {
                name: value / total for name, value in raw.items() if _varied(trials, name)
            }
    return found


def _varied(trials: Sequence[FrozenTrial], name: str) -> bool:
    values = {trial.params.get(name) for trial in trials}
    return len(values - {None}) > 1
