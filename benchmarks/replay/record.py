"""Record real trainings, so that searches can be replayed on them in seconds.

Draws configurations of a task's joint space, trains each in full, and writes down its learning
curve, every quantization scheme's accuracy, size and latency, and the seconds of each stage.
Unpruned ones are branched as well: pruned to several sparsities from the trained weights. The
seconds are those of the process on its core, which other processes do not change much.

    python -m benchmarks.replay.record --configs 250     # adds to benchmarks/data/mnist.jsonl

It goes on where it stopped. ``benchmarks/replay/command.py`` searches on what it recorded.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.run.run_study import ConfigMaker
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue, PruningConfig, TrialConfig
from spaces.data.dataset import Dataset, Split
from spaces.errors import SearchError
from spaces.tasks.registry import resolve_task
from workers.messages.result import EvaluateRequest, Point
from workers.trial.measure import N_REPRESENTATIVE, measure_points
from workers.trial.prepare import prepare_task
from workers.trial.train_config import Stopwatch, Trained, build, train_config

DATA = Path(__file__).parents[1] / "data"
EPOCHS = 6
N_TRAIN, N_VAL = 12_000, 2_000
SPARSITIES = (0.5, 0.7, 0.85)
BRANCH_EPOCHS = 2
GOOD_RATES = (1.5e-3, 1e-2)
"""Learning rates of every other configuration, with Adam: at random, few would be any good, and
a search that finds the good region could not be told from one that does not."""


class CpuStopwatch(Stopwatch):
    """Seconds this process spent computing, by stage."""

    def stage(self, name: str) -> Any:
        """Add the time of the block to a stage."""
        return _CpuStage(self, name)


class _CpuStage:
    def __init__(self, watch: Stopwatch, name: str) -> None:
        self._watch, self._name = watch, name

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *_: object) -> None:
        seconds = self._watch.seconds
        seconds[self._name] = seconds.get(self._name, 0.0) + time.process_time() - self._start


class Recorder:
    """Trains configurations of one task and turns them into plain data."""

    def __init__(self, task: str, dataset: Dataset) -> None:
        from workers.conversion.convert import representative_images
        from workers.hypermodels.describe import load_hypermodel
        from workers.training.keras_compat import configure_tensorflow

        configure_tensorflow(threads=1)
        self._dataset = dataset
        self._hypermodel = load_hypermodel(
            resolve_task(task).model, dataset.input_shape, dataset.n_classes
        )
        self._images = representative_images(dataset.train, seed=0, n=N_REPRESENTATIVE)

    def record(self, params: Mapping[str, ParamValue], config: TrialConfig) -> dict[str, Any]:
        """Train one configuration and its branches."""
        from workers.conversion.convert import float_tflite

        watch = CpuStopwatch()
        with watch.stage("gate"):
            # As the gate does, without timing.
            model, _ = build(self._hypermodel, config)
            float_tflite(model)
        config = config.with_quantization(QuantizationScheme.QAT_INT8)
        trained = train_config(self._hypermodel, self._dataset, config, watch)
        row = self._row(trained, config, watch)
        row["params"] = {k: v for k, v in params.items() if k != "quantization"}
        if not config.pruning.is_active:
            weights = trained.model.get_weights()
            row["branches"] = [self._branch(config, s, weights) for s in SPARSITIES]
        return row

    def _branch(self, parent: TrialConfig, sparsity: float, weights: Any) -> dict[str, Any]:
        config = replace(
            parent,
            training=replace(parent.training, epochs=BRANCH_EPOCHS),
            pruning=PruningConfig("polynomial", sparsity, 0.0, 0.5, 0.05),
            quantization=QuantizationScheme.FLOAT32,
            branched_from=parent,
        )
        watch = CpuStopwatch()
        trained = train_config(
            self._hypermodel, self._dataset, config, watch, start_weights=weights
        )
        return {"final_sparsity": sparsity, **self._row(trained, config, watch)}

    def _row(self, trained: Trained, config: TrialConfig, watch: Stopwatch) -> dict[str, Any]:
        request = EvaluateRequest(config)
        points, skipped = measure_points(trained, self._dataset, request, self._images, watch)
        epochs = config.training.epochs
        return {
            "val_accuracy": [round(a, 5) for a in trained.history["val_accuracy"][:epochs]],
            "points": {scheme.value: _values(point) for scheme, point in points.items()},
            "skipped": sorted(scheme.value for scheme in skipped),
            "n_params": next(iter(points.values())).ledger.n_params if points else 0,
            "seconds": {name: round(s, 3) for name, s in watch.seconds.items()},
        }


def _values(point: Point) -> list[float]:
    return [round(point.accuracy, 5), point.size_bytes, round(point.latency.median_ms, 5)]


def _part(split: Split, n: int) -> Split:
    return Split(split.images[:n], split.labels[:n])


def main() -> None:
    """Record until there are as many configurations as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--configs", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    info, dataset = prepare_task(args.task, args.data)
    dataset = replace(dataset, train=_part(dataset.train, N_TRAIN), val=_part(dataset.val, N_VAL))
    make_config = ConfigMaker(replace(info, epochs=EPOCHS), seed=0)
    DATA.mkdir(exist_ok=True)
    path = DATA / f"{args.task}.jsonl"
    n_there = len(path.read_text().splitlines()) if path.exists() else 0
    mirror = Mirror(make_sampler("random", args.seed), args.seed)
    recorder = Recorder(args.task, dataset)
    rng = random.Random(args.seed)
    for index in range(args.configs):
        fixed: dict[str, ParamValue] = {}
        if index % 2 == 0:  # More than the space would give: those are branched.
            fixed["pruning_schedule"] = "none"
        if index % 4 > 1:
            rate = math.exp(rng.uniform(*map(math.log, GOOD_RATES)))
            fixed.update(optimizer="adam", learning_rate=rate)
        proposal = mirror.propose(info.space, fixed=fixed)
        if index < n_there:
            continue
        start = time.perf_counter()
        try:
            row = recorder.record(proposal.params, make_config(proposal.params))
        except SearchError as error:
            row = {"params": dict(proposal.params), "failed": str(error)}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        seconds = time.perf_counter() - start
        best = max((p[0] for p in row.get("points", {}).values()), default=0.0)
        print(f"{index + 1}/{args.configs}: {seconds:.1f} s, accuracy {best:.4f}", flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
