"""One consistent copy of an SQLite database, made under writes, for its owner's eyes alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from store.engine import Database, StoreError


def copy_into(database: Database, target: Path) -> None:
    """Writes the copy with VACUUM INTO; `target` must not exist. Raises StoreError."""
    try:
        # An empty file is what VACUUM INTO may fill; made first, nobody else can read it.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _vacuum(database, target)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(f"{target}: 没有写成副本（{why}）") from None


def _vacuum(database: Database, target: Path) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw = connection.connection.dbapi_connection
        if raw is None:
            raise StoreError("the database is not open")
        raw.execute("VACUUM INTO ?", (str(target),))
