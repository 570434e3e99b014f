"""Noise of latencies while all cores train, with quiet windows and without.

Some networks of about 20 us, 2 ms and 50 ms, 3 to 6 % apart, are measured again and again: on
the machine as it is (which should be idle), and while a training process on every core keeps it
busy, with quiet windows and without in turns. Three figures come from each measurement: a plain
median by the clock on the wall, the median of the time on the core, and that scaled by the
reference network, which is what `search` minimizes.

Run it from the checkout, on an idle machine; three minutes on two cores, and no data:

    python -m benchmarks.latency.noise --write
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Before anything imports numpy: every core has a process of its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from benchmarks.results import RESULTS, write_section
from workers.conversion.runtime import load
from workers.latency.host import host_latency
from workers.latency.quiet_windows import QuietWindows
from workers.latency.reference import conv_stack

TITLE = "## Noise of latencies"

IDLE, BUSY, WINDOWS = "idle", "all cores train", "all cores train, quiet windows"
CONDITIONS = (IDLE, BUSY, WINDOWS)

WALL, CORE, SCALED = "wall", "core", "scaled"
FIGURES = {
    WALL: "median on the wall clock",
    CORE: "median of time on the core",
    SCALED: "scaled by the reference",
}

GROUPS: dict[str, list[bytes]] = {
    "20 us": [conv_stack(16, 8, (filters, 24)) for filters in (17, 18, 19, 20, 22, 24)],
    "2 ms": [conv_stack(size, 16, (36, 32)) for size in (116, 118, 120, 122, 124, 126)],
    "50 ms": [conv_stack(size, 64, (80, 64)) for size in (248, 253, 258, 263)],
}

Samples = dict[tuple[str, str, str], list[list[float]]]
"""Milliseconds by group, condition and figure: ``[round][network]``."""


# --- Training processes -------------------------------------------------------------------


def train_for_ever(folder: Path) -> None:
    """Train as a worker does; says so when it is past its start."""
    from spaces.config.trial import TrainingConfig
    from spaces.data.dataset import Split
    from workers.training.hooks import Hooks
    from workers.training.keras_compat import configure_tensorflow, seed_everything
    from workers.training.loop import train_epochs

    configure_tensorflow(threads=1)
    import tf_keras

    seed_everything(0)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 255, (4000, 28, 28, 1), np.uint8), rng.integers(0, 10, 4000))
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    config = TrainingConfig(learning_rate=1e-4, batch_size=64, epochs=100_000)
    windows = QuietWindows(folder)

    def say_so(epoch: int, _metrics: object) -> bool:
        if epoch == 0:
            print("training", flush=True)
        return True

    with windows.busy():
        train_epochs(
            model,
            split,
            split,
            config,
            epochs=config.epochs,
            seed=0,
            hooks=Hooks(on_epoch=say_so, pause=windows.pause),
        )


@contextmanager
def training_processes(n: int, folder: Path) -> Iterator[None]:
    """Keep that many cores training within the block."""
    with ExitStack() as stack:
        started = []
        for _ in range(n):
            command = [sys.executable, "-m", "benchmarks.latency.noise", "--train", str(folder)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "training":
                raise RuntimeError("A training process ended.")
        yield


# --- Measuring ----------------------------------------------------------------------------


def wall_median_ms(tflite: bytes) -> float:
    """Return the plain median of runs, 5 of them or 10 ms."""
    interpreter = load(tflite)
    interpreter.invoke()
    interpreter.invoke()
    times: list[float] = []
    while len(times) < 5 or sum(times) < 0.01:
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


class Noise:
    """Measures all networks, round after round."""

    def __init__(self, windows: QuietWindows) -> None:
        self._windows = windows
        self._baseline_ms: float | None = None
        self.samples: Samples = defaultdict(list)
        self.n_measured = self.n_quiet = 0
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def measure(self, condition: str) -> None:
        """Measure every network once."""
        for group, networks in GROUPS.items():
            rows: dict[str, list[float]] = defaultdict(list)
            for tflite in networks:
                for figure, value in self._figures(group, condition, tflite).items():
                    rows[figure].append(value)
            for figure, row in rows.items():
                self.samples[group, condition, figure].append(row)

    def _figures(self, group: str, condition: str, tflite: bytes) -> dict[str, float]:
        with ExitStack() as stack:
            if condition == WINDOWS:
                self.n_measured += 1
                self.n_quiet += stack.enter_context(self._windows.window())
            wall_ms = wall_median_ms(tflite)
            start = time.perf_counter()
            latency = host_latency(tflite)
            if condition == IDLE:
                self.seconds[group].append(time.perf_counter() - start)
        if self._baseline_ms is None:
            self._baseline_ms = latency.reference_ms
        scaled = latency.scaled_to(self._baseline_ms)
        return {WALL: wall_ms, CORE: latency.median_ms, SCALED: scaled.latency_ms}


# --- Table --------------------------------------------------------------------------------


def spread(rows: npt.NDArray[np.float64]) -> float:
    """Return the distance of the 5th and 95th percentile over rounds, relative, of a network."""
    low, median, high = np.percentile(rows, [5, 50, 95], axis=0)
    return float(np.mean((high - low) / median))


def rank_correlations(
    rows: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return Spearman's correlation of each round with the order that is true."""
    ranks = rows.argsort(axis=1).argsort(axis=1)
    true_ranks = truth.argsort().argsort()
    return np.array([np.corrcoef(row, true_ranks)[0, 1] for row in ranks])


