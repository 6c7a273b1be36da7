"""When to try again: how long a row waits, and how long a whole transport does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from alerts.letters import Trouble
from store.tables import facts

_STEPS = tuple(timedelta(seconds=s) for s in (30, 60, 120, 300, 600))
_LAST = timedelta(minutes=15)
_GREYLIST = timedelta(minutes=1)  #: a server that says "later" to an address wants a minute
_UNSURE = (timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=6))
_PROBE = {
    # Nothing is lost by knocking once a minute, and what waits must leave soon after the other
    # side is back; a wrong password, though, asked too often gets an account locked.
    Trouble.LINK: (timedelta(seconds=30), timedelta(minutes=1)),
    Trouble.SYSTEM: (timedelta(minutes=5),),
}
#: Nothing is ever booked further ahead; a row that seems to be was overtaken by the clock.
FURTHEST = timedelta(hours=7)
_PREFIX = "transport:"


def wait(attempts: int, kind: Trouble | None, random: Random) -> timedelta:
    """How long a row waits after its `attempts`-th try: for ever at the last pace, never over."""
    if kind is Trouble.UNSURE:
        # It may well have arrived: each further copy costs the reader something.
        base = _UNSURE[min(attempts, len(_UNSURE)) - 1]
    else:
        base = _STEPS[attempts - 1] if attempts <= len(_STEPS) else _LAST
        if kind is Trouble.RECIPIENT:
            base = max(base, _GREYLIST)
    return base * (1 + 0.2 * random.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A transport that is away. Its rows are kept untouched; one at a time goes as a probe."""

    transport: str
    kind: Trouble
    why: str
    since: datetime
    failures: int
    next_at: datetime
    told: bool = False  #: an alarm has been raised

    def is_shut(self, now: datetime) -> bool:
        return now < self.next_at <= now + FURTHEST


def outages(connection: sa.Connection) -> dict[str, Outage]:
    """Transport → its outage, for those that are away now."""
    rows = connection.execute(
        sa.select(facts.c.name, facts.c.value).where(facts.c.name.startswith(_PREFIX))
    )
    away = [(str(row.name).removeprefix(_PREFIX), row.value) for row in rows]
    return {name: _read(name, value) for name, value in away if value}


def book(connection: sa.Connection, outage: Outage, now: datetime) -> None:
    """Books the next probe, before this one is made."""
    step = _PROBE[outage.kind]
    _write(connection, outage, now, now + step[min(outage.failures, len(step)) - 1])


def failed(
    connection: sa.Connection, transport: str, kind: Trouble, why: str, now: datetime
) -> Outage:
    """One more failure of the transport as a whole."""
    before = outages(connection).get(transport)
    failures = before.failures + 1 if before else 1
    step = _PROBE[kind]
    outage = Outage(
        transport=transport,
        kind=kind,
        why=why,
        since=before.since if before else now,
        failures=failures,
        next_at=now + step[min(failures, len(step)) - 1],
        told=before.told if before else False,
    )
    _write(connection, outage, now, outage.next_at)
    return outage


def note_told(connection: sa.Connection, outage: Outage, now: datetime) -> None:
    """The alarm about this outage has been raised."""
    _write(connection, outage, now, outage.next_at, told=True)


def recovered(connection: sa.Connection, transport: str) -> Outage | None:
    """The transport took a letter; answers with the outage that this ends."""
    outage = outages(connection).get(transport)
    if outage is not None:
        connection.execute(facts.delete().where(facts.c.name == _PREFIX + transport))
    return outage


def _write(
    connection: sa.Connection,
    outage: Outage,
    now: datetime,
    next_at: datetime,
    *,
    told: bool | None = None,
) -> None:
    value = {
        "kind": outage.kind.value,
        "why": outage.why,
        "since": outage.since.isoformat(),
        "failures": outage.failures,
        "next_at": next_at.isoformat(),
        "told": outage.told if told is None else told,
    }
    name = _PREFIX + outage.transport
    updated = connection.execute(
        facts.update().where(facts.c.name == name).values(value=value, at=now)
    )
    if not updated.rowcount:
        connection.execute(facts.insert().values(name=name, value=value, at=now))


def _read(transport: str, value: Mapping[str, Any]) -> Outage:
    return Outage(
        transport=transport,
        kind=Trouble(value["kind"]),
        why=value["why"],
        since=datetime.fromisoformat(value["since"]),
        failures=int(value["failures"]),
        next_at=datetime.fromisoformat(value["next_at"]),
        told=bool(value.get("told")),
    )
