"""What is compared: programs as they come, at their best, and ``search`` with parts left out."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.replay.simulation import Policy

PEERS = ("random", "tpe", "nsga2", "nsga3")
"""Optuna's samplers. Its GPSampler is left out: it draws conditional parameters at random, and
took a minute a trial from the twentieth on (torch 2.13, on cores that others used too)."""


def as_it_comes(sampler: str) -> Policy:
    """Return a plain loop around a sampler: one scheme a trial, each trained to its end."""
    return Policy(
        f"Optuna {sampler}",
        sampler,
        fan_out=False,
        race=False,
        branch=False,
        gate=False,
        n_start=1,
    )


def at_its_best(sampler: str) -> Policy:
    """Return what a careful user would make of it.

    Our start design, every training converted under all schemes in a loop of one's own, and
    logarithms of error, size and latency.
    """
    plain = as_it_comes(sampler)
    return replace(
        plain,
        name=f"{plain.name}, at its best",
        fan_out=True,
        n_start=Policy.n_start,
        log_metrics=True,
    )


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


ALL = (
    *SAMPLERS,
    *(at_its_best(name) for name in PEERS),
    *(as_it_comes(name) for name in PEERS),
    *parts("gp"),
)
