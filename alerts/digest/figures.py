"""The figures of a week: every total is the sum of its parts, and lists what it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from alerts.digest.ahead import ahead, written
from alerts.digest.cases import key_items, largest, spread_of, told_of
from alerts.digest.coverage import coverage
from alerts.digest.drafting import advice, opinion
from alerts.digest.keywords import keywords
from alerts.digest.ownwork import clarifications, concerned, updates
from alerts.digest.periods import Period, Span, month_of
from alerts.digest.tallies import (
    COUNTED,
    REAL,
    THOUGHT,
    begun_before,
    items_by_time,
    posts_by_time,
    totals,
    within,
)
from alerts.digest.timeliness import stages
from alerts.digest.weeks import Week
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
from config.workdays import Calendar, load_calendar
from store.engine import Database
from store.records import Level, NoticeState, Role, State, Tone, Topic
from store.tables import assessments, items, posts


def figures(
    database: Database,
    settings: Settings,
    period: Period,
    now: datetime,
    *,
    calendar: Calendar | None = None,
) -> dict[str, Any]:
    """Everything the digest says, as plain values that can be frozen. Drills are left out.

    Posts count in the period in which they were first seen, items in that of their discovery;
    states are those of `now`. `calendar`: the office's holidays; without it the shipped ones.
    """
    end = min(period.ends_at, now)
    with database.read() as connection:
        found = _found(connection, period)
        spread = spread_of(connection, [item.id for item, _ in found])
        cases = [item for item, _ in found]
        compare = begun_before(connection, period.starts_at)
        told: dict[str, Any] = {
            "kind": period.kind,
            "period": str(period),
            "label": label_of(period),
            "days": period.shown,
            "as_of": shown(now),
            "complete": now >= period.ends_at,
            "posts": _posts(connection, settings, period),
            "items": _items(settings, found, spread, items_by_time(connection, period)),
            "before": totals(connection, period.before) if compare else None,
            "year_ago": _year_ago(connection, period),
            "key": [
                told_of(connection, settings, item, now)
                for item in key_items(cases, spread, _KEY.get(period.kind, 8))
            ],
            "events": largest(cases, spread),
            "handling": _handling(connection, settings, period, now),
            "alarms": _alarms(connection, settings, period),
            "channels": _channels(connection, settings, period, end),
            "own": {
                name: [_line(item, "", settings) for item in concerned(cases, topic)]
                for name, topic in (("silent", Topic.SILENCE), ("tampered", Topic.INTEGRITY))
            },
            "rumours": {
                "items": [
                    {**_line(item, url, settings), "open": item.state.is_open}
                    for item, url in found
                    if item in concerned(cases, Topic.RUMOUR)
                ],
                "clarifications": clarifications(connection, settings, period),
            },
            "ahead": _ahead(settings, calendar or _shipped(), period),
            **_keywords(connection, period),
        }
    words = WORDS.get(period.kind, WORDS["special"])
    told["opinion"] = opinion(told, words)
    told["advice"] = advice(told, words)
    return told


#: How each kind speaks of itself, of the one before and of the time to come.
WORDS: Mapping[str, Mapping[str, str]] = {
    "weekly": {"this": "本周", "before": "上周", "next": "下周", "year": "去年同周"},
    "daily": {"this": "当日", "before": "前一日", "next": "近期", "year": "去年同日"},
    "monthly": {"this": "本月", "before": "上月", "next": "下月", "year": "去年同月"},
    "special": {"this": "本期", "before": "上期", "next": "下期", "year": "去年同期"},
}

_KEY = {"daily": 5, "weekly": 8, "monthly": 12}  #: items told at length
_PAST = 4  #: periods that keywords are compared with
_STANDING = 200  #: items not yet done, listed
_SAMPLE = 2000  #: posts read for keywords, of now and of before each


def label_of(period: Period) -> str:
    """2026年第47周, 2026年11月, or the days themselves."""
    if isinstance(period, Week):
        return f"{period.year}年第{period.number}周"
    return period.shown


@cache
def _shipped() -> Calendar:
    return load_calendar()


def _ahead(settings: Settings, calendar: Calendar, period: Period) -> dict[str, Any]:
    first = period.last + timedelta(days=1)
    length = max((period.last - period.first).days, 6)
    last = first + timedelta(days=length)
    if period.kind == "monthly":
        last = month_of(first).last
    days = Span(first, last)
    return {
        "days": written(ahead(settings.keydates, calendar, first, last)),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "shown": days.shown,
    }


def _keywords(connection: sa.Connection, period: Period) -> dict[str, Any]:
    """Of what was flagged or negative: the ordinary news of the agency is not public opinion."""
    earlier = [period.before]
    while len(earlier) < _PAST:
        earlier.append(earlier[-1].before)
    past = [one for one in earlier if begun_before(connection, one.ends_at)]
    before = _texts(connection, past[-1].starts_at, period.starts_at) if past else []
    found = keywords(_texts(connection, period.starts_at, period.ends_at), before, len(past))
    return {
        "keywords": [
            {"word": one.word, "count": one.count, "before": round(one.before, 1)} for one in found
        ],
        "keywords_past": len(past),
    }


def _texts(connection: sa.Connection, start: datetime, end: datetime) -> list[str]:
    rows = connection.execute(
        sa.select(posts.c.title, sa.func.substr(posts.c.text, 1, 200))
        .join(assessments, THOUGHT)
        .where(
            posts.c.captured_at >= start,
            posts.c.captured_at < end,
            REAL,
            posts.c.role == Role.PUBLIC.value,
            sa.or_(assessments.c.flagged, assessments.c.tone == Tone.NEGATIVE.value),
        )
        .order_by(posts.c.id.desc())
        .limit(_SAMPLE)
    )
    return [f"{title} {text}" for title, text in rows]


def _year_ago(connection: sa.Connection, period: Period) -> dict[str, Any] | None:
    """None where nothing had been read by its beginning: part of a week is no comparison."""
    other = period.year_ago
    if other is None or not begun_before(connection, other.starts_at):
        return None
    return totals(connection, other)


def _channels(
    connection: sa.Connection, settings: Settings, period: Period, end: datetime
) -> list[dict[str, Any]]:
    if end <= period.starts_at:
        return []
    own = updates(connection, period)
    nothing = {"own": 0, "last_own": ""}
    return [
        {**row, **own.get(row["id"], nothing)}
        for row in coverage(connection, settings, period.starts_at, end)
    ]


def reconciles(told: Mapping[str, Any]) -> bool:
    """Whether every total equals the sum of each of its breakdowns."""
    for part in ("posts", "items"):
        total = told[part]["total"]
        for name, rows in told[part].items():
            if name.startswith("by_") and sum(row["count"] for row in rows) != total:
                return False
    return bool(len(told["items"]["list"]) == told["items"]["total"])


def _posts(connection: sa.Connection, settings: Settings, week: Period) -> dict[str, Any]:
    rows = connection.execute(
        sa.select(
            posts.c.channel,
            assessments.c.tone,
            assessments.c.level,
            assessments.c.flagged,
            sa.func.count().label("many"),
        )
        .select_from(posts.outerjoin(assessments, THOUGHT))
        .where(within(posts.c.captured_at, week), REAL)
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
        "by_time": posts_by_time(connection, week),
    }


_TONES = [tone.value for tone in Tone]


def _found(connection: sa.Connection, period: Period) -> list[tuple[Item, str]]:
    """Items of the period with the address of their post, the gravest first."""
    rows = connection.execute(
        sa.select(items, posts.c.url)
        .select_from(items.outerjoin(posts, posts.c.id == items.c.post))
        .where(within(items.c.discovered_at, period), COUNTED)
        .order_by(rank(items.c.level), items.c.discovered_at, items.c.id)
    ).mappings()
    return [(item_of(row), row["url"] or "") for row in rows]


def _items(
    settings: Settings,
    told: Sequence[tuple[Item, str]],
    spread: Mapping[int, int],
    by_time: list[dict[str, Any]],
) -> dict[str, Any]:
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
        "by_time": by_time,
        "list": [
            {
                **_line(item, url, settings),
                "channel_id": item.channel,
                "topic_id": item.topic.value if item.topic else "",
                "state_id": item.state.value,
                "office": _office(settings, item.office),
                "posts": spread.get(item.id, 0),
            }
            for item, url in told
        ],
    }


def _office(settings: Settings, office: str) -> str:
    return next((one.name for one in settings.offices if one.id == office), "")


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
    connection: sa.Connection, settings: Settings, period: Period, now: datetime
) -> dict[str, Any]:
    late = overdue_items(connection, now)
    closed = connection.execute(
        sa.select(sa.func.count()).where(
            items.c.state == State.CLOSED.value, within(items.c.closed_at, period), COUNTED
        )
    ).scalar_one()
    standing = [
        item_of(row)
        for row in connection.execute(
            sa.select(items)
            .where(
                items.c.state.in_([state.value for state in State if state.is_open]),
                items.c.discovered_at < period.ends_at,
                COUNTED,
            )
            .order_by(rank(items.c.level), items.c.discovered_at, items.c.id)
        ).mappings()
    ]
    carried = sum(item.discovered_at < period.starts_at for item in standing)
    return {
        "closed": closed,
        "carried": carried,
        "stages": stages(connection, period, now),
        "standing": [
            {
                **_line(item, "", settings),
                "office": _office(settings, item.office),
                "age": spoken(now - item.discovered_at),
                "late": item.id in {one.id for one in late},
            }
            for item in standing[:_STANDING]
        ],
        "standing_total": len(standing),
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


def _alarms(connection: sa.Connection, settings: Settings, period: Period) -> list[dict[str, Any]]:
    """What the service had to say about itself."""
    rows = connection.execute(
        sa.select(items)
        .where(
            items.c.topic == Topic.SYSTEM.value,
            items.c.drill.is_(sa.false()),
            within(items.c.discovered_at, period),
        )
        .order_by(items.c.discovered_at, items.c.id)
    ).mappings()
    return [_line(item_of(row), "", settings) for row in rows]


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
