"""The first trials of a study: known-good values from small to large, then spread out.

A sampler that models must first see something. Ten trials drawn at random mostly have learning
rates and schedules that nobody would use, and say little about the front. So a study starts
with what a person would try:

- the defaults;
- training at its defaults and no pruning, with networks along the diagonal from the smallest to
  the largest, evenly in the logarithm of every capacity: they span the front by size. Where the
  model is one of several families, every second network is of the default one, and the others
  take turns, up to the middle of the diagonal. The smaller half comes again with other choices of
  what is no size: small networks cost little, and which padding, head or augmentation they want is
  not known. Beside another family that is one which was not there yet, as long as there are such;
- such networks again, pruned more and more, with other learning rates;
- points that fill the whole space evenly (a Halton sequence, scrambled by the seed).

Where a study has limits, points of the design that are expected to break them come with smaller
networks (:func:`shrunk`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

from search.sampling.space_moves import Params, draw_params, from_unit, to_unit
from spaces.config.trial import ParamValue
from spaces.space.compression import COMPRESSION_NAMES, PRUNING_NAMES, TRAINING_NAMES
from spaces.space.search_space import Parameter, SearchSpace

SHARE_DIAGONAL, SHARE_PRUNED = 0.5, 0.25
"""Parts of the design along the diagonal, and pruned; the rest fills the space."""

MIN_HANGING = 2
"""Parameters that must hang on a choice for it to tell families of networks apart."""

SHARE_VARIED = 0.5
"""Up to which place on the diagonal networks come with other choices too."""

_AUGMENTATION = "augmentation"
_SHRINKING = ("pool", "stride")
_RATE_FACTORS = (1.0, 2.0, 0.5)
_N_ATTEMPTS = 100
_N_BITS = 20  # Places of the scrambled sequence: more than any design has points.

_Choose = Callable[[Parameter], "ParamValue | None"]


def start_design(space: SearchSpace, n: int, seed: int = 0) -> list[Params]:
    """Return the first points to try, the defaults and small networks first.

    Args:
        space: What may vary.
        n: How many points; there are fewer if the space has fewer.
        seed: Scrambles the points that fill the space. The same seed gives the same points, and a
            shorter design of them need not be the beginning of a longer one.

    Returns:
        Values of the active parameters of each point; all points are different.
    """
    n_diagonal = max(1, math.ceil(n * SHARE_DIAGONAL))
    n_pruned = round(n * SHARE_PRUNED) if "pruning_schedule" in space else 0
    points: list[Params] = []

    def add(params: Params) -> None:
        if len(points) < n and params not in points:
            points.append(params)

    families = _Families(space)
    add(space.defaults())
    for index in range(n_diagonal):
        # The smallest first: they are trained soonest, and span most of the front.
        at = index / max(1, n_diagonal - 1)
        if not families.is_default(index):
            # The largest of another family may cost as much as twenty others, as the largest with
            # dense layers on all that convolutions see.
            at = min(at, SHARE_VARIED)
        family = families.in_turn(index)
        add(_point(space, families.held(family, _on_diagonal(at))))
        if at <= SHARE_VARIED:
            # Of a family that was not there yet: eight points then have seen each of four.
            family = families.unseen(family)
            add(_point(space, families.held(family, _varied(_on_diagonal(at), families.name))))
    for index in range(n_pruned):
        at = _radical_inverse(index + 1, 2)
        sparsity = _radical_inverse(index + 1, 3)
        factor = _RATE_FACTORS[index % len(_RATE_FACTORS)]
        add(_point(space, _pruned(at, sparsity, factor)))
    random = Random(seed)
    halton = _ScrambledHalton(len(space.parameters), random)
    for index in range(n + _N_ATTEMPTS):
        add(_point(space, _filling(space, halton.point(index))))
    for _ in range(_N_ATTEMPTS):  # A space of few points is soon used up.
        add(draw_params(space, random))
    return points


def _varied(choose: _Choose, family: str) -> _Choose:
    """Take the next choice after the default of whatever is no size and no family.

    Of training that is the augmentation alone: what it is worth shows late, in what is trained on.
    """

    def varied(parameter: Parameter) -> ParamValue | None:
        chosen = choose(parameter)
        kept = (*TRAINING_NAMES, *COMPRESSION_NAMES, family)
        if chosen is not None or (parameter.name in kept and parameter.name != _AUGMENTATION):
            return chosen
        if parameter.kind != "categorical" or parameter.default is None:
            return None
        at = parameter.choices.index(parameter.default)
        return parameter.choices[(at + 1) % len(parameter.choices)]

    return varied


class _Families:
    """The choice that decides which network it is, where a model has one.

    It is the first choice among words on which at least ``MIN_HANGING`` other parameters hang.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._seen: set[ParamValue | None] = set()
        hanging = Counter(c.parameter for p in space.parameters for c in p.conditions)
        self._parameter = next(
            (
                p
                for p in space.parameters
                if hanging[p.name] >= MIN_HANGING
                and p.name not in (*TRAINING_NAMES, *COMPRESSION_NAMES)
                and p.kind == "categorical"
                and all(isinstance(choice, str) for choice in p.choices)
            ),
            None,
        )

    @property
    def name(self) -> str:
        """Name of the choice; empty without one."""
        return "" if self._parameter is None else self._parameter.name

    def is_default(self, index: int) -> bool:
        """Whether a point of the design is of the default family."""
        others = self._parameter is not None and len(self._parameter.choices) > 1
        return index % 2 == 0 or not others

    def in_turn(self, index: int) -> ParamValue | None:
        """Return the family of a point of the design: the default one, or another in its turn."""
        family = self._parameter
        if family is None or self.is_default(index):
            return None if family is None else family.default
        others = [choice for choice in family.choices if choice != family.default]
        self._seen.add(found := others[index // 2 % len(others)])
        return found

    def unseen(self, family: ParamValue | None) -> ParamValue | None:
        """Return, beside one that is not the default, another that was not there yet, or it."""
        parameter = self._parameter
        if parameter is None or family == parameter.default:
            return family
        found = next(
            (c for c in parameter.choices if c not in self._seen and c != parameter.default),
            family,
        )
        self._seen.add(found)
        return found

    def held(self, family: ParamValue | None, choose: _Choose) -> _Choose:
        """Let a point of the design be of a family; of none in particular if that is None."""
        return lambda parameter: family if parameter is self._parameter else choose(parameter)


def _point(space: SearchSpace, choose: _Choose) -> Params:
    """Return the point of the chosen values, and of the defaults where None is chosen."""
    params: Params = {}
    for parameter in space.parameters:
        if space.is_active(parameter, params):
            chosen = choose(parameter)
            assert parameter.default is not None
            params[parameter.name] = parameter.default if chosen is None else chosen
    return params


def _on_diagonal(at: float) -> _Choose:
    """Choose capacities at a place between the smallest (0) and the largest network (1)."""

    def choose(parameter: Parameter) -> ParamValue | None:
        if parameter.name in (*TRAINING_NAMES, *COMPRESSION_NAMES):
            return _unpruned(parameter)
        return _capacity(parameter, at)

    return choose


def _capacity(parameter: Parameter, at: float) -> ParamValue | None:
    """Return a size of the network; None if the parameter is not one."""
    if any(word in parameter.name for word in _SHRINKING):
        at = 1 - at
    if parameter.kind == "int":
        assert parameter.low is not None and parameter.high is not None
        low, high = parameter.low, parameter.high
        if low <= 0:
            return from_unit(parameter, at)
        value = low * (high / low) ** at
        return from_unit(parameter, to_unit(parameter, value))
    if parameter.kind == "categorical" and _are_sizes(parameter.choices):
        ordered = sorted(parameter.choices, key=float)
        return ordered[round(at * (len(ordered) - 1))]
    return None


def capacity(space: SearchSpace, params: Mapping[str, ParamValue]) -> float:
    """Return the capacity of a network: 0 for the smallest of a space, 1 for the largest.

    It is the mean place of its sizes in their ranges; those that are not active, as the filters
    of blocks that it does not have, are none.
    """
    places = [
        _place(parameter, params[parameter.name]) if parameter.name in params else 0.0
        for parameter in space.parameters
        if _is_size(parameter)
    ]
    return sum(places) / len(places) if places else 0.0


def shrunk(space: SearchSpace, params: Mapping[str, ParamValue], share: float) -> Params:
    """Return a point of smaller capacity.

    Args:
        space: Where it lies.
        params: The point.
        share: By how much every size moves towards its smallest: 0 not at all, 1 all the way.
    """

    def choose(parameter: Parameter) -> ParamValue | None:
        value = params.get(parameter.name)
        if value is None or not _is_size(parameter):
            return value
        return _capacity(parameter, _place(parameter, value) * (1 - share))

    return _point(space, choose)


def _is_size(parameter: Parameter) -> bool:
    if parameter.name in (*TRAINING_NAMES, *COMPRESSION_NAMES):
        return False
    return parameter.kind == "int" or (
        parameter.kind == "categorical" and _are_sizes(parameter.choices)
    )


def _place(parameter: Parameter, value: ParamValue) -> float:
    """Return where a size lies in its range: what ``_capacity`` takes."""
    if parameter.kind == "int":
        assert parameter.low is not None and parameter.high is not None
        low, high = float(parameter.low), float(parameter.high)
        if low <= 0 or low == high:
            at = to_unit(parameter, value)
        else:
            at = math.log(float(value) / low) / math.log(high / low)
    else:
        ordered = sorted(parameter.choices, key=float)
        at = ordered.index(value) / max(1, len(ordered) - 1)
    return 1 - at if any(word in parameter.name for word in _SHRINKING) else at


def _are_sizes(choices: tuple[ParamValue, ...]) -> bool:
    return all(isinstance(c, int) and not isinstance(c, bool) for c in choices)


def _unpruned(parameter: Parameter) -> ParamValue | None:
    is_schedule = parameter.name == "pruning_schedule"
    return "none" if is_schedule and "none" in parameter.choices else None


def _pruned(at: float, sparsity: float, factor: float) -> _Choose:
    """Choose a network on the diagonal, pruned, with a multiple of the usual learning rate."""
    on_diagonal = _on_diagonal(at)

    def choose(parameter: Parameter) -> ParamValue | None:
        if parameter.name == "pruning_schedule":
            active = [choice for choice in parameter.choices if choice != "none"]
            return active[-1] if active else None
        if parameter.name == "final_sparsity" and parameter.kind == "float":
            return from_unit(parameter, 0.25 + 0.75 * sparsity)
        if parameter.name == "learning_rate" and parameter.kind == "float":
            assert parameter.default is not None
            low, high = float(parameter.low or 0), float(parameter.high or 0)
            value = min(max(float(parameter.default) * factor, low), high)
            return from_unit(parameter, to_unit(parameter, value))
        return None if parameter.name in PRUNING_NAMES else on_diagonal(parameter)

    return choose


def _filling(space: SearchSpace, point: Sequence[float]) -> _Choose:
    """Choose the values at places in their ranges."""
    names = [parameter.name for parameter in space.parameters]
    units = dict(zip(names, point, strict=True))

    def choose(parameter: Parameter) -> ParamValue:
        unit = units[parameter.name]
        if parameter.kind == "categorical":
            return parameter.choices[int(unit * len(parameter.choices))]
        return from_unit(parameter, unit)

    return choose


class _ScrambledHalton:
    """A Halton sequence whose digits are permuted at random, each place of each dimension anew.

    After Owen, "A randomized Halton algorithm in R" (2017). As it comes, and shifted too, the
    first points of two dimensions of large bases march in a row: ``(i / 53, i / 59)``. Ours and
    not ``scipy.stats.qmc``'s, because to import that takes a second of every start.

    Args:
        n: Dimensions.
        random: Permutes.
    """

    def __init__(self, n: int, random: Random) -> None:
        self._permutations = [
            [random.sample(range(base), base) for _ in range(math.ceil(_N_BITS / math.log2(base)))]
            for base in _primes(n)
        ]

    def point(self, index: int) -> list[float]:
        """Return a point, a number in [0, 1) for every dimension."""
        return [_permuted_inverse(index, places) for places in self._permutations]


def _permuted_inverse(index: int, permutations: Sequence[Sequence[int]]) -> float:
    """Return the permuted digits of an index mirrored at the point; zeros that lead it, too."""
    base = len(permutations[0])
    inverse, scale = 0.0, 1.0
    for permutation in permutations:
        index, digit = divmod(index, base)
        scale /= base
        inverse += permutation[digit] * scale
    return inverse


def _radical_inverse(index: int, base: int) -> float:
    """Return the digits of an index mirrored at the point (van der Corput)."""
    inverse, scale = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        inverse += digit * scale
        scale /= base
    return inverse


def _primes(n: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < n:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes
