"""The statistics, a day late: they alone tell what followers were sent, and its message ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from config.clock import SHANGHAI
from crawler.intake import Counts
from crawler.quota import Purpose, beijing_day
from crawler.wechat import articles
from crawler.wechat.articles import Counted
from crawler.wechat.caller import Question
from crawler.wechat.desk import Desk, day_of, when
from crawler.wechat.errors import Failed, Refused, Remedy
from store.tables import posts

PATH = "/datacube/getarticletotaldetail"
NAME = "群发统计"
READY = time(8, 30)  #: Beijing; before it yesterday's are not there
RETRY = timedelta(hours=1)
GIVE_UP = timedelta(days=3)  #: a day that stays away is passed over, and said so
KEPT = timedelta(days=30)  #: no older days are to be had
_DAY = timedelta(days=1)


def read(desk: Desk) -> None:
    """Every day up to yesterday that was not read yet, oldest first. Raises Skipped, Failed."""
    absent = desk.caller.absent("statistics")
    if absent:
        desk.notes.append(f"{NAME}：{absent}，暂不读取")
        return
    now = desk.now()
    yesterday = beijing_day(now) - _DAY
    place = desk.places.get("statistics")
    done = day_of(place.get("done")) or yesterday - timedelta(days=desk.options.days_back)
    retry = when(place.get("retry_at"))
    if done >= yesterday or (retry is not None and now < retry and not desk.tools.manual):
        return
    early = now.astimezone(SHANGHAI).time() < READY
    last = yesterday - _DAY if early else yesterday
    day = max(done, yesterday - KEPT) + _DAY
    while day <= last and not desk.late():
        if not _read_day(desk, day, place):
            return
        place = {"done": day.isoformat()}
        day += _DAY


def _read_day(desk: Desk, day: date, place: Mapping[str, Any]) -> bool:
    """Whether the day is done with."""
    now = desk.now()
    since = when(place.get("since")) or now
    given_up = now - since >= GIVE_UP
    waiting = {**place, "retry_at": (now + RETRY).isoformat(), "since": since.isoformat()}
    done = {"done": day.isoformat()}
    body = {"begin_date": day.isoformat(), "end_date": day.isoformat()}
    try:
        page = desk.caller.call(
            Question("statistics", PATH, body, {"day": day.isoformat()}), Purpose.FOLLOW
        )
    except Failed as error:
        unready = isinstance(error, Refused) and error.remedy is Remedy.LATER
        with desk.run.write() as connection:
            passed = unready and given_up
            desk.places.put(connection, "statistics", done if passed else waiting, now)
        if not unready:
            raise
        if given_up:
            desk.troubles.append(
                f"{day:%m月%d日}的{NAME}三天未就绪，已跳过；当天群发的文章可能没有收录"
            )
        else:
            desk.notes.append(f"{day:%m月%d日}的{NAME}尚未就绪，稍后再读")
        return given_up
    found = articles.counted_day(page.data)
    if found is None:
        desk.broken(page, f"{NAME}的答复里没有列表，接口格式可能已变")
    if found.bad:
        desk.notes.append(f"{NAME}中有 {found.bad} 行认不出消息编号")
    settled = not found.delayed or given_up
    with desk.run.write() as connection:
        counts = _keep(desk, connection, found.articles, day)
        desk.places.put(connection, "statistics", done if settled else waiting, now)
        desk.settle(connection, page, counts, anything=bool(found.articles), bad=found.bad)
    return settled


def _keep(desk: Desk, connection: sa.Connection, found: Iterable[Counted], day: date) -> Counts:
    at = datetime.combine(day, time(), SHANGHAI)
    counts = Counts()
    for one in found:
        key, adds = _known_as(desk.channel, connection, one)
        if adds:
            capture = articles.counted_capture(desk.channel, one, at)
            counts += desk.intake(connection, [capture])
        desk.watch(connection, one.msgid, key, at + timedelta(hours=12))
    return counts


def _known_as(channel: str, connection: sa.Connection, one: Counted) -> tuple[str, bool]:
    """The key of the article's post, and whether the statistics can add to it."""
    same = posts.c.key == one.msgid.key
    if one.url:
        same |= posts.c.url == one.url
    row = connection.execute(
        sa.select(posts.c.key, posts.c.title).where(
            posts.c.channel == channel, posts.c.kind == "post", same
        )
    ).first()
    if row is None:
        return one.msgid.key, True
    return row.key, bool(one.title) and row.title == articles.PLACEHOLDER
