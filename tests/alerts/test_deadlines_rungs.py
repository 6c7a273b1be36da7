"""Who is told at which share of a limit, and what is owed after nobody was there to tell."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.deadlines import (
    REPEATED,
    Urge,
    Watched,
    audit,
    due,
    next_at,
    owed,
    review,
    rungs,
)
from config.clock import SHANGHAI
from config.deadlines import Deadlines
from config.roster import Rank
from config.workdays import load_calendar
from store.records import Level, State

RULES = Deadlines()
CALENDAR = load_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


def said(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


def ladder(stage: str, level: Level, found: str, entered: str, until: str, after: int = 0):
    promise = due(stage, level, at(found), at(entered), rules=RULES, calendar=CALENDAR)
    return rungs(promise, at(entered), RULES, CALENDAR, at(until), after=after)


def told(made) -> list[tuple[int, str, str]]:
    return [(rung.number, said(rung.at), rung.to.label) for rung in made]


def test_gravest_level_climbs_in_minutes_and_then_repeats_each_hour():
    made = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-03T03:30")

    assert told(made) == [
        (50, "10-03 02:05", "值班员"),
        (80, "10-03 02:08", "值班员"),
        (100, "10-03 02:10", "带班领导"),
        (150, "10-03 02:15", "分管领导"),
        (200, "10-03 02:20", "主要负责人"),
        (1001, "10-03 03:20", "主要负责人"),
        (1002, "10-03 04:20", "主要负责人"),
    ]
    assert [r.kind for r in made[:3]] == [Urge.REMINDER, Urge.REMINDER, Urge.OVERDUE]
    assert made[2].why == "研判已超时：应于 2026-10-03 02:10 前完成（依据：建议值，由本单位核定）"
    assert made[-1].why.startswith("研判已超时2小时10分仍未完成，每1小时提醒一次")


def test_lightest_level_climbs_in_working_time_and_rests_on_days_off():
    made = ladder("to_receive", Level.IV, "09-30T13:30", "09-30T13:30", "10-13T00:00")

    assert told(made) == [
        (50, "09-30 15:30", "责任处室"),
        (80, "09-30 16:42", "责任处室"),
        (100, "09-30 17:30", "带班领导"),
        (150, "10-08 10:30", "分管领导"),
        (200, "10-08 14:00", "主要负责人"),
        (1001, "10-09 14:00", "主要负责人"),
        (1002, "10-10 14:00", "主要负责人"),
        (1004, "10-12 14:00", "主要负责人"),
        (1005, "10-13 14:00", "主要负责人"),
    ]


def test_reviewer_and_office_are_reminded_of_their_own_stages():
    review_ = ladder("to_review", Level.II, "11-18T09:00", "11-18T09:00", "11-18T09:00")
    office = ladder("handling", Level.II, "11-18T09:00", "11-18T09:00", "11-18T09:00")

    assert review_[0].to is Rank.LEADER
    assert office[0].to is Rank.OFFICE


def test_reminders_share_out_the_time_that_is_left_on_entering():
    made = ladder("to_report", Level.II, "11-18T09:00", "11-18T09:40", "11-18T09:40")

    assert told(made)[:3] == [
        (50, "11-18 09:50", "值班员"),
        (80, "11-18 09:56", "值班员"),
        (100, "11-18 10:00", "带班领导"),
    ]


def test_stage_late_on_arrival_is_told_of_at_once_and_the_next_rung_has_its_turn():
    made = ladder("to_report", Level.II, "11-18T09:00", "11-18T12:00", "11-18T12:00")

    assert told(made)[:3] == [
        (100, "11-18 12:00", "带班领导"),
        (150, "11-18 12:30", "分管领导"),
        (200, "11-18 13:00", "主要负责人"),
    ]


def test_numbers_say_nothing_twice_and_do_not_hang_on_when_they_are_asked_for():
    early = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-03T02:00")
    late = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-06T02:00")
    rest = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-06T02:00", after=1040)

    assert len({rung.number for rung in late}) == len(late)
    assert late[: len(early)] == early
    assert rest == [rung for rung in late if rung.number > 1040]
    assert [rung.at for rung in late] == sorted(rung.at for rung in late)


@pytest.mark.parametrize(
    ("now", "already", "sent", "skipped"),
    [
        ("10-03T02:04", [], None, []),
        ("10-03T02:05", [], 50, []),
        ("10-03T02:05", [50], None, []),
        ("10-03T02:10", [50, 80], 100, []),
        ("10-03T02:12", [50, 100], None, []),
        ("10-03T02:16", [50], 150, [80, 100]),
        ("10-03T02:25", [], 200, [50, 80, 100, 150]),
        ("10-03T02:25", [200], None, []),
        ("10-03T05:30", [50, 80, 100], 1003, [150, 200, 1001, 1002]),
        ("10-03T05:30", [1003], None, []),
    ],
)
def test_after_a_stop_only_the_highest_missed_goes_out_with_the_rest_listed(
    now, already, sent, skipped
):
    made = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", now)

    top, rest = owed(made, at(now), already)

    assert (top.number if top else None) == sent
    assert [rung.number for rung in rest] == skipped


def test_three_days_of_standing_still_make_one_notice():
    made = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-06T02:30")

    top, rest = owed(made, at("10-06T02:30"), set())

    assert top.number == REPEATED + 72
    assert len(rest) == 5 + 71
    assert owed(made, at("10-06T02:30"), {top.number}) == (None, [])


def test_receipt_stops_the_reminders_but_not_the_limit():
    made = ladder("to_receive", Level.II, "11-18T09:00", "11-18T09:00", "11-18T10:00")

    assert owed(made, at("11-18T09:26"), [], acknowledged=True) == (None, [])
    top, rest = owed(made, at("11-18T09:30"), [], acknowledged=True)
    assert (top.number, rest) == (100, [])


def test_clock_set_back_sends_nothing_twice():
    made = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", "10-03T02:30")

    assert owed(made, at("10-03T01:12"), [50, 80, 100, 150]) == (None, [])
    assert owed(made, at("10-03T02:12"), [50, 80, 100, 150]) == (None, [])


def test_there_is_always_a_next_instant_to_wait_for():
    for now in ("10-03T02:00", "10-03T02:10", "10-04T11:00"):
        made = ladder("to_assess", Level.I, "10-03T02:00", "10-03T02:00", now)
        assert next_at(made, at(now)) > at(now)


def test_watched_item_is_reminded_of_and_grows_overdue_like_any_other():
    promise = review(Level.III, at("11-18T09:00"), at("11-20T09:00"))

    made = rungs(promise, at("11-18T09:00"), RULES, CALENDAR, at("11-20T09:00"))

    assert [(r.number, said(r.at)) for r in made[:3]] == [
        (50, "11-19 09:00"),
        (80, "11-19 23:24"),
        (100, "11-20 09:00"),
    ]
    assert made[2].why.startswith("复查已超时")


NOW = at("11-18T10:00")


@pytest.mark.parametrize(
    ("state", "next_due", "told_at", "found"),
    [
        (State.TO_ASSESS, None, None, True),
        (State.TO_ASSESS, "11-18T10:30", None, False),
        (State.TO_ASSESS, "11-18T09:57", None, False),
        (State.TO_ASSESS, "11-18T09:55", None, True),
        (State.TO_ASSESS, "11-18T09:50", "11-18T09:49", True),
        (State.TO_ASSESS, "11-18T09:50", "11-18T09:51", False),
        (State.TO_ASSESS, "11-18T08:50", "11-18T08:51", True),
        (State.WATCHING, "11-18T09:50", None, True),
        (State.CLOSED, "11-18T09:50", None, False),
        (State.DISMISSED, None, None, False),
        (State.MERGED, None, None, False),
    ],
)
def test_auditor_finds_open_items_that_nothing_happened_to(state, next_due, told_at, found):
    item = Watched(
        item=7,
        state=state,
        next_at=at(next_due) if next_due else None,
        told_at=at(told_at) if told_at else None,
    )

    assert (audit([item], NOW) == [item]) is found


def test_auditor_waits_no_longer_than_it_is_told():
    item = Watched(item=7, state=State.HANDLING, next_at=NOW - timedelta(minutes=2), told_at=None)

    assert audit([item], NOW, timedelta(minutes=1)) == [item]
