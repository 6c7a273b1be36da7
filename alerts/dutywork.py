"""催办: keeps the promise of each stage: stores its due, tells who must be told, climbs the chain.

Everything follows from the ledger and the table of promises, so a stop, a crash, a second
worker or a move made by a program that knows nothing of dues leaves no gap: the next tick
finds every visit of a stage that has no promise, or whose end has not been looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alerts.cases import latest, raise_alarm
from alerts.deadlines import PROGRESS, Rung, Urge, next_at, owed, rungs
from alerts.items import Item, find_item
from alerts.lifecycle import move_within
from alerts.notices import owe
from alerts.promising import dues, noted, promise_of, store
from alerts.turns import take_turn
from alerts.urging import recipients, tell
from alerts.visits import Visit, Work, visits
from config.clock import shown
from config.roster import Rank, Roster
from config.rosterfile import load_roster
from config.settings import Settings
from config.workdays import Calendar, load_calendar
from store.engine import Database
from store.records import Level, State
from store.tables import items, promises

log = logging.getLogger(__name__)

_BATCH = 500  #: items looked at in one transaction
_OLD = timedelta(days=7)  #: nobody is told any more of a stage that ended so long ago


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What dues are worked out by: the rules in settings, who is on duty, which days are worked."""

    settings: Settings
    roster: Roster
    calendar: Calendar

    def keep(self, connection: sa.Connection, item: int, now: datetime) -> int:
        """Brings one item up to date; answers how many rungs were told. One turn, one writer."""
        return _keep(connection, self, find_item(connection, item), now)


def duty_of(settings: Settings, base: Path) -> Duty:
    """Reads roster and holidays; relative paths from `base`, the settings' folder."""
    return Duty(
        settings=settings,
        roster=load_roster(settings.roster, base),
        calendar=load_calendar(base / "holidays"),
    )


def remind(database: Database, duty: Duty, now: datetime) -> int:
    """Tells everything that is owed by now; answers how many rungs. Cheap when nothing is due.

    For every tick. One item that cannot be worked out is an alarm and never stops the others.
    """
    with database.read() as connection:
        if not _waiting(connection, now, 1):
            return 0
    told = 0
    with database.write() as connection:
        take_turn(connection)
        for item in _waiting(connection, now, _BATCH):
            told += _contained(connection, duty, item, now)
    return told


def _waiting(connection: sa.Connection, now: datetime, limit: int) -> list[int]:
    """Items with a stage nobody has promised for, or at whose next instant we are."""
    fresh: Iterable[int] = connection.execute(
        sa.select(items.c.id)
        .where(items.c.promised < items.c.version)
        .order_by(items.c.id)
        .limit(limit)
    ).scalars()
    found = dict.fromkeys(fresh)
    late: Iterable[int] = connection.execute(
        sa.select(promises.c.item)
        .where(promises.c.next_at <= now)
        .order_by(promises.c.next_at)
        .limit(limit)
    ).scalars()
    return list(found | dict.fromkeys(late))


def _contained(connection: sa.Connection, duty: Duty, item: int, now: datetime) -> int:
    try:
        with connection.begin_nested():
            return duty.keep(connection, item, now)
    except sa.exc.OperationalError:
        raise
    except Exception as error:
        log.exception("duty.failed item=%s", item)
        key = f"duty:{item}"
        known = latest(connection, f"system:{key}")
        if known is None or not known.state.is_open:
            raise_alarm(
                connection,
                duty.settings,
                key=key,
                title="一个条目的时限无法计算，催办可能中断",
                reason=f"条目记录 {item} 计算时限时出错：{type(error).__name__}。请人工盯办。",
                level=Level.II,
                now=now,
            )
        return 0


# --- one item -----------------------------------------------------------------------------------


