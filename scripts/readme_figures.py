"""Remake the picture and the figures that README and docs/how.md quote, of the code as it is.

python scripts/readme_figures.py                         # runs the main job, 7 to 30 minutes
python scripts/readme_figures.py --storage studies.db --commit 1a2b3c4    # of a run that is there
python scripts/readme_figures.py --text                  # the texts alone, of docs/figures.json
python scripts/readme_figures.py --check                 # exit code 1 where one is another, or old

What was measured goes into ``docs/figures.json`` with the commit and the version that it is of,
the picture into ``docs/front.png``, the sentences between ``<!-- figures ... -->`` marks. How many
times sooner comes from the tables of ``benchmarks/RESULTS.md``, which ``python -m
benchmarks.replay`` makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIGURES = Path("docs", "figures.json")
PICTURE = Path("docs", "front.png")
STUDY = "fruit"
N_TRIALS = 100
BUDGET_BYTES = 32_000
"""The baseline is compared with the best model of so many bytes."""
RESULTS = Path("benchmarks", "RESULTS.md")
PAGES = (Path("README.md"), Path("docs", "how.md"))
_CORES = {2: "two", 4: "four", 8: "eight"}
_PEERS = {
    "Optuna random": "random",
    "Optuna tpe": "TPE",
    "Optuna nsga2": "NSGA-II",
    "Optuna nsga3": "NSGA-III",
    "Optuna gp": "GPSampler",
    "MO-ASHA": "MO-ASHA",
}
_MARKED = re.compile(r"(<!-- figures: (\w+) -->\n).*?(\n<!-- /figures -->)", re.DOTALL)
_DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
_LIVE = re.compile(r"^## Efficiency: (\w+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| (Optuna \w+|MO-ASHA)(, at its best)? \|(.*)\|$", re.MULTILINE)


def main_job(storage: Path, commit: str, root: Path = ROOT) -> dict[str, Any]:
    """Return what a finished run of the main job gave, and draw its front.

    Args:
        storage: Database with the study ``fruit``, of this machine.
        commit: Whose code it was made with.
        root: Checkout into which the picture goes.
    """
    printed = _search("front", STUDY, "--storage", f"sqlite:///{storage}", "--json")
    front = json.loads(printed)
    told = json.loads(_search("trials", STUDY, "--storage", f"sqlite:///{storage}", "--json"))
    if front["n_trials"] < front["n_target"]:
        sys.exit(f"The run has {front['n_trials']} of {front['n_target']} trials; let it end.")
    within = next(row for row in front["budgets"] if row["max_bytes"] == BUDGET_BYTES)
    accuracy, size_bytes = front["baseline"]["values"][:2]
    if any(trial["outcome"] == "interrupted" for trial in told["trials"]):
        sys.exit("The run was interrupted, so that its minutes say nothing; run it anew.")
    _draw(printed, root / PICTURE, commit)
    return {
        "commit": commit,
        "version": _version(root),
        "date": front["last_activity"][:10],
        "cores": os.cpu_count(),
        "trials": front["n_target"],
        "minutes": round(_minutes(told["trials"]), 1),
        "models": front["n_points"],
        "front": front["front_size"],
        "baseline": {"accuracy": accuracy, "size_bytes": size_bytes},
        "within": {key: within[key] for key in ("max_bytes", "accuracy", "size_bytes")},
    }


def replayed(results: str) -> dict[str, Any]:
    """Return how many times sooner a search is, as the tables of RESULTS.md have it.

    Args:
        results: Text of ``benchmarks/RESULTS.md``.

    Returns:
        Commit, seeds, recorded trainings, data sets, peers, and the lowest and highest median
        ratio, for peers at their best and as they come.
    """
    section = results.split("### Samplers, and peers at their best", 1)[1].split("\n### ", 1)[0]
    table = section.split("| `search, gp` sooner than |", 1)[1].split("\n\n", 1)[0]
    ratios: dict[bool, list[float]] = {True: [], False: []}
    rows = _ROW.findall(table)
    for _, at_best, cells in rows:
        ratios[bool(at_best)] += [float(cell.split()[0]) for cell in cells.split("|")]
    recorded = re.search(r"([\d,]+) real trainings of (\w+) data sets", results)
    commit = re.search(r"at\s+commit (\w+), (\d+)\s+seeds", section)
    assert recorded is not None and commit is not None
    return {
        "commit": commit[1],
        "seeds": int(commit[2]),
        "trainings": int(recorded[1].replace(",", "")),
        "data_sets": recorded[2],
        "peers": sorted({peer for peer, _, _ in rows}, key=list(_PEERS).index),
        "at_best": [min(ratios[True]), max(ratios[True])],
        "as_they_come": [min(ratios[False]), max(ratios[False])],
    }


def live(results: str) -> dict[str, Any]:
    """Return how many times sooner a search is in real runs.

    Args:
        results: Text of ``benchmarks/RESULTS.md``.

    Returns:
        Data sets, seeds and seconds of each, and the lowest and highest median ratio of seconds,
        for peers at their best and as they come, and on which data sets there are such as they
        come; none where there are no such peers.
    """
    data, seeds, seconds, plain_on = [], [], [], []
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for name, section in _LIVE.findall(results):
        listed = re.search(r"(\d+) seconds, \d+ workers, seeds ([\d, ]+)\.", section)
        assert listed is not None
        data.append(name)
        seconds.append(int(listed[1]))
        seeds.append(len(listed[2].split(",")))
        table = section.split("| `search run` against |", 1)[1].split("\n\n", 1)[0]
        rows = [row.split("|") for row in table.splitlines()[2:]]
        for cells in rows:
            ratios["at its best" in cells[1]].append(float(cells[5].split()[0]))
        plain_on += [name] if any("at its best" not in cells[1] for cells in rows) else []
    return {
        "data": data,
        "seeds": seeds,
        "seconds": seconds,
        "at_best": [min(ratios[True]), max(ratios[True])],
        "as_they_come": [min(ratios[False]), max(ratios[False])] if ratios[False] else [],
        "as_they_come_on": plain_on,
    }


def texts(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentences that quote figures, by the name in their marks."""
    run, replay, lived = figures["main_job"], figures["replay"], figures["live"]
    (best_low, best_high), (low, high) = replay["at_best"], replay["as_they_come"]
    live_low, live_high = lived["at_best"]
    others = ""
    if lived["as_they_come"]:
        plain_low, plain_high = lived["as_they_come"]
        plain_on = " and ".join(_DATA.get(name, name) for name in lived["as_they_come_on"])
        others = (
            f"what Ray Tune with ASHA and KerasTuner's Hyperband end with on {plain_on} "
            f"{plain_low} to {plain_high} times sooner, "
        )
    on = " and ".join(_DATA.get(name, name) for name in lived["data"])
    seeds, seconds = (" and ".join(map(str, lived[name])) for name in ("seeds", "seconds"))
    recorded = f"{replay['trainings']:,} recorded trainings of {replay['data_sets']} data sets"
    samplers = [_PEERS[peer] for peer in replay["peers"] if peer != "MO-ASHA"]
    halving, plain = "", "plain Optuna"
    if "MO-ASHA" in replay["peers"]:
        halving, plain = " and a rebuilt MO-ASHA", "plain Optuna and MO-ASHA"
    return {
        "main_job": (
            f"*What one `search run fruit --trials {run['trials']}` gave on "
            f"{_CORES.get(run['cores'], run['cores'])} cores in {run['minutes']:.0f} minutes: "
            f"{run['models']} measured models, {run['front']} of them on the front. The baseline, "
            f"a large network made by hand, has {_percent(run['baseline'])} in "
            f"{_size(run['baseline'])}; {_size(run['within'])} have {_percent(run['within'])}. "
            "The pictures are generated by the program; on photos, expect other accuracies.*"
        ),
        "sooner": (
            f"Replayed on {recorded}, {replay['seeds']} seeds, `search` has the hypervolume that "
            f"peers end with so many times sooner (range over data sets and peers): {best_low} to "
            f"{best_high} times, where Optuna's samplers ({', '.join(samplers)}){halving} get all "
            "that a careful user would give them, namely our start design, a loop over all "
            f"schemes, and logarithms of error, size and latency; {low} to {high} times, where "
            "they are used as they come."
        ),
        "live": (
            f"Live, on {on} ({seeds} seeds, for {seconds} seconds), it has what Optuna's TPE and "
            f"NSGA-II at their best end with {live_low} to {live_high} times sooner, {others}as "
            "medians over all pairs of runs."
        ),
        "replay": (
            f"Live, on {on}, it has what Optuna ends with {live_low} to {live_high} times sooner, "
            "where Optuna gets our start design, a loop over all schemes and logarithms. Replayed "
            f"on {recorded}, that is {best_low} to {best_high} times, and {low} to {high} times "
            f"against {plain}: "
            "[how the search works](docs/how.md) has ranges and what is missing, "
            "[benchmarks/RESULTS.md](benchmarks/RESULTS.md) everything that was measured."
        ),
    }


