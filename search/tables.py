"""Tables for a terminal, all of one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def plain_table() -> Table:
    """Return a table without lines, and without columns yet."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
