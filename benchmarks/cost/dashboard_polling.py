"""What a dashboard that asks all the time costs a search.

python -m benchmarks.cost.dashboard_polling               # three pairs of runs, some ten minutes
python -m benchmarks.cost.dashboard_polling --write       # into RESULTS.md

The same search runs with a dashboard and without, in turns: the same trials in the same order, as
nothing in it depends on how long anything takes. The dashboard is asked for the list of studies
and for the study with all its trials, every ten seconds as its own page does, or as often as
``--every`` says.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.results import write_section

TITLE = "## A dashboard that asks all the time"
STUDY = "fruit"
OPTIONS = (
    *("--sampler", "random", "--seed", "1", "--family", "cnn", "--epochs", "3"),
    *("--no-race", "--no-branch"),
)
EVERY_S = 10.0
_SEARCH = (sys.executable, "-P", "-m", "search")


@dataclass
class Asked:
    """What a dashboard was asked.

    Attributes:
        n_answers: Answers it gave.
        n_errors: Questions without an answer.
        bytes_sent: In all answers.
        slowest_s: Of an answer.
        cpu_s: Processor seconds that it took, its start not counted.
    """

    n_answers: int = 0
    n_errors: int = 0
    bytes_sent: int = 0
    slowest_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Timed:
    """One run.

    Attributes:
        seconds: From its first trial's start to its last one's end.
        trials: What every trial of its own gave, in order: what both runs must have alike.
        asked: Of the dashboard; None for a run without.
    """

    seconds: float
    trials: tuple[str, ...]
    asked: Asked | None = None


@dataclass
class _Poller:
    url: str
    pid: int
    every_s: float = EVERY_S
    asked: Asked = field(default_factory=Asked)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        before = _cpu_seconds(self.pid)
        while not self.over.wait(self.every_s):
            for path in ("/api/studies", "/api/studies/1?after=0", "/api/meta"):
                self._ask(path)
        self.asked.cpu_s = _cpu_seconds(self.pid) - before

    def _ask(self, path: str) -> None:
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                self.asked.bytes_sent += len(answer.read())
            self.asked.n_answers += 1
        except OSError:
            self.asked.n_errors += 1
        self.asked.slowest_s = max(self.asked.slowest_s, time.perf_counter() - began)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def polled(folder: Path, every_s: float) -> Iterator[Asked]:
    """Have a dashboard on a folder's database that is asked all the time, within the block."""
    process = subprocess.Popen(
        [*_SEARCH, "dashboard", "--no-open", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = None
        for line in process.stdout:
            if address := re.search(r"http://[\w.]+:\d+", line):
                break
        if address is None:
            sys.exit("The dashboard did not start.")
        poller = _Poller(address[0], process.pid, every_s)
        thread = threading.Thread(target=poller.run)
        thread.start()
        try:
            yield poller.asked
        finally:
            poller.over.set()
            thread.join()
    finally:
        process.terminate()
        process.wait()


def timed_run(n_trials: int, every_s: float | None) -> Timed:
    """Run the search in a folder of its own.

    Args:
        n_trials: How many trials.
        every_s: Seconds between two questions to a dashboard; None for no dashboard.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*_SEARCH, "run", STUDY, "--trials", str(n_trials), *OPTIONS]
        run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        asked = None
        if every_s is not None:
            while run.poll() is None and not _has_trials(folder / "studies.db"):
                time.sleep(0.5)
            with polled(folder, every_s) as asked:
                run.wait()
        if run.wait() != 0:
            sys.exit("The search failed.")
        trials = _told(folder)
        own = tuple(
            f"{one['trial']} {one['outcome']} {one['accuracy']} {one['size_bytes']}"
            for one in trials
            if one["derived_from"] is None
        )
        return Timed(sum_of_seconds(trials), own, asked)


def _has_trials(database: Path) -> bool:
    """Whether a study has begun; costs next to nothing."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return bool(connection.execute("SELECT 1 FROM trials LIMIT 1").fetchone())
        except sqlite3.OperationalError:  # There is no such table yet.
            return False


def sum_of_seconds(trials: list[dict[str, str]]) -> float:
    """Return the seconds from the first start to the last end of some trials."""
    starts = [time.mktime(_parsed(one["started"])) for one in trials if one["started"]]
    ends = [time.mktime(_parsed(one["ended"])) for one in trials if one["ended"]]
    return max(ends) - min(starts)


def _parsed(moment: str) -> time.struct_time:
    return time.strptime(moment, "%Y-%m-%dT%H:%M:%S")


def _told(folder: Path) -> list[dict[str, str]]:
    done = subprocess.run(
        [*_SEARCH, "trials", STUDY, "--json"], cwd=folder, capture_output=True, text=True
    )
    trials: list[dict[str, str]] = (
        json.loads(done.stdout)["trials"] if done.returncode == 0 else []
    )
    return trials


def section(pairs: list[tuple[Timed, Timed]], n_trials: int, every_s: float) -> str:
    """Return what was measured, for RESULTS.md."""
    ratios = [polling.seconds / plain.seconds for plain, polling in pairs]
    rows = []
    for plain, polling in pairs:
        asked = polling.asked
        assert asked is not None
        alike = sum(a == b for a, b in zip(plain.trials, polling.trials, strict=True))
        rows.append(
            f"| {plain.seconds:.0f} | {polling.seconds:.0f} | "
            f"{100 * (polling.seconds / plain.seconds - 1):+.1f} % | {asked.n_answers:,} | "
            f"{asked.n_errors} | {asked.slowest_s:.2f} | "
            f"{100 * asked.cpu_s / polling.seconds / (os.cpu_count() or 1):.1f} % | "
            f"{alike} of {len(plain.trials)} |"
        )
    load = os.getloadavg()[0]
    return "\n".join(
        [
            TITLE,
            "",
            f"`python -m benchmarks.cost.dashboard_polling`: `search run {STUDY} --trials "
            f"{n_trials} {' '.join(OPTIONS)}`",
            "with two workers, in turns without a dashboard and with one that is asked for the "
            f"study and all its trials every {every_s:g} s.",
            f"{os.cpu_count()} cores, load {load:.1f} at the end; "
            f"{time.strftime('%Y-%m-%d')}. Median of the ratios: "
            f"{100 * (statistics.median(ratios) - 1):+.1f} %.",
            "",
            "| without, s | with, s | more | answers | errors | slowest, s | of all CPU time "
            "| trials alike |",
            "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *rows,
        ]
    )


def main() -> None:
    """Measure, and print or write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between questions")
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    pairs = []
    for number in range(arguments.pairs):
        order = (None, arguments.every) if number % 2 == 0 else (arguments.every, None)
        runs = {each: timed_run(arguments.trials, each) for each in order}
        pairs.append((runs[None], runs[arguments.every]))
        print(section(pairs, arguments.trials, arguments.every), flush=True)
    if arguments.write:
        write_section(TITLE, section(pairs, arguments.trials, arguments.every))


if __name__ == "__main__":
    main()
