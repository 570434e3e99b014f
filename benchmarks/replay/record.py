"""Record real trainings, so that searches can be replayed on them in seconds.

Each recorded configuration is trained in full and written down with its learning curve, every
scheme's accuracy on validation and test, size and latency, and the seconds of each stage. Some are
pruned further from their trained weights, or trained on, as well (branches), and every sixth is
trained quantization-aware. The first ones fill the space evenly at random; later every second one
is a variation of what is on the front of all recorded so far, since that is where searches go.

    python -m benchmarks.replay.record mnist=mnist.npz cifar10=cifar10.npz fruit --minutes 75

It goes on where it stopped, and takes turns among the data sets. Seconds are those of the process
on its core, which other processes do not change much; latencies are scaled by the reference
network to the speed of the machine when a recording began.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import math
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.replay.recordings import DATA, packed, read_rows
from benchmarks.replay.trainings import TASKS, RecordedTask
from search.front.pareto import pareto_mask
from search.run.run_study import ConfigMaker
from search.sampling.branch_kinds import SPARSITIES, TRAIN_ON, Kind, branch_config, pruning_to
from search.sampling.space_moves import Params, draw_params, vary
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue, TrialConfig
from spaces.errors import SearchError
from spaces.space.search_space import SearchSpace
from spaces.tasks.registry import resolve_task
from workers.messages.result import EvaluateRequest, Point
from workers.trial.measure import N_REPRESENTATIVE, measure_points
from workers.trial.prepare import prepare_task
from workers.trial.train_config import Stopwatch, Trained, build, train_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spaces.data.dataset import Dataset

N_SPREAD = 40
"""Configurations that fill the space before the first variation of a good one."""

N_A_PROCESS = 15
"""TensorFlow leaks a megabyte a network, so that processes are replaced."""

EVERY_QAT = 6
SHARE_BRANCHED = 0.3
SHARE_TRAINED_ON = 0.25
SHARE_UNPRUNED = 0.5
"""More than the space would give: most branches start from those."""

SHARE_GOOD_RATES = 0.5
"""Of the evenly spread ones, those with Adam and a learning rate in the middle half of its range:
at random few would be any good, and what good ones do would hardly be recorded."""

VERSIONS = ("tensorflow", "tf_keras", "ai-edge-litert", "litert-quantizer")


class CpuStopwatch(Stopwatch):
    """Seconds this process spent computing, by stage."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.process_time()
        try:
            yield
        finally:
            spent = time.process_time() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


class Recorder:
    """Trains configurations of one task and turns them into plain data.

    Args:
        task: What is recorded.
        dataset: Its data, cut.
        space: What branches may do.
        reference_ms: Speed of the machine that latencies are scaled to.
    """

    def __init__(
        self, task: RecordedTask, dataset: Dataset, space: SearchSpace, reference_ms: float
    ) -> None:
        from workers.conversion.convert import representative_images
        from workers.hypermodels.describe import load_hypermodel

        self._task, self._dataset, self._space = task, dataset, space
        self._reference_ms = reference_ms
        self._hypermodel = load_hypermodel(
            resolve_task(task.task).model, dataset.input_shape, dataset.n_classes
        )
        self._images = representative_images(dataset.train, seed=0, n=N_REPRESENTATIVE)

    def record(
        self, config: TrialConfig, *, qat: bool, sparsity: float | None, trains_on: bool
    ) -> dict[str, Any]:
        """Train one configuration, and what it is asked to branch to.

        Args:
            config: What to train.
            qat: Whether to train quantization-aware as well.
            sparsity: What a branch prunes to; None for no such branch.
            trains_on: Whether a branch trains on.
        """
        from workers.conversion.convert import float_tflite

        watch = CpuStopwatch()
        with watch.stage("gate"):
            # As the gate does, without timing; what it builds is what is trained.
            built = build(self._hypermodel, config)
            float_tflite(built[0])
        scheme = QuantizationScheme.QAT_INT8 if qat else QuantizationScheme.FLOAT32
        config = config.with_quantization(scheme)
        trained = train_config(self._hypermodel, self._dataset, config, watch, built=built)
        row = self._row(trained, config, watch)
        weights = trained.model.get_weights()
        if sparsity is not None:
            kind = pruning_to(sparsity)
            row["branch"] = {"final_sparsity": sparsity, **self._branch(config, kind, weights)}
        if trains_on:
            row["trained_on"] = self._branch(config, TRAIN_ON, weights)
        return row

    def _branch(self, parent: TrialConfig, kind: Kind, weights: Any) -> dict[str, Any]:
        config = branch_config(
            parent.with_quantization(QuantizationScheme.FLOAT32),
            kind,
            self._task.epochs,
            self._space,
        )
        assert config is not None
        watch = CpuStopwatch()
        trained = train_config(
            self._hypermodel, self._dataset, config, watch, start_weights=weights
        )
        return self._row(trained, config, watch)

    def _row(self, trained: Trained, config: TrialConfig, watch: Stopwatch) -> dict[str, Any]:
        request = EvaluateRequest(config)
        points, skipped = measure_points(trained, self._dataset, request, self._images, watch)
        epochs = config.training.epochs
        ledger = next(iter(points.values())).ledger if points else None
        return {
            "val_accuracy": [round(a, 5) for a in trained.history["val_accuracy"][:epochs]],
            "points": {scheme.value: self._values(scheme, p) for scheme, p in points.items()},
            "skipped": sorted(scheme.value for scheme in skipped),
            "n_params": ledger.n_params if ledger else 0,
            "n_nonzero": ledger.n_nonzero if ledger else 0,
            "macs": ledger.macs if ledger else 0,
            "seconds": {name: round(s, 3) for name, s in watch.seconds.items()},
        }

    def _values(self, scheme: QuantizationScheme, point: Point) -> list[float | None]:
        """Return accuracy on validation and test, size and latency."""
        from workers.conversion.accuracy import tflite_class_scores

        test = None
        if scheme is not QuantizationScheme.INT16X8:  # Thirty times as slow as the others.
            test = tflite_class_scores(point.tflite, self._dataset.test)["accuracy"]
        latency_ms = point.latency.scaled_to(self._reference_ms).latency_ms
        return [
            round(point.accuracy, 5),
            None if test is None else round(test, 5),
            point.size_bytes,
            round(latency_ms, 5),
        ]


