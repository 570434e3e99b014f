"""What a trial costs beside its evaluation: ours, Optuna's own, and Ray Tune's.

Every program searches the same ten parameters for the same three objectives with the same
sampler, and the evaluation is a formula that takes microseconds. What is left is the cost of
asking, recording, and talking to two workers. Starting up (Ray, workers, databases) is left
out everywhere, as far as a program allows to tell it apart.

    python -m benchmarks.cost.overhead            # 100 and 1,000 trials; Ray Tune 100
    python -m benchmarks.cost.overhead --tune-trials 1000 --write
    python -m benchmarks.cost.overhead --asking   # ask and tell with 100, 1,000, 10,000 trials
    there
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

# Before anything imports numpy: two workers and a driver share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import optuna
from optuna.storages import InMemoryStorage

from benchmarks.results import RESULTS, write_section
from search.run.driver import Driver
from search.sampling.samplers import SAMPLERS, make_sampler
from search.storage.artifacts import ArtifactKeeper
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from search.study.open_study import OpenStudy
from spaces.config.objectives import OBJECTIVES
from spaces.config.schemes import POST_TRAINING_SCHEMES
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.compression import config_from_params, params_from_config
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.executor import Executor, InlineExecutor
from workers.messages.result import EvaluateRequest, Latency, Ledger, Point, TaskInfo, TrialResult

N_WORKERS = 2
TITLE = "## Overhead of a trial"

SPACE = SearchSpace(
    (
        Parameter("learning_rate", "float", 1e-4, 1e-1, log=True),
        Parameter("batch_size", "categorical", choices=(16, 32, 64, 128)),
        Parameter("optimizer", "categorical", choices=("adam", "sgd")),
        Parameter("weight_decay", "float", 1e-6, 1e-2, log=True),
        Parameter("filters_1", "int", 8, 64, step=8),
        Parameter("filters_2", "int", 8, 64, step=8),
        Parameter("filters_3", "int", 8, 128, step=8),
        Parameter("dense_units", "int", 16, 256, log=True),
        Parameter("dropout", "float", 0.0, 0.5),
        Parameter(
            "quantization",
            "categorical",
            choices=tuple(scheme.value for scheme in POST_TRAINING_SCHEMES),
        ),
    )
)


def formula(params: Mapping[str, ParamValue]) -> tuple[float, float, float]:
    """Return accuracy, size and latency of parameters: a trade-off, and no work."""
    width = sum(float(params[f"filters_{i}"]) for i in (1, 2, 3)) + float(params["dense_units"])
    accuracy = 1 - 1 / width - (float(params["dropout"]) - 0.2) ** 2
    accuracy -= 0.1 * abs(float(params["learning_rate"]) - 0.01)
    return accuracy, width * 100, width * (1 + float(params["dropout"])) * 1e-3


def evaluate(request: EvaluateRequest) -> TrialResult:
    """Answer as a worker does."""
    config = request.config
    accuracy, size_bytes, latency_ms = formula(params_from_config(config))
    point = Point(
        config=config,
        accuracy=accuracy,
        size_bytes=int(size_bytes),
        latency=Latency(latency_ms, 0.0, latency_ms, 1, 0, 1, "host", "formula"),
        ledger=Ledger(int(size_bytes), int(size_bytes), None, 1000, 1000, 1000),
        tflite=b"model",
    )
    return TrialResult(config, "complete", point=point)


def make_config(params: Mapping[str, ParamValue]) -> TrialConfig:
    """Return the configuration of a trial."""
    return config_from_params(params, task="noop", data_fingerprint="0", epochs=1, seed=0)


def make_evaluator(_payload: object) -> Callable[[EvaluateRequest], TrialResult]:
    """Return what a worker runs."""
    return evaluate


def task_info() -> TaskInfo:
    """Return what the driver knows of the task."""
    return TaskInfo(
        name="noop",
        ref="noop",
        space=SPACE,
        epochs=1,
        data_name="none",
        data_path=None,
        data_fingerprint="0",
        generated=False,
        class_names=("a", "b"),
        input_shape=(8, 8, 1),
        n_train=1,
        n_val=1,
        n_test=1,
    )


# --- The programs that are measured; each returns seconds for all trials -------------------


def ours(sampler: str, n_trials: int, folder: Path, executor: Executor, in_memory: bool) -> float:
    """Run our driver."""
    settings = StudySettings(
        "noop", task_info(), sampler=sampler, seed=0, fan_out=False, race=False, branch=False
    )
    if in_memory:
        study = open_study(InMemoryStorage(), settings)
    else:
        storage = open_storage(folder / "studies.db")
        study = open_study(storage, settings, ArtifactKeeper(folder / "artifacts", "noop"))
    driver = Driver(study, executor, make_config, RunSettings(n_trials))
    start = time.perf_counter()
    report = driver.run()
    seconds = time.perf_counter() - start
    assert report.progress.n_complete == n_trials
    return seconds


def optuna_optimize(sampler: str, n_trials: int, folder: Path) -> float:
    """Run Optuna's own loop with two threads on SQLite."""
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}",
        directions=[objective.direction for objective in OBJECTIVES],
        sampler=make_sampler(sampler, seed=0),
    )
    start = time.perf_counter()
    study.optimize(lambda trial: formula(SPACE.suggest(trial)), n_trials, n_jobs=N_WORKERS)
    seconds = time.perf_counter() - start
    assert len(study.trials) == n_trials
    return seconds


