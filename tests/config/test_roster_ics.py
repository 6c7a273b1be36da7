"""A roster as a groupware exports it: Outlook's time zones, repeats, swaps, all-day duties."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from config.clock import SHANGHAI
from config.roster import Rank, RosterSettings
from config.rosterfile import load_roster
from tests.patience import at_most

PEOPLE = """
[[people]]
name = "王强"
rank = "值班员"
addresses = ["wang@example.gov.cn"]
[[people]]
name = "李敏"
rank = "值班员"
addresses = ["li@example.gov.cn"]
[[people]]
name = "陈科"
rank = "带班领导"
addresses = ["chen@example.gov.cn"]
[[people]]
name = "周局"
rank = "分管领导"
addresses = ["zhou@example.gov.cn"]
[[people]]
name = "赵局"
rank = "主要负责人"
addresses = ["zhao@example.gov.cn"]
"""
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//office//duty//ZH\r\n"
#: As Outlook writes it: a zone of its own name, with its own definition.
ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:China Standard Time\r\nBEGIN:STANDARD\r\n"
    "DTSTART:16010101T000000\r\nTZOFFSETFROM:+0800\r\nTZOFFSETTO:+0800\r\n"
    "END:STANDARD\r\nEND:VTIMEZONE\r\n"
)
TODAY = date(2026, 11, 22)


def event(summary="", start="20261101T083000", end="20261101T173000", *more, uid="1"):
    zone = ";TZID=China Standard Time" if "T" in start else ";VALUE=DATE"
    lines = [
        "BEGIN:VEVENT", f"UID:{uid}", f"DTSTART{zone}:{start}", f"DTEND{zone}:{end}",
        f"SUMMARY:{summary}", *more, "END:VEVENT",
    ]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
def roster(tmp_path: Path):
    pytest.importorskip("recurring_ical_events", reason="pip install 'tinglan[ics]'")

    def make(*events: str, encoding="utf-8"):
        text = HEAD + ZONE + "".join(events) + "END:VCALENDAR\r\n"
        (tmp_path / "people.toml").write_text(PEOPLE, encoding="utf-8")
        (tmp_path / "duty.ics").write_bytes(text.encode(encoding))
        settings = RosterSettings(
            fallback=("desk@example.gov.cn",), files=("people.toml", "duty.ics")
        )
        return load_roster(settings, tmp_path, TODAY)

    return make


def on(roster, text, role=Rank.OFFICER):
    moment = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return [person.name for person in roster.on_duty(moment, role)]


DAILY = "RRULE:FREQ=DAILY"
SHIFTS = (
    event("白班 王强", "20260101T083000", "20260101T173000", DAILY),
    event("夜班：李敏", "20260101T173000", "20260102T083000", DAILY, uid="2"),
    event("带班领导 陈科", "20260101", "20260102", DAILY, uid="3"),
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_repeated_shifts_of_outlook_are_read_in_any_office_encoding(roster, encoding):
    made = roster(*SHIFTS, encoding=encoding)

    assert on(made, "2026-11-25T10:00") == ["王强"]
    assert on(made, "2026-11-25T23:00") == ["李敏"]
    assert on(made, "2026-11-26T03:00") == ["李敏"]
    assert on(made, "2026-11-25T10:00", Rank.LEADER) == ["陈科"]
    assert made.problems(TODAY) == []


def test_one_shift_that_was_swapped_and_one_that_was_cancelled(roster):
    swapped = event(
        "白班 李敏", "20261125T083000", "20261125T173000",
        "RECURRENCE-ID;TZID=China Standard Time:20261125T083000",
    )  # fmt: skip
    off = event("白班 王强", "20261126T083000", "20261126T173000",
                "RECURRENCE-ID;TZID=China Standard Time:20261126T083000", "STATUS:CANCELLED")  # fmt: skip
    made = roster(*SHIFTS, swapped, off)

    assert on(made, "2026-11-25T10:00") == ["李敏"]
    assert on(made, "2026-11-26T10:00") == []
    assert on(made, "2026-11-27T10:00") == ["王强"]
    assert any("2026-11-26 白班" in str(problem) for problem in made.problems(TODAY))


@pytest.mark.parametrize(
    ("summary", "start", "end", "day", "night"),
    [
        ("王强", "20261125T090000", "20261125T170000", ["王强"], []),
        ("王强、李敏", "20261125T180000", "20261126T083000", [], ["王强", "李敏"]),
        ("值班：王　强", "20261125T083000", "20261126T083000", ["王强"], ["王强"]),
        ("值班（李敏）", "20261125", "20261126", ["李敏"], ["李敏"]),
        ("夜班 王强 李敏", "20261126T003000", "20261126T083000", [], ["王强", "李敏"]),
    ],
)  # fmt: skip
def test_the_shift_follows_from_words_or_from_hours(roster, summary, start, end, day, night):
    made = roster(event(summary, start, end))

    assert on(made, "2026-11-25T12:00") == day
    assert on(made, "2026-11-25T22:00") == night


def test_people_may_be_named_as_attending(roster):
    made = roster(
        event(
            "白班", "20261125T083000", "20261125T173000", "ATTENDEE;CN=王强:mailto:w@example.gov.cn"
        )
    )

    assert on(made, "2026-11-25T12:00") == ["王强"]


def test_what_cannot_be_read_is_a_problem_and_stops_nothing(roster, tmp_path):
    nameless = roster(
        event("白班", "20261125T083000", "20261125T173000"),
        event("夜班 李敏", "20261125T173000", "20261126T083000", uid="2"),
    )
    unknown = roster(event("白班 张三", "20261125T083000", "20261125T173000"))
    (tmp_path / "duty.ics").write_bytes(b"not a calendar")
    broken = load_roster(nameless.settings, tmp_path, TODAY)

    assert any("没有写姓名" in str(one) for one in nameless.found)
    assert on(nameless, "2026-11-25T22:00") == ["李敏"]
    assert any("张三" in str(one) for one in unknown.problems(TODAY))
    assert [one.expected for one in broken.found] == ["ICS（iCalendar）格式"]


def test_an_endless_series_of_old_is_read_near_today_only(roster):
    made = roster(event("白班 王强", "20000101T083000", "20000101T173000", DAILY))

    days = [day for day, _ in made.dated]
    assert (min(days), max(days)) == (date(2026, 10, 18), date(2027, 2, 6))


def test_a_rule_gone_wild_is_told_and_costs_little(roster):
    with at_most(10):
        book = roster(
            event("白班 王强", "20260101T000000", "20260101T000001", "RRULE:FREQ=MINUTELY")
        )

    assert any("事件超过5000个" in str(problem) for problem in book.found)
