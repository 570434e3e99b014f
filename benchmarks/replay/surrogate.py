"""What a training would give that nobody recorded: forests fitted to those that were.

Random forests, as benchmarks of hyperparameter search use them (Eggensperger et al., "Efficient
Benchmarking of Hyperparameter Optimizers via Surrogates", AAAI 2015), and no Gaussian process: one
of the samplers that are compared here is one. They see a configuration as numbers, and what
its network is made of, which is counted exactly (``benchmarks/replay/network_shape.py``).

- Accuracy is fitted as the mean of validation and test, in logits; each scheme's as its distance
  from float32's; a pruned branch's as its distance from its parent's.
- Chance is added again (``benchmarks/replay/luck.py``).
- Learning curves have the form of a recorded training that is close, and ended close.
- Sizes and latencies are sums over layers (``benchmarks/replay/costs.py``), and what is left of
  them, in logarithms, is fitted by forests too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

import numpy as np

from benchmarks.replay.costs import Sum, latency_parts, size_parts
from benchmarks.replay.forest import Array, Forest
from benchmarks.replay.further import STAGES, Further, log_seconds
from benchmarks.replay.luck import LevelLuck, SplitLuck, luck_of
from benchmarks.replay.network_shape import Shape, shape_of
from benchmarks.replay.recordings import Recording, Row
from search.sampling.space_moves import as_numbers
from spaces.config.trial import ParamValue

Params: TypeAlias = "Mapping[str, ParamValue]"

ALWAYS = ("float16", "dynamic_range", "dynamic_int4", "int8")
"""Schemes of which hardly any training lacks one, beside float32."""

SCHEMES = ("float32", *ALWAYS, "int16x8", "qat_int8")
N_DONORS = 5

Values: TypeAlias = tuple[float, float, float, float]
"""Accuracy on validation, on test, size in bytes, latency in milliseconds."""


@dataclass(frozen=True)
class Answer:
    """What a training gives.

    Attributes:
        curve: Accuracy on validation after every epoch.
        points: By scheme; of a branch that only trains quantization-aware, one.
        seconds: By stage, ``qat`` among them.
        level: Logit of the accuracy of its weights, without the luck of a split.
        sparsity: What it was pruned to.
        n_params: Weights and biases.
        trained: How long all trainings were that led to it, in whole ones.
    """

    curve: tuple[float, ...]
    points: Mapping[str, Values]
    seconds: Mapping[str, float]
    level: float
    sparsity: float
    n_params: int
    trained: float = 1.0


class FileCosts:
    """Bytes and milliseconds of a scheme's files: a sum over layers, mended by a forest.

    Args:
        made_of: Shape and sparsity of each known network.
        inputs: Its features.
        costs: Its bytes and milliseconds, ``[n, 2]``; not a number where it has no such file.
    """

    def __init__(
        self, made_of: Sequence[tuple[Shape, float]], inputs: Array, costs: Array
    ) -> None:
        known = np.flatnonzero(~np.isnan(costs).any(axis=1)).tolist()
        self._size = Sum([size_parts(*made_of[i]) for i in known], costs[known, 0].tolist())
        self._latency = Sum(
            [latency_parts(made_of[i][0]) for i in known], costs[known, 1].tolist()
        )
        summed = np.array([self._sums(*made_of[i]) for i in known])
        self._rest = Forest(2).fit(inputs[known], np.log(costs[known] / summed))

    def _sums(self, shape: Shape, sparsity: float) -> tuple[float, float]:
        return self._size.of(size_parts(shape, sparsity)), self._latency.of(latency_parts(shape))

    def of(self, shape: Shape, sparsity: float, inputs: Array) -> tuple[float, float]:
        """Return bytes and milliseconds of a network's file."""
        size, latency = self._sums(shape, sparsity)
        rest = np.exp(self._rest.predict(inputs)).tolist()
        return size * rest[0], latency * rest[1]


