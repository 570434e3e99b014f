"""What a run talks to: its database, a Ray cluster, the cache of decoded data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from search.doctor.findings import Finding
from search.doctor.machine import judge_disk, measure_disk
from search.storage.database import open_for_reading
from search.storage.optuna_tables import STUDIES
from search.storage.urls import masked, sqlite_path, storage_url
from spaces.errors import StorageError
from workers.executors.cluster import HOW_TO_GUARD, asks_for_token, is_reachable

_OTHER = "Start it, mend the URL, or name another database with --storage."


def database(storage: str | Path) -> Iterator[Finding]:
    """Look whether a database can be opened and written, and has tables that we know."""
    url = storage_url(storage)
    path = sqlite_path(url)
    if path is not None:
        folder = path.absolute().parent
        if not folder.is_dir():
            fix = "Make it, or name another database with --storage."
            yield Finding("database", f"the folder of {path} does not exist", fix, "stop")
            return
        yield judge_disk("database", measure_disk(folder), holds_database=True)
        if not path.exists():
            yield Finding("database", f"no {path} yet: the first run makes it")
            return
        if not os.access(path, os.W_OK):
            fix = "Make it writable, or name another database with --storage."
            yield Finding("database", f"{path} is read-only", fix, "stop")
            return
    try:
        with open_for_reading(url) as engine:
            has_tables = sa.inspect(engine).has_table("version_info")
            n_studies = 0
            if has_tables:
                with engine.connect() as connection:
                    counting = sa.select(sa.func.count()).select_from(STUDIES)
                    n_studies = int(connection.scalar(counting) or 0)
    except StorageError as error:
        yield Finding("database", str(error).rstrip("."), _OTHER, "stop")
        return
    known = "its schema is known" if has_tables else "no tables yet"
    yield Finding(
        "database",
        f"{masked(url)}: {n_studies} {'study' if n_studies == 1 else 'studies'}, {known}",
    )


def ray(address: str | None, environment: dict[str, str]) -> Iterator[Finding]:
    """Look whether a cluster can be joined, and whether everybody can.

    Args:
        address: Of ``--address``; None for Ray that a run starts itself.
        environment: Variables of this process.
    """
    named = environment.get("RAY_ADDRESS", "")
    if address is None:
        if named:
            text = f"RAY_ADDRESS={named} is set, and not used without --address"
            yield Finding("ray", text, "To join that cluster: --address auto.")
        else:
            yield Finding("ray", "started by each run, on the loopback address only")
        if environment.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0").lower() not in ("0", "false"):
            text = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER is set: Ray listens on all interfaces"
            fix = "Unset it: unset RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
            yield Finding("ray", text, fix, "note")
        return
    where = named if address == "auto" and named else address
    if not is_reachable(where):
        fix = "Start it (ray start --head), mend the address, or leave out --address."
        yield Finding("ray", f"nothing listens at {where}", fix, "stop")
        return
    yield judge_guard(where, asks_for_token(where))


def judge_guard(where: str, is_guarded: bool | None) -> Finding:
    """Judge whether a cluster asks for a token; None stands for not known."""
    if is_guarded:
        return Finding("ray", f"{where}: reachable, and asks for a token")
    if is_guarded is None:
        fix = "See whether `ray status --address HOST:PORT` answers there."
        return Finding("ray", f"{where}: no telling whether it asks for a token", fix, "note")
    text = f"{where}: whoever reaches it can run code there, as it asks for no token"
    return Finding("ray", text, f"Guard it: {HOW_TO_GUARD}.", "note")


def as_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    return {
        "topic": finding.topic,
        "level": finding.level,
        "text": finding.text,
        "fix": finding.fix or None,
    }
