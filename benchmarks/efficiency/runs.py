"""What one search of the efficiency benchmark leaves: its events, in a file, and their curves.

Every program's run is the same kind of record, whoever made it: at which second which trial
came back, how many epochs it had trained, and which points it gave; and what those on its front
have on test, which was measured after its clock had stopped. Hypervolume against seconds,
trainings and epochs follows from that, by one function for all.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from search.front.pareto import Front, ReferencePoint, hypervolume

Kind = Literal["training", "branch", "untrained"]
"""Trained from random weights; trained on from another trial's; or not trained at all, since a
limit was broken or it failed before."""

Values = tuple[float, float, float]

Array = npt.NDArray[np.float64]


class OnTest(NamedTuple):
    """A model on the front of a search, and its accuracy on test."""

    accuracy: float
    size_bytes: float
    latency_ms: float
    test_accuracy: float


_LIBRARIES = ("optuna", "ray", "keras-tuner", "tensorflow", "ai-edge-litert")


@dataclass(frozen=True)
class Setting:
    """What all runs that are compared have in common.

    Attributes:
        task: What is searched.
        data: What it is trained on, in words.
        data_fingerprint: Content hash of it.
        n_classes: Decides the reference point of the hypervolume, as ``n_val`` does.
        n_train: Training images.
        n_val: Validation images.
        epochs: Epochs of a full training.
        trials: Trials of those programs that count trials; the epochs of as many full trainings
            for those that train in parts.
        workers: Processes that train side by side.
        fixed: Parameters that nobody searches, as ``family=cnn``, in words.
        seconds: What each program has from ready workers on; None where trials are counted.
        n_test: Test images; None for runs that do not tell.
    """

    task: str
    data: str
    data_fingerprint: str
    n_classes: int
    n_train: int
    n_val: int
    epochs: int
    trials: int
    workers: int
    fixed: str = ""
    seconds: float | None = None
    n_test: int | None = None

    @property
    def length(self) -> str:
        """How long a run is, in words."""
        return f"{self.trials} trials" if self.seconds is None else f"{self.seconds:g} seconds"


@dataclass(frozen=True)
class Event:
    """A trial that came back.

    Attributes:
        seconds: Since the workers were ready.
        kind: What was trained for it.
        epochs: Epochs trained for it.
        points: Measured models it gave: accuracy, size_bytes, latency_ms of each.
        reason: Why it has no point of its own.
    """

    seconds: float
    kind: Kind
    epochs: int
    points: tuple[Values, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Run:
    """One search, from ready workers to its end.

    Attributes:
        setting: What it has in common with others.
        method: Which program.
        seed: Of its sampler, and of its trainings.
        setup_s: Seconds from its start until all workers had imported TensorFlow.
        events: In the order in which they came.
        machine: Where and with what it ran.
        front: The models that no other one of the search dominates on validation, with their
            accuracies on test; None where those were not measured.
    """

    setting: Setting
    method: str
    seed: int
    setup_s: float
    events: tuple[Event, ...]
    machine: Mapping[str, str] = field(default_factory=dict)
    front: tuple[OnTest, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Run:
        """Rebuild a run from plain data."""
        events = [
            Event(**{**event, "points": tuple((a, s, ms) for a, s, ms in event["points"])})
            for event in data["events"]
        ]
        front = data.get("front")
        made = {
            "setting": Setting(**data["setting"]),
            "events": tuple(events),
            "front": None if front is None else tuple(OnTest(*row) for row in front),
        }
        return cls(**{**data, **made})


class EventLog:
    """Takes the time of what comes back. Its clock starts when somebody says so.

    Attributes:
        events: In the order in which they came.
        models: Model files by the values of their points.
    """

    def __init__(self) -> None:
        self._made = self._started = time.time()
        self.events: list[Event] = []
        self.models: dict[Values, bytes] = {}

    def start(self, at: float | None = None) -> None:
        """Start the clock: now, or at a second since the epoch that somebody noted."""
        self._started = time.time() if at is None else at

    @property
    def setup_s(self) -> float:
        """Seconds from the making of this log to the start of its clock."""
        return self._started - self._made

    @property
    def started(self) -> float:
        """When the clock was started, in seconds since the epoch."""
        return self._started

    @property
    def elapsed_s(self) -> float:
        """Seconds since the clock was started."""
        return time.time() - self._started

    @property
    def epochs(self) -> int:
        """Epochs trained so far."""
        return sum(event.epochs for event in self.events)

    def add(
        self,
        kind: Kind,
        epochs: int,
        models: Mapping[Values, bytes] | None = None,
        *,
        reason: str = "",
        at: float | None = None,
    ) -> None:
        """Note that a trial came back: now, or at a second since the epoch.

        Args:
            kind: What was trained.
            epochs: Epochs trained.
            models: Files of the models it gave, by their values: accuracy, size, latency.
            reason: Why it has no point of its own.
            at: When.
        """
        seconds = (time.time() if at is None else at) - self._started
        for values, tflite in (models or {}).items():
            self.models.setdefault(values, tflite)  # The first one is within the seconds.
        self.events.append(Event(seconds, kind, epochs, tuple(models or ()), reason))

    def until(self, seconds: float | None) -> tuple[Event, ...]:
        """Return what came back within so many seconds; all of it for None."""
        return tuple(e for e in self.events if seconds is None or e.seconds <= seconds)


@dataclass(frozen=True)
class Curve:
    """What a run had after each of its events; all arrays are ``[n_events]``.

    Attributes:
        seconds: Since the workers were ready.
        trainings: Trainings from random weights.
        branches: Trainings from the weights of another.
        epochs: Epochs of both.
        points: Measured models.
        hypervolume: Of the points so far.
    """

    seconds: Array
    trainings: Array
    branches: Array
    epochs: Array
    points: Array
    hypervolume: Array

    @property
    def final(self) -> float:
        """Hypervolume in the end."""
        return float(self.hypervolume[-1]) if len(self.hypervolume) else 0.0

    def reached(self, target: float) -> int | None:
        """Return the index of the first event with at least this hypervolume; None if never."""
        # The same points in another order may differ in the last digit.
        found = np.flatnonzero(self.hypervolume >= target - 1e-12)
        return int(found[0]) if len(found) else None

    def at(self, seconds: float) -> float:
        """Return the hypervolume that was there after so many seconds."""
        index = int(np.searchsorted(self.seconds, seconds, side="right"))
        return float(self.hypervolume[index - 1]) if index else 0.0


def curve_of(run: Run) -> Curve:
    """Return what a run had after each of its events."""
    reference = ReferencePoint.for_classes(run.setting.n_classes, run.setting.n_val)
    front = Front()
    volume, n_points, volumes, counts = 0.0, 0, [], []
    for event in run.events:
        is_better = [front.add(n_points + i, values)[0] for i, values in enumerate(event.points)]
        n_points += len(event.points)
        if any(is_better):
            volume = hypervolume(front.values, reference)
        volumes.append(volume)
        counts.append(n_points)
    events = run.events
    return Curve(
        seconds=np.array([event.seconds for event in events], dtype=float),
        trainings=np.cumsum([event.kind == "training" for event in events], dtype=float),
        branches=np.cumsum([event.kind == "branch" for event in events], dtype=float),
        epochs=np.cumsum([event.epochs for event in events], dtype=float),
        points=np.array(counts, dtype=float),
        hypervolume=np.array(volumes, dtype=float),
    )


def front_of(events: Iterable[Event]) -> list[Values]:
    """Return the points that no other one dominates on validation, each once."""
    front, points = Front(), list({point for event in events for point in event.points})
    for number, values in enumerate(points):
        front.add(number, values)
    return [points[number] for number in front.keys]


def run_path(folder: Path, task: str, method: str, seed: int) -> Path:
    """Return where a run's file is."""
    name = re.sub(r"[^\w.-]+", "-", Path(task).stem)
    return folder / f"{name}__{method}__s{seed}.json"


