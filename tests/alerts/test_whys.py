"""Why did I get this, why did I not: answered from the record for anybody who asks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.dutywork import Duty, remind
from alerts.items import NoSuchItem
from alerts.opening import open_items
from alerts.whys import explain
from config.roster import Person, Rank, Roster
from config.workdays import load_calendar


@pytest.fixture
def duty(settings):
    people = {
        "王值班": Person(name="王值班", rank=Rank.OFFICER, addresses=("wang@example.gov.cn",)),
        "陈科": Person(name="陈科", rank=Rank.LEADER, addresses=("chen@example.gov.cn",)),
        "无址": Person(name="无址", rank=Rank.DEPUTY),
    }
    roster = Roster(settings=settings.roster, people=people)
    return Duty(settings=settings, roster=roster, calendar=load_calendar())


@pytest.fixture
def ask(sqlite_database, settings, duty, clock, assess, deliver):
    assess(sqlite_database, level="II", topics=("complaint",))
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    def why(who=""):
        told = explain(sqlite_database, duty, "TL-2026-0001", who)
        return told.got, "\n".join(told.lines)

    return why


def test_an_office_that_got_it_is_told_why(ask):
    got, text = ask("duty@example.gov.cn")

    assert got
    assert "首次预警 → duty@example.gov.cn（smtp，已送达）：应急值守科：负责全部类别" in text


@pytest.mark.parametrize("who", ["fire", "防火科", "fire@example.gov.cn"])
def test_an_office_that_did_not_get_it_is_told_why_not(ask, who):
    got, text = ask(who)

    # The office's second address is that of another office, which did get it.
    assert got is (who != "fire@example.gov.cn")
    if not got:
        assert "防火科：不负责类别“服务投诉”" in text


def test_a_person_of_the_roster_learns_of_the_chain(ask, sqlite_database, duty, clock):
    _, before = ask("陈科")
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(minutes=16))
    remind(sqlite_database, duty, clock.now())
    got, after = ask("陈科")
    officer = ask("王值班")

    assert "首次预警按处室分发" in before
    assert "尚未到催办或升级的时点" in before
    assert got
    assert "通知带班领导（含此人）" in after
    assert not officer[0]
    assert "王值班当班" in officer[1]


def test_who_has_no_address_or_is_unknown_is_told_so(ask):
    assert "没有登记可用地址" in ask("无址")[1]
    assert "不在任何处室、值班表的地址之中，也不是兜底地址" in ask("x@example.com")[1]
    assert "是兜底地址" in ask("chief@example.gov.cn")[1]


def test_without_a_name_all_decisions_are_listed(ask, sqlite_database, duty):
    _, text = ask()

    assert "立项时分发：\n  duty@example.gov.cn（smtp）：应急值守科：负责全部类别" in text
    assert "不分发　防火科：不负责类别“服务投诉”" in text
    with pytest.raises(NoSuchItem):
        explain(sqlite_database, duty, "TL-2026-9999")
