"""Which sampler reaches more hypervolume with the same trainings: seeds, and intervals.

Trainings are a formula that looks like the task ``mnist``: its search space, the sizes and
multiply-accumulates of its networks, an error with an optimum of the learning rate and noise.
Where the optima lie is drawn anew for each seed, so that defaults are good but not the best.
Three trainings are under way at a time, as two workers and a queue of one have them. For real
trainings see ``benchmarks/replay/command.py``; a formula has what no recording has: an answer for
whatever a sampler asks.

    python -m benchmarks.cost.samplers                # all policies, 20 seeds of 100 trainings
    python -m benchmarks.cost.samplers --policies random gp --seeds 5
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import random
import statistics
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import optuna
from optuna.samplers import BaseSampler, NSGAIIISampler
from optuna.trial import TrialState

from search.front.pareto import Front, ReferencePoint, hypervolume
from search.sampling.initial_design import start_design
from search.sampling.mirror import Mirror, Proposal
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue
from spaces.space.compression import joint_space
from spaces.space.search_space import Condition, Parameter, SearchSpace
from spaces.tasks.mnist import MNIST

REFERENCE = ReferencePoint.for_classes(10, 2_000)
N_UNDER_WAY = 3
MARKS = (5, 10, 25, 50, 100)

Points = dict[str, tuple[float, float, float]]


def _from_block(number: int) -> tuple[Condition, ...]:
    return (Condition("blocks", tuple(range(number, 5))),)


SPACE: SearchSpace = joint_space(
    MNIST,
    (
        Parameter("input_pooling", "categorical", choices=(1, 2)),
        Parameter("blocks", "int", 2, 4, default=3),
        Parameter("convolution", "categorical", choices=("plain", "separable")),
        Parameter("filters_1", "int", 8, 32, step=8, default=16),
        Parameter("filters_2", "int", 8, 64, step=8, default=32),
        Parameter("filters_3", "int", 16, 64, step=8, default=40, conditions=_from_block(3)),
        Parameter("filters_4", "int", 16, 96, step=8, default=56, conditions=_from_block(4)),
        Parameter("head", "categorical", choices=("flatten", "average"), default="average"),
        Parameter(
            "dense_units", "int", 16, 128, step=16, conditions=(Condition("head", ("flatten",)),)
        ),
        Parameter("dropout", "float", 0.0, 0.5),
    ),
    tuple(SCHEMES),
    prunable=True,
)

_LOSS = {
    QuantizationScheme.DYNAMIC_RANGE: 0.0008,
    QuantizationScheme.DYNAMIC_INT4: 0.012,
    QuantizationScheme.INT8: 0.0015,
    QuantizationScheme.INT16X8: 0.0003,
    QuantizationScheme.QAT_INT8: 0.0003,
}
_SPEED = {
    QuantizationScheme.DYNAMIC_RANGE: 0.75,
    QuantizationScheme.DYNAMIC_INT4: 0.85,
    QuantizationScheme.INT8: 0.55,
    QuantizationScheme.INT16X8: 6.0,
    QuantizationScheme.QAT_INT8: 0.55,
}


def train(params: Mapping[str, ParamValue], seed: int) -> Points:
    """Return the points of one training, by scheme."""
    p = {name: float(v) for name, v in params.items() if isinstance(v, (int, float))}
    weights, macs, layers = _network(params, p)
    task = random.Random(seed)
    best_rate = 10 ** task.gauss(math.log10(3e-3), 0.25) * math.sqrt(p["batch_size"] / 64)
    best_dropout, batch_cost, sgd_cost = task.uniform(0, 0.3), task.uniform(0, 0.2), task.random()
    noise = random.Random(hashlib.sha256(repr((sorted(p.items()), seed)).encode()).digest())
    error = 0.006 + 0.9 * (macs**0.35 * weights**0.15) ** -0.62
    if params["optimizer"] == "sgd":
        best_rate, error = 4 * best_rate, error * (1 + 0.5 * sgd_cost)
    off = math.log10(p["learning_rate"] / best_rate)
    error *= 1 + 1.2 * off**2 + (3 * max(0.0, off - 0.4)) ** 2
    error *= 0.85 if params["convolution"] == "separable" else 1.0
    error *= 1 + abs(p["dropout"] - best_dropout)
    error *= 1 + batch_cost * (math.log2(p["batch_size"]) - 5)
    error *= 1 + 20 * max(0.0, p["weight_decay"] - 1e-3)
    sparsity = p.get("final_sparsity", 0.0)
    if sparsity:
        error *= 1 + 2.4 * max(0.0, sparsity - 0.5) ** 2
        error *= 1 + 9 * sparsity / math.sqrt(weights * (1 - sparsity))
        error *= 1 + 0.3 * (p["pruning_begin"] - 0.1) ** 2 + 0.4 * max(0, p["pruning_end"] - 0.8)
    error *= math.exp(noise.gauss(0, 0.06))
    points: Points = {}
    for scheme, info in SCHEMES.items():
        if info.trains and params["quantization"] != scheme:
            continue
        lost = _LOSS.get(scheme, 0.0) * (1 + 20 * error) * noise.uniform(0.5, 1.5)
        size = weights * info.weight_bits / 8 * 0.92 * (1 - 0.85 * sparsity) + 1800 + 350 * layers
        latency_ms = macs * 2.2e-7 * _SPEED.get(scheme, 1.0) + 0.0015 * layers + 0.001
        accuracy = 1 - min(0.9, error + lost)
        points[str(scheme)] = (accuracy, float(int(size)), latency_ms * noise.uniform(0.97, 1.03))
    return points


def _network(params: Mapping[str, ParamValue], p: Mapping[str, float]) -> tuple[float, float, int]:
    """Return weights, multiply-accumulates and layers."""
    side, channels, weights, macs, layers = 28 // int(p["input_pooling"]), 1.0, 0.0, 0.0, 0
    is_plain = params["convolution"] == "plain"
    for block in range(1, int(p["blocks"]) + 1):
        filters = p[f"filters_{block}"]
        kernel = 9 * channels * filters if is_plain else 9 * channels + channels * filters
        weights, macs = weights + kernel + 2 * filters, macs + kernel * side**2
        layers += 1 if is_plain else 2
        side = side // 2 if side >= 4 else side
        channels = filters
    features = channels
    if params["head"] == "flatten":
        dense = channels * side**2 * p["dense_units"]
        weights, macs, features, layers = (
            weights + dense,
            macs + dense,
            p["dense_units"],
            layers + 1,
        )
    return weights + 10 * features, macs + 10 * features, layers


@dataclass(frozen=True)
class Policy:
    """Who proposes.

    Attributes:
        name: Row of the table.
        sampler: Its name; ``nsga3`` is Optuna's.
        n_start: Points of the start design; 0 for a start at random.
        every_point: Whether TPE sees every point of a training instead of one.
    """

    name: str
    sampler: str
    n_start: int = 0
    every_point: bool = False

    def make(self, seed: int) -> BaseSampler:
        """Return the sampler."""
        if self.sampler == "nsga3":
            return NSGAIIISampler(seed=seed, population_size=50)
        return make_sampler(self.sampler, seed, len(POST_TRAINING_SCHEMES), reference=REFERENCE)


POLICIES = (
    Policy("random", "random"),
    Policy("tpe, every point", "tpe", every_point=True),
    Policy("tpe", "tpe"),
    Policy("nsga2", "nsga2"),
    Policy("nsga3", "nsga3"),
    Policy("gp", "gp"),
    Policy("random, design of 10", "random", 10),
    Policy("tpe, design of 10", "tpe", 10),
    Policy("nsga2, design of 10", "nsga2", 10),
    Policy("gp, design of 5", "gp", 5),
    Policy("gp, design of 10", "gp", 10),
    Policy("gp, design of 20", "gp", 20),
)


def search(policy: Policy, n: int, seed: int) -> list[float]:
    """Return the hypervolume after every training."""
    mirror, front = Mirror(policy.make(seed), seed), Front()
    start = start_design(SPACE, policy.n_start, seed)
    under_way: list[Proposal] = []
    curve: list[float] = []
    n_asked = n_points = 0
    while len(curve) < n:
        while n_asked < n and len(under_way) < N_UNDER_WAY:
            fixed = start[n_asked] if n_asked < len(start) else None
            under_way.append(mirror.propose(SPACE, fixed=fixed))
            n_asked += 1
        proposal = under_way.pop(0)
        points = train(proposal.params, seed)
        for values in points.values():
            front.add(n_points, values)
            n_points += 1
        curve.append(hypervolume(front.values, REFERENCE))
        own = str(proposal.params["quantization"])
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, points.pop(own)))
        for scheme, values in points.items():
            derived = new_trial(
                -1,
                {**proposal.params, "quantization": scheme},
                proposal.distributions,
                user_attrs={} if policy.every_point else {attributes.DERIVED_FROM: 0},
                system_attrs=proposal.system_attrs,
                state=TrialState.COMPLETE,
                values=values,
            )
            mirror.add(derived)
    return curve


def main() -> None:
    """Search, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--policies", nargs="*", default=[policy.name for policy in POLICIES])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    marks = [mark for mark in MARKS if mark <= args.trials]
    peer = [search(POLICIES[0], args.trials, seed) for seed in range(args.seeds)]
    print("hypervolume after that many trainings; mean difference to random at the end, 95 %")
    print(f"| policy | {' | '.join(map(str, marks))} | difference | random's end after | ms CPU |")
    print(f"| --- |{' ---: |' * (len(marks) + 3)}")
    for policy in POLICIES:
        if policy.name not in args.policies:
            continue
        start = time.process_time()
        curves = [search(policy, args.trials, seed) for seed in range(args.seeds)]
        ms = (time.process_time() - start) / args.seeds / args.trials * 1e3
        means = " | ".join(f"{statistics.fmean(c[m - 1] for c in curves):.4f}" for m in marks)
        gaps = [c[-1] - p[-1] for c, p in zip(curves, peer, strict=True)]
        half = 1.96 * statistics.stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else 0.0
        reached = [
            next((i + 1 for i, h in enumerate(c) if h >= p[-1]), math.inf)
            for c, p in zip(curves, peer, strict=True)
        ]
        print(
            f"| {policy.name} | {means} | {statistics.fmean(gaps):+.4f} ± {half:.4f} | "
            f"{statistics.median(reached):g} | {ms:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