def save_run(run: Run, path: Path) -> None:
    """Write a run's file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(run.to_dict(), separators=(",", ":")))
    part.replace(path)


def read_run(path: Path) -> Run:
    """Read a run's file."""
    return Run.from_dict(json.loads(path.read_text()))


def load_runs(folder: Path, task: str | None = None) -> list[Run]:
    """Return the runs in a folder, of one task or of all, sorted by file name."""
    runs = [read_run(path) for path in sorted(folder.glob("*.json"))]
    return [run for run in runs if task is None or run.setting.task == task]


def pack_runs(runs: Iterable[Run], path: Path) -> None:
    """Write runs into one compressed file, a line each; the same runs give the same bytes."""
    lines = [json.dumps(run.to_dict(), separators=(",", ":")) + "\n" for run in runs]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    part.replace(path)


def packed_runs(path: Path, task: str | None = None) -> list[Run]:
    """Return the runs of such a file, of one task or of all."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    runs = [Run.from_dict(json.loads(line)) for line in lines]
    return [run for run in runs if task is None or run.setting.task == task]


def commit() -> str:
    """Return the commit that this is of, with a plus if files were changed; empty if unknown."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        try:
            done = subprocess.run(("git", *words), cwd=here, capture_output=True, text=True)
        except OSError:  # There is no git.
            return ""
        return done.stdout.strip()

    head = git("rev-parse", "--short", "HEAD")
    return f"{head}+" if head and git("status", "--porcelain", "--untracked-files=no") else head


def machine() -> dict[str, str]:
    """Return what a reader needs to compare."""
    cpu = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = found[1] if found else cpu
    except OSError:
        pass
    return {
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
    }
