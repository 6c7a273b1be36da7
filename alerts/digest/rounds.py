"""The digest's own round: drafts what is due, and lets go what has reached its hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.cases import latest, raise_alarm
from alerts.digest.build import build_digest, newest
from alerts.digest.hours import due_periods, leaves_at
from alerts.digest.issues import NAMES
from alerts.digest.periods import Period
from alerts.digest.weeks import Week
from alerts.turns import take_turn
from config.clock import shown
from config.settings import Settings
from config.workdays import Calendar
from store.engine import Database
from store.records import Level
from store.tables import digests, posts, runs


def issue_due(
    database: Database, settings: Settings, now: datetime, calendar: Calendar | None = None
) -> int:
    """One round; answers how many issues it drafted or let go. The same again does nothing."""
    done = 0
    for period in _wanted(database, now, settings, calendar):
        done += _issue(database, settings, period, now, calendar)
    return done


def due_week(
    now: datetime, settings: Settings, database: Database, calendar: Calendar | None = None
) -> Week | None:
    """The oldest weekly whose hour has come and that has not left; looks back four weeks."""
    for period in _wanted(database, now, settings, calendar):
        hour = leaves_at(settings, period, calendar)
        if isinstance(period, Week) and hour is not None and hour <= now:
            return period
    return None


def _issue(
    database: Database,
    settings: Settings,
    period: Period,
    now: datetime,
    calendar: Calendar | None,
) -> bool:
    hour = leaves_at(settings, period, calendar)
    leaves = hour is not None and hour <= now
    with database.read() as connection:
        known = newest(connection, period.kind, str(period))
    if known is not None and not leaves:
        return False
    if known is not None and _is_held(settings, known):
        return _tell_held(database, settings, known, now)
    made = build_digest(database, settings, period, now, send=leaves, calendar=calendar)
    return known is None or made.state == "sent"


def _is_held(settings: Settings, row: dict[str, Any]) -> bool:
    return settings.digest.approve == "hold" and not row["approved_by"]


def _tell_held(database: Database, settings: Settings, row: dict[str, Any], now: datetime) -> bool:
    """A digest that waits for a name must not wait in silence."""
    name = f"{NAMES.get(row['kind'], '周报')} {row['period']}"
    with database.write() as connection:
        take_turn(connection)
        if latest(connection, f"system:digest-held:{row['id']}") is not None:
            return False
        raise_alarm(
            connection,
            settings,
            key=f"digest-held:{row['id']}",
            title=f"{name} 到点仍未签发，暂未发出",
            reason=f"设置为“未签发不发出”；草稿生成于 {shown(row['built_at'])}，请在值班台签发。",
            level=Level.IV,
            now=now,
        )
    return True


def _wanted(
    database: Database, now: datetime, settings: Settings, calendar: Calendar | None
) -> list[Period]:
    """Due and not sent in any edition; none from before anything was read."""
    due = due_periods(now, settings, calendar)
    if not due:
        return []
    with database.read() as connection:
        begun = _begun(connection)
        if begun is None:
            return []
        sent = {
            (row.kind, row.period)
            for row in connection.execute(
                sa.select(digests.c.kind, digests.c.period).where(
                    digests.c.state == "sent", digests.c.period.in_([str(one) for one in due])
                )
            )
        }
    return [one for one in due if begun < one.ends_at and (one.kind, str(one)) not in sent]


def _begun(connection: sa.Connection) -> datetime | None:
    """When the first thing was read, or tried."""
    first = [
        connection.execute(sa.select(sa.func.min(column))).scalar()
        for column in (runs.c.planned_at, posts.c.captured_at)
    ]
    return min((one for one in first if one is not None), default=None)
