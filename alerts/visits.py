"""What the ledger says of one item: every visit of a stage, and the work that is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from alerts.items import Item
from config.roster import Roster
from config.settings import Settings
from config.workdays import Calendar
from store.records import State
from store.tables import events, items

_AFTER = {State.CLOSED.value, State.DISMISSED.value, State.WATCHING.value}


@dataclass(frozen=True, slots=True)
class Work:
    """One item at one moment, inside one transaction."""

    connection: sa.Connection
    settings: Settings
    roster: Roster
    calendar: Calendar
    item: Item
    now: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    number: int  #: version of the item while it was there
    state: State
    entered: datetime
    left: datetime | None
    found: datetime  #: when it was discovered, or flared up again


def visits(connection: sa.Connection, item: Item) -> list[Visit]:
    """Every visit of a stage, in order, as the ledger has it."""
    lines = connection.execute(
        sa.select(events.c.kind, events.c.at, events.c.before, events.c.after)
        .where(events.c.item == item.id, events.c.kind.in_(["opened", "moved"]))
        .order_by(events.c.id)
    ).all()
    found, entered = _discovered(connection, item), item.discovered_at
    made: list[Visit] = []
    for number, line in enumerate(lines, 1):
        entered = line.at
        if line.kind == "moved" and line.before in _AFTER and line.after == State.TO_ASSESS.value:
            found = line.at  # 复燃: an old discovery would make it late at once
        left = lines[number].at if number < len(lines) else None
        made.append(Visit(number, State(line.after), entered, left, found))
    if not made:  # an item of before there was a ledger
        made.append(Visit(item.version, item.state, item.changed_at, None, found))
    return made


def _discovered(connection: sa.Connection, item: Item) -> datetime:
    """Its own discovery, or an earlier one of an item that was merged into it."""
    earliest: datetime | None = connection.execute(
        sa.select(sa.func.min(items.c.discovered_at)).where(items.c.merged_into == item.id)
    ).scalar()
    return min(item.discovered_at, earliest or item.discovered_at)