def suggest(trial: optuna.Trial) -> None:
    """Declare the space as OptunaSearch wants it, which pickles this function."""
    SPACE.suggest(trial)


def ray_tune(sampler: str, n_trials: int, folder: Path) -> float:
    """Run Ray Tune with OptunaSearch, with two trials side by side and actors reused."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    names = [objective.name for objective in OBJECTIVES]
    modes = ["min" if objective.direction == "minimize" else "max" for objective in OBJECTIVES]

    def trainable(config: dict[str, Any]) -> None:
        tune.report(dict(zip(names, formula(config), strict=True)))

    search = OptunaSearch(
        space=suggest, metric=names, mode=modes, sampler=make_sampler(sampler, seed=0)
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=search,
            num_samples=n_trials,
            max_concurrent_trials=N_WORKERS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), name="tune", verbose=0),
    )
    start = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - start
    assert len(results) == n_trials and not results.errors
    return seconds


@contextmanager
def ray_for_tune() -> Iterator[None]:
    """Start Ray as our executor does."""
    import ray

    ray.init(
        num_cpus=N_WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


# --- Asking a large study ------------------------------------------------------------------


def evaluate_all(request: EvaluateRequest) -> TrialResult:
    """Answer with a point for every scheme, as a training with its fan-out does."""
    result = evaluate(request)
    assert result.point is not None
    siblings = tuple(
        replace(result.point, config=request.config.with_quantization(scheme))
        for scheme in POST_TRAINING_SCHEMES
        if scheme is not request.config.quantization
    )
    return replace(result, siblings=siblings)


def asking(samplers: list[str], sizes: tuple[int, ...] = (100, 1_000, 10_000)) -> str:
    """Return a table of what an ask and a tell cost in studies on SQLite of some sizes."""
    lines = [
        "| ms, SQLite | sampler | ask, median | ask, largest | tell, median | opening, s |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            study = _large_study(folder, "random")
            while study.n_points < size:
                _ask_and_tell(study)
            for sampler in samplers:
                start = time.perf_counter()
                study = _large_study(folder, sampler)
                opening_s = time.perf_counter() - start
                _ask_and_tell(study)  # The first one takes all trials in.
                asks, tells = zip(*(_ask_and_tell(study) for _ in range(40)), strict=True)
                lines.append(
                    f"| {size:,} trials | {sampler} | {median(asks):.1f} | {max(asks):.1f} | "
                    f"{median(tells):.1f} | {opening_s:.2f} |"
                )
                print(lines[-1], flush=True)
    return "\n".join(lines)


def _large_study(folder: Path, sampler: str) -> OpenStudy:
    settings = StudySettings(
        "noop", task_info(), sampler=sampler, seed=0, race=False, branch=False
    )
    keeper = ArtifactKeeper(folder / "artifacts", "noop")
    return open_study(open_storage(folder / "studies.db"), settings, keeper)


def _ask_and_tell(study: OpenStudy) -> tuple[float, float]:
    """Return milliseconds on the wall clock, for an idle machine."""
    start = time.perf_counter()
    asked = study.ask(make_config)
    middle = time.perf_counter()
    assert asked is not None
    result = evaluate_all(study.request(asked.number))
    before = time.perf_counter()
    study.tell(asked.number, result)
    return (middle - start) * 1e3, (time.perf_counter() - before) * 1e3


# --- Table --------------------------------------------------------------------------------


class Table:
    """Milliseconds a trial, by program and sampler."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts
        self._cells: dict[tuple[str, str], dict[int, float]] = {}

    def measure(
        self, program: str, sampler: str, n_trials: int, run: Callable[[Path], float]
    ) -> None:
        """Run a program once in a folder of its own, and show what it took."""
        with tempfile.TemporaryDirectory() as folder:
            milliseconds = run(Path(folder)) / n_trials * 1e3
        self._cells.setdefault((program, sampler), {})[n_trials] = milliseconds
        print(f"{program:44} {sampler:7} {n_trials:5} trials {milliseconds:8.1f} ms", flush=True)

    def to_markdown(self) -> str:
        """Return the table for RESULTS.md."""
        head = " | ".join(f"{count:,} trials" for count in self._counts)
        lines = [
            f"| ms a trial, no-op evaluation | sampler | {head} |",
            f"| --- | --- |{' ---: |' * len(self._counts)}",
        ]
        for (program, sampler), cells in self._cells.items():
            row = " | ".join(
                f"{cells[count]:.1f}" if count in cells else "-" for count in self._counts
            )
            lines.append(f"| {program} | {sampler} | {row} |")
        return "\n".join(lines)


