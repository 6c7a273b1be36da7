"""A channel of our own that has said nothing new: against its own rhythm, and the inspections'.

Judged only where the channel was read: one that could not be read is never called silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from analysis.watches._gaps import passed, rhythm
from analysis.watches._passes import last_good, patience
from analysis.watching import Seen, Tools, Unsure, Watch, WatchFinding, WatchOptions, active
from config.clock import SHANGHAI
from config.duration import Duration, spoken
from config.settings import ChannelSettings, Settings
from config.workdays import Calendar, load_calendar
from store.records import Kind, Level, Role, Topic
from store.tables import posts

_DAYS = "一二三四五六日"
_PAST = timedelta(days=180)
_MOMENTS = 3000
_ONE_DAY = timedelta(days=1)


class Options(WatchOptions):
    #: 国办秘函〔2019〕19号: no update in the two weeks before the check fails an account. Local
    #: rules are stricter (a week, ten days); all of these are only defaults.
    limit: Duration = timedelta(days=14)
    ahead: Duration = timedelta(days=4)  #: before the limit, the forecast
    dynamic: Duration = timedelta(days=14)  #: columns of news
    business: Duration = timedelta(days=30)  #: columns of open information
    notices: Duration = timedelta(days=180)  #: columns of notices and policies
    columns: Mapping[str, Duration] = Field(default_factory=dict)  #: 栏目 → its own limit
    factor: float = Field(default=2.0, ge=1.0, le=20.0)  #: times the usual gap
    dynamic_words: tuple[str, ...] = ("动态", "要闻", "新闻", "快讯", "资讯", "简讯")
    business_words: tuple[str, ...] = (
        "公开",
        "业务",
        "服务",
        "统计",
        "数据",
        "人事",
        "财务",
        "采购",
    )
    notices_words: tuple[str, ...] = (
        "通知",
        "公告",
        "公示",
        "政策",
        "文件",
        "法规",
        "规章",
        "解读",
    )


def build(options: Options, tools: Tools) -> Watch:
    calendar = load_calendar(tools.base / "holidays")

    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        broken = active(connection, "broken")
        for channel in settings.channels:
            if channel.disabled:
                continue
            if _blind(connection, channel, now) or _says_nothing(broken, channel):
                yield Unsure(f"silent:{channel.id}:")
                continue
            yield from _channel(connection, channel, options, calendar, now)

    return look


def _blind(connection: sa.Connection, channel: ChannelSettings, now: datetime) -> bool:
    good = last_good(connection, channel.id)
    return good is None or now - good > patience(channel)


def _says_nothing(broken: Mapping[str, Any], channel: ChannelSettings) -> bool:
    mine = (
        f"broken:{channel.id}:empty",
        f"broken:{channel.id}:lists",
        f"broken:{channel.id}:pages",
    )
    return any(one in broken for one in mine)


def _channel(
    connection: sa.Connection,
    channel: ChannelSettings,
    options: Options,
    calendar: Calendar,
    now: datetime,
) -> Iterable[Seen]:
    moments = _moments(connection, channel.id, now)
    if not moments:
        return
    last = max(moments)
    yield from _rhythm(channel, moments, last, options, calendar=calendar, now=now)
    due = last + options.limit
    if now >= due:
        yield WatchFinding(
            subject=f"silent:{channel.id}:lapse",
            reason=(
                f"“{channel.name}”已{_length(options.limit)}未更新：最近一次发布在{_day(last)}，"
                f"{_day(due)}起超过检查期限（政务新媒体检查前{_length(options.limit)}内无更新即为不合格）。"
            ),
            level=Level.III,
            topic=Topic.SILENCE,
            channel=channel.id,
            since=last,
            step="due",
            over=f"“{channel.name}”已恢复更新",
        )
    elif now >= due - options.ahead:
        yield WatchFinding(
            subject=f"silent:{channel.id}:lapse",
            reason=(
                f"“{channel.name}”将于{_weekday(due)}满{_length(options.limit)}未更新"
                f"（{_day(due)}到期，最近一次发布在{_day(last)}），请在此前发布新内容。"
            ),
            level=Level.IV,
            topic=Topic.SILENCE,
            channel=channel.id,
            since=last,
            step="forecast",
            over=f"“{channel.name}”已在期限内更新",
        )
    yield from _columns(connection, channel, options, now)


def _rhythm(
    channel: ChannelSettings,
    moments: Sequence[datetime],
    last: datetime,
    options: Options,
    *,
    calendar: Calendar,
    now: datetime,
) -> Iterable[Seen]:
    learned = rhythm([one for one in moments if one >= now - _PAST], calendar, options.factor)
    if learned is None:
        return
    quiet = passed(last, now, calendar if learned.workdays else None)
    if quiet <= learned.limit:
        return
    days = "（只计工作日）" if learned.workdays else ""
    yield WatchFinding(
        subject=f"silent:{channel.id}:rhythm",
        reason=(
            f"“{channel.name}”已{spoken(quiet)}没有新内容{days}：以往间隔九成五不超过"
            f"{spoken(learned.usual)}。渠道读取正常，最近一次发布在{_day(last)}，请确认发布是否中断。"
        ),
        level=Level.IV,
        topic=Topic.SILENCE,
        channel=channel.id,
        since=last,
        over=f"“{channel.name}”已有新内容",
    )


def _columns(
    connection: sa.Connection, channel: ChannelSettings, options: Options, now: datetime
) -> Iterable[Seen]:
    """Columns over their own limits, in one finding a channel."""
    rows: Any = connection.execute(
        sa.select(posts.c.column, sa.func.max(_WHEN))
        .where(posts.c.channel == channel.id, *_OWN, posts.c.column != "", now >= _WHEN)
        .group_by(posts.c.column)
        .order_by(posts.c.column)
    ).all()
    late, soon = [], []
    for column, last in rows:
        limit = _limit(column, options)
        if limit is None or last is None:
            continue
        if now >= last + limit:
            late.append((column, now - last, limit))
        elif now >= last + limit - options.ahead:
            soon.append((column, last + limit, limit))
    if late:
        named = "、".join(
            f"{column}（{spoken(quiet)}，限{_length(limit)}）" for column, quiet, limit in late[:5]
        )
        more = f"等{len(late)}个" if len(late) > 5 else ""
        yield WatchFinding(
            subject=f"silent:{channel.id}:columns",
            reason=f"“{channel.name}”有{len(late)}个栏目超期未更新：{named}{more}。",
            level=Level.III if len(late) >= 5 else Level.IV,
            topic=Topic.SILENCE,
            channel=channel.id,
            step="+".join(column for column, _, _ in late)[:200],
            over=f"“{channel.name}”的栏目均已在期限内更新",
        )
    for column, due, limit in soon:
        yield WatchFinding(
            subject=f"silent:{channel.id}:column:{column}",
            reason=(
                f"“{channel.name}·{column}”将于{_weekday(due)}满{_length(limit)}未更新"
                f"（{_day(due)}到期），请在此前发布新内容。"
            ),
            level=Level.IV,
            topic=Topic.SILENCE,
            channel=channel.id,
            since=due - limit,
            over=f"“{channel.name}·{column}”的更新期限提醒结束",
        )


_WHEN = sa.func.coalesce(posts.c.published_at, posts.c.captured_at)
_OWN = (
    posts.c.role == Role.OWN.value,
    posts.c.kind == Kind.POST.value,
    posts.c.drill == sa.false(),
)


def _moments(connection: sa.Connection, channel: str, now: datetime) -> list[datetime]:
    """When the channel itself spoke; what is dated in the future counts from its capture."""
    rows = connection.execute(
        sa.select(posts.c.published_at, posts.c.captured_at)
        .where(posts.c.channel == channel, *_OWN)
        .order_by(_WHEN.desc())
        .limit(_MOMENTS)
    )
    said = [
        row.published_at if row.published_at and row.published_at <= now else row.captured_at
        for row in rows
    ]
    return [one for one in said if one <= now]


def _limit(column: str, options: Options) -> timedelta | None:
    if column in options.columns:
        return options.columns[column]
    for words, limit in (
        (options.notices_words, options.notices),
        (options.dynamic_words, options.dynamic),
        (options.business_words, options.business),
    ):
        if any(word in column for word in words):
            return limit
    return None


def _length(limit: timedelta) -> str:
    days = limit // _ONE_DAY
    if limit % _ONE_DAY:
        return spoken(limit)
    named = {7: "一周", 14: "两周", 21: "三周", 30: "一个月", 90: "三个月", 180: "六个月"}
    return named.get(days, f"{days}天")


def _day(moment: datetime) -> str:
    local = moment.astimezone(SHANGHAI)
    return f"{local.month}月{local.day}日"


def _weekday(due: datetime) -> str:
    return f"周{_DAYS[due.astimezone(SHANGHAI).weekday()]}"
