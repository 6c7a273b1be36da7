"""A post on each kind of channel, from the platform that has it to a mail in the office.

The demo's own agency and settings, on a clock that the test turns: two minutes pass at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from alerts.catalogue import build_transports
from alerts.opening import open_items
from alerts.outbox import deliver_one
from analysis.catalogue import build_engine, build_stages
from analysis.pending import assess_pending
from analysis.tools import Tools
from config.clock import ManualClock
from config.house import opened
from console.commands.opening import catalogue
from console.trying import channel_tools
from crawler.callbacks import routes
from crawler.command import crawl
from demo.agency import settings_text
from demo.mailbox import Mailbox
from demo.platforms import PLENTY, moments, platforms
from demo.serving import serve
from demo.site import DemoSite
from demo.stories import Scenario
from store.tables import item_posts, items, posts

ROOT = Path(__file__).parents[2]
OTHERS = ["wechat", "weibo", "app", "mailbox"]


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Any]:
    # The site is read by a process with a clock of its own, so the day begins now.
    clock = ManualClock(datetime.now(UTC))
    with ExitStack() as stack:
        site = DemoSite(Scenario.load(start=clock.now()), clock)
        url = stack.enter_context(serve(site.app))
        others = stack.enter_context(platforms(clock))
        mailbox = stack.enter_context(Mailbox())
        path = tmp_path / "tinglan.toml"
        path.write_text(settings_text(url, others, smtp=mailbox.port, desk=1), encoding="utf-8")
        environ = {**os.environ, **others.environ}
        house = replace(stack.enter_context(opened(path, catalogue(), environ)), clock=clock)
        pushed = Starlette(routes=routes(house.settings, channel_tools(house)))
        yield SimpleNamespace(
            clock=clock,
            others=others,
            mailbox=mailbox,
            house=house,
            desk=stack.enter_context(serve(pushed)),
        )


def read_all(agency: Any) -> None:
    """One pass over every channel: the site in a process of its own, as the service does it."""
    house = agency.house
    site = subprocess.Popen(
        [sys.executable, "-m", "tinglan", "crawl", "site", "--config", str(house.path)],
        cwd=house.base,
        env={**house.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        done = crawl(
            house.settings,
            house.database,
            house.clock,
            OTHERS,
            environ=house.environ,
            planned_at=house.clock.now(),
        )
        assert [one.state for one in done] == ["done"] * 4, [one.why for one in done]
        _, said = site.communicate(timeout=60)
        assert site.returncode == 0, said
    finally:
        if site.poll() is None:
            site.kill()
            site.communicate()


def report(agency: Any) -> None:
    """Assesses what came, opens items and delivers what is owed at once."""
    house = agency.house
    settings, database, clock = house.settings, house.database, house.clock
    with closing(build_engine(settings.stages)) as engine:
        stages = build_stages(settings.stages, Tools())
        while assess_pending(database, stages=stages, engine=engine, now=clock.now()):
            open_items(database, settings, clock.now())
    transports = build_transports(settings, house.environ)
    while deliver_one(database, transports, settings, clock=clock, random=Random(1)):
        pass


def test_all_five_kinds_of_channel_reach_the_office(agency: Any) -> None:
    assert agency.others.answers(agency.desk)
    agency.clock.advance(120)

    pushed = agency.others.push(agency.desk)
    read_all(agency)
    report(agency)

    assert pushed == 5  # three messages and a publication on WeChat, one report of the app
    subjects = [mail.subject for mail in agency.mailbox.messages]
    for channel in ("官方网站", "微信公众号", "官方微博", "气象客户端", "公开信箱"):
        assert any(channel in subject for subject in subjects), subjects
    # Which post of an event comes first is chance; the others join its case.
    for words in (
        "两辆车，有一辆白色的",
        "解放路地下商场进水了",
        "望江路现在就有人被困在车里",
        "青年广场地下车库进水了",
        "望澜中学门口的变压器在冒烟",
        "临溪老街的楼塌了半边",
    ):
        number = case_of(agency, words)
        assert any(number in subject for subject in subjects), (words, number, subjects)
    assert max(agency.others.wechat.used.values()) < PLENTY / 1000


def case_of(agency: Any, words: str) -> str:
    """Number of the item that holds the post with these words."""
    with agency.house.database.read() as connection:
        return connection.execute(
            sa.select(items.c.number)
            .join(item_posts, item_posts.c.item == items.c.id)
            .join(posts, posts.c.id == item_posts.c.post)
            .where(posts.c.text.contains(words) | posts.c.title.contains(words))
        ).scalar_one()


def test_what_is_pushed_again_is_kept_once_and_what_is_forged_not_at_all(agency: Any) -> None:
    agency.clock.advance(120)
    row = {"id": "7", "text": "桥洞积水"}

    assert agency.others.push(agency.desk) == 5
    assert agency.others.push(agency.desk) == 0
    assert agency.others.app.push(f"{agency.desk}/push/app", "x" * 32, [row]) == 403

    with agency.house.database.read() as connection:
        kept = connection.execute(sa.select(posts.c.channel)).scalars().all()
    assert sorted(kept) == ["app", "wechat", "wechat", "wechat"]


def test_the_welcome_tells_of_every_channel_what_to_watch_for() -> None:
    told = moments(speed=2)

    assert {one.channel for one in told} == {"微信公众号", "官方微博", "气象客户端", "公开信箱"}
    assert [one.after for one in told] == sorted(one.after for one in told)
    assert max(one.after for one in told) <= 60