def machine() -> str:
    """Return what a reader needs to compare."""
    cpu = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = found[1] if found else cpu
    except OSError:
        pass
    versions = ", ".join(f"{name} {version(name)}" for name in ("optuna", "ray", "sqlalchemy"))
    load = os.getloadavg()[0]
    return (
        f"{cpu}, {os.cpu_count()} cores, load {load:.1f} at the start; Python "
        f"{platform.python_version()}, {versions}; {time.strftime('%Y-%m-%d')}."
    )


def write_results(facts: str, table: str) -> None:
    """Replace our section of RESULTS.md."""
    section = (
        f"{TITLE}\n\n`python -m benchmarks.cost.overhead`: ten parameters, three objectives, two "
        f"workers, an evaluation that takes microseconds. `tpe` is multivariate TPE everywhere.\n"
        f"\n{facts}\n\n{table}\n"
    )
    write_section(TITLE, section)


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--samplers", nargs="+", default=["random", "nsga2", "tpe", "gp"])
    parser.add_argument("--tune-trials", type=int, nargs="*", default=[100])
    parser.add_argument("--tune-samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--optuna-samplers", nargs="*", default=["random", "tpe"])
    parser.add_argument("--asking", action="store_true", help="ask large studies instead")
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    options = parser.parse_args()
    for name in {*options.samplers, *options.tune_samplers, *options.optuna_samplers}:
        if name not in SAMPLERS:
            parser.error(f"unknown sampler {name!r}; known: {', '.join(SAMPLERS)}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    if options.asking:
        asking(options.samplers)
        return
    facts = machine()
    print(facts)
    table = Table(sorted({*options.trials, *options.tune_trials}))
    measure_ours(table, options.samplers, options.trials)
    for sampler in options.optuna_samplers:
        for n in options.trials:
            table.measure(
                "Optuna optimize(n_jobs=2), SQLite",
                sampler,
                n,
                partial(optuna_optimize, sampler, n),
            )
    if options.tune_trials:
        with ray_for_tune():
            for sampler in options.tune_samplers:
                for n in options.tune_trials:
                    table.measure(
                        "Ray Tune with OptunaSearch, 2 workers, in memory",
                        sampler,
                        n,
                        partial(ray_tune, sampler, n),
                    )
    print(f"\n{table.to_markdown()}")
    if options.write:
        write_results(facts, table.to_markdown())


def measure_ours(table: Table, samplers: list[str], counts: list[int]) -> None:
    """Measure our driver, with workers on Ray and without."""
    from workers.executors.ray_workers import RayExecutor

    inline = InlineExecutor(evaluate)
    # Workers are replaced every few hundred trials; what that costs belongs to starting up.
    on_ray = RayExecutor(
        make_evaluator, None, n_workers=N_WORKERS, trials_a_worker=sum(counts) * 10
    )
    try:
        for where, executor in (("inline", inline), ("2 Ray workers", on_ray)):
            for is_in_memory in (True, False):
                program = f"ours, {where}, {'in memory' if is_in_memory else 'SQLite'}"
                for sampler in samplers:
                    for n in counts:
                        table.measure(
                            program,
                            sampler,
                            n,
                            partial(ours, sampler, n, executor=executor, in_memory=is_in_memory),
                        )
    finally:
        on_ray.shutdown()


if __name__ == "__main__":
    main()
