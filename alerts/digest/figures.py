"""The figures of a week: every total is the sum of its parts, and lists what it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.digest.coverage import coverage
from alerts.digest.periods import Period
from alerts.headers import clean_header
from alerts.items import (
    Item,
    item_of,
    overdue_items,
    rank,
    topic_label,
    undelivered_notices,
)
from alerts.links import link_of
from alerts.routing import channel_name
from config.clock import shown
from config.duration import spoken
from config.settings import Settings
from store.engine import Database
from store.records import Level, NoticeState, State, Tone, Topic
from store.tables import assessments, items, posts


def figures(database: Database, settings: Settings, week: Period, now: datetime) -> dict[str, Any]:
    """Everything the weekly says, as plain values that can be frozen. Drills are left out.

    Posts count in the week in which they were first seen, items in that of their discovery;
    states are those of `now`.
    """
    end = min(week.ends_at, now)
    with database.read() as connection:
        told = _items(connection, settings, week)
        return {
            "period": str(week),
            "days": week.shown,
            "as_of": shown(now),
            "complete": now >= week.ends_at,
            "posts": _posts(connection, settings, week),
            "items": told,
            "before": _before(connection, week.before),
            "handling": _handling(connection, settings, week, now),
            "alarms": _alarms(connection, settings, week),
            "channels": coverage(connection, settings, week.starts_at, end)
            if end > week.starts_at
            else [],
        }


def reconciles(told: Mapping[str, Any]) -> bool:
    """Whether every total equals the sum of each of its breakdowns."""
    for part in ("posts", "items"):
        total = told[part]["total"]
        for name, rows in told[part].items():
            if name.startswith("by_") and sum(row["count"] for row in rows) != total:
                return False
    return bool(len(told["items"]["list"]) == told["items"]["total"])


def _posts(connection: sa.Connection, settings: Settings, week: Period) -> dict[str, Any]:
    thought = sa.and_(assessments.c.post == posts.c.id, assessments.c.version == posts.c.assessed)
    rows = connection.execute(
        sa.select(
            posts.c.channel,
            assessments.c.tone,
            assessments.c.level,
            assessments.c.flagged,
            sa.func.count().label("many"),
        )
        .select_from(posts.outerjoin(assessments, thought))
        .where(
            posts.c.captured_at >= week.starts_at,
            posts.c.captured_at < week.ends_at,
            posts.c.drill.is_(sa.false()),
        )
        .group_by(posts.c.channel, assessments.c.tone, assessments.c.level, assessments.c.flagged)
    ).all()
    channels: Counter[str] = Counter({channel.id: 0 for channel in settings.channels})
    tones: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    cross: Counter[tuple[str, str]] = Counter()
    flagged: Counter[str] = Counter()
    for row in rows:
        tone = row.tone if row.tone in _TONES else Tone.UNKNOWN.value
        level = (row.level or Level.IV.value) if row.flagged else ""
        channels[row.channel] += row.many
        tones[tone] += row.many
        levels[level] += row.many
        cross[row.channel, tone] += row.many
        flagged[row.channel] += row.many if row.flagged else 0
    return {
        "total": sum(row.many for row in rows),
        "flagged": sum(flagged.values()),
        "by_channel": [
            {
                "key": channel,
                "label": clean_header(channel_name(settings, channel), 40),
                "count": count,
                "flagged": flagged[channel],
                **{tone: cross[channel, tone] for tone in _TONES},
            }
            for channel, count in channels.items()
        ],
        "by_tone": [
            {"key": tone, "label": Tone(tone).label, "count": tones[tone]} for tone in _TONES
        ],
        "by_level": [*_levels(levels), {"key": "", "label": "未预警", "count": levels[""]}],
    }


#: Neither drills nor alarms about the service itself are public opinion.
_COUNTED = sa.and_(items.c.drill.is_(sa.false()), items.c.topic != Topic.SYSTEM.value)

_TONES = [tone.value for tone in Tone]


def _items(connection: sa.Connection, settings: Settings, week: Period) -> dict[str, Any]:
    rows = connection.execute(
        sa.select(items, posts.c.url)
        .select_from(items.outerjoin(posts, posts.c.id == items.c.post))
        .where(
            items.c.discovered_at >= week.starts_at,
            items.c.discovered_at < week.ends_at,
            _COUNTED,
        )
        .order_by(rank(items.c.level), items.c.discovered_at, items.c.id)
    ).mappings()
    told = [(item_of(row), row["url"] or "") for row in rows]
    found = [item for item, _ in told]
    return {
        "total": len(found),
        "grave": sum(item.level in {Level.I, Level.II} for item in found),
        "open": sum(item.state.is_open for item in found),
        "by_level": _levels(Counter(item.level.value for item in found)),
        "by_topic": _counted(
            Counter(item.topic.value if item.topic else "" for item in found), topic_label
        ),
        "by_state": [
            {"key": state.value, "label": state.label, "count": count}
            for state in State
            if (count := sum(item.state is state for item in found))
        ],
        "by_channel": _counted(
            Counter(item.channel for item in found), lambda one: channel_name(settings, one)
        ),
        "list": [_line(item, url, settings) for item, url in told],
    }


def _line(item: Item, url: str, settings: Settings) -> dict[str, Any]:
    link = link_of(url)
    return {
        "number": item.number,
        "level": item.level.value,
        "topic": topic_label(item.topic),
        "title": clean_header(item.title, 80),
        "channel": clean_header(channel_name(settings, item.channel), 40),
        "state": item.state.label,
        "discovered": shown(item.discovered_at),
        "published": shown(item.published_at) if item.published_at else "",
        "closed": shown(item.closed_at) if item.closed_at else "",
        "lasted": spoken(item.closed_at - item.discovered_at) if item.closed_at else "",
        "url": link.url if link else "",
        "host": link.host if link else "",
    }


def _handling(
    connection: sa.Connection, settings: Settings, week: Period, now: datetime
) -> dict[str, Any]:
    late = overdue_items(connection, now)
    closed = connection.execute(
        sa.select(sa.func.count()).where(
            items.c.state == State.CLOSED.value,
            items.c.closed_at >= week.starts_at,
            items.c.closed_at < week.ends_at,
            _COUNTED,
        )
    ).scalar_one()
    carried = connection.execute(
        sa.select(sa.func.count()).where(
            items.c.state.in_([state.value for state in State if state.is_open]),
            items.c.discovered_at < week.starts_at,
            _COUNTED,
        )
    ).scalar_one()
    return {
        "closed": closed,
        "carried": carried,
        "overdue": [
            {**_line(item, "", settings), "since": spoken(now - item.changed_at)} for item in late
        ],
        "undelivered": _undelivered(undelivered_notices(connection, now)),
    }


def _undelivered(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a person and way, oldest first: forty letters to one address are one trouble."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        state = "被拒收" if row["state"] in _REFUSED else "未送达"
        grouped.setdefault((clean_header(row["recipient"], 60), state), []).append(row)
    return [
        {
            "recipient": recipient,
            "state": state,
            "count": len(mine),
            "since": shown(mine[0]["created_at"]),
            "reply": clean_header(mine[-1]["reply"], 120),
        }
        for (recipient, state), mine in grouped.items()
    ]


_REFUSED = {NoticeState.REFUSED.value, NoticeState.BOUNCED.value}


def _alarms(connection: sa.Connection, settings: Settings, week: Period) -> list[dict[str, Any]]:
    """What the service had to say about itself."""
    rows = connection.execute(
        sa.select(items)
        .where(
            items.c.topic == Topic.SYSTEM.value,
            items.c.drill.is_(sa.false()),
            items.c.discovered_at >= week.starts_at,
            items.c.discovered_at < week.ends_at,
        )
        .order_by(items.c.discovered_at, items.c.id)
    ).mappings()
    return [_line(item_of(row), "", settings) for row in rows]


def _before(connection: sa.Connection, week: Period) -> dict[str, int] | None:
    """Last week's totals; None where nothing had been seen by then."""
    known = connection.execute(
        sa.select(sa.func.count()).where(posts.c.captured_at < week.ends_at)
    ).scalar_one()
    if not known:
        return None
    return {
        "posts": _count(connection, posts.c.captured_at, posts.c.drill.is_(sa.false()), week),
        "items": _count(connection, items.c.discovered_at, _COUNTED, week),
    }


def _count(
    connection: sa.Connection, at: Any, counted: sa.ColumnElement[bool], week: Period
) -> int:
    query = sa.select(sa.func.count()).where(at >= week.starts_at, at < week.ends_at, counted)
    return int(connection.execute(query).scalar_one())


def _levels(counter: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"key": level.value, "label": level.label, "count": counter.get(level.value, 0)}
        for level in Level
    ]


def _counted(counter: Mapping[str, int], label: Any) -> list[dict[str, Any]]:
    ordered: Iterable[tuple[str, int]] = sorted(counter.items(), key=lambda one: (-one[1], one[0]))
    return [
        {"key": key, "label": clean_header(label(key), 40), "count": count}
        for key, count in ordered
    ]
