"""Our own sampler: Gaussian processes of whole trainings, and the hypervolume they may add.

Optuna's samplers see points. But one training gives a point for every quantization scheme, six
of them at one set of parameters; to TPE that is six observations of the same place, good and
bad at once. Here a training is one observation with an error, a size and a latency for each
scheme. Size and latency follow from the parameters with hardly any noise, the error less well;
three Gaussian processes learn them, and out of some hundred candidates near the front and
anywhere the one is proposed whose points together promise the largest gain of hypervolume,
averaged over how wrong the guess of the error may be, for each second that it is expected to
take (a fourth process learns that). Trainings under way count as if they had
ended as guessed, and make guesses beside them surer.

As long as nothing is worth anything, no hypervolume tells better from worse; what may come nearest
to being of use is proposed then.

What it looks at, and that this is bounded, is :class:`KnownTrainings`' to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from search.front.pareto import ReferencePoint, gains
from search.sampling.foresight import Foresight
from search.sampling.gaussian_process import Array, GaussianProcess
from search.sampling.hypervolume_improvement import Improvement
from search.sampling.known_trainings import KnownTrainings
from search.sampling.outlook import AS_IT_IS, Further
from search.sampling.space_moves import Params, as_numbers, draw_params, vary
from search.sampling.trainings import (
    QUANTIZATION,
    Key,
    Training,
    filled,
    key_of,
    without_scheme,
)
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue
from spaces.space.search_space import SearchSpace
from workers.messages.limits import Limits

_N_NEAR, _N_ANYWHERE = 160, 80
_N_NEAREST = 8
_N_CHANGES = 2.0
_DISTANCE = 0.2
_SHARE_CROSSED = 0.3
_N_STEPS_FIRST, _N_STEPS = 40, 15
_GROWTH = 1.1
MAX_SPREAD = 1.5
"""How far above the median a logarithm of an error counts as."""

# Gauss-Hermite quadrature of the error's normal distribution, three nodes.
_DEVIATIONS = (-math.sqrt(3), 0.0, math.sqrt(3))
_SHARES = (1 / 6, 2 / 3, 1 / 6)


def error_process() -> GaussianProcess:
    """Return a process for logarithms of errors, which are noisy and hang on much.

    How often its intervals hold: ``python -m benchmarks.replay intervals``.
    """
    return GaussianProcess(noise=0.1, certainty=1.0)


class SurrogateSampler(BaseSampler):
    """Proposes what promises the largest gain of hypervolume.

    Args:
        seed: Seed of its random numbers.
        n_startup: Trainings before it starts to model; until then it draws at random.
        fan_out: Whether a training gives a point for every scheme that needs none of its own.
        reference: Where the hypervolume is measured from.
        limits: What points must keep to be worth anything.

    Attributes:
        space: What may vary; whoever asks sets it.
        outlook: What a training may still become by branches; whoever asks sets it.
        foresight: Guesses which trainings break limits; None without such limits.
    """

    def __init__(
        self,
        seed: int,
        *,
        n_startup: int = 10,
        fan_out: bool = True,
        reference: ReferencePoint | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.space = SearchSpace()
        self.outlook: Sequence[Further] = AS_IT_IS
        self.foresight: Foresight | None = None
        self._random = Random(seed)
        self._independent = RandomSampler(seed=seed)
        self._n_startup = n_startup
        self._fan_out = fan_out
        self._reference = reference or ReferencePoint()
        self._limits = limits or Limits()
        # Of the error, the size, the latency and the seconds.
        self._processes = [error_process(), *(GaussianProcess() for _ in range(3))]
        self._n_rows_searched = 0
        self._n_timed_searched = 0
        self._known = KnownTrainings(self._reference)
        self._planned: tuple[int, Params] = (-1, {})

    # --- Optuna's side --------------------------------------------------------------------

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return nothing: parameters are answered one by one out of one plan."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of the plan for this trial."""
        if self._planned[0] != trial.number:
            self._known.read(study, trial.number)
            self._planned = (trial.number, self._plan())
        if param_name in self._planned[1]:
            return self._planned[1][param_name]
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    # --- What to try ----------------------------------------------------------------------

    def _plan(self) -> Params:
        trainings = self._known.chosen()
        if len(trainings) < self._n_startup:
            return self._draw()
        parents, front = self._known.counting()
        candidates = self._candidates(parents)
        schemes = self._schemes(trainings)
        if not candidates or not schemes or not self._fit(trainings, schemes):
            return self._draw()
        under_way = list(self._known.under_way.values())
        inputs = self._inputs([*candidates, *under_way])
        n = len(candidates)
        error, deviation = self._processes[0].predict_with_deviation(inputs, inputs[n:])
        size = np.exp(self._processes[1].predict(inputs))
        latency = np.exp(self._processes[2].predict(inputs))
        given = np.array([[self._gives(c, s) for s in schemes] for c in candidates])
        given = np.concatenate([given, np.ones((len(under_way), len(schemes)), dtype=bool)])
        if not parents:
            hopeful = error + _DEVIATIONS[0] * deviation
            over = np.full(n, np.inf)
            for further in self.outlook:
                values = (hopeful + math.log(further.error), further.sizes(size, schemes), latency)
                may = given[:n] & np.array([[further.is_of(c)] for c in candidates])
                excess = np.where(may, self._over_limits(*values)[:n], np.inf).min(axis=1)
                foreseen = self._over_foreseen(candidates, self._slack(further))
                over = np.minimum(over, excess + foreseen)
            return self._nearest(candidates, over)
        sets = []
        for further in self.outlook:
            factors = np.array([further.error_of(params) for params in (*candidates, *under_way)])
            may = given & np.array([[further.is_of(c)] for c in (*candidates, *under_way)])
            sizes = further.sizes(size, schemes)
            for node in _DEVIATIONS:
                accuracy = 1 - np.exp(error + node * deviation) * factors[:, None]
                sets.append(np.where(may[..., None], self._gains(accuracy, sizes, latency), 0.0))
        expected_anyway = sets[1][n:].reshape(-1, front.shape[1])
        best = np.max([s[:n].reshape(-1, front.shape[1]).max(axis=0) for s in sets], axis=0)
        improvement = Improvement(np.concatenate([front, expected_anyway]), best)
        worth = np.zeros(n)
        chances = self._chances(candidates)
        for index, further in enumerate(self.outlook):
            of = sets[index * len(_SHARES) : (index + 1) * len(_SHARES)]
            gain = sum(share * improvement.of(s[:n]) for share, s in zip(_SHARES, of, strict=True))
            worth = np.maximum(worth, gain / further.cost * chances[self._slack(further)])
        return candidates[int(np.argmax(worth / self._seconds(trainings, inputs[:n])))]

    def _draw(self) -> Params:
        """Return a point at random; where there are limits, one that is expected to keep them."""
        if self.foresight is None or not self.foresight.knows_something:
            return draw_params(self.space, self._random)
        candidates = self._candidates(self._known.counting()[0])
        if not candidates:
            return draw_params(self.space, self._random)
        return self.foresight.pick(candidates, self._random)

    def _nearest(self, candidates: Sequence[Params], over: Array) -> Params:
        """Return what may keep the limits and be of use, as long as nothing does.

        No hypervolume tells better from worse then. The nearest of all would be the same place
        time and again, so every second proposal is drawn, and of those that may do so any will
        do.

        Args:
            candidates: To choose from.
            over: By how much each is expected to break limits, should it turn out well.
        """
        if self._random.random() < 0.5:
            return self._draw()
        hopeful = [c for c, excess in zip(candidates, over, strict=True) if excess <= 0]
        return self._random.choice(hopeful) if hopeful else candidates[int(np.argmin(over))]

    def _over_limits(self, error: Array, size: Array, latency: Array) -> Array:
        """Return by how much models are expected to break limits, as sums of logarithms.

        An error that counts nothing breaks one too.
        """
        limits = self._limits
        over = np.zeros(error.shape)
        if limits.max_size_bytes:
            over += np.maximum(np.log(size / limits.max_size_bytes), 0)
        if limits.max_latency_ms:
            over += np.maximum(np.log(latency / limits.max_latency_ms), 0)
        highest = min(self._reference.error, 1 - (limits.min_accuracy or 0.0))
        over += np.maximum(error - self._known.log_error(highest), 0)
        return over

    def _over_foreseen(self, candidates: Sequence[Params], slack: float) -> Array:
        """Return by how much trainings are expected to break limits, RAM's among them."""
        if self.foresight is None:
            return np.zeros(len(candidates))
        over: Array = np.maximum(self.foresight.log_ratios(candidates)[0] - slack, 0)
        return over

    def _slack(self, further: Further) -> float:
        """Return how far over limits known early a training may be as it is, as a logarithm."""
        limits = self._limits
        # What is over another limit is so too once it is pruned.
        is_size_alone = limits.max_latency_ms is None and limits.max_ram_bytes is None
        limit = limits.max_size_bytes if is_size_alone else None
        return further.slack(limit) if limit else 0.0

    def _chances(self, candidates: Sequence[Params]) -> dict[float, Array]:
        """Return how likely trainings are to keep limits known early, by their slack."""
        slacks = {self._slack(further) for further in self.outlook}
        if self.foresight is None:
            return dict.fromkeys(slacks, np.ones(len(candidates)))
        return {slack: self.foresight.chances(candidates, slack) for slack in slacks}

    def _seconds(self, trainings: Sequence[Training], inputs: Array) -> Array:
        """Return how long trainings are expected to take; 1 for all if nothing is known."""
        timed = [(t.params, t.seconds) for t in trainings if t.seconds is not None]
        if len(timed) < self._n_startup:
            return np.ones(len(inputs))
        process = self._processes[3]
        outputs = np.log([[seconds] for _, seconds in timed])
        known = self._inputs([params for params, _ in timed])
        if len(timed) >= self._n_timed_searched * _GROWTH + 1:
            process.search_scales(known, outputs, _N_STEPS)
            self._n_timed_searched = len(timed)
        process.observe(known, outputs)
        expected: Array = np.exp(process.predict(inputs)[:, 0])
        return expected

    def _candidates(self, owners: Sequence[Key]) -> list[Params]:
        """Return points near those on the front, and anywhere, that were not tried.

        As long as none is worth anything they are near what is the most accurate, or came
        nearest to keeping the limits.

        Args:
            owners: Trainings whose points on the front are worth anything.
        """
        keys = owners or self._known.most_accurate(_N_NEAREST)
        parents = [self._known.by_key[key].params for key in keys]
        if not parents and self.foresight is not None:
            parents = self.foresight.nearest(_N_NEAREST)
        random = self._random
        found: dict[Key, Params] = {}
        for index in range(_N_NEAR + _N_ANYWHERE):
            if index < _N_NEAR and parents:
                other = random.choice(parents) if random.random() < _SHARE_CROSSED else None
                params = vary(
                    self.space,
                    random.choice(parents),
                    other,
                    random,
                    n_changes=_N_CHANGES,
                    distance=_DISTANCE,
                )
            else:
                params = draw_params(self.space, random)
            key = key_of(params if not self._fan_out else without_scheme(params))
            if key_of(without_scheme(params)) not in self._known.by_key:
                found.setdefault(key, params)
        return list(found.values())

    def _schemes(self, trainings: Sequence[Training]) -> list[str]:
        """Return the schemes that gave models; the others are not modelled yet.

        The gate foresees sizes of schemes too that are not measured afterwards.
        """
        points = [point for training in trainings for point in training.points.items()]
        measured = {scheme for scheme, (error, *_) in points if not math.isnan(error)}
        return sorted(measured or {scheme for scheme, _ in points})

    def _gives(self, params: Params, scheme: str) -> bool:
        """Whether a training with these parameters gives a point of a scheme."""
        if params.get(QUANTIZATION, scheme) == scheme:
            return True
        return self._fan_out and not _trains(scheme)

    def _fit(self, trainings: Sequence[Training], schemes: Sequence[str]) -> bool:
        """Let the processes learn; False if there is too little to learn from."""
        unknown = (math.nan, math.nan, math.nan)
        table = np.array([[t.points.get(s, unknown) for s in schemes] for t in trainings])
        inputs = self._inputs([t.params for t in trainings])
        has_grown = len(self._known) >= self._n_rows_searched * _GROWTH + 1
        for objective, process in enumerate(self._processes[:3]):
            outputs = table[:, :, objective]
            known = ~np.isnan(outputs).all(axis=1)
            if known.sum() < 2:
                return False
            outputs = filled(outputs[known])
            if objective == 0:
                # Networks that learned nothing would be all that there is to see.
                outputs = np.minimum(outputs, np.median(outputs, axis=0) + MAX_SPREAD)
            if has_grown:
                n_steps = _N_STEPS if process.is_fitted else _N_STEPS_FIRST
                process.search_scales(inputs[known], outputs, n_steps)
            process.observe(inputs[known], outputs)
        if has_grown:
            self._n_rows_searched = len(self._known)
        return True

    def _inputs(self, many: Sequence[Mapping[str, ParamValue]]) -> Array:
        modelled = self._modelled
        return np.array([as_numbers(modelled, params) for params in many])

    @property
    def _modelled(self) -> SearchSpace:
        """The space without the scheme, in which the points of a training differ."""
        return SearchSpace(tuple(p for p in self.space.parameters if p.name != QUANTIZATION))

    def _gains(self, accuracy: Array, size: Array, latency: Array) -> Array:
        """Return gains as (trainings, schemes, objectives); 0 where a limit is broken."""
        values = np.stack([accuracy, size, latency], axis=-1)
        rows = values.reshape(-1, 3)
        found = gains(rows, self._reference).reshape(values.shape)
        limits = self._limits
        kept: npt.NDArray[np.bool_] = np.ones(accuracy.shape, dtype=bool)
        if limits.max_size_bytes:
            kept &= size <= limits.max_size_bytes
        if limits.max_latency_ms:
            kept &= latency <= limits.max_latency_ms
        if limits.min_accuracy:
            kept &= accuracy >= limits.min_accuracy
        return np.where(kept[..., None], found, 0.0)


def _trains(scheme: str) -> bool:
    return SCHEMES[QuantizationScheme(scheme)].trains
