"""Where a channel stands in each of its lists, kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import Database
from store.tables import positions


def recall(connection: sa.Connection, channel: str, name: str) -> dict[str, Any]:
    """What was kept under a name; empty where nothing was, or it is no table."""
    value = connection.execute(
        sa.select(positions.c.value).where(positions.c.channel == channel, positions.c.list == name)
    ).scalar_one_or_none()
    return dict(value) if isinstance(value, dict) else {}


def keep(
    database: Database,
    connection: sa.Connection,
    *,
    channel: str,
    name: str,
    value: Mapping[str, Any],
    now: datetime,
) -> None:
    """Belongs in the transaction that stores what the position has passed, never in one alone."""
    kept = {"value": dict(value), "at": now}
    connection.execute(
        database.insert(positions)
        .values(channel=channel, list=name, **kept)
        .on_conflict_do_update(index_elements=["channel", "list"], set_=kept)
    )
