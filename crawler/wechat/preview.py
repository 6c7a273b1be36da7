"""What a pass over the account would ask for, what it costs, and three of its articles."""

from __future__ import annotations

from datetime import datetime, timedelta

from config.clock import shown
from config.duration import spoken
from crawler.catalogue import PlannedCall, Preview, Tools
from crawler.quota import Governor, Plan, Purpose, beijing_day
from crawler.wechat import articles, published
from crawler.wechat.caller import Caller, Halted, Question, Skipped
from crawler.wechat.comments import pause_after
from crawler.wechat.desk import day_of, when
from crawler.wechat.errors import Failed
from crawler.wechat.options import Options
from crawler.wechat.places import PUSH, WATCH, Places

SAMPLES = 3


def plans(governor: Governor, options: Options, every: timedelta, now: datetime) -> list[Plan]:
    """What `status` shows of the quotas."""
    rhythm = [
        ("token", True, timedelta(hours=2)),
        ("published", options.published, every),
        ("statistics", options.statistics, timedelta(days=1)),
        ("comments", options.comments, every),
    ]
    return [governor.plan(call, pause, now) for call, wanted, pause in rhythm if wanted]


def calls(
    options: Options, places: Places, governor: Governor, every: timedelta, now: datetime
) -> list[PlannedCall]:
    """What a pass would ask for now; asks nobody."""
    by_call = {plan.call: plan for plan in plans(governor, options, every, now)}
    found = []
    events = sum(not event.get("done") for event in places.all(PUSH).values())
    if events:
        found.append(PlannedCall(what="刚发布的文章（推送通知）", calls=events))
    if options.published:
        place = places.get("published")
        more = "，之后接着读上次没读完的部分" if place.get("resume") is not None else ""
        if not place:
            more = "，首次采集将逐页读到最早一篇"
        found.append(_planned(by_call["published"], 1, f"最新一页，有新文章再往后读{more}"))
    if options.statistics:
        done = day_of(places.get("statistics").get("done"))
        yesterday = beijing_day(now) - timedelta(days=1)
        days = options.days_back if done is None else (yesterday - done).days
        found.append(_planned(by_call["statistics"], max(0, days), "每个未读的日子一次"))
    if options.comments:
        watched = places.all(WATCH).values()
        due = sum((when(one.get("next_at")) or now) <= now for one in watched)
        fresh = pause_after(timedelta(0), timedelta(0), every)
        note = f"共关注 {len(watched)} 篇，正有人评论的每{spoken(fresh)}一次"
        found.append(_planned(by_call["comments"], due, note))
    return found


def samples(
    caller: Caller, options: Options, channel: str
) -> tuple[tuple[articles.Published, ...], str, bool]:
    """The newest articles by one call, or why there are none; and whether that is trouble."""
    if not options.published:
        return (), "设置为不读已发布列表，没有样例", False
    body = {"offset": 0, "count": SAMPLES, "no_content": 0}
    question = Question("published", published.PATH, body, {"offset": 0, "count": SAMPLES})
    try:
        page = caller.call(question, Purpose.MANUAL)
    except (Halted, Failed) as error:
        return (), error.why, True
    except Skipped as skipped:
        return (), f"{skipped.denied.why}，{shown(skipped.denied.until)} 起恢复", True
    read = articles.published_page(channel, page.data)
    if read is None:
        return (), "答复里没有列表，接口格式可能已变", True
    return read.articles[:SAMPLES], "" if read.articles else "已发布列表是空的", False


def previewed(
    caller: Caller,
    options: Options,
    places: Places,
    governor: Governor,
    *,
    every: timedelta,
    tools: Tools,
) -> Preview:
    planned = calls(options, places, governor, every, tools.clock.now())
    found, why, unread = samples(caller, options, places.channel)
    captures = tuple(one.capture for one in found)
    return Preview(calls=tuple(planned), samples=captures, why=why, unread=unread)


def _planned(plan: Plan, number: int, note: str) -> PlannedCall:
    return PlannedCall(what=plan.what, calls=number, left=plan.left, note=f"{note}；{plan.text}")
