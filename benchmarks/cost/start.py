"""From the command ``search run`` to its first training: when what is there, and what it cost.

The real command runs as a process on a folder of generated pictures, with two trials of one epoch,
in a temporary folder. With ``--against`` another checkout, with a ``.venv`` of its own, runs in
turns with this one. The cache is empty (``cold``) or holds data and description (``warm``).

Moments are told from outside, so that any version can be measured: by what the command writes, by
its processes, and by what the database says of its first trial.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from benchmarks.cost.overhead import machine
from benchmarks.results import write_section

HEADING = "## Start of a run"
ROOT = Path(__file__).parents[2]
N_PICTURES = {"train": 240}
MOMENTS = {
    "prepared": "task and data prepared",
    "ray": "Ray's first worker process",
    "ready": "workers ready",
    "training": "first training begins",
    "cpu": "processor seconds until workers are ready",
}
"""What is measured, in seconds from the command on, and what it is called in the table."""

POLL_S = 0.1

_WORKERS = (b"ray::IDLE", b"ray::Worker")

Found = Mapping[str, float]


def draw_folder(folder: Path) -> Path:
    """Draw pictures into a folder of class folders."""
    from PIL import Image

    from spaces.drawn_fruit.pictures import FRUIT_LABELS, draw_fruit_pictures

    for images, labels in draw_fruit_pictures(N_PICTURES).values():
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / FRUIT_LABELS[int(label)] / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place)
    return folder


def one_start(checkout: Path, pictures: Path, cache: Path, workers: int) -> Found:
    """Run the command once and return its moments."""
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "studies.db"
        words = f"run fruit --trials 2 --epochs 1 --workers {workers} --fix family=cnn"
        began, clock = time.time(), time.monotonic()
        process = subprocess.Popen(
            [str(checkout / ".venv/bin/search"), *words.split()]
            + ["--data", str(pictures), "--storage", str(database)],
            cwd=name,
            env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        found: dict[str, float] = {}
        watch = threading.Thread(target=_watch_ray, args=(process, clock, found), daemon=True)
        watch.start()
        said = []
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("starting workers: done"):
                found["ready"] = time.monotonic() - clock
                found["cpu"] = _cpu_of_tree(process.pid)
            elif line.startswith("starting workers"):
                found["prepared"] = time.monotonic() - clock
        if process.wait() != 0:
            raise SystemExit(f"search run ended with {process.returncode}:\n{''.join(said)}")
        watch.join()
        found["training"] = _first_training(database) - began
        return found


def compare(
    checkouts: Mapping[str, Path], rounds: int, workers: int, caches: Sequence[str]
) -> dict[str, dict[str, list[Found]]]:
    """Run all checkouts in turns.

    Returns:
        What was found, by ``cold`` or ``warm``, then by the checkout's name.
    """
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_folder(Path(folder) / "pictures")
        found: dict[str, dict[str, list[Found]]] = {
            state: {name: [] for name in checkouts} for state in caches
        }
        for turn in range(rounds):
            for name, checkout in checkouts.items():
                for state in caches:
                    kept = f"cold-{turn}" if state == "cold" else "warm"
                    cache = Path(folder) / name / kept
                    if state == "warm" and not cache.exists():  # Fills it.
                        one_start(checkout, pictures, cache, workers)
                    one = one_start(checkout, pictures, cache, workers)
                    found[state][name].append(one)
                    print(turn, name, state, json.dumps({k: round(v, 2) for k, v in one.items()}))
        return found


def to_markdown(found: Mapping[str, Mapping[str, Sequence[Found]]]) -> str:
    """Return a table of medians, and with two checkouts of the medians of paired ratios."""
    names = list(next(iter(found.values())))
    is_paired = len(names) == 2
    head = ["cache", "seconds from the command on", *names, *(["ratio"] if is_paired else [])]
    lines = [f"| {' | '.join(head)} |", f"| --- | --- |{' ---: |' * (len(head) - 2)}"]
    for state, by_name in found.items():
        for key, what in MOMENTS.items():
            # Workers that wait for the task, and not it for them, are not told of.
            if not all(key in one for several in by_name.values() for one in several):
                continue
            columns = [[one[key] for one in by_name[name]] for name in names]
            cells = [f"{statistics.median(column):.1f}" for column in columns]
            if is_paired:
                ratios = [after / before for before, after in zip(*columns, strict=True)]
                cells.append(f"{statistics.median(ratios):.2f}")
            lines.append(f"| {state} | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _watch_ray(process: subprocess.Popen[str], clock: float, found: dict[str, float]) -> None:
    """Note when the command's first process of Ray's workers is there."""
    while process.poll() is None:
        for pid in _tree(process.pid):
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(_WORKERS):
                    found["ray"] = time.monotonic() - clock
                    return
        time.sleep(POLL_S)


def _tree(root: int) -> list[int]:
    """Return a process and all that it started."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(word) for word in children.read_text().split()]
    return found


def _cpu_of_tree(root: int) -> float:
    """Return the processor seconds of a process and of all that it started."""
    total = 0
    for pid in _tree(root):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])  # Two of them of those that ended.
    return total / os.sysconf("SC_CLK_TCK")


def _first_training(database: Path) -> float:
    """Return when the first training began, in seconds since the epoch: after the gate."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT t.datetime_start, a.value_json FROM trials t JOIN trial_user_attributes a "
            "ON a.trial_id = t.trial_id WHERE a.key = 'seconds'"
        ).fetchall()
    return min(
        datetime.fromisoformat(start).timestamp() + float(json.loads(seconds)["gate"])
        for start, seconds in rows
        if "train" in json.loads(seconds)
    )


def main() -> None:
    """Measure, print, and write the section if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout with its own .venv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--caches", nargs="+", choices=("cold", "warm"), default=("cold", "warm"))
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    args = parser.parse_args()
    checkouts = {"now": ROOT}
    if args.against is not None:
        checkouts = {"before": args.against.absolute(), **checkouts}
    head = f"{machine()}; {args.workers} workers, medians of {args.rounds} rounds in turns."
    table = to_markdown(compare(checkouts, args.rounds, args.workers, args.caches))
    print(f"{head}\n\n{table}")
    if args.write:
        what = (
            "`python -m benchmarks.cost.start`: `search run fruit` on 240 generated pictures in a "
            "folder; cold: with an empty cache."
        )
        write_section(HEADING, f"{HEADING}\n\n{what}\n\n{head}\n\n{table}\n")


if __name__ == "__main__":
    main()
