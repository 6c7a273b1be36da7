"""Builds a weekly once: figures frozen in one row, its notices owed in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.digest.figures import figures
from alerts.digest.letter import digest_html, digest_subject, digest_text
from alerts.digest.weeks import Week, week_of
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import SHANGHAI
from config.settings import Settings, split_recipient
from store.engine import Database
from store.ledger import append
from store.tables import digests, posts, runs

WEEKLY = "weekly"
INTERIM = "interim"  #: of a week that is not over yet; never takes the place of the weekly
_LOOK_BACK = 4  #: weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One issue, as frozen, with what a recipient reads."""

    id: int | None  #: None: shown only, nothing was stored
    kind: str
    period: str
    edition: int
    number: int  #: 总第M期; 0 where it is not counted
    built_at: datetime
    figures: Mapping[str, Any]
    subject: str
    text: str
    html: str


def build_digest(
    database: Database,
    settings: Settings,
    week: Week,
    now: datetime,
    send: bool,
    *,
    correct: bool = False,
) -> Digest:
    """The weekly of `week`. A week that is over is frozen at the first call and stays as it is.

    `send` owes it to everybody in `[digest] to` (or the fallback), each once whatever the number
    of calls. `correct` makes a new edition (更正版) with figures of now. A week still running is
    only shown; with `send` it goes out as an interim report, stored under its own kind.
    """
    kind = WEEKLY if now >= week.ends_at else INTERIM
    row = _stored(database, kind, week) if kind == WEEKLY and not correct else None
    if row is None:
        told = figures(database, settings, week, now)
        if kind == INTERIM and not send:
            return _digest(_row(kind, week, told, now), settings)
        row = _row(kind, week, told, now)
    with database.write() as connection:
        take_turn(connection)
        row = _freeze(connection, row, now=now, again=correct)
        if send:
            _owe(connection, settings, row, now)
    return _digest(row, settings)


def due_week(now: datetime, settings: Settings, database: Database) -> Week | None:
    """The oldest weekly that should exist by now and does not; looks back four weeks.

    A week before anything was read is nobody's: a new installation does not begin with empty
    weeklies.
    """
    local = now.astimezone(SHANGHAI)
    running = week_of(now)
    day = datetime.combine(
        running.monday + timedelta(days=settings.digest.weekday - 1), settings.digest.at, SHANGHAI
    )
    last = running.before if local >= day else running.before.before
    wanted = [last]
    for _ in range(_LOOK_BACK - 1):
        wanted.append(wanted[-1].before)
    with database.read() as connection:
        begun = _begun(connection)
        have: set[str] = set(
            connection.execute(
                sa.select(digests.c.period).where(
                    digests.c.kind == WEEKLY,
                    digests.c.state == "sent",
                    digests.c.period.in_([str(week) for week in wanted]),
                )
            ).scalars()
        )
    for week in reversed(wanted):
        if begun is not None and begun < week.ends_at and str(week) not in have:
            return week
    return None


def _begun(connection: sa.Connection) -> datetime | None:
    """When the first thing was read, or tried."""
    first = [
        connection.execute(sa.select(sa.func.min(column))).scalar()
        for column in (runs.c.planned_at, posts.c.captured_at)
    ]
    return min((one for one in first if one is not None), default=None)


def _row(kind: str, week: Week, told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "id": None,
        "kind": kind,
        "period": str(week),
        "edition": 1,
        "number": 0,
        "starts_at": week.starts_at,
        "ends_at": week.ends_at,
        "built_at": now.astimezone(UTC),
        "figures": dict(told),
        "state": "built",
    }


def _stored(database: Database, kind: str, week: Week) -> dict[str, Any] | None:
    with database.read() as connection:
        return _newest(connection, kind, str(week))


def _newest(connection: sa.Connection, kind: str, period: str) -> dict[str, Any] | None:
    row = (
        connection.execute(
            sa.select(digests)
            .where(digests.c.kind == kind, digests.c.period == period)
            .order_by(digests.c.edition.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    return dict(row) if row else None


def _freeze(
    connection: sa.Connection, row: dict[str, Any], *, now: datetime, again: bool
) -> dict[str, Any]:
    if row["id"] is not None:
        return row
    known = _newest(connection, row["kind"], row["period"])
    if known is not None and row["kind"] == WEEKLY and not again:
        return known  # somebody else froze it meanwhile
    made = {name: value for name, value in row.items() if name != "id"}
    if known is not None:
        made |= {"edition": known["edition"] + 1, "number": known["number"]}
    elif row["kind"] == WEEKLY:
        last = sa.select(sa.func.max(digests.c.number)).where(digests.c.kind == WEEKLY)
        made["number"] = 1 + (connection.execute(last).scalar() or 0)
    key = connection.execute(digests.insert().values(made)).inserted_primary_key
    assert key is not None  # noqa: S101 - a single INSERT always answers its key
    append(
        connection,
        item=None,
        at=now,
        kind="digest-built",
        by="系统",
        note=f"{made['period']} 第{made['edition']}版",
        detail={"digest": key[0], "kind": made["kind"]},
    )
    return {**made, "id": key[0]}


def _owe(
    connection: sa.Connection, settings: Settings, row: Mapping[str, Any], now: datetime
) -> None:
    for address in dict.fromkeys(settings.digest.to or settings.roster.fallback):
        transport, recipient = split_recipient(address)
        owe(
            connection,
            subject_key=f"digest:{row['id']}",
            stage="digest",
            recipient=recipient,
            transport=transport,
            digest=row["id"],
            now=now,
            detail={"why": "周报收件人"},
        )
    connection.execute(digests.update().where(digests.c.id == row["id"]).values(state="sent"))


def _digest(row: Mapping[str, Any], settings: Settings) -> Digest:
    return Digest(
        **{
            name: row[name]
            for name in ("id", "kind", "period", "edition", "number", "built_at", "figures")
        },
        subject=digest_subject(row),
        text=digest_text(row, settings),
        html=digest_html(row, settings),
    )
