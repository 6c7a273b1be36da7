"""What was promised for a visit of a stage: worked out, stored once, kept, acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.deadlines import PROGRESS, Due, due, promised, review
from alerts.visits import Visit, Work
from store.records import Level, State
from store.tables import events, promises

_REVIEW = timedelta(days=3)  #: of a watched item for which nobody named a day


def dues(work: Work, visit: Visit) -> Iterator[tuple[str, Due]]:
    rules, calendar = work.settings.deadlines, work.calendar
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


def _review(work: Work, visit: Visit) -> Due:
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


def store(
    work: Work, visit: Visit, stage: str, made: Due, row: Mapping[Any, Any] | None
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
        return row_of(work.connection, work.item.id, visit.number, stage)
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
    return row_of(work.connection, work.item.id, visit.number, stage)


def row_of(connection: sa.Connection, item: int, visit: int, stage: str) -> Mapping[Any, Any]:
    return (
        connection.execute(
            sa.select(promises).where(
                promises.c.item == item, promises.c.visit == visit, promises.c.stage == stage
            )
        )
        .mappings()
        .one()
    )


def noted(work: Work, row: Mapping[Any, Any]) -> Mapping[Any, Any]:
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
        rules=work.settings.deadlines,
        calendar=work.calendar,
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
    return row_of(work.connection, work.item.id, row["visit"], PROGRESS)


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
