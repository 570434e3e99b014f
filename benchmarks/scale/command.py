"""What load costs: 64 workers on one driver, and studies of up to 100,000 trials.

python -m benchmarks.scale workers                     # 64 workers, trials of one second, 1,000
python -m benchmarks.scale workers --workers 16 --trials 100 --seconds 0.5 --sampler gp
python -m benchmarks.scale sqlite                      # 100, 1,000 and 10,000 trials
python -m benchmarks.scale postgres                    # up to 100,000, on a server of its own
python -m benchmarks.scale postgres --sizes 100 1000 --storage postgresql+psycopg://...
python -m benchmarks.scale versions OLD NEW            # two checkouts, beside each other

Each prints its table; with ``--write`` it also goes into RESULTS.md, where the tables of the
others stay. A study of the name ``analytic`` must not be in the database named by ``--storage``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.efficiency.runs import machine
from benchmarks.results import RESULTS, section_at, write_section
from benchmarks.scale.figures import (
    Load,
    costs_table,
    load_table,
    parts_of,
    section_of,
    too_fast,
)
from benchmarks.scale.growth import N_TIMED, NAME, growing
from benchmarks.scale.load import run_load
from benchmarks.scale.versions import Turns, by_turns, version_of, versions_table
from search.storage.settings import StudySettings
from tests.postgres_server import postgres_server, server_programs
from tests.search_tests import analytic

TITLE = "## Load"
OPENING = (
    "A task of formulas (`tests/search_tests/analytic.py`) with gate, race and branches on.\n"
    "Trials count with those derived from them, but for those of the first table."
)
PARTS = {
    "workers": "Many workers",
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "versions": "Beside an earlier version",
}
"""Titles of the parts, by command."""

SIZES = {"sqlite": (100, 1000, 10_000), "postgres": (100, 1000, 10_000, 100_000)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one part, and print or write it."""
    args = _parsed(arguments)
    made: dict[str, Callable[[argparse.Namespace], str]] = {
        "workers": _workers,
        "versions": _versions,
    }
    text = made.get(args.part, _sizes)(args)
    print(text)
    if args.write:
        write_part(args.part, text)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="part", required=True)
    workers = commands.add_parser("workers", help="many workers on one driver")
    workers.add_argument("--workers", type=int, default=64)
    workers.add_argument("--seconds", type=float, default=1.0, help="that a trial takes")
    workers.add_argument("--trials", type=int, default=1000)
    for part, sizes in SIZES.items():
        growth = commands.add_parser(part, help=f"a growing study on {PARTS[part]}")
        growth.add_argument("--sizes", type=int, nargs="+", default=sizes)
        if part == "postgres":
            growth.add_argument("--storage", help="URL of a server that runs already")
    for command in list(commands.choices.values()):
        command.add_argument("--sampler", nargs="+", default=["random"])
    versions = commands.add_parser("versions", help="two checkouts with equal dependencies")
    versions.add_argument("old", type=Path)
    versions.add_argument("new", type=Path)
    versions.add_argument("--trials", type=int, nargs="+", default=[100, 1000])
    versions.add_argument("--rounds", type=int, default=3)
    for command in commands.choices.values():
        command.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    return parser.parse_args(arguments)


def _settings(sampler: str) -> StudySettings:
    return StudySettings(NAME, analytic.task_info(), sampler=sampler, seed=1)


def _workers(args: argparse.Namespace) -> str:
    """Return the part of many workers."""
    found: list[Load] = []
    where = machine()
    for sampler in args.sampler:
        found.append(
            run_load(
                _settings(sampler),
                n_workers=args.workers,
                seconds=args.seconds,
                n_trials=args.trials,
            )
        )
        print(load_table(found[-1:]).splitlines()[-1], flush=True)
    words = f"--workers {args.workers} --seconds {args.seconds:g} --trials {args.trials}"
    return f"""\
`python -m benchmarks.scale workers {words} --sampler {" ".join(args.sampler)}`:
the driver of `search run` with Ray's workers on SQLite; a trial sleeps for {args.seconds:g} s.
Time is from the start of the first trial to the submission of the last one. Workers were busy for
the seconds within trials, as they measured them in that time, divided by ({args.workers} workers x
that time).

{_where(where)}

{load_table(found)}"""


def _sizes(args: argparse.Namespace) -> str:
    """Return the part of a growing study."""
    [sampler] = args.sampler
    where = machine()
    found = []
    with _database(args) as storage:
        for costs in growing(storage, _settings(sampler), sorted(args.sizes)):
            found.append(costs)
            print(costs_table(found[-1:]).splitlines()[-1], flush=True)
    slow = too_fast(found)
    verdict = (
        "Nothing grows faster than n log n."
        if not slow
        else (f"Faster than n log n grows: {'; '.join(slow)}.")
    )
    words = " ".join(str(size) for size in sorted(args.sizes))
    return f"""\
`python -m benchmarks.scale {args.part} --sizes {words} --sampler {sampler}`:
ask and tell are medians of the last {N_TIMED} trainings before each size, with their commits;
opening, front and report are each by a fresh process, imports left out. Memory is the peak of a
process. An exponent is log(ratio of costs) / log(ratio of trials); of ask and tell, of their sum.

{_where(where)}

{costs_table(found)}

{verdict}"""


def _versions(args: argparse.Namespace) -> str:
    where = machine()
    found: list[Turns] = []
    for n_trials in args.trials:
        found.append(by_turns(args.old, args.new, n_trials, args.rounds))
        print(versions_table(found[-1:]), flush=True)
    words = " ".join(str(n_trials) for n_trials in args.trials)
    return f"""\
`python -m benchmarks.scale versions OLD NEW --trials {words} --rounds {args.rounds}`:
{version_of(args.old)} (old) and {version_of(args.new)} (new) by turns, random sampler on SQLite.
Medians of processor time, which other work on the machine is no part of; a training is asked and
told with its commits, a mean over all; ratios are of a round each, with the least and the largest.

{_where(where)}

{versions_table(found)}"""


def _where(found: dict[str, str]) -> str:
    return (
        f"{found['cpu']}, load {found['load']} at the start; Python {found['python']}; "
        f"{found['date']}."
    )


@contextmanager
def _database(args: argparse.Namespace) -> Iterator[str]:
    """Give the database of a growing study."""
    if args.part == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder) / "studies.db")
        return
    if args.storage:
        yield args.storage
        return
    programs = server_programs()
    if programs is None:
        raise SystemExit(
            "There must be a PostgreSQL server: install one (scripts/install-test-system-packages)"
            ", or name one that runs with --storage."
        )
    with postgres_server(programs, is_durable=True) as url:
        yield url


def write_part(part: str, text: str, results: Path = RESULTS) -> None:
    """Put one part into its section, and leave the others as they are."""
    parts = {**parts_of(section_at(TITLE, results)), PARTS[part]: text}
    write_section(TITLE, section_of(TITLE, OPENING, parts, list(PARTS.values())), results)


if __name__ == "__main__":
    main()
