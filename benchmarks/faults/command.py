"""Hurt a search at random moments, many times over, and count what is lost.

python -m benchmarks.faults                               # 1,000 faults, some twenty minutes
python -m benchmarks.faults --faults 50 --seed 7          # others
python -m benchmarks.faults --minutes 40                  # as many as fit
python -m benchmarks.faults ray --faults 20               # Ray itself, and its own workers
python -m benchmarks.faults postgres --faults 50          # a database server
python -m benchmarks.faults --write                       # into RESULTS.md
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.faults.ground import FORKED, Ground
from benchmarks.faults.injection import TARGET, inject, table
from benchmarks.faults.postgres_kinds import postgres
from benchmarks.faults.ray_kinds import RAY
from benchmarks.results import RESULTS, write_section
from tests.postgres_server import PrivateServer, server_programs


@dataclass(frozen=True)
class Series:
    """What a subcommand runs.

    Attributes:
        title: Of its section.
        about: What is hurt, and how, in a sentence or two.
        n_faults: Unless said otherwise.
        target: Trials of each study, unless said otherwise.
    """

    title: str
    about: str
    n_faults: int
    target: int


SERIES = {
    "": Series(
        "## Faults, injected and counted",
        "`search run` on a task of formulas with two worker processes, hurt once a start at a "
        "random moment, and then typed again until its {target} trials are there; the whole "
        "product but the preparation of data and the training is under test.",
        1000,
        TARGET,
    ),
    "ray": Series(
        "## Faults of Ray, injected and counted",
        "`search run` with the product's own executor on a Ray of its own, two workers and trials "
        "of formulas that sleep 0.1 to 0.3 s, hurt once a start, and then typed again until its "
        "{target} trials are there.",
        20,
        16,
    ),
    "postgres": Series(
        "## Faults of a database server, injected and counted",
        "`search run` on a task of formulas with two forked workers, its study on a private "
        "PostgreSQL server, hurt once a start, and then typed again until its {target} trials are "
        "there. A driver's sign of life counts for 1.5 s in place of a minute.",
        50,
        TARGET,
    ),
}

WIDTH = 110

CHECKED = """After each fault the study is opened by plain Optuna: every trial that the
driver had acknowledged (written down elsewhere, synced) must be there once with its values and
derived trials, nothing running after a clean end, parents there, no configuration twice, models
of the front with their hashes, no file without an owner, attempts equal to the target, one line
for an error."""


def main() -> None:
    """Inject faults, and print or write what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", nargs="?", choices=sorted(SERIES), default="", help="what is hurt")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--minutes", type=float, default=math.inf, help="fewer faults if over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", type=int, help="trials of each study")
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    args = parser.parse_args()
    series: Series = SERIES[args.what]
    n_faults, target = args.faults or series.n_faults, args.target or series.target
    began = time.monotonic()
    # Short: a socket's path has at most some hundred bytes.
    place = Path(tempfile.mkdtemp(prefix="f-" if args.what else "search-faults-"))
    os.environ["TMPDIR"] = str(place)
    tempfile.tempdir = str(place)
    with contextlib.ExitStack() as stack:
        ground: Ground = FORKED
        if args.what == "ray":
            ground = RAY
        elif args.what == "postgres":
            programs = server_programs()
            if programs is None:
                parser.error(
                    "PostgreSQL's server is missing: scripts/install-test-system-packages"
                )
            ground = postgres(stack.enter_context(PrivateServer(programs)))
        tally = inject(
            n_faults,
            args.seed,
            place,
            target=target,
            seconds=60 * args.minutes,
            ground=ground,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    n_bad = len(tally.losses) + len(tally.problems)
    words = " ".join(filter(None, ("python -m benchmarks.faults", args.what)))
    asked = f"`{words} --faults {n_faults} --seed {args.seed}`"
    about = f"{asked}: {series.about.format(target=target)} {' '.join(CHECKED.split())}"
    counts = (
        f"{sum(tally.by_kind.values()):,} faults, {tally.n_studies} studies, {tally.n_trials:,} "
        f"acknowledged trials: **{len(tally.losses)} lost, {len(tally.problems)} other "
        f"findings**, {time.monotonic() - began:,.0f} s on {os.cpu_count()} cores at a load of "
        f"{os.getloadavg()[2]:.0f}, {date.today()}."
    )
    parts = (textwrap.fill(about, WIDTH), textwrap.fill(counts, WIDTH), table(tally, ground))
    section = "\n\n".join((series.title, *parts)) + "\n"
    print(section)
    if args.write:
        write_section(series.title, section)
    if n_bad:
        print(f"What is left of the studies concerned: {place}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
