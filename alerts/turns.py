"""One writer of cases at a time, so that PostgreSQL transactions cannot lock each other out."""

from __future__ import annotations

import sqlalchemy as sa

_KEY = 0x7449_4E67  # "tINg"; any number, the same in every process


def take_turn(connection: sa.Connection) -> None:
    """Waits until no other transaction is changing items; SQLite writers are alone already.

    Openers, movers and senders all lock an item and the ledger's head, in different orders:
    without this, two of them deadlock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_KEY)))
