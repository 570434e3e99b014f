"""A measured latency, and by how much another measurement of the same file may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

_STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179)


def student_t(freedom: int) -> float:
    """Return what 95 % of Student's distribution lie within, on both sides together.

    Args:
        freedom: Degrees of freedom, at least 1; with more than 12 it is that of 12, which is
            some per cent too wide.
    """
    return _STUDENT_T[min(freedom, len(_STUDENT_T)) - 1]


MIN_NOISE = 0.02
"""Least noise of a measured latency: two measurements of the same file differ by so much."""

MIN_NOISE_QUIET = 0.01
"""The same, where nobody else of the run kept a core busy."""


@dataclass(frozen=True)
class Latency:
    """Time of one inference, with what makes it repeatable.

    Attributes:
        median_ms: Median over the timed runs.
        spread_ms: Distance between the 25th and the 75th percentile.
        min_ms: Fastest run.
        n_runs: Timed runs.
        n_warmup: Untimed runs before them.
        threads: Threads of the interpreter.
        device: Name of the device.
        runtime: Runtime and version, as ``ai-edge-litert 2.3.0 (XNNPACK)``.
        kernels: What is known of the build of the kernels, which have no version of their own.
        reference: Name of the network that was run in between; empty if none was.
        reference_ms: Median of the reference's runs.
        reference_ratio: This network's time over the reference's.
        scatter: Standard error of ``reference_ratio``, relative, by how its blocks differ; None
            if not known.
        quiet: Whether nobody else of the run kept a core of the machine busy.
        note: Why it was not quiet, where that was tried.
        baseline_ms: The reference's time that ``latency_ms`` is scaled to; None for as measured.
        scatter_freedom: Degrees of freedom of ``scatter``, one less than the blocks it is of;
            None where it was not stored yet.
        node: Host that it was measured on, where that is not the one that trained; else empty.
    """

    median_ms: float
    spread_ms: float
    min_ms: float
    n_runs: int
    n_warmup: int
    threads: int
    device: str
    runtime: str
    kernels: str = ""
    reference: str = ""
    reference_ms: float | None = None
    reference_ratio: float | None = None
    scatter: float | None = None
    quiet: bool = False
    note: str = ""
    baseline_ms: float | None = None
    scatter_freedom: int | None = None
    node: str = ""

    @property
    def latency_ms(self) -> float:
        """Time of one inference; at the machine's speed of the baseline, where there is one."""
        if self.baseline_ms is None or self.reference_ratio is None:
            return self.median_ms
        return self.reference_ratio * self.baseline_ms

    @property
    def noise(self) -> float | None:
        """By how much another measurement may differ, as a fraction; None if not known.

        Two latencies differ if they do by more than both noises, added as squares: of two
        measurements of one file no more than 5 % do.
        """
        if self.scatter is None:
            return None
        width = 2.0 if self.scatter_freedom is None else student_t(self.scatter_freedom)
        return max(MIN_NOISE_QUIET if self.quiet else MIN_NOISE, width * self.scatter)

    def measured_in(self, *, quiet: bool, note: str) -> Latency:
        """Return it with what is known of the window it was measured in."""
        return replace(self, quiet=quiet, note=note)

    def scaled_to(self, baseline_ms: float | None) -> Latency:
        """Return it with ``latency_ms`` at another speed of the machine, or as measured.

        A machine slows down and recovers within hours; latencies of one study can be compared
        when all are scaled to the same ``reference_ms``, its first.
        """
        return replace(self, baseline_ms=baseline_ms)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Latency:
        """Return what ``dataclasses.asdict`` gave, in this version or another one."""
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in names})
