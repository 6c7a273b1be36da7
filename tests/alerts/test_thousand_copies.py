"""A thousand tellings of one event, by the real index: few mails, and nothing else is hidden."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from alerts.items import list_items, show_item
from alerts.opening import open_items
from analysis.kinship import Kinship
from store.tables import assessments, posts

DUTY = "duty@example.gov.cn"
TEXT = "云岭乡下河村的老桥昨晚被洪水冲断了，对岸十几户人家出不来，请快派人来看看。"

#: How people pass a thing on: none of it changes what is told.
WAYS = (
    lambda n: TEXT,
    lambda n: TEXT + "！" * (n % 5),
    lambda n: f"转发微博 {TEXT}",
    lambda n: f"太吓人了//@网友{n}：{TEXT}",
    lambda n: TEXT.replace("，", " "),
    lambda n: f"#下河村# {TEXT}[流泪]",
    lambda n: f"{TEXT} http://t.example/{n}",
    lambda n: TEXT.replace("请快", "快"),
)
#: What looks alike and is something else: another place, number, act, or no such thing.
OTHERS = (
    TEXT.replace("下河村", "杨柳村"),
    TEXT.replace("十几户", "三十户"),
    TEXT.replace("冲断了", "没有冲断"),
    TEXT.replace("云岭乡", "清水镇"),
    TEXT.replace("昨晚", "今早"),
    "北环路化工厂冒黑烟，闻着刺鼻，有没有人管？",
    "解放路路口红绿灯坏了三天，早高峰全堵死了。",
    "社区公众号半个月没更新，报名链接打不开。",
)


BATCH = 25


@pytest.fixture
def flood(sqlite_database, settings, clock, deliver):
    """A thousand posts in ten minutes, the distinct ones among them."""

    def run(level, others=(), many=1000):
        pick, kin = Random(7), Kinship(places=("云岭乡",))
        kin.rebuild(sqlite_database, clock.now())
        at = {(n + 1) * many // 10: text for n, text in enumerate(others)}
        for first in range(0, many, BATCH):
            texts = [at.get(n) or pick.choice(WAYS)(n) for n in range(first, first + BATCH)]
            store(sqlite_database, texts, first, level, clock.now())
            while open_items(sqlite_database, settings, clock.now(), kin=kin):
                pass
            deliver(sqlite_database)
            clock.advance(15)

    return run


def store(database, texts, first, level, now):
    """Posts as intake keeps them, and what the stages thought of them."""
    common = {
        "channel": "site", "kind": "comment", "role": "public", "title": "", "notes": {},
        "assessed": 1, "published_at": now, "captured_at": now, "changed_at": now,
    }  # fmt: skip
    with database.write() as connection:
        for number, text in enumerate(texts, first):
            post = connection.execute(
                posts.insert().values(key=f"p{number}", digest=f"d{number}", text=text, **common)
            ).inserted_primary_key[0]
            connection.execute(
                assessments.insert().values(
                    post=post, version=1, at=now, tone="negative", topics=["flood"],
                    level=level, flagged=True,
                )
            )  # fmt: skip


def test_a_thousand_near_copies_are_one_case_and_three_mails_at_most(
    sqlite_database, flood, memory
):
    flood("II")

    [item] = list_items(sqlite_database)
    assert len(show_item(sqlite_database, item.id)["posts"]) == 1000
    assert 1 <= len(memory.to(DUTY)) <= 3


def test_no_distinct_event_is_hidden_among_them(sqlite_database, flood, clock, deliver, memory):
    flood("III", OTHERS, many=400)

    in_time = len(memory.to(DUTY))
    clock.advance(timedelta(minutes=10))
    deliver(sqlite_database)
    found = {item.title: item for item in list_items(sqlite_database)}
    told = "".join(letter.subject + letter.text for letter in memory.to(DUTY))

    assert in_time <= 3
    assert len(found) == 1 + len(OTHERS)
    assert all(item.number in told for item in found.values())
    sizes = sorted(len(show_item(sqlite_database, item.id)["posts"]) for item in found.values())
    assert sizes == [1] * len(OTHERS) + [400 - len(OTHERS)]


def test_what_is_grave_and_distinct_is_told_singly(sqlite_database, flood, memory):
    flood("II", OTHERS, many=200)

    told = [letter.subject for letter in memory.to(DUTY) if letter.subject.startswith("【舆情预警")]
    assert len(told) == 1 + len(OTHERS)
    assert all("（TL-2026-" in subject for subject in told)
