"""``RESULTS.md``: one section a benchmark, replaced when it is run again."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def replace_section(text: str, heading: str, section: str) -> str:
    """Return a document with one section replaced, or added at its end.

    Args:
        text: The document.
        heading: First line of the section, as it is there.
        section: What stands there instead, heading included.
    """
    pattern = _section(heading)
    if not pattern.search(text):
        return f"{text.rstrip()}\n\n{section.rstrip()}\n"
    replaced = pattern.sub(lambda _: f"{section.rstrip()}\n\n", text)
    return f"{replaced.rstrip()}\n"


def section_at(heading: str, results: Path = RESULTS) -> str:
    """Return a section as it is; empty if there is none."""
    found = _section(heading).search(results.read_text()) if results.exists() else None
    return "" if found is None else found[0]


def _section(heading: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def write_section(heading: str, section: str, results: Path = RESULTS) -> None:
    """Replace a benchmark's section, or add it."""
    text = results.read_text() if results.exists() else "# Benchmarks\n"
    results.write_text(replace_section(text, heading, section))
