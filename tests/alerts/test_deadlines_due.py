"""When each stage is due: the whole table, the two clocks, and promises that are not put off."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from alerts.deadlines import NotPaused, due, paused, promised, review
from config.clock import SHANGHAI
from config.deadlines import STAGES, Deadlines
from config.roster import Rank
from config.workdays import load_calendar
from store.records import Level, State

RULES = Deadlines()
CALENDAR = load_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def said(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


FOUND, ENTERED = at("2026-11-18T09:00"), at("2026-11-18T09:10")  # a Wednesday

TABLE = [
    # stage          Ⅰ              Ⅱ              Ⅲ              Ⅳ
    ("to_assess", "11-18 09:20", "11-18 09:25", "11-18 09:40", "11-18 14:40"),
    ("to_report", "11-18 09:30", "11-18 10:00", "11-18 11:00", "11-19 09:00"),
    ("to_receive", "11-18 09:25", "11-18 09:40", "11-18 11:10", "11-18 14:40"),
    ("handling", "11-18 14:00", "11-18 14:00", "11-20 09:00", "11-25 09:00"),
    ("to_review", "11-18 10:10", "11-18 11:10", "11-19 09:10", "11-20 09:10"),
    ("progress", "11-18 10:10", "11-18 11:10", "11-19 09:10", None),
]


@pytest.mark.parametrize(
    ("stage", "level", "expected"),
    [
        (stage, level, cell)
        for stage, *cells in TABLE
        for level, cell in zip(Level, cells, strict=True)
    ],
)
def test_every_stage_at_every_level(stage, level, expected):
    if expected is None:
        with pytest.raises(ValueError, match="no limit"):
            due(stage, level, FOUND, ENTERED, rules=RULES, calendar=CALENDAR)
        return

    made = due(stage, level, FOUND, ENTERED, rules=RULES, calendar=CALENDAR)

    assert said(made.at) == expected
    assert made.at.utcoffset() == timedelta(0)
    assert made.rule.startswith(f"{level.value}.{stage} ")
    assert made.source
    assert made.working == bool(made.calendar_version)


def test_every_limit_names_a_document_or_says_that_it_is_a_proposal():
    for level in Level:
        for stage in STAGES:
            limit = RULES.limit(stage, level)
            if limit is not None:
                official = stage == "handling" and level is not Level.IV
                assert ("国办发〔2016〕" in limit.source) == official
                assert ("建议值" in limit.source) == (not official)
    assert "80号" in RULES.I.handling.source
    assert "61号" in RULES.III.handling.source


def test_the_gravest_two_never_wait_for_office_hours():
    night = at("2026-10-03T02:00")

    for level in (Level.I, Level.II):
        for stage in STAGES:
            made = due(stage, level, night, night, rules=RULES, calendar=CALENDAR)
            assert made.at - night == RULES.limit(stage, level).natural
            assert not made.working


def test_the_lightest_waits_for_the_first_working_day_and_remembers_the_calendar():
    made = due(
        State.TO_ASSESS,
        Level.IV,
        at("2026-10-03T02:00"),
        at("2026-10-03T02:00"),
        rules=RULES,
        calendar=CALENDAR,
    )

    assert said(made.at) == "10-08 14:00"
    assert made.calendar_version == CALENDAR.versions[2026]


def test_a_holiday_does_not_eat_the_48_hours_before_anybody_has_looked():
    found = at("2026-10-01T10:00")

    assess = due("to_assess", Level.III, found, found, rules=RULES, calendar=CALENDAR)
    reply = due("handling", Level.III, found, found, rules=RULES, calendar=CALENDAR)
    late = due(
        "to_receive", Level.III, found, at("2026-10-02T20:00"), rules=RULES, calendar=CALENDAR
    )

    assert said(reply.at) == "10-03 10:00"
    assert said(assess.at) == "10-02 10:00"
    assert "at most 50% of handling" in assess.rule
    assert said(late.at) == "10-02 22:00"


def test_working_limit_on_a_working_day_is_left_alone_by_the_reply():
    friday = at("2026-11-20T10:00")

    made = due("to_report", Level.III, friday, friday, rules=RULES, calendar=CALENDAR)

    assert said(made.at) == "11-20 12:00"
    assert made.working


def test_over_new_year_the_version_names_both_years():
    start = at("2026-12-31T17:00")

    made = due("to_review", Level.IV, start, start, rules=RULES, calendar=CALENDAR)

    assert made.calendar_version == f"{CALENDAR.versions[2026]} 2027:仅按周末"


def test_a_promise_is_never_put_off_unless_a_leader_says_so():
    strict = due("handling", Level.II, FOUND, ENTERED, rules=RULES, calendar=CALENDAR)
    mild = due("handling", Level.IV, FOUND, ENTERED, rules=RULES, calendar=CALENDAR)

    assert promised(None, mild) is mild
    assert promised(strict, mild) is strict
    assert promised(mild, strict) is strict
    assert promised(strict, mild, by_leader=True) is mild


def test_watched_item_is_due_on_the_day_somebody_named():
    made = review(Level.III, FOUND, at("2026-11-25T09:00"))

    assert said(made.at) == "11-25 09:00"
    assert made.stage == State.WATCHING.value


def test_paused_clock_goes_on_with_what_was_left():
    four = due("to_assess", Level.IV, FOUND, FOUND, rules=RULES, calendar=CALENDAR)

    later = paused(
        four, at("2026-11-18T10:00"), at("2026-11-20T10:00"), RULES, CALENDAR, by=Rank.LEADER
    )

    assert said(four.at) == "11-18 14:30"
    assert said(later.at) == "11-20 14:30"
    assert "paused" in later.rule


@pytest.mark.parametrize(
    ("level", "since", "until", "by", "before", "words"),
    [
        (Level.II, "11-18T09:05", "11-18T10:00", Rank.LEADER, False, "不得中止"),
        (Level.IV, "11-18T09:05", "11-18T10:00", Rank.OFFICER, False, "带班领导"),
        (Level.IV, "11-18T09:05", "11-18T10:00", Rank.LEADER, True, "再次"),
        (Level.IV, "11-18T09:05", "11-21T09:06", Rank.LEADER, False, "3天"),
        (Level.IV, "11-18T10:05", "11-18T10:00", Rank.LEADER, False, "3天"),
        (Level.IV, "11-19T10:05", "11-20T10:00", Rank.LEADER, False, "超时"),
    ],
)
def test_the_clock_is_stopped_only_as_the_rule_allows(level, since, until, by, before, words):
    promise = due("to_assess", level, FOUND, FOUND, rules=RULES, calendar=CALENDAR)

    with pytest.raises(NotPaused, match=words):
        paused(
            promise,
            at(f"2026-{since}"),
            at(f"2026-{until}"),
            RULES,
            CALENDAR,
            by=by,
            before=before,
        )


def test_office_changes_one_limit_and_keeps_the_others():
    mine = Deadlines.model_validate(
        {"III": {"to_report": {"limit": "3h", "source": "某市局〔2026〕3号"}, "progress": False}}
    )

    assert mine.III.to_report.limit == "3h"
    assert mine.III.to_report.working
    assert mine.III.to_report.since == "discovery"
    assert mine.III.progress is None
    assert mine.III.handling == RULES.III.handling
    assert mine.II == RULES.II


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"III": {"to_report": {"limit": "3h"}}}, "source"),
        ({"III": {"to_report": {"limit": "三小时", "source": "建议"}}}, "expected a duration"),
        ({"III": {"to_report": {"limit": "0h", "source": "建议"}}}, "longer than nothing"),
        ({"I": {"to_report": {"limit": "3h", "source": "建议", "clock": "working"}}}, "natural"),
        ({"III": {"to_reprot": {"limit": "3h", "source": "建议"}}}, "to_reprot"),
        ({"V": {}}, "V"),
        ({"I": 3}, "I"),
        ({"reminders": [80, 50]}, "rising"),
        ({"overdue": {"leader": 120}}, "100"),
        ({"overdue": {"deputy": 300}}, "leader < deputy < chief"),
        ({"repeat_urgent": "1m"}, "10m"),
    ],
)
def test_unusable_deadlines_are_refused_and_the_place_is_named(wrong, words):
    with pytest.raises(ValidationError, match=words):
        Deadlines.model_validate(wrong)


@pytest.mark.parametrize(
    ("stage", "level", "words"),
    [
        ("to_assess", Level.I, "10分钟内"),
        ("handling", Level.III, "发现后48小时内"),
        ("to_assess", Level.IV, "4个工作小时内"),
        ("to_report", Level.IV, "发现后1个工作日内"),
        ("to_assess", Level.III, "30分钟（工作时间）内"),
    ],
)
def test_limits_are_said_in_words(stage, level, words):
    assert RULES.limit(stage, level).words == words
