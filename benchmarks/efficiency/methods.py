"""The programs of the efficiency benchmark: their names, labels and colours."""

from __future__ import annotations

from collections.abc import Mapping

AT_BEST: Mapping[str, str] = {
    "random-best": "random",
    "optuna-tpe-best": "tpe",
    "optuna-nsga2-best": "nsga2",
}
"""Plain loops at their best, and their samplers: see ``benchmarks.replay.policies``."""

PEERS = ("random", "optuna-tpe", "optuna-nsga2", "tune", "tune-asha", "kerastuner", *AT_BEST)
"""Other programs."""

SEARCH = "search"
"""This program; with parts switched off, its name goes on."""

OTHER_SAMPLERS: Mapping[str, str] = {f"search-{name}": name for name in ("nsga2", "tpe", "random")}
"""This program around a library's sampler."""

LABELS: Mapping[str, str] = {
    "random-best": "random search, at its best",
    "optuna-tpe-best": "Optuna, TPE, at its best",
    "optuna-nsga2-best": "Optuna, NSGA-II, at its best",
    "random": "random search",
    "optuna-tpe": "Optuna, TPE",
    "optuna-nsga2": "Optuna, NSGA-II",
    "tune": "Ray Tune, OptunaSearch",
    "tune-asha": "Ray Tune, OptunaSearch, ASHA",
    "kerastuner": "KerasTuner Hyperband, then a grid",
    "search": "`search run`",
    **{name: f"`search run --sampler {sampler}`" for name, sampler in OTHER_SAMPLERS.items()},
    "search-no-fan-out": "`search run`, no fan-out",
    "search-no-race": "`search run`, no race",
    "search-no-branch": "`search run`, no branches",
    "search-no-gate": "`search run`, no gate",
}
"""Methods in the order in which they are shown."""

COLOURS: Mapping[str, str] = {
    "random": "#999999",
    "random-best": "#555555",
    "optuna-tpe-best": "#003f6b",
    "optuna-nsga2-best": "#8da0cb",
    "optuna-tpe": "#0072b2",
    "optuna-nsga2": "#56b4e9",
    "tune": "#009e73",
    "tune-asha": "#e69f00",
    "kerastuner": "#cc79a7",
    "search": "#d55e00",
}


def label(method: str) -> str:
    """Return what a method is called in tables."""
    return LABELS.get(method, method)
