"""On a key date posts count for more, channels are read more often, and the leader hears as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from alerts.dutywork import Duty
from alerts.keydays import leader_too
from alerts.opening import open_items
from alerts.outbox import deliver_one
from alerts.transports.memory import Memory
from analysis.catalogue import build_engine, build_stages
from analysis.pending import assess_pending
from analysis.tools import Tools
from config.keydates import in_force
from config.roster import Person, Rank, Roster
from config.settings import Settings
from config.workdays import load_calendar
from crawler.schedule import HASTIEST, Timetable
from store.tables import findings, items

RAW = {
    "agency": {"name": "示例局", "contact": "https://www.example.gov.cn/contact"},
    "channels": [{"id": "site", "name": "官网", "kind": "site", "every": "10m"}],
    "offices": [{"id": "duty", "name": "值守科", "addresses": ["duty@example.gov.cn"]}],
    "roster": {"fallback": ["chief@example.gov.cn"]},
    "mail": {"host": "127.0.0.1", "security": "none", "from": "tinglan@example.gov.cn"},
    "calm": {"quiet": {"levels": ["III", "IV"]}},
    "keydates": [{"profile": "flood", "from": "06-01", "to": "09-30"}],
}
CALENDAR = load_calendar()
TEXT = "解放路积水没过膝盖，车都熄火了，没人管"


@pytest.fixture
def settings():
    return Settings.model_validate(RAW)


@pytest.fixture
def read(sqlite_database, settings, clock, make_post):
    """A post of that day, assessed and opened as the service would; answers (level, reasons)."""

    def run(day):
        clock.step(day - clock.now())
        make_post(
            sqlite_database, title="", text=TEXT, captured_at=day, changed_at=day, published_at=day
        )
        watch = in_force(settings.keydates, clock.now(), CALENDAR)
        engine = build_engine({})
        try:
            assess_pending(
                sqlite_database, stages=build_stages({}, Tools()), engine=engine,
                now=clock.now(), keen=watch.raises if watch else None,
            )  # fmt: skip
        finally:
            engine.close()
        people = {"陈科": Person(name="陈科", rank=Rank.LEADER, addresses=("chen@example.gov.cn",))}
        duty = Duty(
            settings=settings,
            roster=Roster(settings=settings.roster, people=people),
            calendar=CALENDAR,
        )
        open_items(sqlite_database, settings, clock.now(), also=leader_too(lambda: duty))
        with sqlite_database.read() as connection:
            level = connection.execute(sa.select(items.c.level)).scalar_one()
            reasons = list(connection.execute(sa.select(findings.c.reason)).scalars())
        memory = Memory()
        while deliver_one(
            sqlite_database, {"smtp": memory}, settings, clock=clock, random=Random(1)
        ):
            pass
        return level, reasons, {letter.recipient for letter in memory.letters}, memory

    return run


NIGHT = datetime(2026, 7, 15, 15, 30, tzinfo=UTC)  # 23:30 in Shanghai


def test_in_the_flood_season_water_counts_for_more_and_the_leader_hears_at_night(read):
    level, reasons, told, memory = read(NIGHT)

    assert level == "II"
    assert "正值汛期，提高一级。" in reasons
    assert told == {"duty@example.gov.cn", "chen@example.gov.cn"}
    [letter] = memory.to("chen@example.gov.cn")
    assert "正值汛期，同时通知当班带班领导陈科" in letter.text
    assert "正值汛期，提高一级。" in letter.text


def test_out_of_season_the_same_words_are_an_ordinary_case_and_wait_for_the_morning(read):
    level, reasons, told, _ = read(NIGHT + timedelta(days=100))

    assert level == "III"
    assert not any("正值" in reason for reason in reasons)
    assert told == set()


def test_channels_are_read_more_often_but_not_without_end(settings, clock):
    pace = [1.0]
    table = Timetable(settings.channels, clock, haste=lambda: pace[0])
    table.started("site")
    ordinary = table.next_in()["site"]
    pace[0] = 2.0
    table.started("site")
    doubled = table.next_in()["site"]
    pace[0] = 1000.0
    table.started("site")

    assert (ordinary, doubled, table.next_in()["site"]) == (600, 300, HASTIEST)
    quick = Settings.model_validate(
        RAW | {"channels": [{"id": "site", "name": "官网", "kind": "site", "every": "5s"}]}
    )
    table = Timetable(quick.channels, clock, haste=lambda: 2.0)
    table.started("site")
    assert table.next_in()["site"] == 5  # never less often than settings say
