"""Working time: the arrangement of 2026 as published, and sums that a second counter agrees with."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.clock import SHANGHAI
from config.workdays import (
    Calendar,
    Hours,
    add_working_time,
    is_working,
    load_calendar,
    working_time_between,
)

CALENDAR = load_calendar()
HOURS = Hours()
ALWAYS = Hours(start="00:00", end="24:00", lunch=False, weekdays=(1, 2, 3, 4, 5, 6, 7))

# A second source, typed from the notice: what the week alone would get wrong in 2026.
RESTED_WEEKDAYS = frozenset(
    "01-01 01-02 02-16 02-17 02-18 02-19 02-20 02-23 04-06 05-01 05-04 05-05 06-19 09-25 "  # noqa: SIM905
    "10-01 10-02 10-05 10-06 10-07".split()
)
WORKED_WEEKENDS = {"01-04", "02-14", "02-28", "05-09", "09-20", "10-10"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def said(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


def test_every_day_of_2026_is_as_the_notice_says():
    day, wrong = date(2026, 1, 1), []
    while day.year == 2026:
        key = day.strftime("%m-%d")
        expected = key in WORKED_WEEKENDS or (day.isoweekday() < 6 and key not in RESTED_WEEKDAYS)
        if CALENDAR.works(day, HOURS) != expected:
            wrong.append(day)
        day += timedelta(days=1)

    assert wrong == []
    assert CALENDAR.label(date(2026, 10, 10)) == "国庆节调休上班"
    assert "国办发明电〔2025〕7号" in CALENDAR.sources[2026]


def test_counts_of_both_shipped_years_are_right():
    for year, holidays, worked in ((2025, 28, 5), (2026, 33, 6)):
        days = [what for day, what in CALENDAR.days.items() if day.year == year]

        assert sum(not what.works for what in days) == holidays
        assert sum(what.works for what in days) == worked


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-09-30T17:00", timedelta(hours=1), "10-08 09:00"),
        ("2026-10-03T12:00", timedelta(hours=1), "10-08 09:30"),
        ("2026-10-09T17:00", timedelta(hours=1), "10-10 09:00"),
        ("2026-10-10T17:00", timedelta(hours=1), "10-12 09:00"),
        ("2026-11-18T13:30", timedelta(hours=4), "11-18 17:30"),
        ("2026-11-18T11:30", timedelta(hours=1), "11-18 14:00"),
        ("2026-11-18T11:30", timedelta(minutes=30), "11-18 12:00"),
        ("2026-11-18T12:10", timedelta(0), "11-18 13:30"),
        ("2026-11-20T10:00", HOURS.day, "11-23 10:00"),
        ("2026-12-31T17:00", timedelta(hours=1), "01-01 09:00"),
    ],
)
def test_sums_that_a_clerk_would_do_by_hand(start, duration, end):
    assert said(add_working_time(at(start), duration, CALENDAR, HOURS)) == end


moments = st.datetimes(datetime(2025, 11, 1), datetime(2027, 3, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)
lengths = st.integers(0, 30 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
timetables = st.sampled_from(
    [
        HOURS,
        Hours(lunch=False),
        Hours(start="00:00", end="24:00", lunch=False),
        Hours(weekdays=(6,)),
    ]
)


@given(moments, moments, lengths, timetables)
def test_a_later_start_never_ends_earlier(one, other, duration, hours):
    first, second = sorted((one, other))

    assert add_working_time(first, duration, CALENDAR, hours) <= add_working_time(
        second, duration, CALENDAR, hours
    )


@given(moments, lengths, lengths, timetables)
def test_two_sums_make_one_and_more_is_never_earlier(start, one, other, hours):
    middle = add_working_time(start, one, CALENDAR, hours)
    end = add_working_time(start, one + other, CALENDAR, hours)

    assert middle <= end
    assert add_working_time(middle, other, CALENDAR, hours) == end


@given(moments, lengths, timetables)
def test_sum_lands_in_working_time_and_counts_back(start, duration, hours):
    end = add_working_time(start, duration, CALENDAR, hours)

    assert end.tzinfo is UTC
    assert is_working(end, CALENDAR, hours)
    assert working_time_between(start, end, CALENDAR, hours) == duration


@given(moments, lengths)
def test_round_the_clock_without_holidays_is_natural_time(start, duration):
    end = add_working_time(start, duration, Calendar(), ALWAYS)

    assert end == start + duration
    assert working_time_between(start, end, Calendar(), ALWAYS) == duration


def test_ten_thousand_sums_over_national_day_agree_with_a_minute_counter():
    first = date(2026, 9, 14)
    working = np.zeros(90 * 1440, dtype=bool)
    for number in range(90):
        day = first + timedelta(days=number)
        key = day.strftime("%m-%d")
        if key in WORKED_WEEKENDS or (day.isoweekday() < 6 and key not in RESTED_WEEKDAYS):
            working[number * 1440 + 510 : number * 1440 + 720] = True  # 08:30 to 12:00
            working[number * 1440 + 810 : number * 1440 + 1050] = True  # 13:30 to 17:30
    passed = np.concatenate(([0], np.cumsum(working)))
    pick = random.Random(20261010)
    midnight = datetime(2026, 9, 14, tzinfo=SHANGHAI)

    wrong = []
    for _ in range(10_000):
        start, length = pick.randrange(40 * 1440), pick.randrange(1, 15 * 450)
        expected = int(np.searchsorted(passed, passed[start] + length))
        found = add_working_time(
            midnight + timedelta(minutes=start), timedelta(minutes=length), CALENDAR, HOURS
        )
        if found != midnight + timedelta(minutes=expected):
            wrong.append((start, length))

    assert wrong == []


def test_year_without_a_file_goes_by_the_week_and_says_so():
    calendar = CALENDAR

    assert calendar.works(date(2031, 10, 1), HOURS)
    assert not calendar.works(date(2031, 10, 4), HOURS)
    assert calendar.version(date(2026, 12, 31), date(2027, 1, 4)).endswith(" 2027:仅按周末")


def test_next_year_is_asked_for_from_december_on():
    assert CALENDAR.warnings(date(2026, 11, 30)) == []
    assert "2027年节假日安排未配置" in CALENDAR.warnings(date(2026, 12, 1))[0]
    assert "2027年" in CALENDAR.warnings(date(2027, 2, 1))[0]


NEXT_YEAR = """
year = 2027
source = "测试用"
version = "1"
[[holidays]]
name = "元旦"
from = 2026-12-31
to = 2027-01-02
workdays = [2027-01-03]
"""


def test_office_file_adds_a_year_and_may_reach_over_new_years_eve(tmp_path: Path):
    (tmp_path / "2027.toml").write_text(NEXT_YEAR, encoding="utf-8-sig")

    calendar = load_calendar(tmp_path)

    assert calendar.problems == ()
    assert calendar.warnings(date(2026, 12, 5)) == []
    assert not calendar.works(date(2026, 12, 31), HOURS)
    assert calendar.works(date(2027, 1, 3), HOURS)


def test_edited_year_wins_and_changes_the_version_even_if_nobody_wrote_one(tmp_path: Path):
    shipped = Path("config/holidays/2026.toml")
    text = (Path(__file__).parents[2] / shipped).read_text(encoding="utf-8")
    (tmp_path / "2026.toml").write_text(text.replace("to = 2026-10-07", "to = 2026-10-08"), "utf-8")

    calendar = load_calendar(tmp_path)

    assert not calendar.works(date(2026, 10, 8), HOURS)
    assert calendar.versions[2026] != CALENDAR.versions[2026]
    assert calendar.versions[2025] == CALENDAR.versions[2025]


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("year = 2027", 'year = "明年"', "year", "四位年份"),
        ("workdays = [2027-01-03]", "workdays = [2027-01-04]", ".workdays", "星期六或星期日"),
        ("to = 2027-01-02", "to = 2027-02-02", ".to", "不超过"),
        ("to = 2027-01-02", 'to = "二号"', "[[holidays]]", "日期"),
        ("from = 2026-12-31", "form = 2026-12-31", ".form", "from"),
        ('version = "1"', "version = ", "（文件）", "TOML"),
        ("workdays = [2027-01-03]", "workdays = [2027-01-02]", "[[holidays]]", "只出现一次"),
        ('source = "测试用"\n', "", "source", "通知文号"),
    ],
)
def test_mistake_in_a_year_names_file_key_and_what_was_expected(tmp_path, old, new, key, expected):
    (tmp_path / "2027.toml").write_text(NEXT_YEAR.replace(old, new), encoding="utf-8")

    calendar = load_calendar(tmp_path)

    assert any(key in p.key and expected in p.expected for p in calendar.problems)
    assert all(p.file.endswith("2027.toml") for p in calendar.problems)
    assert 2027 not in calendar.versions
    assert 2026 in calendar.versions


def test_office_file_in_another_encoding_is_told_and_does_no_harm(tmp_path: Path):
    (tmp_path / "2026.toml").write_bytes(NEXT_YEAR.encode("gb18030"))

    calendar = load_calendar(tmp_path)

    assert "UTF-8" in str(calendar.problems[0])
    assert calendar.versions[2026] == CALENDAR.versions[2026]


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "18:00"},
        {"start": "8点半"},
        {"end": "25:00"},
        {"lunch": ("07:00", "08:00")},
        {"weekdays": ()},
        {"weekdays": (8,)},
        {"siesta": True},
    ],
)
def test_impossible_hours_are_refused(wrong):
    with pytest.raises(ValidationError):
        Hours.model_validate(wrong)


def test_a_moment_without_a_zone_and_a_negative_length_are_refused():
    with pytest.raises(ValueError, match="zone"):
        add_working_time(datetime(2026, 1, 1), timedelta(hours=1), CALENDAR, HOURS)
    with pytest.raises(ValueError, match="negative"):
        add_working_time(datetime.now(UTC), timedelta(hours=-1), CALENDAR, HOURS)