def filled(text: str, sentences: Mapping[str, str]) -> str:
    """Return a document with the sentences between its marks made anew.

    Raises:
        KeyError: If the document marks a sentence that there is none of.
    """

    def anew(found: re.Match[str]) -> str:
        # Links must not be broken at their hyphens.
        wrapped = textwrap.fill(
            sentences[found[2]], 80, break_on_hyphens=False, break_long_words=False
        )
        return f"{found[1]}{wrapped}{found[3]}"

    return _MARKED.sub(anew, text)


def stale(root: Path = ROOT) -> list[str]:
    """Return what is wrong with the figures of a checkout, one line each.

    Figures may be one release old: those of the release before the one under way are good.
    """
    figures = json.loads((root / FIGURES).read_text())
    found = []
    if replayed((root / RESULTS).read_text()) != figures["replay"]:
        found.append(f"{FIGURES} tells of another replay than {RESULTS}.")
    if live((root / RESULTS).read_text()) != figures["live"]:
        found.append(f"{FIGURES} tells of other live runs than {RESULTS}.")
    for page in PAGES:
        text = (root / page).read_text()
        if filled(text, texts(figures)) != text:
            found.append(f"{page} quotes other figures than {FIGURES} holds.")
    behind = releases_behind(figures["main_job"]["version"], (root / "CHANGELOG.md").read_text())
    if behind > 1:
        found.append(
            f"The figures are of {figures['main_job']['version']}, {behind} releases ago: "
            "run python scripts/readme_figures.py."
        )
    return found


