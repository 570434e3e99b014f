"""How soon ``search run`` has the front that other programs have in the end.

On one task, with one space, the same epochs and the same number of workers, for several seeds:

    random          random search
    optuna-tpe      plain Optuna, multivariate TPE, on Ray actors; each trial a full training
    optuna-nsga2    the same with NSGA-II
    tune            Ray Tune with OptunaSearch over the three objectives, actors reused
    tune-asha       the same, and ASHA ends trials by their accuracy
    kerastuner      KerasTuner's Hyperband on accuracy, then a grid of pruning and quantization
    random-best, optuna-tpe-best, optuna-nsga2-best
                    plain loops at their best: our start design, every training measured under all
                    schemes, the sampler told logarithms
    search          this program
    search-nsga2, search-tpe, search-random
                    the same around a library's sampler (by --methods only)

    python -m benchmarks.efficiency --task mnist --train-images 12000 --epochs 6 --seeds 0,1,2
    python -m benchmarks.efficiency --task mnist --seconds 60      # as many seconds for each
    python -m benchmarks.efficiency --task mnist --ablate all      # also with parts switched off
    python -m benchmarks.efficiency --task mnist --report          # table and plot of what ran
    python -m benchmarks.efficiency --task mnist --pack runs.gz    # its runs in one file
    python -m benchmarks.efficiency --task mnist --report --out runs.gz

Every run leaves a file in ``--out``, and the same command goes on where it was interrupted. Each
runs in a process of its own, and its clock starts when its workers have imported TensorFlow.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before anything imports numpy: two workers and a driver share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # KerasTuner imports TensorFlow here.

import numpy as np

from benchmarks.efficiency.jobs import CHECKOUT, Job, run_apart
from benchmarks.efficiency.methods import OTHER_SAMPLERS, PEERS, SEARCH
from benchmarks.efficiency.report import write_report
from benchmarks.efficiency.runs import (
    Run,
    Setting,
    curve_of,
    load_runs,
    pack_runs,
    packed_runs,
    read_run,
    run_path,
    save_run,
)
from benchmarks.efficiency.search_runs import variants
from spaces.data.dataset import Split
from spaces.errors import SearchError
from workers.messages.result import TaskInfo
from workers.trial.prepare import prepare_task

MANY_TRIALS = 10_000
"""More than any program begins in the seconds that it has."""


# --- Data ---------------------------------------------------------------------------------


def subset_file(
    task: str,
    data: Path | None,
    n_train: int | None,
    n_val: int | None,
    folder: Path,
    n_test: int | None = None,
) -> Path | None:
    """Return data with fewer images, as a file that every program reads; ``data`` if all count.

    Images are picked at random, the same ones every time: those of a folder are sorted.
    """
    if n_train is None and n_val is None and n_test is None:
        return data
    _, dataset = prepare_task(task, data)
    arrays: dict[str, Any] = {"class_names": np.array(dataset.class_names)}
    wanted = {"train": n_train, "val": n_val, "test": n_test}
    for name, n in wanted.items():
        split: Split = getattr(dataset, name)
        picked = np.random.default_rng(0).permutation(len(split))[:n]
        arrays[f"x_{name}"], arrays[f"y_{name}"] = split.images[picked], split.labels[picked]
    folder.mkdir(parents=True, exist_ok=True)
    numbers = "-".join(str(n or "all") for n in wanted.values())
    path = folder / f"{dataset.fingerprint}-{numbers}.npz"
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(part, **arrays)
    part.replace(path)
    return path


def describe(args: argparse.Namespace, info: TaskInfo, whole: TaskInfo) -> Setting:
    """Return what all runs of this command have in common."""
    generated = "generated pictures" if whole.generated else ""
    name = whole.data_name
    return Setting(
        task=info.name,
        data=name if not generated or generated in name else f"{name} ({generated})",
        data_fingerprint=info.data_fingerprint,
        n_classes=len(info.class_names),
        n_train=info.n_train,
        n_val=info.n_val,
        epochs=args.epochs or info.epochs,
        trials=args.trials,
        workers=args.workers,
        fixed=", ".join(f"{name}={value}" for name, value in args.fix.items()),
        seconds=args.seconds,
        n_test=info.n_test,
    )


# --- Command ------------------------------------------------------------------------------


def search_budget_s(runs: Sequence[Run], setting: Setting) -> float | None:
    """Return the median seconds of the peers that ran; None if none did."""
    seconds = [
        run.events[-1].seconds
        for run in runs
        if run.method in PEERS and run.setting == setting and run.events
    ]
    return statistics.median(seconds) if seconds else None


def measure(args: argparse.Namespace) -> int:
    """Run what has no file yet; return how many runs came to nothing."""
    n_failed = 0
    out: Path = args.out
    whole, _ = prepare_task(args.task, args.data)
    numbers = args.train_images, args.val_images
    data = subset_file(args.task, args.data, *numbers, out / "data", args.test_images)
    info = whole if data == args.data else prepare_task(args.task, data)[0]
    setting = describe(args, info, whole)
    for seed in args.seeds:
        for method in args.methods:
            path = run_path(out, setting.task, method, seed)
            if path.exists():
                check_setting(path, setting)
                continue
            print(f"{setting.task} {method} seed {seed} ...", end=" ", flush=True)
            runs = load_runs(out, setting.task)
            job = job_of(args, setting, data, method, seed, search_budget_s(runs, setting))
            try:
                run = run_apart(job)
            except Exception as error:
                # One program's crash shall not cost the hours of all others.
                print(f"failed: {type(error).__name__}: {error}", flush=True)
                n_failed += 1
                continue
            print(summary(run), flush=True)
            if run.events or setting.seconds is not None:  # Nothing in its time is what it has.
                save_run(run, path)
            else:
                n_failed += 1
    return n_failed


def job_of(
    args: argparse.Namespace,
    setting: Setting,
    data: Path | None,
    method: str,
    seed: int,
    peers_s: float | None,
) -> Job:
    """Return a run, with what options say of search for search only.

    Args:
        args: The command's.
        setting: What all runs have in common.
        data: What is trained on.
        method: Which program.
        seed: Of it.
        peers_s: What its peers took; None if none ran.
    """
    job = Job(setting, args.task, data, method, seed, setting.seconds, fix=args.fix)
    if method in PEERS:
        return job
    given_s = peers_s if args.budget_s is None else args.budget_s
    budget_s = given_s if setting.seconds is None else setting.seconds
    return replace(job, budget_s=budget_s, search_trials=args.search_trials)


def check_setting(path: Path, setting: Setting) -> None:
    """Refuse to mix runs that cannot be compared."""
    found = read_run(path).setting
    if found != setting:
        raise SearchError(
            f"All runs in one folder must have one setting, but {path} was made with {found} and "
            f"this command asks for {setting}. Use another --out."
        )


def summary(run: Run) -> str:
    """Say in one line how a run ended."""
    curve = curve_of(run)
    if not run.events:
        return "nothing came back"
    without = [event.reason for event in run.events if not event.points]
    reasons = f"; {len(without)} without a point ({without[-1][:120]})" if without else ""
    return (
        f"hypervolume {curve.final:.4f}, {curve.trainings[-1]:.0f} trainings, "
        f"{curve.branches[-1]:.0f} branches, {curve.epochs[-1]:.0f} epochs, "
        f"{curve.points[-1]:.0f} points, {curve.seconds[-1]:.0f} s after {run.setup_s:.0f} s "
        f"of set-up{reasons}"
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.efficiency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--data", type=Path, help="as `search run --data`")
    parser.add_argument(
        "--trials",
        type=int,
        help=f"of each program (default 100; with --seconds, {MANY_TRIALS:,})",
    )
    parser.add_argument("--seconds", type=float, help="of each program, from ready workers on")
    parser.add_argument(
        "--search-trials", type=int, help="of search; default: as many as the others'"
    )
    parser.add_argument(
        "--budget-s", type=float, help="of search; default: the median of the peers that ran"
    )
    parser.add_argument(
        "--fix", action="append", default=[], metavar="NAME=VALUE", help="as `search run --fix`"
    )
    parser.add_argument("--epochs", type=int, help="of a full training; default: the task's")
    parser.add_argument("--train-images", type=int, help="take so many of them at random")
    parser.add_argument("--val-images", type=int, help="take so many of them at random")
    parser.add_argument("--test-images", type=int, help="take so many of them at random")
    parser.add_argument("--seeds", default="0,1,2", help="separated by commas (default 0,1,2)")
    parser.add_argument("--workers", type=int, default=2, help="side by side (default 2)")
    parser.add_argument("--methods", default=",".join((*PEERS, SEARCH)), help="by commas")
    parser.add_argument(
        "--ablate", default="", help="parts of search to switch off, by commas; or all"
    )
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "efficiency")
    parser.add_argument("--report", action="store_true", help="write table and plot of all runs")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="write the task's runs there")
    args = parser.parse_args(arguments)
    if args.trials is None:
        args.trials = 100 if args.seconds is None else MANY_TRIALS
    if args.seconds is not None and not 0 < args.seconds < math.inf:
        parser.error(f"--seconds must be above 0, but got {args.seconds:g}")
    if wrong := [text for text in args.fix if "=" not in text]:
        parser.error(f"--fix takes NAME=VALUE, but got {wrong[0]!r}")
    args.fix = dict(text.split("=", 1) for text in args.fix)
    try:
        args.seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds takes whole numbers with commas between, but got {args.seeds!r}")
    args.methods = [name for name in args.methods.split(",") if name]
    known = (*PEERS, SEARCH, *OTHER_SAMPLERS)
    for name in args.methods:
        if name not in known:
            parser.error(f"unknown method {name!r}; known: {', '.join(known)}")
    args.methods += chosen_variants(args.ablate)
    return args


def chosen_variants(ablate: str) -> list[str]:
    """Return the methods with parts off, as far as this version of ``search`` can do without."""
    available = variants()
    if ablate == "all":
        return list(available)
    chosen = [f"search-no-{part.replace('_', '-')}" for part in ablate.split(",") if part]
    for method in chosen:
        if method not in available:
            print(f"{method}: skipped, as run_study has no such switch", file=sys.stderr)
    return [method for method in chosen if method in available]


def main() -> None:
    """Measure, or report what was measured."""
    args = parse()
    if args.report or args.pack:
        read = packed_runs if args.out.is_file() else load_runs
        try:
            runs = read(args.out, args.task)
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.exit(f"efficiency: {args.out} holds no runs of this benchmark ({error}).")
        if not runs:
            sys.exit(f"efficiency: There are no runs of task {args.task} in {args.out}.")
        if args.pack:
            pack_runs(runs, args.pack)
        if args.report:
            write_report(runs)
        return
    try:
        n_failed = measure(args)
    except SearchError as error:
        sys.exit(f"efficiency: {error}")
    if n_failed:
        sys.exit(f"efficiency: {n_failed} runs came to nothing; the same command tries them again")


if __name__ == "__main__":
    main()
