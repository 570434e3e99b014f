"""Write docs/licences.md: under which licence each locked package is.

Usage: python scripts/licences.py          writes the page, of what is installed here
       python scripts/licences.py --check  exit code 1 if it is out of date

A licence is what a package's own metadata says; where that is silent, what its repository says.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "docs" / "licences.md"
DISTRIBUTION = "litefront"

HEAD = """# Licences

The program is under the [MIT licence](https://opensource.org/license/mit). What it stands on, as
`requirements.lock` has it and each package's metadata says; `make docs` writes this page anew.
What a run needs is under permissive licences, but for files of `certifi` and `tqdm` (MPL: changes
to them stay open). `psycopg`, of extra `postgres`, is under the LGPL. Wheels of
`opencv-python-headless` and `pillow-heif` hold libraries of others (FFmpeg, libheif): see to their
licences before you ship these. A model that comes out of a search holds nothing of any of them.

| package | licence | needed by |
| --- | --- | --- |
"""

SILENT = {
    "namex": "Apache-2.0",
    "tflite-micro": "Apache-2.0",
}
"""Whose metadata name no licence."""

SAME = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""One name for each licence: the SPDX identifier where the metadata allow one."""


def locked() -> list[str]:
    """Return the names of all locked packages, in order."""
    lines = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9][\w.-]*)==", line) for line in lines)
    return sorted({canonicalize_name(match[1]) for match in found if match})


def licence_of(name: str) -> str | None:
    """Return a package's licence; None if it is not installed."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    said = metadata.get_all("License-Expression") or []
    if not said:
        classifiers = metadata.get_all("Classifier") or []
        said = [one.split(" :: ")[-1] for one in classifiers if one.startswith("License ::")]
    if not said:
        said = [line.strip() for line in metadata.get_all("License") or []]
        said = [text.splitlines()[0] for text in said if 0 < len(text) < 80]
    named = dict.fromkeys(SAME.get(text, text) for text in said)
    return ", ".join(named) or SILENT.get(name, "not said")


def needed_by() -> dict[str, str]:
    """Return what brings each package: ``search`` itself, or the first extra that does."""
    wanted: dict[str, str] = {}
    declared = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or []]
    extras = sorted({extra for extra in map(_extra, declared) if extra})
    for extra in ("", *extras):
        waiting = [one for one in declared if _extra(one) == extra]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            one = waiting.pop()
            name = canonicalize_name(one.name)
            if (name, frozenset(one.extras)) in seen:
                continue
            seen.add((name, frozenset(one.extras)))
            wanted.setdefault(name, f"extra `{extra}`" if extra else "search")
            waiting += _below(one)
    return wanted


def _below(requirement: Requirement) -> Iterator[Requirement]:
    """Yield what an installed package asks for, its extras that are asked for included."""
    try:
        texts = importlib.metadata.requires(requirement.name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for one in map(Requirement, texts):
        extras = requirement.extras | {""}
        if one.marker is None or any(one.marker.evaluate({"extra": each}) for each in extras):
            yield one


def _extra(requirement: Requirement) -> str:
    found = re.search(r"extra == ['\"]([\w-]+)['\"]", str(requirement.marker or ""))
    return found[1] if found else ""


def rows() -> dict[str, str]:
    """Return a line of the table for each locked package that is installed here, by its name."""
    wanted = needed_by()
    found = {name: licence_of(name) for name in locked()}
    return {
        name: f"| {name} | {licence} | {wanted.get(name, 'development')} |"
        for name, licence in found.items()
        if licence is not None
    }


def main() -> int:
    """Write the page, or check what it says of the packages that are here."""
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(HEAD + "\n".join(rows().values()) + "\n", encoding="utf-8")
        return 0
    text = PAGE.read_text(encoding="utf-8")
    wrong = [line for line in rows().values() if line not in text]
    gone = set(re.findall(r"^\| ([a-z0-9][a-z0-9-]*) \|", text, re.MULTILINE)) - {
        "package",
        *locked(),
    }
    for line in wrong:
        print(f"docs/licences.md lacks: {line}", file=sys.stderr)
    for name in sorted(gone):
        print(f"docs/licences.md has {name}, which is not locked", file=sys.stderr)
    return int(bool(wrong or gone))


if __name__ == "__main__":
    sys.exit(main())
