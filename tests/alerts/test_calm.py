"""A flood drowns nobody and hides nothing; what is grave waits for no window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from alerts.calm import quiet_end
from alerts.items import find_item, list_items, show_item
from alerts.lifecycle import move_item
from alerts.opening import open_items
from config.settings import Calm, Quiet
from store.records import State
from store.tables import notices

DUTY = "duty@example.gov.cn"


@pytest.fixture
def alert(settings, clock, assess):
    def make(database, title="路灯不亮", level="III", using=None, **fields):
        post = assess(database, title=title, level=level, **fields)
        open_items(database, using or settings, clock.now())
        return post

    return make


def same_event(connection, post):
    """Stands for the index of events: every post of this test tells of the same."""
    return range(1, post)


def test_a_thousand_distinct_posts_in_ten_minutes_are_three_mails_and_all_are_listed(
    sqlite_database, settings, clock, assess, deliver, memory
):
    for minute in range(10):
        for number in range(100):
            assess(sqlite_database, level="III", title=f"第{minute * 100 + number:04d}件投诉")
        while open_items(sqlite_database, settings, clock.now()):
            pass
        for _ in range(6):
            deliver(sqlite_database)
            clock.advance(10)

    in_time = len(memory.to(DUTY))
    clock.advance(timedelta(minutes=10))
    deliver(sqlite_database)

    assert in_time <= 3
    text = "".join(letter.text + letter.subject for letter in memory.to(DUTY))
    assert all(f"第{number:04d}件投诉" in text for number in range(1000))


def test_a_thousand_near_copies_are_one_item_and_at_most_three_mails(
    sqlite_database, settings, clock, assess, deliver, memory
):
    for _ in range(10):
        for _ in range(100):
            assess(sqlite_database, level="II", topics=("accident",), title="厂房塌了")
        while open_items(sqlite_database, settings, clock.now(), kin=same_event):
            pass
        deliver(sqlite_database)
        clock.advance(60)

    [item] = list_items(sqlite_database)
    assert len(memory.to(DUTY)) <= 3
    assert (item.state, item.version) == (State.TO_ASSESS, 1)
    assert len(show_item(sqlite_database, item.id)["posts"]) == 1000
    clock.advance(timedelta(minutes=25))
    deliver(sqlite_database)
    update = memory.to(DUTY)[-1]
    assert update.subject.startswith("【舆情动态·重大】")
    assert "同一事件的帖文已有 1000 条" in update.text
    assert update.parent == memory.to(DUTY)[0].id


def test_the_first_letter_after_a_quiet_time_leaves_at_once(
    sqlite_database, clock, alert, deliver, memory
):
    alert(sqlite_database, level="IV")
    deliver(sqlite_database)

    assert len(memory.to(DUTY)) == 1


@pytest.mark.parametrize(("level", "minutes"), [("III", 2), ("IV", 10)])
def test_those_that_follow_are_gathered_and_leave_within_their_window(
    sqlite_database, clock, alert, deliver, memory, level, minutes
):
    alert(sqlite_database, title="甲", level=level)
    deliver(sqlite_database)
    clock.advance(1)
    for title in ("乙", "丙"):
        alert(sqlite_database, title=title, level=level)
    deliver(sqlite_database)
    clock.advance(timedelta(minutes=minutes) - timedelta(seconds=2))
    deliver(sqlite_database)
    assert len(memory.to(DUTY)) == 1

    clock.advance(1)
    deliver(sqlite_database)

    _, grouped = memory.to(DUTY)
    assert "新增 2 条" in grouped.subject
    assert "乙" in grouped.text
    assert "丙" in grouped.text


def test_grave_ones_leave_at_once_and_singly_whatever_else_waits(
    sqlite_database, clock, alert, deliver, memory
):
    for number in range(5):
        alert(sqlite_database, title=f"小事{number}", level="IV")
    deliver(sqlite_database)
    for title, level in (("塌了", "I"), ("着火", "II"), ("又塌", "I")):
        alert(sqlite_database, title=title, level=level)
    deliver(sqlite_database)

    assert [letter.subject[:9] for letter in memory.to(DUTY)[1:]] == [
        "【舆情预警·特别重",
        "【舆情预警·特别重",
        "【舆情预警·重大】",
    ]


def test_no_address_gets_more_letters_a_minute_than_it_takes(
    sqlite_database, make_settings, clock, alert, deliver, memory
):
    few = make_settings(calm={"each": 5})
    for number in range(12):
        alert(sqlite_database, title=f"大事{number}", level="I")
    counts = []
    for _ in range(3):
        deliver(sqlite_database, using=few)
        counts.append(len(memory.to(DUTY)))
        clock.advance(61)

    assert counts == [5, 10, 12]


def test_at_night_the_lowest_wait_for_the_morning_and_no_others(
    sqlite_database, make_settings, clock, alert, deliver, memory
):
    night = make_settings(calm={"quiet": {}})
    clock.step(datetime(2026, 7, 15, 15, 0, tzinfo=UTC) - clock.now())  # 23:00
    alert(sqlite_database, title="琐事", level="IV", using=night)
    deliver(sqlite_database, using=night)
    assert memory.letters == []
    alert(sqlite_database, title="正事", level="III", using=night)
    deliver(sqlite_database, using=night)
    assert [letter.subject[:8] for letter in memory.to(DUTY)] == ["【舆情预警·较大"]
    for _ in range(8):
        clock.advance(timedelta(hours=1, seconds=1))
        deliver(sqlite_database, using=night)

    assert [letter.subject[:8] for letter in memory.to(DUTY)] == [
        "【舆情预警·较大",
        "【舆情预警·一般",
    ]


def test_quiet_hours_never_silence_what_is_grave():
    with pytest.raises(ValidationError, match="wait for no morning"):
        Calm.model_validate({"quiet": {"levels": ["II"]}})


@pytest.mark.parametrize(
    ("hour", "waits"), [(22, 9), (23, 8), (0, 7), (6, 1), (7, 0), (12, 0), (21, 0)]
)
def test_quiet_hours_pass_over_midnight(hour, waits):
    now = datetime(2026, 7, 15, hour, 0, tzinfo=UTC) - timedelta(hours=8)

    assert quiet_end(Quiet(), now) - now == timedelta(hours=waits)


def test_a_new_post_of_a_closed_case_rekindles_it_and_of_an_old_one_does_not(
    sqlite_database, settings, clock, assess
):
    asked = {"by": "王值班", "via": "desk", "note": "已办"}

    def close(item):
        for state in ("to_report", "to_receive", "handling", "to_review", "closed"):
            move_item(sqlite_database, item, State(state), now=clock.now(), **asked)

    assess(sqlite_database, title="甲")
    open_items(sqlite_database, settings, clock.now(), kin=same_event)
    close(1)
    clock.advance(timedelta(days=3))
    assess(sqlite_database, title="甲，又来了")
    open_items(sqlite_database, settings, clock.now(), kin=same_event)
    with sqlite_database.read() as connection:
        assert find_item(connection, 1).state is State.TO_ASSESS

    close(1)
    clock.advance(timedelta(days=15))
    assess(sqlite_database, title="甲，很久以后")
    open_items(sqlite_database, settings, clock.now(), kin=same_event)
    with sqlite_database.read() as connection:
        assert find_item(connection, 1).state is State.CLOSED


def test_a_watched_case_comes_back_when_it_grows_and_a_dismissed_one_stays(
    sqlite_database, settings, clock, assess
):
    def third(state):
        assess(sqlite_database, title="甲")
        open_items(sqlite_database, settings, clock.now(), kin=same_event)
        move_item(sqlite_database, 1, state, by="王值班", via="desk", note="再看", now=clock.now())
        assess(sqlite_database, title="甲，转发")
        open_items(sqlite_database, settings, clock.now(), kin=same_event)
        with sqlite_database.read() as connection:
            return find_item(connection, 1).state

    assert third(State.WATCHING) is State.TO_ASSESS
    assert third(State.DISMISSED) is State.DISMISSED


def test_a_drill_never_hides_in_a_real_case(sqlite_database, settings, clock, assess):
    assess(sqlite_database, title="甲")
    assess(sqlite_database, title="甲", drill=True)
    open_items(sqlite_database, settings, clock.now(), kin=same_event)

    assert [item.drill for item in list_items(sqlite_database)] == [False, True]
    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(notices.c.stage)).scalars().all() == ["alert"] * 2
