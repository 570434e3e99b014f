"""A PostgreSQL server of one's own, for tests and benchmarks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def server_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs; Debian keeps them off the PATH."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


def _server_user() -> pwd.struct_passwd | None:
    """Who the server must run as: it refuses root. None: whoever runs this."""
    if os.getuid() != 0:
        return None
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


@contextmanager
def postgres_server(programs: Path, *, is_durable: bool = False) -> Iterator[str]:
    """Run an empty server, and give its SQLAlchemy URL.

    It listens on a Unix socket in a private folder only, so it meets no other server.

    Args:
        programs: Folder of the server's programs.
        is_durable: Whether a commit waits for the disk.

    Raises:
        RuntimeError: If it cannot be started, with what it said.
    """
    user = _server_user()
    # Not in tmp_path: its parents are closed to other users, and the path of a Unix socket may
    # have no more than about 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="search-pg-"))
    data = folder / "data"

    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(data), *arguments]
        # Into a file: the server inherits it, and a pipe would wait for the server's end.
        with open(folder / "output", "ab") as out:
            done = subprocess.run(
                command, cwd=folder, stdout=out, stderr=out, timeout=60, **as_user
            )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{(folder / 'output').read_text()}")

    options = f"-k {folder} -c listen_addresses="
    if not is_durable:
        options += " -c fsync=off"
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        run("initdb", "-U", "search", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://search@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
