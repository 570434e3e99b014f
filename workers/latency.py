"""Time of one inference on this machine, measured so that it can be repeated."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from workers.result import Latency
from workers.runtime import invoke, load, runtime_name

MIN_WARMUP_RUNS = 5
MIN_WARMUP_S = 0.01
"""Untimed runs first: caches fill, and the processor leaves its resting frequency."""

MIN_RUNS = 10
"""Timed runs, however slow the network is."""

USUAL_RUNS = 50
TIMED_S = 0.2
"""Fast networks are run until both are reached, up to ``MAX_RUNS``."""

MAX_RUNS = 2000
MAX_S = 1.5
"""A slow network is run no longer than this, once it has ``MIN_RUNS``."""


def host_latency(tflite: bytes, threads: int = 1) -> Latency:
    """Measure single-image inference by LiteRT on this machine.

    Only the invocation is timed. The median over many runs is reported, because a run that is
    interrupted by another process moves a mean and not a median.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    interpreter = _prepared(tflite, threads)
    n_warmup = _warm_up(interpreter)
    times_ns: list[int] = []
    clock = time.perf_counter_ns
    run = interpreter.invoke
    start = clock()
    while True:
        before = clock()
        run()
        after = clock()
        times_ns.append(after - before)
        elapsed_s = (after - start) / 1e9
        if len(times_ns) >= USUAL_RUNS and elapsed_s >= TIMED_S:
            break
        if len(times_ns) >= MAX_RUNS or (len(times_ns) >= MIN_RUNS and elapsed_s >= MAX_S):
            break
    times_ms = np.array(times_ns) / 1e6
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return Latency(
        median_ms=float(median),
        spread_ms=float(high - low),
        min_ms=float(times_ms.min()),
        n_runs=len(times_ns),
        n_warmup=n_warmup,
        threads=threads,
        device="host",
        runtime=runtime_name(),
    )


def quick_latency_ms(tflite: bytes) -> float:
    """Return a rough time of one inference, from the faster of two runs after a first one.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    interpreter = _prepared(tflite, threads=1)
    invoke(interpreter)
    times_ns = []
    for _ in range(2):
        before = time.perf_counter_ns()
        invoke(interpreter)
        times_ns.append(time.perf_counter_ns() - before)
    return min(times_ns) / 1e6


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


def _warm_up(interpreter: Any) -> int:
    start = time.perf_counter()
    n_runs = 0
    while n_runs < MIN_WARMUP_RUNS or time.perf_counter() - start < MIN_WARMUP_S:
        invoke(interpreter)
        n_runs += 1
    return n_runs
