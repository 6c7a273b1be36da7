"""Single facts of the service, by name: read one, put one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import insert_for
from store.tables import facts


def fact(connection: sa.Connection, name: str) -> dict[str, Any]:
    """Empty where there is none of that name."""
    value = connection.execute(
        sa.select(facts.c.value).where(facts.c.name == name)
    ).scalar_one_or_none()
    return dict(value) if isinstance(value, dict) else {}


def put_fact(connection: sa.Connection, name: str, value: Mapping[str, Any], now: datetime) -> None:
    """In the caller's transaction."""
    made = dict(value)
    upsert = insert_for(connection.dialect.name)(facts).values(name=name, value=made, at=now)
    connection.execute(
        upsert.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": made, "at": now})
    )