def draw_config(
    space: SearchSpace, rows: Sequence[Mapping[str, Any]], index: int
) -> tuple[str, Params]:
    """Return the configuration with an index, and how it came about.

    Args:
        space: Where it lies.
        rows: All recorded before.
        index: From 0 on; the same one after the same rows gives the same configuration.
    """
    rng = random.Random(index)
    if index >= N_SPREAD and index % 2:
        return "varied", _varied(space, rows, rng)
    params = draw_params(space, rng)
    changes: Params = {}
    if rng.random() < SHARE_UNPRUNED:
        changes["pruning_schedule"] = "none"
    if rng.random() < SHARE_GOOD_RATES:
        rate = space["learning_rate"]
        low, high = math.log(float(rate.low or 0)), math.log(float(rate.high or 0))
        unit = rng.uniform(0.25, 0.75)
        changes |= {"optimizer": "adam", "learning_rate": math.exp(low + unit * (high - low))}
    return "spread", vary(space, {**params, **changes}, None, rng, n_changes=0.0, distance=0.0)


def _varied(space: SearchSpace, rows: Sequence[Mapping[str, Any]], rng: random.Random) -> Params:
    """Return a variation of a configuration that has a model on the front of all of them."""
    owners, values = [], []
    for row in rows:
        for scheme, (accuracy, _, size, latency) in row.get("points", {}).items():
            if scheme != "int16x8":
                owners.append(row["params"])
                values.append((accuracy, size, latency))
    # Of size and latency with accuracy, half of the time by size alone: there are fewer of them.
    by_size = [(a, s, 1.0) for a, s, _ in values]
    mask = pareto_mask(by_size if rng.random() < 0.5 else values)
    front = [owner for owner, is_on in zip(owners, mask, strict=True) if is_on]
    parent = rng.choice(front)
    other = rng.choice(front) if rng.random() < 0.3 else None
    varied = vary(space, parent, other, rng, n_changes=2.0, distance=0.2)
    return varied if varied != parent else draw_params(space, rng)


def branch_of(params: Mapping[str, ParamValue], index: int) -> float | None:
    """Return what a recorded training is pruned to from its weights; None for nothing."""
    rng = random.Random(f"branch {index}")
    pruned = float(params.get("final_sparsity", 0.0))
    possible = [sparsity for sparsity in SPARSITIES if sparsity > pruned + 0.05]
    if not possible or rng.random() >= SHARE_BRANCHED:
        return None
    return rng.choice(possible)


def is_trained_on(index: int) -> bool:
    """Whether a recorded training is trained on from its weights."""
    return random.Random(f"trained on {index}").random() < SHARE_TRAINED_ON


