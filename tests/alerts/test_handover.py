"""The change of shift: one sheet, for who leaves and who comes, once, whatever has stopped."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from alerts.dutywork import Duty, remind
from alerts.handover import hand_over
from alerts.opening import open_items
from config.roster import Entry, Person, Rank, Roster, Shift
from config.workdays import load_calendar
from store.ledger import verify
from store.tables import events, notices

NIGHT = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)  # 17:30 in Shanghai
PEOPLE = {
    "甲": (Rank.OFFICER, "day@example.gov.cn"),
    "乙": (Rank.OFFICER, "night@example.gov.cn"),
    "陈科": (Rank.LEADER, "leader@example.gov.cn"),
}


@pytest.fixture
def duty(settings):
    people = {n: Person(name=n, rank=r, addresses=(a,)) for n, (r, a) in PEOPLE.items()}
    day, night = (Entry(name, "roster.toml", "1") for name in ("甲", "乙"))
    weekly = {}
    for weekday in range(1, 8):
        weekly[weekday, Shift.DAY] = (day,)
        weekly[weekday, Shift.NIGHT] = (night,)
    roster = Roster(settings=settings.roster, people=people, weekly=weekly)
    return Duty(settings=settings, roster=roster, calendar=load_calendar())


@pytest.fixture
def turn(sqlite_database, duty, clock):
    return lambda: hand_over(sqlite_database, duty, clock.now())


def test_the_same_sheet_is_owed_once_on_either_database(database, duty, clock):
    hand_over(database, duty, clock.now())
    clock.advance(timedelta(hours=6))
    assert hand_over(database, duty, clock.now()) == 3
    clock.step(timedelta(hours=-1))
    assert hand_over(database, duty, clock.now()) == 0
    clock.advance(timedelta(hours=1))

    assert hand_over(database, duty, clock.now()) == 0
    assert len(sheets(database)) == 3


def sheets(database):
    with database.read() as connection:
        rows = connection.execute(sa.select(notices).where(notices.c.stage == "handover"))
        return [(row.recipient, row.subject_key, row.detail["sheet"]) for row in rows]


def test_both_shifts_and_the_leader_get_the_sheet_at_the_change_and_once(
    sqlite_database, settings, duty, turn, clock, assess, deliver, memory
):
    turn()
    assess(sqlite_database, level="II", topics=("accident",), title="厂房塌了")
    open_items(sqlite_database, settings, clock.now())
    remind(sqlite_database, duty, clock.now())
    clock.step(NIGHT - clock.now() - timedelta(seconds=1))
    assert turn() == 0
    clock.advance(2)
    assert turn() == 3
    assert [turn() for _ in range(5)] == [0] * 5
    deliver(sqlite_database)

    told = [one for one in memory.letters if one.subject.startswith("【交接班】")]
    assert {one.recipient for one in told} == {address for _, address in PEOPLE.values()}
    letter = told[0]
    assert "2026-07-15 17:30 交接班单" in letter.subject
    assert "交班：值班员 甲，带班领导 陈科" in letter.text
    assert "接班：值班员 乙，带班领导 陈科" in letter.text
    assert "【已超时】TL-2026-0001" in letter.text
    assert "厂房塌了" in letter.html
    assert verify(sqlite_database)[1] == []


def test_a_first_start_owes_nobody_a_sheet(sqlite_database, turn):
    assert turn() == 0
    assert sheets(sqlite_database) == []


def test_after_a_stop_of_days_one_sheet_tells_of_all_of_it(sqlite_database, turn, clock):
    turn()
    clock.advance(timedelta(days=3))
    assert turn() == 3

    [text] = {text for _, _, text in sheets(sqlite_database)}
    assert "交接班单　2026-07-15 12:00 至 2026-07-18 12:00" in text
    clock.advance(timedelta(hours=6))
    turn()
    assert any(
        "2026-07-18 12:00 至 2026-07-18 18:00" in text for _, _, text in sheets(sqlite_database)
    )


def test_a_clock_set_back_repeats_nothing_and_silences_nothing(sqlite_database, turn, clock):
    turn()
    clock.advance(timedelta(hours=6))
    assert turn() == 3
    clock.step(timedelta(hours=-1))
    assert turn() == 0
    clock.advance(timedelta(hours=1))
    assert turn() == 0  # that change was told
    clock.advance(timedelta(hours=15))
    assert turn() == 3


def test_an_empty_shift_goes_up_and_to_the_fallback(sqlite_database, duty, turn, clock):
    duty.roster.dated[date(2026, 7, 15), Shift.NIGHT] = ()
    turn()
    clock.advance(timedelta(hours=6))
    turn()

    to = {recipient for recipient, _, _ in sheets(sqlite_database)}
    assert to == {"day@example.gov.cn", "leader@example.gov.cn", "chief@example.gov.cn"}


def test_without_a_roster_there_is_no_change_to_tell(sqlite_database, settings, clock):
    duty = Duty(
        settings=settings, roster=Roster(settings=settings.roster), calendar=load_calendar()
    )
    hand_over(sqlite_database, duty, clock.now())
    clock.advance(timedelta(hours=6))

    assert hand_over(sqlite_database, duty, clock.now()) == 0
    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(events)).all() == []