def to_markdown(samples: Samples) -> str:
    """Return the table for RESULTS.md."""
    lines = [
        "| networks of | machine | figure | median, ms | spread, p5 to p95 "
        "| rank correlation with idle, mean | worst |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for group in GROUPS:
        truth = np.median(samples[group, IDLE, WALL], axis=0)
        for condition in CONDITIONS:
            for figure, name in FIGURES.items():
                rows = np.array(samples[group, condition, figure])
                ranks = rank_correlations(rows, truth)
                lines.append(
                    f"| {group} | {condition} | {name} | {np.median(rows):.3g} | "
                    f"{100 * spread(rows):.1f} % | {ranks.mean():.3f} | {ranks.min():.2f} |"
                )
    return "\n".join(lines)


def machine(n_trainers: int) -> str:
    """Return what a reader needs to compare."""
    cpu = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = found[1] if found else cpu
    except OSError:
        pass
    return (
        f"{cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, "
        f"{n_trainers} training processes; Python {platform.python_version()}; "
        f"{time.strftime('%Y-%m-%d')}."
    )


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="of each condition")
    parser.add_argument("--trainers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train is not None:
        train_for_ever(options.train)
        return
    facts = machine(options.trainers)
    print(facts, flush=True)
    if os.getloadavg()[0] > 0.5:
        print("This machine is not idle: what is called so below is not.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        # How often windows are allowed is not what is asked here.
        windows = QuietWindows(Path(folder) / "node", max_share=1.0)
        noise = Noise(windows)
        for _ in range(options.rounds):
            noise.measure(IDLE)
        with training_processes(options.trainers, Path(folder) / "node"):
            for _ in range(options.rounds):
                noise.measure(BUSY)
                noise.measure(WINDOWS)
    cost = ", ".join(f"{1e3 * np.median(s):.0f} ms ({name})" for name, s in noise.seconds.items())
    summary = (
        f"{noise.n_quiet} of {noise.n_measured} windows were quiet. One measurement takes {cost} "
        f"on the machine as it is."
    )
    table = to_markdown(noise.samples)
    print(f"\n{table}\n\n{summary}")
    if options.write:
        write_section(
            TITLE,
            f"{TITLE}\n\n`python -m benchmarks.latency.noise`: {options.rounds} rounds; networks "
            f"of one group are 3 to 6 % apart. `search` minimizes the last figure of each three."
            f"\n\n"
            f"{facts}\n\n{table}\n\n{summary}\n",
        )


if __name__ == "__main__":
    main()
