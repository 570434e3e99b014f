"""A PostgreSQL server of our own: it listens on a Unix socket in a private folder, and on no port.

It can be killed, started again, and told to cut connections, and it meets no other server.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa


def programs() -> Path | None:
    """Return the folder of the server's programs; Debian keeps them off the PATH."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


class PrivateServer:
    """A server that runs as long as a block is entered.

    Raises:
        RuntimeError: If there is no PostgreSQL, or one of its programs fails.
    """

    def __init__(self) -> None:
        found = programs()
        if found is None:
            raise RuntimeError(
                "PostgreSQL's server must be installed: scripts/install-test-system-packages."
            )
        self._programs = found
        # The path of a Unix socket may have no more than about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="search-pg-", dir="/tmp"))
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:  # It refuses root.
            users = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = users.get("postgres") or users["nobody"]
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> PrivateServer:
        self._run("initdb", "-U", "search", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "-w", "-o", options, "start")

    def stop(self) -> None:
        """End it at once, as a crash does: nobody is told, and the log is replayed afterwards."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://search@/{database}?host={self._folder}"

    def create(self, database: str) -> str:
        """Create a database, and return its URL."""
        self.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def cut(self, database: str, *, at_most: int | None = None) -> None:
        """End connections to a database from the server's side: all, or some by chance."""
        limit = "" if at_most is None else f"ORDER BY random() LIMIT {at_most}"
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
            f"WHERE datname = '{database}' {limit}) AS chosen"
        )

    def execute(self, statement: str) -> None:
        """Carry out a statement beside all databases of studies."""
        engine = sa.create_engine(
            self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        # Into a file: the server inherits it, and a pipe would wait for the server's end.
        with open(self._folder / "output", "ab") as out:
            done = subprocess.run(
                command, cwd=self._folder, stdout=out, stderr=out, timeout=60, **self._as_user
            )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{(self._folder / 'output').read_text()}")
