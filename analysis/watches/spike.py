"""More is said than usual: in a channel against its own past, and of one event by the hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from pydantic import Field

from analysis.events import SPIKE_POSTS, Growth, daily, hourly
from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions, active
from config.settings import ChannelSettings, Settings
from store.records import Level, Role, State, Topic
from store.tables import assessments, item_posts, items, posts

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SAMPLES: Final = 3
_SAMPLE: Final = 40  #: characters
#: When it was said; when it was read, where nobody knows.
_when = sa.func.coalesce(posts.c.published_at, posts.c.captured_at)
_PUBLIC: Final = sa.and_(posts.c.role == Role.PUBLIC.value, posts.c.drill == sa.false())


class Options(WatchOptions):
    posts: int = Field(default=SPIKE_POSTS, ge=2)  #: fewer are no spike of a channel
    flagged: int = Field(default=3, ge=1)  #: so many flagged ones among them make it Ⅲ
    fast: int = Field(default=SPIKE_POSTS, ge=2)  #: posts of one event in an hour: at least Ⅲ
    storm: int = Field(default=30, ge=3)  #: … at least Ⅱ


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        told = active(connection, "spike")
        counted = _counted(connection, now)
        for channel in settings.channels:
            if not channel.disabled and channel.id in counted:
                yield from _channel(
                    connection, channel, counted[channel.id], told=told, options=options, now=now
                )
        yield from _events(connection, options, now)

    return look


def _channel(
    connection: sa.Connection,
    channel: ChannelSettings,
    counts: Any,
    *,
    told: Mapping[str, Any],
    options: Options,
    now: datetime,
) -> Iterable[Seen]:
    # Since when we have been looking: of the time before, an office's old articles are known but
    # not what the public wrote, and the first hour would look like a storm.
    begun = connection.execute(
        sa.select(sa.func.min(posts.c.captured_at)).where(posts.c.channel == channel.id)
    ).scalar()
    if begun is None:
        return
    spans = (
        ("hour", "近1小时", "平时每小时", _HOUR, 13 * _HOUR, hourly(counts.hour, counts.hours)),
        ("day", "近24小时", "近两周平均每天", _DAY, 8 * _DAY,
         daily(counts.day, counts.days, counts.week)),
    )  # fmt: skip
    for name, lately, usually, span, past, growth in spans:
        subject = f"spike:{channel.id}:{name}"
        if now - begun < past or not _is_on(growth, subject in told, options):
            continue
        flagged, topic = _flagged(connection, channel.id, now - span, now)
        grave = flagged >= options.flagged
        known = told.get(subject, {}).get("steps", [])
        week = "" if growth.week_ago is None else f"，上周同日{growth.week_ago}条"
        yield WatchFinding(
            subject=subject,
            reason=(
                f"“{channel.name}”{lately}公众发言{growth.count}条，"
                f"{usually}约{growth.usual:.1f}条{week}，明显多于往常；"
                f"其中触发预警{flagged}条。请看看是否有集中反映的事。"
            ),
            level=Level.III if grave else Level.IV,
            topic=topic or Topic.SYSTEM,
            channel=channel.id,
            step="grave" if grave or "grave" in known else "",
            text=_sample(connection, channel.id, now - span, now),
            over=f"“{channel.name}”公众发言数量已回到平常",
        )


def _is_on(growth: Growth, is_told: bool, options: Options) -> bool:
    """What has been told goes on until the numbers are near the usual again, so as not to flap."""
    if is_told:
        return growth.times > 2 and growth.count >= 2
    return growth.is_spike and growth.count >= options.posts


def _counted(connection: sa.Connection, now: datetime) -> dict[str, Any]:
    """channel → posts of the public by age, in one look."""

    def between(oldest: timedelta, youngest: timedelta = timedelta()) -> Any:
        inside = sa.and_(_when > now - oldest, _when <= now - youngest)
        return sa.func.sum(sa.case((inside, 1), else_=0))

    rows = connection.execute(
        sa.select(
            posts.c.channel,
            between(_HOUR).label("hour"),
            between(13 * _HOUR, _HOUR).label("hours"),
            between(_DAY).label("day"),
            between(15 * _DAY, _DAY).label("days"),
            between(8 * _DAY, 7 * _DAY).label("week"),
        )
        .where(_PUBLIC, posts.c.captured_at > now - 15 * _DAY)
        .group_by(posts.c.channel)
    ).all()
    return {row.channel: row for row in rows}


def _flagged(
    connection: sa.Connection, channel: str, start: datetime, end: datetime
) -> tuple[int, Topic | None]:
    """How many of them were flagged, and what most of those are about."""
    rows = connection.execute(
        sa.select(assessments.c.topics)
        .join(
            posts,
            sa.and_(posts.c.id == assessments.c.post, posts.c.version == assessments.c.version),
        )
        .where(_PUBLIC, posts.c.channel == channel, posts.c.captured_at > start - _DAY)
        .where(_when > start, _when <= end, assessments.c.flagged)
    ).all()
    leading = [row.topics[0] for row in rows if row.topics]
    most = max(sorted(set(leading)), key=leading.count, default=None)
    return len(rows), Topic(most) if most else None


def _sample(connection: sa.Connection, channel: str, start: datetime, end: datetime) -> str:
    rows = connection.execute(
        sa.select(posts.c.title, posts.c.text)
        .where(_PUBLIC, posts.c.channel == channel, posts.c.captured_at > start - _DAY)
        .where(_when > start, _when <= end)
        .order_by(posts.c.id.desc())
        .limit(_SAMPLES)
    ).all()
    shown = [" ".join((row.title or row.text).split()) for row in rows]
    return "；".join(one if len(one) <= _SAMPLE else f"{one[: _SAMPLE - 1]}…" for one in shown)


def _events(connection: sa.Connection, options: Options, now: datetime) -> Iterable[Seen]:
    """Cases whose posts pile up: told in the case itself, once for each step."""
    recent = sa.func.sum(sa.case((_when > now - _HOUR, 1), else_=0))
    before = sa.func.sum(sa.case((_when <= now - _HOUR, 1), else_=0))
    rows = connection.execute(
        sa.select(
            items.c.number, items.c.topic, items.c.channel, items.c.post,
            items.c.discovered_at, recent.label("recent"), before.label("before"),
        )
        .join(item_posts, item_posts.c.item == items.c.id)
        .join(posts, posts.c.id == item_posts.c.post)
        .where(
            items.c.state.in_([state.value for state in State if state.is_open]),
            items.c.drill == sa.false(),
            items.c.post.is_not(None),
            _when > now - 13 * _HOUR,
            _when <= now,
        )
        .group_by(
            items.c.number, items.c.topic, items.c.channel, items.c.post, items.c.discovered_at
        )
        .having(recent >= options.fast)
    ).all()  # fmt: skip
    for row in rows:
        growth = hourly(int(row.recent), int(row.before))
        if not growth.is_spike:
            continue
        step, level = ("storm", Level.II) if growth.count >= options.storm else ("fast", Level.III)
        yield WatchFinding(
            subject=f"growth:{row.number}:{step}",
            since=row.discovered_at,  # part of the key: once a case and step
            reason=(
                f"同一事件近1小时新增{growth.count}条，此前12小时平均每小时{growth.usual:.1f}条，"
                f"传播加快，建议等级不低于{level.numeral}级，请研判。"
            ),
            level=level,
            topic=_topic(row.topic),
            channel=row.channel,
            step=step,
            passing=True,
            post=row.post,
        )


def _topic(name: str) -> Topic:
    try:
        return Topic(name)
    except ValueError:
        return Topic.SYSTEM
