"""How many, when: posts and items of a period by day, or by hour where it is one day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.digest.periods import Period
from config.clock import SHANGHAI
from store.records import Level, Tone, Topic
from store.tables import assessments, items, posts

#: What is thought of a post in the version last assessed.
THOUGHT = sa.and_(assessments.c.post == posts.c.id, assessments.c.version == posts.c.assessed)

#: Neither drills nor alarms about the service itself are public opinion.
COUNTED = sa.and_(items.c.drill.is_(sa.false()), items.c.topic != Topic.SYSTEM.value)

REAL = posts.c.drill.is_(sa.false())


def within(column: Any, period: Period) -> sa.ColumnElement[bool]:
    return sa.and_(column >= period.starts_at, column < period.ends_at)


def slots(period: Period) -> list[tuple[str, str, datetime]]:
    """(key, label, end) of each day; of each hour where the period is one day."""
    if period.first == period.last:
        start = period.starts_at
        return [
            (f"{hour:02d}", f"{hour}时", start + timedelta(hours=hour + 1)) for hour in range(24)
        ]
    days = []
    end = period.starts_at
    while end < period.ends_at:
        day = end.astimezone(SHANGHAI).date()
        end += timedelta(days=1)  # Shanghai has had no summer time since 1991
        days.append((day.isoformat(), f"{day.month}月{day.day}日", end))
    return days


def posts_by_time(connection: sa.Connection, period: Period) -> list[dict[str, Any]]:
    """Each slot with how many, how many of them negative and how many flagged."""
    slot = _slot(posts.c.captured_at, period)
    rows = connection.execute(
        sa.select(
            slot,
            sa.func.count(),
            sa.func.sum(sa.case((assessments.c.tone == Tone.NEGATIVE.value, 1), else_=0)),
            sa.func.sum(sa.case((assessments.c.flagged.is_(sa.true()), 1), else_=0)),
        )
        .select_from(posts.outerjoin(assessments, THOUGHT))
        .where(within(posts.c.captured_at, period), REAL)
        .group_by(slot)
    )
    found = {row[0]: (row[1], row[2], row[3]) for row in rows}
    return [
        {
            "key": key, "label": label,
            **dict(zip(("count", "negative", "flagged"), map(int, found.get(at, (0, 0, 0))),
                       strict=True)),
        }
        for at, (key, label, _) in enumerate(slots(period))
    ]  # fmt: skip


def items_by_time(connection: sa.Connection, period: Period) -> list[dict[str, Any]]:
    """Each slot with how many were discovered and how many of them are Ⅰ or Ⅱ."""
    slot = _slot(items.c.discovered_at, period)
    grave = items.c.level.in_([Level.I.value, Level.II.value])
    rows = connection.execute(
        sa.select(slot, sa.func.count(), sa.func.sum(sa.case((grave, 1), else_=0)))
        .where(within(items.c.discovered_at, period), COUNTED)
        .group_by(slot)
    )
    found = {row[0]: (row[1], row[2]) for row in rows}
    return [
        {
            "key": key, "label": label,
            "count": int(found.get(at, (0, 0))[0]), "grave": int(found.get(at, (0, 0))[1]),
        }
        for at, (key, label, _) in enumerate(slots(period))
    ]  # fmt: skip


def totals(connection: sa.Connection, period: Period | None) -> dict[str, Any] | None:
    """The totals of another period to compare with; None where nothing had been read in it."""
    if period is None:
        return None
    read = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.sum(sa.case((assessments.c.tone == Tone.NEGATIVE.value, 1), else_=0)),
        )
        .select_from(posts.outerjoin(assessments, THOUGHT))
        .where(within(posts.c.captured_at, period), REAL)
    ).one()
    grave = items.c.level.in_([Level.I.value, Level.II.value])
    found = connection.execute(
        sa.select(sa.func.count(), sa.func.sum(sa.case((grave, 1), else_=0))).where(
            within(items.c.discovered_at, period), COUNTED
        )
    ).one()
    return {
        "period": str(period),
        "days": period.shown,
        "posts": int(read[0]),
        "negative": int(read[1] or 0),
        "items": int(found[0]),
        "grave": int(found[1] or 0),
    }


def begun_before(connection: sa.Connection, moment: datetime) -> bool:
    """Whether anything had been read by then."""
    known: Mapping[Any, Any] | Any = connection.execute(
        sa.select(posts.c.id).where(posts.c.captured_at < moment).limit(1)
    ).first()
    return known is not None


def _slot(column: Any, period: Period) -> sa.Case[Any]:
    ends = [end for _, _, end in slots(period)]
    return sa.case(*((column < end, at) for at, end in enumerate(ends)), else_=len(ends) - 1)
