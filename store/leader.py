"""One service a database: the lock that a second one meets, and the fence that outlives it.

SQLite: `flock` on a file beside the database, free the moment its holder dies. PostgreSQL: a
session advisory lock. Each take-over raises the fence number; a holder that was frozen and
finds a higher number must stop writing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import datetime
from typing import IO, Any

import sqlalchemy as sa

from store.engine import Database
from store.tables import facts

_FENCE = "fence"
_ADVISORY = 0x7469_6E67  # "ting"


class AlreadyRunning(Exception):
    """Another service holds this database; the text says which."""


class Leader:
    """Holds the right to run the service on one database until `release`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: IO[str] | None = None
        self._session: sa.Connection | None = None
        self.fence = 0

    def take(self, now: datetime) -> int:
        """Takes the lock and raises the fence; answers it. Raises AlreadyRunning."""
        self.lock()
        with self._database.write() as connection:
            held = connection.execute(
                sa.select(facts.c.value).where(facts.c.name == _FENCE)
            ).scalar_one_or_none()
            self.fence = int(held["number"]) + 1 if held else 1
            value = {"number": self.fence, "pid": os.getpid()}
            upsert = self._database.insert(facts).values(name=_FENCE, value=value, at=now)
            connection.execute(
                upsert.on_conflict_do_update(
                    index_elements=[facts.c.name], set_={"value": value, "at": now}
                )
            )
        return self.fence

    def lock(self) -> None:
        """The lock alone, which needs no tables. Raises AlreadyRunning."""
        if self._database.is_sqlite:
            self._lock_file()
        else:
            self._lock_session()

    def holds(self) -> bool:
        """Whether the lock is still ours and nobody has raised the fence since."""
        try:
            if self._session is not None:
                self._session.exec_driver_sql("SELECT 1")
            with self._database.read() as connection:
                value: dict[str, Any] = connection.execute(
                    sa.select(facts.c.value).where(facts.c.name == _FENCE)
                ).scalar_one()
        except sa.exc.DBAPIError:
            return False
        return bool(value["number"] == self.fence)

    def release(self) -> None:
        """Frees the lock at once. A session that is already dead frees it by itself."""
        if self._session is not None:
            # The server notices a closed session only a moment later: a successor that starts
            # at once would be refused. So the lock is given back by word first.
            with suppress(sa.exc.DBAPIError):
                self._session.exec_driver_sql(f"SELECT pg_advisory_unlock({_ADVISORY})")
            self._session.close()
            self._session = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock_file(self) -> None:
        file = self._database.file
        if file is None:
            return
        handle = open(f"{file}.lock", "a+", encoding="ascii")  # noqa: SIM115 - held till release
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read(20).strip()
            handle.close()
            raise AlreadyRunning(
                f"process {holder or '?'} already serves {self._database.shown}"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        self._file = handle

    def _lock_session(self) -> None:
        session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # closing it must end the session, not lend it to the next caller
        if not session.exec_driver_sql(f"SELECT pg_try_advisory_lock({_ADVISORY})").scalar():
            session.close()
            raise AlreadyRunning(f"another process already serves {self._database.shown}")
        self._session = session
