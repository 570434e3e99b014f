"""Time of one inference on this machine, measured so that it can be repeated.

What disturbs it, and what is done about it:

- Others take the core away within a run. What counts is the time that a run had a core.
  Measured while six processes wanted two cores, the median of a network of 15 ms spread over
  46 % by the clock on the wall, and over 5 % by that of the core.
- The machine's speed drifts, by 5 % within a minute when others load it. Between blocks of runs
  a reference network is run, and the ratio of both is recorded: 5 % became 1 % for 20 us, 3 %
  for 2 ms and 2 % for 15 ms. Of pairs of networks some per cent apart, 0, 2 and 0 % came out in
  the wrong order, and 2, 6 and 3 % without it. Lower quartiles, fastest blocks and fastest runs
  were no better than medians where the machine drifted; where it did not, blocks were a little
  better at 2 ms.
- Caches and memory are shared: that is what quiet windows are for
(:mod:`workers.latency.quiet_windows`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from importlib.metadata import files, version
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.conversion.runtime import invoke, load, runtime_name
from workers.latency.quiet_windows import QuietWindows
from workers.latency.reference import REFERENCE_NAME, reference_tflite
from workers.messages.result import Latency

MIN_WARMUP_RUNS = 2
MIN_WARMUP_S = 0.003
"""Untimed runs first: caches fill, and the processor leaves its resting frequency."""

BLOCK_S = 0.002
"""How long the runs of one block take, unless a single one takes longer."""

REFERENCE_RUNS = 20
"""Runs of the reference after each block, some 30 us each."""

N_BLOCKS = 12
"""Blocks of a measurement, however soon they agree: a standard error that decides when to stop is
too small. Stopped like that after 3 blocks or more, 17 to 24 % of pairs of measurements of one
file were said to differ, where 5 % is the claim."""

MIN_BLOCKS = 5
"""Blocks of a slow network: fewer tell too little of how they scatter."""

MAX_S = 0.5
"""No block is begun later than this, once there are ``MIN_BLOCKS``."""

N_TRIMMED = 1
"""Blocks left out at both ends of the ratios, where there are at least ``MIN_TO_TRIM``: one in
which somebody else took the caches is not this network's time."""

MIN_TO_TRIM = 8

QUICK_RUNS = 2
QUICK_REFERENCE_RUNS = 6


def host_latency(tflite: bytes, threads: int = 1, windows: QuietWindows | None = None) -> Latency:
    """Measure single-image inference by LiteRT on this machine.

    Only the invocation is timed, and with one thread only the time that it had a core.

    Args:
        tflite: A converted model.
        threads: Of the interpreter.
        windows: Of this node, if others may be busy there; one that the caller has opened
            already is used.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    interpreter = _prepared(tflite, threads)
    reference = _reference()
    with windows.window() if windows is not None else nullcontext(False) as is_quiet:
        n_warmup, rough_ms = _warm_up(interpreter)
        _warm_up(reference)
        n_runs = int(np.clip(BLOCK_S * 1e3 / rough_ms, 1, 1000))
        found = _timed_blocks(interpreter, reference, n_runs, threads)
        note = "" if windows is None or is_quiet else windows.refusal
    times_ms, reference_times_ms, ratios = found
    ratio, scatter, freedom = ratio_of_blocks(ratios)
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return Latency(
        median_ms=float(median),
        spread_ms=float(high - low),
        min_ms=float(times_ms.min()),
        n_runs=len(times_ms),
        n_warmup=n_warmup,
        threads=threads,
        device="host",
        runtime=runtime_name(),
        kernels=kernels_name(),
        reference=REFERENCE_NAME,
        reference_ms=float(np.median(reference_times_ms)),
        reference_ratio=ratio,
        scatter=scatter,
        scatter_freedom=freedom,
        quiet=is_quiet,
        note=note,
    )


def quick_latency_ms(tflite: bytes) -> float:
    """Return a rough time of one inference, from the faster of two runs after a first one.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    return quick_latency(tflite).median_ms