def pack(folder: Path, name: str) -> None:
    """Compress the rows of a data set; the same rows give the same bytes."""
    text = (folder / f"{name}.jsonl").read_bytes()
    packed(DATA / f"{name}.jsonl").write_bytes(gzip.compress(text, 9, mtime=0))
    (DATA / f"{name}.json").write_text((folder / f"{name}.json").read_text())


def about(task: RecordedTask, space: SearchSpace, dataset: Dataset) -> dict[str, Any]:
    """Return what a reader of a recording has to know."""
    from workers.latency.host import host_latency
    from workers.latency.reference import reference_tflite

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    return {
        "what": task.what,
        "settings": asdict(task),
        "class_names": dataset.class_names,
        "input_shape": dataset.input_shape,
        "fingerprint": dataset.fingerprint,
        "commit": commit.stdout.strip(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, shared",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "reference_ms": host_latency(reference_tflite()).reference_ms,
        "points": ["accuracy on validation", "on test", "size_bytes", "latency_ms"],
        "space": space.to_list(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def record_some(name: str, data: Path | None, folder: Path, n: int, until: float) -> None:
    """Add recordings of one data set.

    Args:
        name: One of ``TASKS``.
        data: What ``--data`` would be.
        folder: Where the rows go.
        n: How many.
        until: When to stop all the same, as ``time.time`` has it.
    """
    from workers.training.keras_compat import configure_tensorflow

    task = TASKS[name]
    info, whole = prepare_task(task.task, data)
    space = task.cut_space(info.space.fixed({"family": "cnn"}))
    dataset = task.cut_data(whole).with_true_fingerprint()
    path, about_path = folder / f"{name}.jsonl", folder / f"{name}.json"
    configure_tensorflow(threads=1)
    if not about_path.exists():
        about_path.write_text(json.dumps(about(task, space, dataset), indent=1) + "\n")
    known = json.loads(about_path.read_text())
    space = SearchSpace.from_list(known["space"])
    recorder = Recorder(task, dataset, space, known["reference_ms"])
    make_config = ConfigMaker(replace(info, epochs=task.epochs, space=space), seed=0)
    rows = read_rows(path)
    for index in range(len(rows), len(rows) + n):
        if time.time() > until:
            return
        start = time.perf_counter()
        how, params = draw_config(space, rows, index)
        params.pop("quantization", None)
        row: dict[str, Any] = {"params": params, "how": how}
        try:
            row |= recorder.record(
                make_config({**params, "quantization": "float32"}),
                qat=index % EVERY_QAT == 0,
                sparsity=branch_of(params, index),
                trains_on=is_trained_on(index),
            )
        except SearchError as error:
            row["failed"] = str(error)
        rows.append(row)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        seconds = time.perf_counter() - start
        best = max((p[0] for p in row.get("points", {}).values()), default=0.0)
        print(f"{name} {index}: {seconds:.1f} s, {how}, {best:.3f}", flush=True)
        gc.collect()


def main() -> None:
    """Record until the time is over, or there are as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "tasks", nargs="+", metavar="NAME[=DATA]", help=f"of {', '.join(TASKS)}, with their data"
    )
    parser.add_argument("--configs", type=int, default=400, help="of each data set")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=DATA, help="of rows not yet packed")
    parser.add_argument("--pack", action="store_true", help=f"into {DATA.name}, and end")
    parser.add_argument("--one-process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.folder.mkdir(exist_ok=True, parents=True)
    until = time.time() + 60 * args.minutes
    named = [task.partition("=") for task in args.tasks]
    for name, _, _ in named:
        if name not in TASKS:
            parser.error(f"data sets are {', '.join(TASKS)}, but got {name}")
    if args.pack:
        for name, _, _ in named:
            pack(args.folder, name)
    elif args.one_process:
        ((name, _, data),) = named
        record_some(name, Path(data) if data else None, args.folder, args.configs, until)
    else:
        _take_turns(named, args, until)


def _take_turns(
    named: Sequence[tuple[str, str, str]], args: argparse.Namespace, until: float
) -> None:
    while time.time() < until:
        left = {n: args.configs - len(read_rows(args.folder / f"{n}.jsonl")) for n, _, _ in named}
        if max(left.values()) <= 0:
            return
        name, _, data = max(named, key=lambda one: left[one[0]])
        command = [sys.executable, "-m", "benchmarks.replay.record", "--one-process"]
        command += [f"{name}={data}" if data else name, "--folder", str(args.folder)]
        command += ["--configs", str(min(N_A_PROCESS, left[name]))]
        command += ["--minutes", f"{(until - time.time()) / 60:.2f}"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