def _keep(connection: sa.Connection, duty: Duty, item: Item, now: datetime) -> int:
    rows = connection.execute(
        sa.select(promises).where(promises.c.item == item.id).order_by(promises.c.visit)
    ).mappings()
    known: dict[tuple[int, str], Mapping[Any, Any]] = {(r["visit"], r["stage"]): r for r in rows}
    settled = {visit for visit, _ in known if not _running(known, visit)}
    told = 0
    work = Work(connection, duty.settings, duty.roster, duty.calendar, item, now)
    for visit in visits(connection, item):
        if visit.left is not None and visit.number in settled:
            continue
        told += _keep_visit(work, visit, known)
    connection.execute(items.update().where(items.c.id == item.id).values(promised=items.c.version))
    current = find_item(connection, item.id)
    if current.version != item.version:  # a watched item whose day had come has moved
        told += _keep(connection, duty, current, now)
    return told


def _running(known: Mapping[tuple[int, str], Mapping[Any, Any]], visit: int) -> bool:
    return any(row["ended_at"] is None for (number, _), row in known.items() if number == visit)


def _keep_visit(
    work: Work, visit: Visit, known: Mapping[tuple[int, str], Mapping[Any, Any]]
) -> int:
    if not visit.state.is_open:
        return 0
    told = 0
    for stage, made in dues(work, visit):
        row = known.get((visit.number, stage))
        row = store(work, visit, stage, made, row)
        if row["ended_at"] is not None:
            continue
        if visit.left is not None:
            told += _leave(work, row, visit.left)
        elif stage == State.WATCHING.value:
            told += _look_again(work, row)
        else:
            told += _urge(work, row)
    return told


def _leave(work: Work, row: Mapping[Any, Any], left: datetime) -> int:
    """A stage that ended late between two ticks must still be told of."""
    ladder = _ladder(work, row, left)
    missed = [rung for rung in ladder if rung.kind is Urge.OVERDUE]
    top, rest = owed(missed, left, {row["told"]})
    if row["stage"] == PROGRESS or left < work.now - _OLD:
        top = None
    if top is not None:
        tell(work, row, top, rest, ended=left)
    work.connection.execute(
        promises.update().where(promises.c.id == row["id"]).values(next_at=None, ended_at=left)
    )
    return 1 if top is not None else 0


def _urge(work: Work, row: Mapping[Any, Any]) -> int:
    paused = row["paused_until"]
    if paused is not None and work.now < paused:
        _book(work.connection, row, min(paused, row["due_at"]))
        return 0
    if row["stage"] == PROGRESS:
        row = noted(work, row)
    ladder = _ladder(work, row, work.now)
    top, rest = owed(ladder, work.now, {row["told"]}, acknowledged=row["acked_at"] is not None)
    if top is not None:
        tell(work, row, top, rest)
    _book(work.connection, row, next_at(ladder, work.now) or work.now + timedelta(hours=1))
    return 1 if top is not None else 0


def _book(connection: sa.Connection, row: Mapping[Any, Any], at: datetime) -> None:
    connection.execute(promises.update().where(promises.c.id == row["id"]).values(next_at=at))


def _ladder(work: Work, row: Mapping[Any, Any], until: datetime) -> list[Rung]:
    return rungs(
        promise_of(row),
        row["counted_at"],
        work.settings.deadlines,
        work.calendar,
        until,
        after=row["told"],
    )


def _look_again(work: Work, row: Mapping[Any, Any]) -> int:
    """The day of a watched item has come: it is assessed again, and the officer is told."""
    if work.now < row["due_at"]:
        _book(work.connection, row, row["due_at"])
        return 0
    work.connection.execute(
        promises.update()
        .where(promises.c.id == row["id"])
        .values(next_at=None, ended_at=work.now, told=100, told_at=work.now)
    )
    why = f"约定的复查时间 {shown(row['due_at'])} 已到，转回研判（{row['source']}）"
    moved = move_within(
        work.connection,
        work.item.id,
        State.TO_ASSESS,
        by="系统",
        via="service",
        note=why,
        now=work.now,
    )
    told = recipients(work, Rank.OFFICER)
    for recipient, transport, office in told.addresses:
        owe(
            work.connection,
            subject_key=f"item:{work.item.id}",
            stage="review",
            visit=moved.version,
            recipient=recipient,
            transport=transport,
            office=office,
            item=work.item.id,
            level=work.item.level,
            now=work.now,
            detail={
                "by": "系统",
                "note": why,
                "before": moved.before.value,
                "after": moved.after.value,
                "why": told.why,
            },
        )
    return 1