def quick_latency(tflite: bytes) -> Latency:
    """Return a rough latency, with the reference's beside it: it is on the scale of the others.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    interpreter = _prepared(tflite, threads=1)
    invoke(interpreter)
    fastest_ms = float(_run_times(interpreter, QUICK_RUNS, threads=1).min())
    reference_ms = float(_run_times(_reference(), QUICK_REFERENCE_RUNS, threads=1).min())
    return Latency(
        median_ms=fastest_ms,
        spread_ms=0.0,
        min_ms=fastest_ms,
        n_runs=QUICK_RUNS,
        n_warmup=1,
        threads=1,
        device="host",
        runtime="a quick look",
        reference=REFERENCE_NAME,
        reference_ms=reference_ms,
        reference_ratio=fastest_ms / reference_ms,
    )


@cache
def kernels_name() -> str:
    """Return which build of XNNPACK runs, as stored beside every latency.

    XNNPACK has no releases, and LiteRT does not tell which state of it was linked in. The hash
    of the library that holds it, from the package's own list of files, stands for it.
    """
    for file in files("ai-edge-litert") or ():
        if "litert_common" in file.name and file.hash is not None:
            return f"XNNPACK in {file.name} {file.hash.mode}:{file.hash.value}"
    return f"XNNPACK in ai-edge-litert {version('ai-edge-litert')}"


def ratio_of_blocks(ratios: Sequence[float]) -> tuple[float, float, int]:
    """Return what a measurement's blocks say of the ratio of two networks' times.

    Args:
        ratios: One of each block, at least 2.

    Returns:
        Their mean (of many blocks without the lowest and the highest), its relative standard
        error, and the degrees of freedom of that.
    """
    ordered = np.sort(np.asarray(ratios, dtype=np.float64))
    n = len(ordered)
    n_trimmed = N_TRIMMED if n >= MIN_TO_TRIM else 0
    kept = ordered[n_trimmed : n - n_trimmed]
    mean = float(kept.mean())
    # Yuen's error of a trimmed mean: what is left out counts as the nearest that is not.
    winsorized = np.clip(ordered, kept[0], kept[-1])
    freedom = len(kept) - 1
    error = float(winsorized.std(ddof=1)) * ((n - 1) / (len(kept) * freedom)) ** 0.5
    return mean, error / mean, freedom


def _timed_blocks(
    interpreter: Any, reference: Any, n_runs: int, threads: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[float]]:
    """Run both in turns; return the times of each, and the ratio of each block."""
    times: list[npt.NDArray[np.float64]] = []
    reference_times: list[npt.NDArray[np.float64]] = []
    ratios: list[float] = []
    start = time.perf_counter()
    while len(ratios) < N_BLOCKS:
        if len(ratios) >= MIN_BLOCKS and time.perf_counter() - start > MAX_S:
            break
        times.append(_run_times(interpreter, n_runs, threads))
        reference_times.append(_run_times(reference, REFERENCE_RUNS, threads=1))
        ratios.append(float(np.median(times[-1]) / np.median(reference_times[-1])))
    return np.concatenate(times), np.concatenate(reference_times), ratios


def _run_times(interpreter: Any, n_runs: int, threads: int) -> npt.NDArray[np.float64]:
    """Return milliseconds of runs, those in which others had the core left out.

    The clock of the core costs half a microsecond to read, inside which lies the clock on the
    wall: the shorter of both is right whether or not the core was taken away.
    """
    run = interpreter.invoke
    wall_clock, core_clock = time.perf_counter_ns, _core_clock(threads)
    times_ns = []
    for _ in range(n_runs):
        core = core_clock()
        wall = wall_clock()
        run()
        wall = wall_clock() - wall
        times_ns.append(min(wall, core_clock() - core))
    return np.array(times_ns) / 1e6


def _core_clock(threads: int) -> Any:
    """Return a clock of the time that this thread had a core; the usual one if there is none."""
    # Other threads' time is not seen, and a coarse clock tells nothing.
    if threads == 1 and time.get_clock_info("thread_time").resolution <= 1e-6:
        return time.thread_time_ns
    return time.perf_counter_ns


@cache
def _reference() -> Any:
    return _prepared(reference_tflite(), threads=1)


def _prepared(tflite: bytes, threads: int) -> Any:
    """Return an interpreter with an input that is set: uninitialized floats may be slow."""
    interpreter = load(tflite, 1, threads)
    details = interpreter.get_input_details()[0]
    pixels = np.random.default_rng(0).random(tuple(details["shape"]), dtype=np.float32)
    if details["dtype"] != np.float32:
        limits = np.iinfo(details["dtype"])
        pixels = np.round(limits.min + pixels * (float(limits.max) - limits.min))
    interpreter.set_tensor(details["index"], pixels.astype(details["dtype"]))
    return interpreter


def _warm_up(interpreter: Any) -> tuple[int, float]:
    """Return how many runs it took, and roughly how many milliseconds one takes."""
    clock = time.perf_counter
    start, fastest, n_runs = clock(), float("inf"), 0
    while n_runs < MIN_WARMUP_RUNS or clock() - start < MIN_WARMUP_S:
        before = clock()
        invoke(interpreter)
        fastest = min(fastest, clock() - before)
        n_runs += 1
    return n_runs, max(fastest * 1e3, 1e-6)
