"""Invented weeks for the digest: quiet, ordinary or stormy, of any size, the same each time."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.tables import (
    assessments,
    findings,
    item_posts,
    items,
    posts,
    promises,
    runs,
)

SETTINGS: dict[str, Any] = {
    "agency": {"name": "示例市气象局", "contact": "http://127.0.0.1/"},
    "channels": [
        {"id": "site", "name": "官方网站", "kind": "site", "every": "1h"},
        {"id": "letters", "name": "局长信箱", "kind": "site", "every": "1h"},
        {"id": "weibo", "name": "官方微博", "kind": "weibo", "every": "1h"},
        {"id": "wechat", "name": "微信公众号", "kind": "wechat", "every": "1h"},
        {"id": "app", "name": "政务客户端", "kind": "app", "every": "1h"},
    ],
    "offices": [
        {"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]},
        {"id": "forecast", "name": "市气象台", "addresses": ["forecast@example.gov.cn"],
         "topics": ["warning_error", "rumour"]},
    ],
    "roster": {"fallback": ["leader@example.gov.cn"]},
    "mail": {"host": "127.0.0.1", "security": "none", "from": "tinglan@example.gov.cn"},
}  # fmt: skip

_PLACES = ("河西路", "解放桥", "东城广场", "学院路", "南湖公园", "北站地道", "青年路", "滨江大道",
           "城关镇", "柳树湾")  # fmt: skip
_STORIES = {
    "flood": ("II", "{p}积水快没过车轮了，桥下被困的车没人管，什么时候能抽水？"),
    "accident": ("I", "{p}工地塌了一块，听说有人受伤，救护车刚过去，现场很乱。"),
    "warning_error": ("II", "{p}这边雨都停了，红色预警还挂在网页上，到底解除没有？"),
    "rumour": ("III", "群里都在传{p}上游水库要溃坝，让大家赶快走，是真的吗？"),
    "complaint": ("III", "{p}路口的显示屏坏了半个月，打过三次电话都说转给别的部门，没人修。"),
    "enquiry": ("IV", "请问{p}明天的降雨什么时候结束？孩子学校要不要停课？"),
    "thanks": (None, "谢谢气象局，预报很准，{p}这边提前半天就准备好了沙袋。"),
}
_WEIGHTS = {
    "ordinary": (2, 0, 1, 1, 8, 30, 58),
    "storm": (22, 1, 9, 8, 14, 28, 18),
}
_TONES = {"thanks": "positive", "enquiry": "neutral"}
_CHANNELS = ("letters", "weibo", "wechat", "app")
_LABELS = {
    "flood": "内涝积水", "accident": "工地塌方", "warning_error": "预警未及时解除",
    "rumour": "水库溃坝传言", "complaint": "显示屏无人维修", "enquiry": "询问降雨",
    "thanks": "感谢预报",
}  # fmt: skip


def fill(
    database: Database,
    settings: Settings,
    starts_at: datetime,
    size: int,
    *,
    mood: str = "ordinary",
    seed: int = 7,
    cases: int = 40,
    extra: tuple[str, ...] = (),
) -> None:
    """A week of `size` posts from `starts_at`, at most `cases` of them items, some handled.

    `extra`: texts that are each an item of their own.
    """
    rnd = random.Random(seed)
    with database.read() as connection:
        first = 1 + (connection.execute(sa.select(sa.func.max(posts.c.id))).scalar() or 0)
        number = 1 + (connection.execute(sa.select(sa.func.max(items.c.id))).scalar() or 0)
    _runs(database, settings, starts_at, mood)
    found: dict[str, list[tuple[int, datetime, str, str]]] = {}
    for begin in range(0, size, 5_000):
        rows, thoughts, hits = [], [], []
        for at in range(begin, min(begin + 5_000, size)):
            topic = rnd.choices(list(_STORIES), _WEIGHTS[mood])[0]
            when = starts_at + timedelta(seconds=_second(rnd, mood))
            level, words = _STORIES[topic]
            place = rnd.choice(_PLACES)
            row = _post(first + at, rnd.choice(_CHANNELS), words.format(p=place), when, rnd)
            rows.append(row)
            flagged = level is not None and (topic != "enquiry" or rnd.random() < 0.02)
            thoughts.append(_thought(row, topic, level if flagged else None, flagged))
            if flagged and level:
                hits.append(_hit(row, topic, level))
                found.setdefault(f"{topic}:{place}", []).append(
                    (row["id"], when, row["channel"], topic)
                )
        if rows:
            with database.write() as connection:
                connection.execute(posts.insert(), rows)
                connection.execute(assessments.insert(), thoughts)
                if hits:
                    connection.execute(findings.insert(), hits)
    _own(database, starts_at, first + size)
    groups = sorted(found.values(), key=lambda one: one[0][1])[:cases]
    for text in extra:
        groups.append([_stray(database, text, starts_at, rnd)])
    for at, group in enumerate(groups):
        _case(database, number + at, group, settings, rnd)


def _second(rnd: random.Random, mood: str) -> float:
    day = rnd.choices(range(7), (2, 3, 9, 14, 6, 2, 1) if mood == "storm" else (1,) * 7)[0]
    return day * 86_400 + min(86_399.0, max(0.0, rnd.gauss(54_000, 14_000)))


def _post(
    identifier: int, channel: str, text: str, when: datetime, rnd: random.Random
) -> dict[str, Any]:
    return {
        "id": identifier, "channel": channel, "key": f"k{identifier}",
        "kind": "letter" if channel == "letters" else "comment", "role": "public",
        "title": text[:14] if channel == "letters" else "", "text": text,
        "url": f"http://www.example.gov.cn/p/{identifier}.html",
        "published_at": when - timedelta(minutes=rnd.randrange(1, 90)),
        "captured_at": when, "changed_at": when, "digest": uuid.UUID(int=identifier).hex,
        "notes": {}, "assessed": 1,
    }  # fmt: skip


def _thought(row: dict[str, Any], topic: str, level: str | None, flagged: bool) -> dict[str, Any]:
    return {
        "id": row["id"], "post": row["id"], "version": 1, "at": row["captured_at"],
        "tone": _TONES.get(topic, "negative"), "topics": [topic], "level": level,
        "flagged": flagged, "reported": True,
    }  # fmt: skip


def _hit(row: dict[str, Any], topic: str, level: str) -> dict[str, Any]:
    return {
        "assessment": row["id"], "post": row["id"], "at": row["captured_at"], "stage": "rules",
        "rule": topic, "topic": topic, "level": level, "reason": f"命中“{_LABELS[topic]}”规则",
        "text": row["text"][:4],
    }  # fmt: skip


def _own(database: Database, starts_at: datetime, first: int) -> None:
    with database.write() as connection:
        for day, title in enumerate(
            ("本周天气趋势", "暴雨红色预警信号", "关于网传水库溃坝的辟谣说明", "积水路段一览",
             "预警信号解除", "周末天气", "下周展望")
        ):  # fmt: skip
            when = starts_at + timedelta(days=day, hours=9)
            connection.execute(
                posts.insert().values(
                    id=first + day, channel="site", key=f"own{first + day}", kind="post",
                    role="own", title=title, text=title, notes={}, digest="", captured_at=when,
                    url=f"http://www.example.gov.cn/tz/{first + day}.html",
                    changed_at=when, published_at=when, assessed=1,
                )
            )  # fmt: skip
            connection.execute(
                assessments.insert().values(
                    id=first + day, post=first + day, version=1, at=when, tone="neutral",
                    topics=[], flagged=False, reported=True,
                )
            )  # fmt: skip


def _stray(
    database: Database, text: str, starts_at: datetime, rnd: random.Random
) -> tuple[int, datetime, str, str]:
    with database.write() as connection:
        key = 1 + (connection.execute(sa.select(sa.func.max(posts.c.id))).scalar() or 0)
        when = starts_at + timedelta(hours=30)
        row = _post(key, "weibo", text, when, rnd) | {"title": text[:60]}
        connection.execute(posts.insert(), [row])
        connection.execute(assessments.insert(), [_thought(row, "complaint", "II", True)])
        connection.execute(findings.insert(), [_hit(row, "complaint", "II")])
    return key, when, "weibo", "complaint"


def _runs(database: Database, settings: Settings, starts_at: datetime, mood: str) -> None:
    made = []
    for channel in settings.channels:
        for hour in range(168):
            if channel.id == "wechat" and mood == "storm" and 70 <= hour < 83:
                continue
            at = starts_at + timedelta(hours=hour)
            made.append(
                {"channel": channel.id, "planned_at": at, "started_at": at,
                 "finished_at": at + timedelta(seconds=20), "state": "done", "planned": 10,
                 "failed": 0, "new": 1}
            )  # fmt: skip
    with database.write() as connection:
        connection.execute(runs.insert(), made)


def _steps(level: str, rnd: random.Random) -> Iterator[tuple[str, str, float, str]]:
    """State, next one, hours it took, what was noted."""
    quick = {"I": 0.3, "II": 0.5}.get(level, 1.0)
    yield "to_assess", "to_report", quick * rnd.uniform(0.1, 1.4), "属实，已电话核实，需报告。"
    yield "to_report", "to_receive", quick * rnd.uniform(0.1, 1.2), "报分管领导，交市气象台。"
    yield "to_receive", "handling", rnd.uniform(0.1, 3), "收到，正在处置。"
    yield "handling", "to_review", rnd.uniform(2, 40), "已处置完毕，并在原帖下回复。"
    yield "to_review", "closed", rnd.uniform(0.2, 6), "同意办结。"


def _case(
    database: Database,
    identifier: int,
    group: list[tuple[int, datetime, str, str]],
    settings: Settings,
    rnd: random.Random,
) -> None:
    group = sorted(group, key=lambda one: one[1])
    post, when, channel, topic = group[0]
    level = _STORIES[topic][0] or "IV"
    found = when + timedelta(minutes=3)
    done = rnd.choices(range(6), (2, 2, 2, 3, 1, 8))[0]
    with database.write() as connection:
        text: str = connection.execute(
            sa.select(posts.c.text).where(posts.c.id == post)
        ).scalar_one()
        connection.execute(
            items.insert().values(
                id=identifier, number=f"TL-2026-{identifier:04d}", key=f"post:{post}",
                state="to_assess", level=level, topic=topic, topics=[topic], title=text[:30],
                tone=_TONES.get(topic, "negative"), channel=channel, post=post, office="forecast",
                discovered_at=found, published_at=when - timedelta(minutes=20), changed_at=found,
            )
        )  # fmt: skip
        connection.execute(
            item_posts.insert(),
            [{"item": identifier, "post": one, "at": at} for one, at, *_ in group[:300]],
        )
        append(connection, item=identifier, at=found, kind="opened", by="系统", note="命中规则",
               detail={"level": level}, after="to_assess")  # fmt: skip
        at, version, state = found, 1, "to_assess"
        for number, (before, after, hours, words) in enumerate(_steps(level, rnd)):
            took = timedelta(hours=hours)
            ended = at + took if number < done else None
            connection.execute(
                promises.insert().values(
                    item=identifier, visit=version, stage=before, level=level, found_at=found,
                    entered_at=at, counted_at=at,
                    due_at=at + timedelta(hours=1 if number < 2 else 24),
                    seconds=3600, working=False, rule=f"{before}.{level}", ended_at=ended,
                )
            )  # fmt: skip
            if ended is None:
                break
            at, version, state = ended, version + 1, after
            append(connection, item=identifier, at=at, kind="moved", by="张值班", via="desk",
                   before=before, after=after, note=words, detail={"version": version})  # fmt: skip
        connection.execute(
            items.update()
            .where(items.c.id == identifier)
            .values(state=state, version=version, changed_at=at,
                    closed_at=at if state == "closed" else None)
        )  # fmt: skip
