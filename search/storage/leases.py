"""Several drivers on one study of a database server: whose a running trial is, and whose turn.

Every driver has a lease, an attribute of the study that names it and says until when it lives,
by the database's clock; hosts need not agree about the time. It writes in turns: a turn is an
advisory lock of the server, which ends with the connection, however its driver ends. A running
trial whose driver's lease is over, or gone, has no owner.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from search.storage.database import storage_errors
from search.storage.optuna_tables import STUDY_USER_ATTRS

LEASE_S = 60.0
"""How long a driver counts as alive after its last sign of life. It gives one every quarter."""

PREFIX = "lease:"
_TURN_PATIENCE_S = 120
_NOW = sa.text("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
_ATTRS = STUDY_USER_ATTRS.c


@contextmanager
def study_turn(url: str, engine: sa.Engine, study_name: str) -> Iterator[sa.Connection]:
    """Be the only driver that writes to a study, or opens it, within the block.

    Gives the connection that the turn lasts as long as.

    Args:
        url: URL of a PostgreSQL database.
        engine: Gives a connection to it.
        study_name: Name of the study.

    Raises:
        StorageError: If another driver's turn does not end.
    """
    digest = hashlib.sha256(f"litefront turn {study_name}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    with storage_errors(url):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with storage_errors(url):
            connection.exec_driver_sql(f"SET lock_timeout = '{_TURN_PATIENCE_S}s'")
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)").bindparams(key=key))
        yield connection
    finally:
        # Not given back to the pool: with the connection ends the lock.
        connection.invalidate()
        connection.close()


class Leases:
    """The leases of one study, and this driver's own.

    **Who may call it:** one thread of a driver on PostgreSQL, after it has the study.

    Args:
        url: URL of the database, for error messages.
        engine: Connects to it.
        study_id: Id of the study in it.
        study_name: Its name, which does not change as long as a driver runs it.

    Attributes:
        owner: This driver's name, which no other has.
        lease_s: How long a sign of life counts, in seconds.
    """

    def __init__(self, url: str, engine: sa.Engine, study_id: int, study_name: str) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.lease_s = LEASE_S
        self._url = url
        self._engine = engine
        self._study_id = study_id
        self._study_name = study_name
        self._held: sa.Connection | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Write alone within the block; it renews this driver's lease.

        Raises:
            StorageError: If another driver's turn does not end.
        """
        with study_turn(self._url, self._engine, self._study_name) as self._held:
            try:
                self.renew()
                yield
            finally:
                self._held = None

    def check_turn(self) -> None:
        """Check that this driver's turn, where it has one, is not over.

        Raises:
            StorageError: If its connection was cut: another driver may have its turn by now.
        """
        if self._held is not None:
            with storage_errors(self._url):
                self._held.exec_driver_sql("SELECT 1")

    def renew(self) -> None:
        """Give a sign of life."""
        with storage_errors(self._url), self._engine.begin() as connection:
            self._renew(connection)

    def living(self) -> frozenset[str]:
        """Return the drivers whose leases are not over, this one among them."""
        with storage_errors(self._url), self._engine.connect() as connection:
            now = float(connection.scalar(_NOW) or 0)
            return frozenset(
                key.removeprefix(PREFIX)
                for key, lease in self._all(connection)
                if lease["until"] > now
            )

    def give_up(self) -> None:
        """End this driver's lease, and remove those that are over."""
        with storage_errors(self._url), self._engine.begin() as connection:
            now = float(connection.scalar(_NOW) or 0)
            over = [key for key, lease in self._all(connection) if lease["until"] <= now]
            connection.execute(
                sa.delete(STUDY_USER_ATTRS).where(
                    _ATTRS.study_id == self._study_id,
                    _ATTRS.key.in_([*over, PREFIX + self.owner]),
                )
            )

    def _all(self, connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
        rows = connection.execute(
            sa.select(_ATTRS.key, _ATTRS.value_json).where(
                _ATTRS.study_id == self._study_id, _ATTRS.key.startswith(PREFIX, autoescape=True)
            )
        )
        return [(key, json.loads(text)) for key, text in rows]

    def _renew(self, connection: sa.Connection) -> None:
        until = float(connection.scalar(_NOW) or 0) + self.lease_s
        key, text = PREFIX + self.owner, json.dumps({"until": until})
        own = (_ATTRS.study_id == self._study_id, _ATTRS.key == key)
        changed = connection.execute(
            sa.update(STUDY_USER_ATTRS).where(*own).values(value_json=text)
        )
        if not changed.rowcount:
            connection.execute(
                sa.insert(STUDY_USER_ATTRS).values(
                    study_id=self._study_id, key=key, value_json=text
                )
            )
