"""Search on recorded trainings under a simulated clock: policies compared in seconds.

python -m benchmarks.replay run runs.jsonl --seeds 30     # goes on where it stopped
python -m benchmarks.replay tables runs.jsonl             # of seeds that ran on all data
python -m benchmarks.replay errors                        # of the surrogates, held out
python -m benchmarks.replay intervals                     # of the errors that gp guesses
python -m benchmarks.replay prunings                      # what they changed, as recorded
python -m benchmarks.replay race                          # the race alone, on recorded trainings

The clock counts what trainings took when they were recorded, and not what it takes to ask.
Optuna's GPSampler needs torch, which is none of our dependencies (pip install torch): without it,
it is skipped.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from benchmarks.replay.peers import missing_for
from benchmarks.replay.policies import ALL, SAMPLERS, parts, peers
from benchmarks.replay.recordings import DATA, Recording
from benchmarks.replay.runs import complete_seeds, read_lines, run_all
from benchmarks.replay.tables import (
    difference_table,
    error_table,
    interval_table,
    policy_table,
    pruning_table,
    race_table,
    sooner_table,
)

NAMES = tuple(sorted(path.name.removesuffix(".json") for path in DATA.glob("*.json")))


def _run(args: argparse.Namespace) -> None:
    samplers = {policy.name: policy.sampler for policy in ALL}
    policies = []
    for name in args.policies:
        if missing := missing_for(samplers[name]):
            print(f"Skipped: {name}. It needs {missing}.", file=sys.stderr)
        else:
            policies.append(name)
    jobs = [
        (name, policy, seed, args.trainings, args.rows, args.nearest)
        for seed in range(args.seeds)
        for name in args.data
        for policy in policies
    ]
    run_all(jobs, args.file, args.processes)


def _tables(args: argparse.Namespace) -> None:
    policies = [
        p for p in args.policies if any(p == line["policy"] for line in read_lines(args.file))
    ]
    lines = complete_seeds(read_lines(args.file), policies)
    names = sorted({line["data"] for line in lines})
    for name in names:
        seconds = statistics.fmean(line["seconds"] for line in lines if line["data"] == name)
        print(f"{name}, {seconds:.0f} simulated seconds:\n")
        print(policy_table(lines, name, policies) + "\n")
    print(difference_table(lines, names, policies, args.than) + "\n")
    others = [policy for policy in policies if policy in {one.name for one in peers()}]
    print(sooner_table(lines, names, others, args.than))


def main() -> None:
    """Replay, or print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    every = [policy.name for policy in ALL]
    usual = [policy.name for policy in (*SAMPLERS, *peers(), *parts("gp"))]
    run = commands.add_parser("run", help="replay searches, and keep them in a file")
    run.set_defaults(does=_run)
    run.add_argument("--seeds", type=int, default=30)
    run.add_argument("--processes", type=int, default=2)
    run.add_argument("--trainings", type=int, default=30, help="a plain loop has time for so many")
    run.add_argument("--rows", type=int, default=None, help="of each recording, the first ones")
    run.add_argument("--nearest", action="store_true", help="recorded answers, no surrogate's")
    tables = commands.add_parser("tables", help="print the tables of a file of runs")
    tables.set_defaults(does=_tables)
    tables.add_argument("--than", default="search, gp", choices=every)
    errors = commands.add_parser("errors", help="print how well surrogates foretell")
    errors.set_defaults(does=lambda args: print(error_table(_recordings(args))))
    intervals = commands.add_parser("intervals", help="print how often guesses of errors hold")
    intervals.set_defaults(does=lambda args: print(interval_table(_recordings(args))))
    prunings = commands.add_parser("prunings", help="print what recorded prunings changed")
    prunings.set_defaults(does=lambda args: print(pruning_table(_recordings(args))))
    race = commands.add_parser("race", help="print what the race saves and loses")
    race.set_defaults(does=lambda args: print(race_table(_recordings(args), args.orders)))
    race.add_argument("--orders", type=int, default=20)
    for command in (run, tables):
        command.add_argument("file", type=Path, help="where runs are, one a line")
        command.add_argument("--policies", nargs="*", default=usual, choices=every, metavar="P")
    for command in (run, errors, intervals, prunings, race):
        command.add_argument("--data", nargs="*", default=list(NAMES), choices=NAMES)
    args = parser.parse_args()
    args.does(args)


def _recordings(args: argparse.Namespace) -> list[Recording]:
    return [Recording.load(name) for name in args.data]


if __name__ == "__main__":
    main()
