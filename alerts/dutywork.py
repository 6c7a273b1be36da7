"""催办: keeps the promise of each stage: stores its due, tells who must be told, climbs the chain.

Everything follows from the ledger and the table of promises, so a stop, a crash, a second
worker or a move made by a program that knows nothing of dues leaves no gap: the next tick
finds every visit of a stage that has no promise, or whose end has not been looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alerts.cases import latest, raise_alarm
from alerts.deadlines import (
    PROGRESS,
    REPEATED,
    Due,
    Rung,
    Urge,
    due,
    next_at,
    owed,
    promised,
    review,
    rungs,
)
from alerts.items import Item, find_item
from alerts.lifecycle import move_within
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import shown
from config.roster import CHAIN, Rank, Roster
from config.rosterfile import load_roster
from config.settings import Settings, split_recipient
from config.workdays import Calendar, load_calendar
from store.engine import Database
from store.ledger import append
from store.records import Level, State, Topic
from store.tables import events, items, promises

log = logging.getLogger(__name__)

#: Beyond the highest rung number, so that a stage begun anew has rungs of its own.
TURN = 100_000
_BATCH = 500  #: items looked at in one transaction
_OLD = timedelta(days=7)  #: nobody is told any more of a stage that ended so long ago
_REVIEW = timedelta(days=3)  #: of a watched item for which nobody named a day

_AFTER = {State.CLOSED.value, State.DISMISSED.value, State.WATCHING.value}


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


@dataclass(frozen=True, slots=True)
class _Work:
    """One item at one moment, inside one transaction."""

    connection: sa.Connection
    duty: Duty
    item: Item
    now: datetime


@dataclass(frozen=True, slots=True)
class _Visit:
    number: int  #: version of the item while it was there
    state: State
    entered: datetime
    left: datetime | None
    found: datetime  #: when it was discovered, or flared up again


def _keep(connection: sa.Connection, duty: Duty, item: Item, now: datetime) -> int:
    rows = connection.execute(
        sa.select(promises).where(promises.c.item == item.id).order_by(promises.c.visit)
    ).mappings()
    known: dict[tuple[int, str], Mapping[Any, Any]] = {(r["visit"], r["stage"]): r for r in rows}
    settled = {visit for visit, _ in known if not _running(known, visit)}
    told, work = 0, _Work(connection, duty, item, now)
    for visit in _visits(connection, item):
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


def _visits(connection: sa.Connection, item: Item) -> list[_Visit]:
    """Every visit of a stage, in order, as the ledger has it."""
    lines = connection.execute(
        sa.select(events.c.kind, events.c.at, events.c.before, events.c.after)
        .where(events.c.item == item.id, events.c.kind.in_(["opened", "moved"]))
        .order_by(events.c.id)
    ).all()
    found, entered = _discovered(connection, item), item.discovered_at
    made: list[_Visit] = []
    for number, line in enumerate(lines, 1):
        entered = line.at
        if line.kind == "moved" and line.before in _AFTER and line.after == State.TO_ASSESS.value:
            found = line.at  # 复燃: an old discovery would make it late at once
        left = lines[number].at if number < len(lines) else None
        made.append(_Visit(number, State(line.after), entered, left, found))
    if not made:  # an item of before there was a ledger
        made.append(_Visit(item.version, item.state, item.changed_at, None, found))
    return made


def _discovered(connection: sa.Connection, item: Item) -> datetime:
    """Its own discovery, or an earlier one of an item that was merged into it."""
    earliest: datetime | None = connection.execute(
        sa.select(sa.func.min(items.c.discovered_at)).where(items.c.merged_into == item.id)
    ).scalar()
    return min(item.discovered_at, earliest or item.discovered_at)


def _keep_visit(
    work: _Work, visit: _Visit, known: Mapping[tuple[int, str], Mapping[Any, Any]]
) -> int:
    if not visit.state.is_open:
        return 0
    told = 0
    for stage, made in _dues(work, visit):
        row = known.get((visit.number, stage))
        row = _store(work, visit, stage, made, row)
        if row["ended_at"] is not None:
            continue
        if visit.left is not None:
            told += _leave(work, row, visit.left)
        elif stage == State.WATCHING.value:
            told += _look_again(work, row)
        else:
            told += _urge(work, row)
    return told


def _dues(work: _Work, visit: _Visit) -> Iterator[tuple[str, Due]]:
    rules, calendar = work.duty.settings.deadlines, work.duty.calendar
    if visit.state is State.WATCHING:
        yield visit.state.value, _review(work, visit)
        return
    stages = [visit.state.value] + ([PROGRESS] if visit.state is State.HANDLING else [])
    for stage in stages:
        if rules.limit(stage, work.item.level) is not None:
            yield (
                stage,
                due(
                    stage,
                    work.item.level,
                    visit.found,
                    visit.entered,
                    rules=rules,
                    calendar=calendar,
                ),
            )


def _review(work: _Work, visit: _Visit) -> Due:
    details: Iterable[Any] = work.connection.execute(
        sa.select(events.c.detail)
        .where(
            events.c.item == work.item.id, events.c.kind == "watched", events.c.at >= visit.entered
        )
        .order_by(events.c.id.desc())
    ).scalars()
    for detail in details:
        try:
            at = datetime.fromisoformat(str(detail.get("review_by")))
        except ValueError:
            continue
        if at.tzinfo is not None:
            return review(work.item.level, visit.entered, at)
    made = review(work.item.level, visit.entered, visit.entered + _REVIEW)
    return replace(made, source=f"未写明复查日期，按{_REVIEW.days}天复查")


# --- one promise --------------------------------------------------------------------------------


def promise_of(row: Mapping[Any, Any]) -> Due:
    """A row of `promises` as the value that deadlines work on."""
    return Due(
        stage=row["stage"],
        level=Level(row["level"]),
        at=row["due_at"],
        limit=timedelta(seconds=row["seconds"]),
        working=row["working"],
        rule=row["rule"],
        calendar_version=row["calendar"],
        source=row["source"],
    )


def _values(made: Due) -> dict[str, Any]:
    return {
        "level": made.level.value,
        "due_at": made.at,
        "seconds": int(made.limit.total_seconds()),
        "working": made.working,
        "rule": made.rule,
        "calendar": made.calendar_version,
        "source": made.source,
    }


def _store(
    work: _Work, visit: _Visit, stage: str, made: Due, row: Mapping[Any, Any] | None
) -> Mapping[Any, Any]:
    """The promise of this visit: written once, and again only where a changed level makes it."""
    if row is None:
        values = {
            "item": work.item.id,
            "visit": visit.number,
            "stage": stage,
            "turn": 0,
            "found_at": visit.found,
            "entered_at": visit.entered,
            "counted_at": visit.entered,
            "told": 0,
            "next_at": visit.entered,
            **_values(made),
        }
        work.connection.execute(promises.insert().values(values))
        return _row(work.connection, work.item.id, visit.number, stage)
    if row["ended_at"] is not None or stage == PROGRESS:
        return row
    before = promise_of(row)
    if made.level is before.level and visit.found >= row["found_at"] and not row["released"]:
        return row
    holds = promised(before, made, by_leader=row["released"])
    values = {"found_at": visit.found, "released": False}
    if holds is before:
        values["level"] = made.level.value
    else:
        # Its people have their turn again before the next rung up; who was told of a limit
        # that passed is not told of it twice.
        values |= _values(holds) | {"counted_at": work.now, "next_at": work.now}
        if row["paused_until"] is not None:
            values["paused_until"] = min(row["paused_until"], work.now)
        if row["told"] < 100 or holds.at > work.now:
            values |= {"turn": row["turn"] + 1, "told": 0}
    work.connection.execute(promises.update().where(promises.c.id == row["id"]).values(values))
    return _row(work.connection, work.item.id, visit.number, stage)


def _row(connection: sa.Connection, item: int, visit: int, stage: str) -> Mapping[Any, Any]:
    return (
        connection.execute(
            sa.select(promises).where(
                promises.c.item == item, promises.c.visit == visit, promises.c.stage == stage
            )
        )
        .mappings()
        .one()
    )


def _leave(work: _Work, row: Mapping[Any, Any], left: datetime) -> int:
    """A stage that ended late between two ticks must still be told of."""
    ladder = _ladder(work.duty, row, left)
    missed = [rung for rung in ladder if rung.kind is Urge.OVERDUE]
    top, rest = owed(missed, left, {row["told"]})
    if row["stage"] == PROGRESS or left < work.now - _OLD:
        top = None
    if top is not None:
        _tell(work, row, top, rest, ended=left)
    work.connection.execute(
        promises.update().where(promises.c.id == row["id"]).values(next_at=None, ended_at=left)
    )
    return 1 if top is not None else 0


def _urge(work: _Work, row: Mapping[Any, Any]) -> int:
    paused = row["paused_until"]
    if paused is not None and work.now < paused:
        _book(work.connection, row, min(paused, row["due_at"]))
        return 0
    if row["stage"] == PROGRESS:
        row = _noted(work, row)
    ladder = _ladder(work.duty, row, work.now)
    top, rest = owed(ladder, work.now, {row["told"]}, acknowledged=row["acked_at"] is not None)
    if top is not None:
        _tell(work, row, top, rest)
    _book(work.connection, row, next_at(ladder, work.now) or work.now + timedelta(hours=1))
    return 1 if top is not None else 0


def _book(connection: sa.Connection, row: Mapping[Any, Any], at: datetime) -> None:
    connection.execute(promises.update().where(promises.c.id == row["id"]).values(next_at=at))


def _ladder(duty: Duty, row: Mapping[Any, Any], until: datetime) -> list[Rung]:
    return rungs(
        promise_of(row),
        row["counted_at"],
        duty.settings.deadlines,
        duty.calendar,
        until,
        after=row["told"],
    )


def _noted(work: _Work, row: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """A note on progress begins the next turn of that clock."""
    last: datetime | None = work.connection.execute(
        sa.select(sa.func.max(events.c.at)).where(
            events.c.item == work.item.id,
            events.c.kind == "noted",
            events.c.at > row["entered_at"],
        )
    ).scalar()
    if last is None:
        return row
    made = due(
        PROGRESS,
        work.item.level,
        row["found_at"],
        last,
        rules=work.duty.settings.deadlines,
        calendar=work.duty.calendar,
    )
    work.connection.execute(
        promises.update()
        .where(promises.c.id == row["id"])
        .values(
            **_values(made),
            entered_at=last,
            counted_at=last,
            turn=row["turn"] + 1,
            told=0,
            acked_at=None,
        )
    )
    return _row(work.connection, work.item.id, row["visit"], PROGRESS)


def _look_again(work: _Work, row: Mapping[Any, Any]) -> int:
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
    told = _recipients(work, Rank.OFFICER)
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


# --- who is told --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    addresses: tuple[tuple[str, str, str], ...]  #: recipient, transport, office
    why: str
    asked: Rank
    reached: str
    alarm: bool


def _recipients(work: _Work, rank: Rank) -> _Told:
    if rank is Rank.OFFICE:
        office = next(
            (one for one in work.duty.settings.offices if one.id == work.item.office), None
        )
        if office is not None:
            return _Told(
                addresses=tuple(
                    (recipient, transport, office.id)
                    for transport, recipient in map(split_recipient, office.addresses)
                ),
                why=f"{work.item.number} 由{office.name}办理",
                asked=rank,
                reached=rank.value,
                alarm=False,
            )
        rank = Rank.OFFICER  # nobody has been given it: whoever is on duty must see to that
    if work.item.topic is Topic.SYSTEM and CHAIN.index(rank) > CHAIN.index(Rank.LEADER):
        rank = (
            Rank.LEADER
        )  # a fault of the service is mended on work.duty, not by the head of office
    reached = work.duty.roster.reachable(work.now, rank)
    return _Told(
        addresses=tuple(
            (recipient, transport, "")
            for transport, recipient in map(split_recipient, reached.addresses)
        ),
        why=reached.why,
        asked=rank,
        reached=reached.reached.value if reached.reached else "fallback",
        alarm=reached.alarm,
    )


def _tell(
    work: _Work,
    row: Mapping[Any, Any],
    rung: Rung,
    rest: Sequence[Rung],
    *,
    ended: datetime | None = None,
) -> None:
    """One line of the ledger and one notice a person, for one rung, once."""
    told = _recipients(work, rung.to)
    missed = [_missed(one) for one in rest if one.number < REPEATED]  # repeats are counted
    detail: dict[str, Any] = {
        "kind": rung.kind.value,
        "stage": row["stage"],
        "turn": row["turn"],
        "rung": rung.number,
        "due_at": row["due_at"].isoformat(),
        "what": rung.why,
        "missed": missed,
        "missed_count": len(rest),
        "asked": told.asked.value,
        "reached": told.reached,
        "why": told.why,
    }
    if ended is not None:
        detail["ended"] = ended.isoformat()
    event = append(
        work.connection,
        item=work.item.id,
        at=work.now,
        kind="reminded" if rung.kind is Urge.REMINDER else "overdue",
        by="系统",
        before=row["stage"],
        after=row["stage"],
        note=f"{rung.why}；通知{told.asked.label}：{told.why}",
        detail={
            **detail,
            "visit": row["visit"],
            "rule": row["rule"],
            "calendar": row["calendar"],
            "source": row["source"],
            "level": row["level"],
            "addresses": [f"{transport}:{to}" for to, transport, _ in told.addresses],
        },
    )
    for recipient, transport, office in told.addresses:
        owe(
            work.connection,
            subject_key=f"item:{work.item.id}",
            stage="progress" if row["stage"] == PROGRESS else rung.kind.value,
            visit=row["visit"],
            rung=row["turn"] * TURN + rung.number,
            recipient=recipient,
            transport=transport,
            office=office,
            item=work.item.id,
            level=work.item.level,
            now=work.now,
            detail={**detail, "event": event},
        )
    work.connection.execute(
        promises.update()
        .where(promises.c.id == row["id"])
        .values(told=max(rung.number, row["told"]), told_at=work.now)
    )
    if told.alarm:
        _alarm_empty(work, told)


def _missed(rung: Rung) -> str:
    kind = "催办" if rung.kind is Urge.REMINDER else f"超时，通知{rung.to.label}"
    return f"{shown(rung.at)} 应发{kind}"


def _alarm_empty(work: _Work, told: _Told) -> None:
    key = f"roster:{told.asked.value}"
    known = latest(work.connection, f"system:{key}")
    if known is not None and known.state.is_open:
        return
    raise_alarm(
        work.connection,
        work.duty.settings,
        key=key,
        title=f"值班链条缺人：{told.asked.label}通知不到",
        reason=f"{told.why}。请核对值班表，并运行 tinglan check 查看今后14天的空班。",
        level=Level.II,
        now=work.now,
    )


# --- what people may do to a promise ------------------------------------------------------------


def acknowledge_stage(connection: sa.Connection, item: int, visit: int, now: datetime) -> bool:
    """签收: no more reminders for this visit; the limit stands. False where that was so already."""
    updated = connection.execute(
        promises.update()
        .where(
            promises.c.item == item,
            promises.c.visit == visit,
            promises.c.stage != PROGRESS,
            promises.c.acked_at.is_(None),
            promises.c.ended_at.is_(None),
        )
        .values(acked_at=now)
    )
    return bool(updated.rowcount)
