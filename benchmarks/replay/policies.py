"""What is compared: programs as they come, at their best, and ``search`` with parts left out."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.replay.moasha import Rungs
from benchmarks.replay.peers import OPTUNA_GP, POPULATION_SIZE
from benchmarks.replay.simulation import Policy

PEERS = ("random", "tpe", "nsga2", "nsga3", OPTUNA_GP)
"""Optuna's samplers."""

POPULATIONS = {"nsga2": 10, "nsga3": 20}
"""Points of a generation at a peer's best, where a training under all schemes gives some of them.

With Optuna's 50 they draw at random until the first 50 points are there
(https://github.com/optuna/optuna-examples/issues/88), which is for most of 40 trainings. Of 10, 20
and 50 these were the best on mnist12k, which ``gp`` was tuned on too.
"""

BEST_RUNGS = Rungs(reduction=2.0, grace=2)
"""Of MO-ASHA at its best: of one in two and one in three, from epoch 1, 2 and 3 on, the best on
mnist12k."""


def as_it_comes(sampler: str) -> Policy:
    """Return a plain loop around a sampler: one scheme a trial, each trained to its end."""
    return Policy(
        "Optuna gp" if sampler == OPTUNA_GP else f"Optuna {sampler}",
        sampler,
        fan_out=False,
        race=False,
        branch=False,
        gate=False,
        n_start=1,
        population=POPULATION_SIZE,
    )


def at_its_best(plain: Policy) -> Policy:
    """Return what a careful user would make of a plain loop.

    Our start design, every training converted under all schemes in a loop of one's own, logarithms
    of error, size and latency, and generations of which several fit into the time.
    """
    return replace(
        plain,
        name=f"{plain.name}, at its best",
        fan_out=True,
        n_start=Policy.n_start,
        log_metrics=True,
        population=POPULATIONS.get(plain.sampler, POPULATION_SIZE),
        rungs=BEST_RUNGS if plain.rungs else None,
    )


MOASHA = replace(as_it_comes("random"), name="MO-ASHA", rungs=Rungs())
"""Random draws of which successive halving stops most."""

PLAIN = (*(as_it_comes(name) for name in PEERS), MOASHA)


def peers() -> tuple[Policy, ...]:
    """Return what searches are compared with, at its best and as it comes."""
    return (*(at_its_best(plain) for plain in PLAIN), *PLAIN)


def tried_at_best() -> tuple[Policy, ...]:
    """Return peers at their best with other sizes than they got; those were chosen by these."""
    sizes = [
        replace(at_its_best(as_it_comes(name)), name=f"{name}, {n} points", population=n)
        for name in POPULATIONS
        for n in (10, 20, 50)
    ]
    rungs = [
        replace(
            at_its_best(MOASHA),
            name=f"MO-ASHA, 1 of {reduction:g} from epoch {grace} on",
            rungs=Rungs(reduction, grace),
        )
        for reduction in (2.0, 3.0)
        for grace in (1, 2, 3)
    ]
    return (*sizes, *rungs)


SAMPLERS = tuple(
    Policy(f"search, {name}", name) for name in ("gp", "tpe", "nsga2", "nsga3", "random")
)


def parts(sampler: str) -> tuple[Policy, ...]:
    """Return searches with one part left out, or other than it is."""
    whole = Policy(f"search, {sampler}", sampler)
    return (
        replace(whole, name=f"{whole.name}, no fan-out", fan_out=False),
        replace(whole, name=f"{whole.name}, no race", race=False),
        replace(whole, name=f"{whole.name}, race at 50 %", quantile=0.5),
        replace(whole, name=f"{whole.name}, race at 80 %", quantile=0.8),
        replace(whole, name=f"{whole.name}, no branches", branch=False),
        replace(whole, name=f"{whole.name}, no training on", train_on=False),
        replace(whole, name=f"{whole.name}, no start design", n_start=1),
        replace(whole, name=f"{whole.name}, start design of 16", n_start=16),
        replace(whole, name=f"{whole.name}, fan-out alone", race=False, branch=False, n_start=1),
    )


ALL = (*SAMPLERS, *peers(), *parts("gp"), *tried_at_best())
