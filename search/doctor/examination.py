"""All findings of `search doctor`, in the order in which they are told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from search.doctor import leftovers, services
from search.doctor.bytecode import bytecode
from search.doctor.findings import Finding, looked_at
from search.doctor.machine import cores_and_memory, judge_disk, measure_disk, versions
from search.units import format_size
from spaces.data.cache import default_cache_dir
from spaces.data.cache_entries import cache_limit, entries
from spaces.wording import counted


def examine(
    storage: str | Path, address: str | None = None, *, clean: bool = False
) -> Iterator[Finding]:
    """Yield what is found, as it is found.

    Args:
        storage: Database: file name or SQLAlchemy URL.
        address: Ray cluster to look at; None for Ray that a run starts itself.
        clean: Whether leftovers of killed runs are removed.
    """
    yield from looked_at("versions", versions)
    yield from looked_at("bytecode", bytecode)
    yield from looked_at("memory", cores_and_memory)
    yield from looked_at("database", lambda: services.database(storage))
    yield from looked_at("ray", lambda: services.ray(address, dict(os.environ)))
    yield from looked_at("cache", _cache)
    temporary = Path(tempfile.gettempdir())
    yield from looked_at("temporary", lambda: [judge_disk("temporary", measure_disk(temporary))])
    yield from looked_at("leftovers", lambda: _leftovers(storage, clean))


def _cache() -> Iterator[Finding]:
    folder = default_cache_dir()
    yield judge_disk("cache", measure_disk(folder))
    held = entries(folder)
    size = format_size(sum(one.n_bytes for one in held))
    limit = format_size(cache_limit())
    yield Finding("cache", f"{counted(len(held), 'data set')}, {size} of at most {limit}")


def _leftovers(storage: str | Path, clean: bool) -> Iterator[Finding]:
    found = leftovers.find(storage)
    told = list(leftovers.judge(found, cleaned=clean))  # Sizes are of what is still there.
    if clean:
        found.remove()
    yield from told