def releases_behind(version: str, changelog: str) -> int:
    """Return how many releases have come out since a version's code.

    Args:
        version: Version whose code was measured; the one under way counts as none behind.
        changelog: Text of ``CHANGELOG.md``, newest version first.

    Raises:
        ValueError: If the changelog does not know the version.
    """
    versions = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    return versions.index(version)


def _percent(point: Mapping[str, Any]) -> str:
    return f"{100 * point['accuracy']:.1f} %"


def _size(point: Mapping[str, Any]) -> str:
    size = point["size_bytes"]
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _minutes(trials: list[dict[str, Any]]) -> float:
    begun = [datetime.fromisoformat(one["started"]) for one in trials if one["started"]]
    ended = [datetime.fromisoformat(one["ended"]) for one in trials if one["ended"]]
    return (max(ended) - min(begun)).total_seconds() / 60


def _draw(front: str, path: Path, commit: str) -> None:
    script = ROOT / "scripts" / "plot_front.py"
    command = [sys.executable, str(script), "-o", str(path), "--commit", commit]
    subprocess.run(command, check=True, input=front, text=True)


def _search(*arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "search", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(root: Path) -> str:
    found = re.search(r'__version__ = "([^"]+)"', (root / "search" / "__init__.py").read_text())
    assert found is not None
    return found[1]


def main() -> None:
    """Measure, or take what was measured, and write picture, figures and texts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--storage", type=Path, help="database of a finished run of the main job")
    parser.add_argument("--commit", help="whose code that run was made with")
    parser.add_argument("--text", action="store_true", help="measure nothing, make the texts anew")
    parser.add_argument("--check", action="store_true", help="say what is not of today")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit("\n".join(stale()) or None)
    figures = json.loads((ROOT / FIGURES).read_text()) if (ROOT / FIGURES).exists() else {}
    if (arguments.storage is None) != (arguments.commit is None):
        parser.error("--storage and --commit go together")
    if arguments.storage:
        commit = _git("rev-parse", "--short=7", arguments.commit)
        figures["main_job"] = main_job(arguments.storage.resolve(), commit)
    elif not arguments.text:
        if _git("status", "--porcelain", "search", "spaces", "workers"):
            sys.exit("The figures are to be of a commit: commit what is changed first.")
        commit = _git("rev-parse", "--short=7", "HEAD")
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, "-P", "-m", "search", "run", STUDY, "--trials", str(N_TRIALS)]
            subprocess.run(run, check=True, cwd=folder)
            figures["main_job"] = main_job(Path(folder, "studies.db"), commit)
    results = (ROOT / RESULTS).read_text()
    figures["replay"], figures["live"] = replayed(results), live(results)
    (ROOT / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
    for page in PAGES:
        (ROOT / page).write_text(filled((ROOT / page).read_text(), texts(figures)))


if __name__ == "__main__":
    main()
