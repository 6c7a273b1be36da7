"""A server that says when to come again is not asked before."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from demo.wechat import Fault

TOKEN = "stable_token"


@pytest.fixture
def only_articles(desk, publish):
    publish(1)
    desk.options = {"comments": False, "statistics": False}
    return desk


@pytest.mark.parametrize(("status", "outcome"), [(429, "quota"), (503, "http-error")])
def test_a_server_that_names_a_time_is_left_alone_until_then(only_articles, status, outcome):
    desk = only_articles
    desk.api.faults.append(Fault(what=f"status-{status}-after-3600", path="batchget"))

    first = desk.read()
    asked = len(desk.api.calls)
    desk.clock.advance(3500)
    early = desk.read()
    spared = len(desk.api.calls) - asked
    desk.clock.advance(100)
    due = desk.read()

    assert (first.state, first.outcomes[outcome]) == ("failed", 1)
    assert f"HTTP {status}" in first.why
    assert (early.planned, spared) == (0, 0)
    assert "对方要求稍后再来" in early.why
    assert (due.state, due.new) == ("done", 1)


def test_the_time_may_be_a_date(only_articles):
    desk = only_articles
    then = desk.clock.now() + timedelta(hours=2)
    desk.api.faults.append(Fault(what=f"status-503-after-{format_datetime(then)}", path="batchget"))

    desk.read()
    desk.clock.advance(timedelta(hours=1, minutes=55))
    early = desk.read()
    desk.clock.advance(timedelta(minutes=5))

    assert early.planned == 0
    assert desk.read().new == 1


def test_it_is_the_server_that_asks_so_no_other_call_is_made_either(desk, publish):
    publish(1)
    desk.read()
    desk.clock.advance(timedelta(hours=3))
    desk.api.faults.append(Fault(what="status-503-after-7200", path="batchget"))
    before = len(desk.api.asked("batchget")), len(desk.api.asked("comment/list"))

    desk.read()

    after = len(desk.api.asked("batchget")), len(desk.api.asked("comment/list"))
    assert after == (before[0] + 1, before[1])
    desk.clock.advance(timedelta(hours=2))
    desk.read()
    assert len(desk.api.asked("comment/list")) > before[1]


def test_a_token_is_not_asked_for_before_the_time_either(only_articles):
    desk = only_articles
    desk.api.faults.append(Fault(what="status-503-after-3600", path=TOKEN))

    desk.read()
    desk.clock.advance(3500)
    desk.read()
    early = len(desk.api.asked(TOKEN))
    desk.clock.advance(100)

    assert early == 1
    assert desk.read().new == 1


def test_nonsense_for_a_time_keeps_nobody_away(only_articles):
    desk = only_articles
    desk.api.faults.append(Fault(what="status-503-after-soon", path="batchget"))

    desk.read()
    desk.clock.advance(5 * 60)

    assert desk.read().new == 1


def test_a_time_beyond_a_day_is_not_believed(only_articles):
    desk = only_articles
    desk.api.faults.append(Fault(what="status-503-after-999999999", path="batchget"))

    desk.read()
    desk.clock.advance(timedelta(days=1))

    assert desk.read().new == 1
