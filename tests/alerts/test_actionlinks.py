"""A link acts once, for one person, one item, one stage; looking at it changes nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.actionlinks import Standing, acknowledge, linker, make_token, open_link
from alerts.dutywork import Duty, remind
from alerts.lifecycle import move_item
from alerts.opening import open_items
from alerts.outbox import deliver_one
from config.keys import link_keys
from config.roster import Person, Rank, Roster
from config.settings import Console
from config.workdays import load_calendar
from store import tables
from store.records import State

OLD, NEW = "o" * 40, "n" * 40
DUTY = "duty@example.gov.cn"


@pytest.fixture
def item(sqlite_database, settings, clock, assess):
    assess(sqlite_database, level="II", topics=("accident",))
    open_items(sqlite_database, settings, clock.now())
    return 1


@pytest.fixture
def token(clock, item):
    return make_token(
        [OLD, NEW], item=item, visit=1, recipient=DUTY, transport="smtp", at=clock.now()
    )


@pytest.fixture
def post(sqlite_database, settings, clock):
    def click(token, keys=(OLD, NEW)):
        return acknowledge(sqlite_database, keys, token, clock.now(), settings=settings)

    return click


@pytest.fixture
def look(sqlite_database, clock):
    def get(token, keys=(OLD, NEW)):
        return open_link(sqlite_database, keys, token, clock.now())

    return get


def everything(database):
    with database.read() as connection:
        return {
            table.name: connection.execute(sa.select(table)).all()
            for table in tables.metadata.sorted_tables
        }


def test_looking_a_hundred_times_changes_nothing(sqlite_database, look, token):
    before = everything(sqlite_database)
    pages = {look(token).standing for _ in range(100)}

    assert pages == {Standing.READY}
    assert everything(sqlite_database) == before


def test_a_click_receives_once_and_the_second_is_told_who_and_when(
    sqlite_database, post, look, token, clock
):
    first = post(token)
    clock.advance(60)
    second, seen = post(token), look(token)

    assert (first.standing, first.status) == (Standing.DONE, 200)
    assert (second.standing, second.status, second.button) == (Standing.USED, 200, "")
    assert f"已由 链接（发给 {DUTY}） 于 2026-07-15 12:00 签收" in second.lines[0]
    assert seen == second
    lines = [e for e in everything(sqlite_database)["events"] if e.kind == "acknowledged"]
    assert [(line.by, line.via) for line in lines] == [(f"链接（发给 {DUTY}）", "link")]


def test_received_means_no_more_reminders_and_no_longer_time(
    sqlite_database, settings, post, token, clock
):
    people = {
        "王值班": Person(name="王值班", rank=Rank.OFFICER, addresses=("o@example.gov.cn",)),
        "陈科": Person(name="陈科", rank=Rank.LEADER, addresses=("l@example.gov.cn",)),
    }
    roster = Roster(settings=settings.roster, people=people)
    duty = Duty(settings=settings, roster=roster, calendar=load_calendar())
    remind(sqlite_database, duty, clock.now())
    post(token)
    for _ in range(17):
        clock.advance(60)
        remind(sqlite_database, duty, clock.now())

    told = [
        (n.stage, n.rung, n.recipient)
        for n in everything(sqlite_database)["notices"]
        if n.stage in {"reminder", "overdue"}
    ]
    assert told == [("overdue", 100, "l@example.gov.cn")]


def test_an_office_receives_its_item_by_its_link_and_a_stranger_does_not(
    sqlite_database, settings, post, clock, item
):
    asked = {"by": "王值班", "via": "desk", "note": "请办", "now": clock.now()}
    move_item(sqlite_database, item, State.TO_REPORT, **asked)
    move_item(sqlite_database, item, State.TO_RECEIVE, **asked)

    def link(to):
        return make_token([NEW], item=1, visit=3, recipient=to, transport="smtp", at=clock.now())

    stranger = post(link("someone@example.gov.cn"))
    office = post(link(DUTY))

    assert stranger.standing is Standing.DONE
    assert "催办已停止" in stranger.lines[1]
    assert "处置中" in office.lines[1]
    assert everything(sqlite_database)["items"][0].state == "handling"


@pytest.mark.parametrize("state", [State.DISMISSED, State.TO_REPORT, State.WATCHING])
def test_a_stage_that_is_over_is_explained_and_not_acted_on(
    sqlite_database, post, look, token, clock, item, state
):
    move_item(sqlite_database, item, state, by="王", via="desk", note="误报", now=clock.now())
    before = everything(sqlite_database)

    page = post(token)

    assert page.standing is (Standing.CLOSED if state is State.DISMISSED else Standing.MOVED)
    assert (page.status, page.button) == (200, "")
    assert look(token) == page
    assert everything(sqlite_database) == before


@pytest.mark.parametrize(
    ("hours", "standing", "status"),
    [(71.9, Standing.READY, 200), (73, Standing.EXPIRED, 410), (-1, Standing.INVALID, 404)],
)
def test_a_link_lasts_three_days_and_never_comes_from_the_future(
    look, token, clock, hours, standing, status
):
    clock.step(timedelta(hours=hours))
    page = look(token)

    assert (page.standing, page.status) == (standing, status)


def test_every_altered_or_cut_token_is_refused_without_a_word_of_the_item(
    sqlite_database, post, token
):
    before = everything(sqlite_database)
    broken = [token[:n] for n in range(len(token))]
    broken += [
        token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        for n in range(len(token) - 1)
    ]
    broken += [token.upper(), token + "x", "汉字", "x" * 10_000, ""]

    for one in broken:
        page = post(one)
        assert page.standing is Standing.INVALID, one
        assert "TL-" not in page.title + "".join(page.lines)
    assert everything(sqlite_database) == before


def test_an_old_key_is_accepted_until_it_is_dropped(look, clock, item):
    signed_before = make_token(
        [OLD], item=item, visit=1, recipient=DUTY, transport="smtp", at=clock.now()
    )

    assert look(signed_before, (OLD, NEW)).standing is Standing.READY
    assert look(signed_before, (NEW,)).standing is Standing.INVALID
    assert look(signed_before, ()).standing is Standing.INVALID


def test_each_letter_has_its_own_link_where_the_desk_can_be_reached(
    sqlite_database, settings, clock, memory, item, look
):
    from random import Random

    links = linker([NEW], "https://desk.example.gov.cn/")
    deliver_one(
        sqlite_database, {"smtp": memory}, settings, clock=clock, random=Random(1), links=links
    )

    letter = memory.letters[0]
    [found] = set(re.findall(r"https://desk\.example\.gov\.cn/l/(\S+)", letter.text))
    assert f"https://desk.example.gov.cn/l/{found}" in letter.html
    assert look(found, (NEW,)).standing is Standing.READY


def test_without_a_public_address_no_letter_has_a_link(
    sqlite_database, settings, clock, memory, item, deliver
):
    deliver(sqlite_database)

    assert "签收链接" not in memory.letters[0].text
    assert linker([NEW], "")(None, None) == ""


def test_keys_are_made_once_and_kept_to_ourselves(tmp_path):
    console = Console(link_key_file=str(tmp_path / "var" / "link.key"))
    made = link_keys(console, {})

    assert link_keys(console, {}) == made
    assert len(made[0]) >= 32
    assert (tmp_path / "var" / "link.key").stat().st_mode & 0o077 == 0
    assert link_keys(console, {"TINGLAN_LINK_KEY": f"{OLD}\n{NEW}\n"}) == (OLD, NEW)
