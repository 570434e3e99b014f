"""Figures and tables of what a study costs: pure functions on what was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

Interval: TypeAlias = tuple[float, float]
"""When something began and when it ended, in seconds."""

TOLERANCE = 0.1
"""By how much an exponent may be above that of n log n: measurements vary from run to run."""


@dataclass(frozen=True)
class Costs:
    """What a study of one size costs.

    Attributes:
        n_trials: Trials in the database, derived ones too.
        ask_ms: Median of asking for a trial and writing it.
        tell_ms: Median of telling a trial with its derived ones.
        memory_mb: Peak of the driver that asked and told all of them.
        resume_s: Opening the study for a run.
        resume_mb: Peak of the process that did so.
        front_s: ``load_front``.
        front_mb: Peak of the process that did so.
        report_s: The page of ``search report``.
        report_mb: Peak of the process that did so.
    """

    n_trials: int
    ask_ms: float
    tell_ms: float
    memory_mb: float
    resume_s: float
    resume_mb: float
    front_s: float
    front_mb: float
    report_s: float
    report_mb: float


_PER_TRIAL = frozenset({"ask_ms", "tell_ms"})
"""Costs of one trial: a study pays them for each of its trials."""


def costs_table(found: Sequence[Costs]) -> str:
    """Return what studies cost, a line a size, and below them how fast that grows."""
    lines = [
        "| trials | ask, ms | tell, ms | driver, MB | resume, s | MB | front, s | MB | report, s "
        "| MB |",
        "| ---: " * 10 + "|",
        *(_line(one) for one in found),
    ]
    for before, after in zip(found, found[1:], strict=False):
        cells = [_exponent_cell(name, before, after) for name in _cost_names()]
        label = f"exponent, {before.n_trials:,} to {after.n_trials:,}"
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _line(one: Costs) -> str:
    times = (
        f"{one.ask_ms:.1f} | {one.tell_ms:.1f} | {one.memory_mb:,.0f} | {one.resume_s:.2f} | "
        f"{one.resume_mb:,.0f} | {one.front_s:.2f} | {one.front_mb:,.0f} | {one.report_s:.2f} | "
        f"{one.report_mb:,.0f}"
    )
    return f"| {one.n_trials:,} | {times} |"


def _cost_names() -> list[str]:
    return [field.name for field in fields(Costs) if field.name != "n_trials"]


def exponent(n_before: int, n_after: int, before: float, after: float) -> float:
    """Return the power of the size with which a cost grew between two sizes."""
    return math.log(after / before) / math.log(n_after / n_before)


def n_log_n_exponent(n_before: int, n_after: int) -> float:
    """Return the exponent that n log n has between two sizes: a little more than 1."""
    return exponent(n_before, n_after, n_before * math.log(n_before), n_after * math.log(n_after))


def too_fast(found: Sequence[Costs]) -> list[str]:
    """Return the costs that grow faster than n log n, each with where it does.

    What is paid for every trial counts with the number of trials: its sum over the study.
    """
    return [
        f"{name} from {before.n_trials:,} to {after.n_trials:,} trials (exponent {power:.2f})"
        for before, after in zip(found, found[1:], strict=False)
        for name in _cost_names()
        if (power := _power(name, before, after)) > _allowed(before, after)
    ]


def _power(name: str, before: Costs, after: Costs) -> float:
    power = exponent(before.n_trials, after.n_trials, getattr(before, name), getattr(after, name))
    return power + (name in _PER_TRIAL)


def _allowed(before: Costs, after: Costs) -> float:
    return n_log_n_exponent(before.n_trials, after.n_trials) + TOLERANCE


def _exponent_cell(name: str, before: Costs, after: Costs) -> str:
    power = _power(name, before, after)
    return f"**{power:.2f}**" if power > _allowed(before, after) else f"{power:.2f}"


def busy_share(busy: Iterable[Interval], n_workers: int, window: Interval) -> float:
    """Return the share of the workers' time in which they were at a trial.

    Args:
        busy: When trials ran; what is outside of the window does not count.
        n_workers: Workers that there were.
        window: The time that is looked at.
    """
    since, until = window
    seconds = sum(max(0.0, min(e, until) - max(b, since)) for b, e in busy)
    return seconds / (n_workers * (until - since))


@dataclass(frozen=True)
class Load:
    """What many workers made of a driver.

    Attributes:
        sampler: Name of the sampler.
        n_workers: Workers.
        seconds: That a trial took at least.
        n_trials: Trials that ended.
        window_s: From the start of the first trial to the submission of the last one.
        busy: See :func:`busy_share`, within that time.
        asks_per_s: Trials submitted a second of it.
        tells_per_s: Trials told a second of it.
        driver_cpu: Processor seconds of the driver's process a second of it, Ray's threads too.
        driver_mb: Peak memory of the driver.
        worker_mb: Memory of a worker, on average at the end.
    """

    sampler: str
    n_workers: int
    seconds: float
    n_trials: int
    window_s: float
    busy: float
    asks_per_s: float
    tells_per_s: float
    driver_cpu: float
    driver_mb: float
    worker_mb: float


def load_table(found: Sequence[Load]) -> str:
    """Return what many workers made of a driver, as a table."""
    lines = [
        "| sampler | workers | a trial, s | trials | time, s | workers busy | asks/s | tells/s | "
        "driver's CPU | driver, MB | a worker, MB |",
        "| --- " + "| ---: " * 10 + "|",
    ]
    lines += [
        f"| {one.sampler} | {one.n_workers} | {one.seconds:g} | {one.n_trials:,} | "
        f"{one.window_s:.1f} | {100 * one.busy:.1f} % | {one.asks_per_s:.1f} | "
        f"{one.tells_per_s:.1f} | {100 * one.driver_cpu:.0f} % | {one.driver_mb:,.0f} | "
        f"{one.worker_mb:,.0f} |"
        for one in found
    ]
    return "\n".join(lines)


def parts_of(section: str) -> dict[str, str]:
    """Return the parts of a section, by what their headings (``###``) say."""
    pieces = re.split(r"^### (.*)\n", section, flags=re.MULTILINE)
    return {
        title.strip(): text.strip() for title, text in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def section_of(heading: str, opening: str, parts: Mapping[str, str], order: Sequence[str]) -> str:
    """Return a section of several parts.

    Args:
        heading: Its first line.
        opening: What stands before the parts.
        parts: Text by title; those that are missing are left out.
        order: Titles in their order.
    """
    texts = [f"### {title}\n\n{parts[title]}" for title in order if title in parts]
    return "\n\n".join([heading, opening, *texts]) + "\n"
