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

import sqlalchemy as sa


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


class PrivateServer:
    """An empty server that runs as long as a block is entered.

    It listens on a Unix socket in a private folder only, so it meets no other server. It can be
    stopped as by a crash, started again, and told to cut connections.

    Args:
        programs: Folder of the server's programs.
        is_durable: Whether a commit waits for the disk.

    Raises:
        RuntimeError: If one of its programs fails, with what it said.
    """

    def __init__(self, programs: Path, *, is_durable: bool = False) -> None:
        self._programs = programs
        # Not in tmp_path or TMPDIR: their parents may be closed to other users, and the path of
        # a Unix socket may have no more than about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="search-pg-", dir="/tmp"))
        self._options = f"-k {self._folder} -c listen_addresses="
        if not is_durable:
            self._options += " -c fsync=off"
        self._as_user: dict[str, Any] = {}
        user = _server_user()
        if user is not None:
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> PrivateServer:
        try:
            words = ("-U", "search", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            self._run("initdb", *words)
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "-w", "-o", self._options, "start")

    def stop(self) -> None:
        """End it at once, as a crash does: nobody is told, and the log is replayed afterwards."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database."""
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
        """Carry out a statement, on a connection to no study's database."""
        engine = sa.create_engine(
            self.url(), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
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


@contextmanager
def postgres_server(programs: Path, *, is_durable: bool = False) -> Iterator[str]:
    """Run an empty server, and give its SQLAlchemy URL; as :class:`PrivateServer`."""
    with PrivateServer(programs, is_durable=is_durable) as server:
        yield server.url()
