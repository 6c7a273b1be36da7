"""`tinglan status` tells what may still be asked today, and how often it is really asked."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from console.status import status, written
from tests.crawler.standins import StandIn, settings_of


@pytest.fixture
def report(sqlite_database, clock):
    """Each kind read twice at "every 5m" on a small quota; answers what status tells."""
    few = {
        "wechat": {"quotas": {"published": 100}, "every": "5m"},
        "weibo": {"calls_per_day": 100, "every": "5m"},
        "app": {"every": "5m"},
        "mailbox": {"logins_per_day": 100, "every": "5m"},
    }
    with ExitStack() as stack:
        made = [StandIn(kind, clock, stack, more) for kind, more in few.items()]
        for one in made:
            one.publish("一")
            one.read(sqlite_database)
        settings = settings_of(*(one.channel for one in made))
        return status(settings, sqlite_database, clock.now(), version="0")


def test_plans_are_told_to_programs(report):
    quota = {one["id"]: one["quota"] for one in report["channels"]}
    published = next(plan for plan in quota["wechat"] if plan["call"] == "published")

    assert quota["app"] == []
    for plan in (published, quota["weibo"][0], quota["mailbox"][0]):
        assert (plan["per_day"], plan["reserve"], plan["every_seconds"]) == (100, 10, 300)
        assert plan["used"] >= 1
        assert plan["left"] == 90 - plan["used"]
        assert plan["thinned"]
        assert 300 < plan["spacing_seconds"] <= 1200


def test_plans_are_told_to_people(report):
    told = "\n".join(written(report))

    assert told.count("额度：") >= 4
    assert "信箱登录：每天 100 次（留 10 次供人工刷新），今日已用 1 次，还可用 89 次；" in told
    assert "设置为每5分钟一次，一天要 288 次，超出额度，已摊匀为约每" in told