@dataclass(frozen=True)
class Model:
    """A recorded training or branch, as something to learn from."""

    params: Params
    sparsity: float
    row: Row


class Surrogate:
    """Answers any configuration of a recorded space.

    Args:
        recording: What it is fitted to.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._settings = recording.about["settings"]
        rows = recording.rows
        branches = recording.branches
        trained_on = recording.trained_on
        inputs = np.array([self.features(row["params"]) for row in rows])
        levels = np.array([self.level_of(row) for row in rows])
        self._level = Forest().fit(inputs, levels[:, None])
        self._level_luck = LevelLuck(levels, self._level.out_of_bag[:, 0])
        self._inputs, self._levels, self._scale = inputs, levels, inputs.std(axis=0) + 1e-9
        self._pruning = Further(
            [
                self._further(row["params"], branch["final_sparsity"], self.level_of(row))
                for row, branch in branches
            ],
            [self.level_of(branch) - self.level_of(row) for row, branch in branches],
            [branch["seconds"] for _, branch in branches],
        )
        self._training_on = Further(
            [self._further(row["params"], None, self.level_of(row)) for row, _ in trained_on],
            [self.level_of(one) - self.level_of(row) for row, one in trained_on],
            [one["seconds"] for _, one in trained_on],
        )
        models = [Model(row["params"], _sparsity(row["params"]), row) for row in rows]
        models += [
            Model(row["params"], branch["final_sparsity"], branch) for row, branch in branches
        ]
        models += [Model(row["params"], _sparsity(row["params"]), one) for row, one in trained_on]
        self._fit_schemes(models)
        self._seconds = Forest().fit(inputs, log_seconds([r["seconds"] for r in rows], STAGES))
        self._qat_seconds = Forest().fit(
            inputs, log_seconds([r["seconds"] for r in rows], ["qat"])
        )
        gaps = [
            self._logit(p[0], "n_val") - self._logit(p[1], "n_test")
            for p in (row["points"]["float32"] for row in rows)
            if p[1] is not None
        ]
        self._split_luck = SplitLuck.of(gaps, self._settings["n_val"], self._settings["n_test"])

    # --- Fitting ----------------------------------------------------------------------------

    def _fit_schemes(self, models: Sequence[Model]) -> None:
        shapes = np.array([self.features(m.params, m.sparsity) for m in models])
        seen = np.column_stack([shapes, [self.level_of(m.row) for m in models]])
        self._deltas: dict[tuple[str, ...], Forest] = {}
        # By how much schemes are better than foreseen, on validation and test, in logits.
        self._scheme_luck: dict[str, list[tuple[float, float]]] = {}
        outcomes = {
            scheme: np.array([self._outcome(m.row, scheme) for m in models]) for scheme in SCHEMES
        }
        for schemes in (ALWAYS, ("int16x8",), ("qat_int8",)):
            deltas = np.column_stack([outcomes[s][:, :2].mean(axis=1) for s in schemes])
            forest = self._deltas[schemes] = Forest(3).fit(seen, deltas)
            for index, scheme in enumerate(schemes):
                luck = outcomes[scheme][:, :2] - forest.out_of_bag[:, [index]]
                self._scheme_luck[scheme] = [
                    (float(a), float(b)) for a, b in luck[~np.isnan(luck).any(axis=1)]
                ]
        self._files = {
            scheme: FileCosts(
                [(self.shape(m.params), m.sparsity) for m in models],
                shapes,
                np.exp(outcomes[scheme][:, 2:]),
            )
            for scheme in SCHEMES
        }

    def _outcome(self, row: Row, scheme: str) -> list[float]:
        """Return distances from float32 in logits, on validation and test; size and latency."""
        point, base = row["points"].get(scheme), row["points"]["float32"]
        if point is None:
            return [math.nan] * 4
        accuracy, test, size, latency = point
        gap = self._logit(accuracy, "n_val") - self._logit(base[0], "n_val")
        is_known = test is not None and base[1] is not None
        test_gap = (
            self._logit(test, "n_test") - self._logit(base[1], "n_test") if is_known else gap
        )
        return [gap, test_gap, math.log(size), math.log(latency)]

    def _logit(self, accuracy: float, split: str) -> float:
        n = self._settings[split]
        share = (accuracy * n + 0.5) / (n + 1)
        return math.log(share / (1 - share))

    def level_of(self, row: Row) -> float:
        """Return the logit of a recorded training's accuracy, the mean of both splits'."""
        accuracy, test, _, _ = row["points"]["float32"]
        if test is None:
            return self._logit(accuracy, "n_val")
        return (self._logit(accuracy, "n_val") + self._logit(test, "n_test")) / 2

    def shape(self, params: Params) -> Shape:
        """Return what a configuration's network is made of."""
        about = self.recording.about
        return shape_of(params, tuple(about["input_shape"]), len(about["class_names"]))

    def features(self, params: Params, sparsity: float | None = None) -> Array:
        """Return a configuration as numbers.

        Args:
            params: Its parameters.
            sparsity: What a branch prunes it to; None for what it is pruned to itself.
        """
        recording = self.recording
        shape = self.shape(params)
        if sparsity is None:
            sparsity = _sparsity(params)
        steps = self._settings["n_train"] * self._settings["epochs"] / int(params["batch_size"])
        kept = shape.n_params - sparsity * shape.n_prunable
        logs = (
            shape.n_params,
            kept,
            shape.macs,
            shape.first_macs,
            shape.n_activations,
            steps,
            steps * float(params["learning_rate"]),
        )
        numbers = as_numbers(recording.trained_space, params)
        return np.array([*numbers, sparsity, shape.n_layers, *map(math.log, logs)])

    def scheme_delta(self, scheme: str, inputs: Array, level: float) -> float:
        """Return how far a scheme is expected to lie from float32, in logits."""
        seen = np.array([*inputs, level])
        return next(
            float(forest.predict(seen)[schemes.index(scheme)])
            for schemes, forest in self._deltas.items()
            if scheme in schemes
        )

    def expected_level(self, inputs: Array) -> float:
        """Return the logit of the accuracy that a training is expected to have."""
        return float(self._level.predict(inputs)[0])

    def _further(self, params: Params, sparsity: float | None, level: float) -> Array:
        """Return what is known before a branch: its network, and how good its parent is."""
        return np.array([*self.features(params, sparsity), level])

    def branch_change(self, params: Params, level: float, sparsity: float | None) -> float:
        """Return by how much a branch is expected to change the logit of an accuracy.

        Args:
            params: Of the training it starts from.
            level: The logit of that.
            sparsity: What it prunes to; None if it trains on.
        """
        branches = self._training_on if sparsity is None else self._pruning
        return branches.change(self._further(params, sparsity, level))

    @property
    def epochs(self) -> int:
        """Epochs of a whole training."""
        return int(self._settings["epochs"])

    @property
    def trains_on(self) -> bool:
        """Whether anything is known of trainings that are trained on."""
        return self._training_on.is_known

    # --- Answering --------------------------------------------------------------------------

    def training(self, params: Params, seed: int = 0) -> Answer:
        """Return what a training of a configuration gives, under every scheme.

        Args:
            params: Its parameters.
            seed: Of the search.
        """
        luck = luck_of(params, seed)
        level = self._level_luck.level(self.expected_level(self.features(params)), luck)
        return self._answer(params, level, luck)

    def _answer(self, params: Params, level: float, luck: Random) -> Answer:
        inputs = self.features(params)
        sparsity = _sparsity(params)
        points = self._points(self.shape(params), sparsity, inputs, level, luck)
        seconds = dict(zip(STAGES, np.exp(self._seconds.predict(inputs)).tolist(), strict=True))
        seconds["qat"] = float(np.exp(self._qat_seconds.predict(inputs)[0]))
        curve = self._curve(inputs, level, points["float32"][0], luck)
        return Answer(curve, points, seconds, level, sparsity, self.shape(params).n_params)

    def branch(
        self,
        params: Params,
        parent: Answer,
        sparsity: float | None,
        seed: int = 0,
        *,
        times: float = 1.0,
    ) -> Answer:
        """Return what a branch gives, from the weights of a training.

        Args:
            params: Of the training that it began with.
            parent: What that gave, or the branch that this one starts from.
            sparsity: What it prunes to; None if it trains on.
            seed: Of the search.
            times: For how long it trains, in whole trainings.
        """
        names = {"branch": sparsity, "from": parent.sparsity, "times": parent.trained}
        luck = luck_of({**params, **names}, seed)
        trained = parent.trained + times
        if sparsity is None:
            branches, sparsity = self._training_on, parent.sparsity
        else:
            branches = self._pruning
        inputs = self.features(params, sparsity)
        further = np.array([*inputs, parent.level])
        change = branches.change(further) + luck.choice(branches.luck)
        if branches is self._training_on:
            # A second time was not recorded: every doubling of the epochs is to bring as much.
            change *= math.log2(trained / parent.trained)
        level = parent.level + change
        points = self._points(self.shape(params), sparsity, inputs, level, luck)
        seconds = {**branches.seconds(further), "qat": parent.seconds["qat"]}
        if branches is self._training_on:
            seconds["train"] *= times
        curve = (points["float32"][0],)
        return Answer(curve, points, seconds, level, sparsity, parent.n_params, trained)

    def recorded(self, index: int) -> Answer:
        """Return what a recorded training gave; what was not recorded of it is foreseen."""
        row = self.recording.rows[index]
        params = row["params"]
        foreseen = self._answer(params, self.level_of(row), luck_of(params, 0))
        points = dict(foreseen.points)
        for scheme, (accuracy, test, size, latency) in row["points"].items():
            points[scheme] = (accuracy, accuracy if test is None else test, size, latency)
        return replace(
            foreseen,
            curve=tuple(row["val_accuracy"]),
            points=points,
            seconds={**foreseen.seconds, **row["seconds"]},
        )

    def _points(
        self, shape: Shape, sparsity: float, inputs: Array, level: float, luck: Random
    ) -> dict[str, Values]:
        n_val, n_test = self._settings["n_val"], self._settings["n_test"]
        val, test = self._split_luck.split(level, luck)
        seen = np.array([*inputs, level])
        changes = {"float32": (0.0, 0.0)}
        for schemes, forest in self._deltas.items():
            for scheme, delta in zip(schemes, forest.predict(seen).tolist(), strict=True):
                by_luck = luck.choice(self._scheme_luck[scheme])
                changes[scheme] = (delta + by_luck[0], delta + by_luck[1])
        points = {}
        for scheme, (on_val, on_test) in changes.items():
            size, latency = self._files[scheme].of(shape, sparsity, inputs)
            accuracy = _rounded(val + on_val, n_val), _rounded(test + on_test, n_test)
            points[scheme] = (*accuracy, float(round(size)), latency)
        return points

    def _curve(self, inputs: Array, level: float, end: float, luck: Random) -> tuple[float, ...]:
        """Return a learning curve that ends at an accuracy, like one of the nearest."""
        apart = ((self._inputs - inputs) / self._scale) ** 2
        distance = apart.mean(axis=1) + ((self._levels - level) / self._levels.std()) ** 2
        donor = self.recording.rows[luck.choice(np.argsort(distance)[:N_DONORS].tolist())]
        curve = [self._logit(a, "n_val") for a in donor["val_accuracy"]]
        last = self._logit(end, "n_val")
        n_val = self._settings["n_val"]
        return tuple(_rounded(a - curve[-1] + last, n_val) for a in curve)


def _sparsity(params: Params) -> float:
    return float(params.get("final_sparsity", 0.0))


def _rounded(logit: float, n: int) -> float:
    """Return an accuracy that so many images can have."""
    return round(n / (1 + math.exp(-min(max(logit, -30.0), 30.0)))) / n
