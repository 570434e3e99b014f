"""A space of branches, and what trainings of it give."""

from __future__ import annotations

from typing import Any

from search.front.pareto import ReferencePoint
from search.sampling.branch_effects import Values
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from tests.search_tests import analytic

SPACE = analytic.analytic_space()
EPOCHS = 5
REFERENCE = ReferencePoint()


def config_of(**changes: Any) -> TrialConfig:
    params = {**SPACE.defaults(), "pruning_schedule": "none", **changes}
    names = {"final_sparsity", "pruning_begin", "pruning_end", "pruning_frequency"}
    return analytic.make_config({k: v for k, v in params.items() if k not in names - set(changes)})


def points_of(config: TrialConfig) -> dict[QuantizationScheme, Values]:
    return {
        scheme: analytic.make_point(config.with_quantization(scheme)).values
        for scheme in POST_TRAINING_SCHEMES
    }
