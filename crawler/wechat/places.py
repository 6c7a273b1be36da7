"""Where reading of the account stands: named JSON values in the channel's positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from store.engine import Database
from store.tables import positions

WATCH = "watch:"  #: one article whose comments are read
PUSH = "push:"  #: one job-finished event
ABSENT = "absent:"  #: an ability that the account does not have
KEPT = timedelta(days=3)  #: events are remembered this long after they came


@dataclass(frozen=True, slots=True)
class Places:
    """The positions of one channel. A value is a JSON object."""

    database: Database
    channel: str

    def get(self, name: str) -> dict[str, Any]:
        """An empty object where there is none."""
        with self.database.read() as connection:
            value = connection.execute(
                sa.select(positions.c.value).where(
                    positions.c.channel == self.channel, positions.c.list == name
                )
            ).scalar_one_or_none()
        return dict(value) if isinstance(value, dict) else {}

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Name without the prefix → value."""
        with self.database.read() as connection:
            rows = connection.execute(
                sa.select(positions.c.list, positions.c.value).where(
                    positions.c.channel == self.channel,
                    positions.c.list.startswith(prefix, autoescape=True),
                )
            ).all()
        return {row.list[len(prefix) :]: dict(row.value) for row in rows}

    def put(
        self, connection: sa.Connection, name: str, value: Mapping[str, Any], now: datetime
    ) -> None:
        connection.execute(
            self.database.insert(positions)
            .values(channel=self.channel, list=name, value=dict(value), at=now)
            .on_conflict_do_update(
                index_elements=["channel", "list"], set_={"value": dict(value), "at": now}
            )
        )

    def add(
        self, connection: sa.Connection, name: str, value: Mapping[str, Any], now: datetime
    ) -> bool:
        """Puts it where there is none; answers whether there was none."""
        made = connection.execute(
            self.database.insert(positions)
            .values(channel=self.channel, list=name, value=dict(value), at=now)
            .on_conflict_do_nothing(index_elements=["channel", "list"])
            .returning(positions.c.list)  # PostgreSQL's driver counts no inserted rows
        )
        return made.first() is not None

    def drop(self, connection: sa.Connection, name: str) -> None:
        connection.execute(
            positions.delete().where(positions.c.channel == self.channel, positions.c.list == name)
        )

    def forget_pushes(self, connection: sa.Connection, now: datetime) -> None:
        """Drops events that were handled and cannot come again."""
        done = [name for name, value in self.all(PUSH).items() if value.get("done")]
        connection.execute(
            positions.delete().where(
                positions.c.channel == self.channel,
                positions.c.list.in_([PUSH + name for name in done]),
                positions.c.at < now - KEPT,
            )
        )
