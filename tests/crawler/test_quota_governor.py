"""Calls are spread over the Beijing day, and never more than there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from config.clock import ManualClock
from crawler.quota import Allowance, Denied, Governor, Granted, Purpose, next_midnight

LIST = Allowance(call="list", what="已发布列表", per_day=100, reserve=10)
MIDNIGHT = datetime(2026, 7, 14, 16, 0, tzinfo=UTC)  # 00:00 of the 15th in Beijing
FIVE = timedelta(minutes=5)
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return ManualClock(MIDNIGHT)


@pytest.fixture
def governor(sqlite_database):
    return Governor(sqlite_database, "wx", [LIST])


def poll(governor, clock, until):
    """Asks every five minutes; answers when it was allowed."""
    allowed = []
    while clock.now() < until:
        if isinstance(governor.take("list", Purpose.POLL, clock.now()), Granted):
            allowed.append(clock.now())
        clock.advance(FIVE)
    return allowed


def test_a_day_of_polls_uses_the_budget_and_leaves_the_reserve(governor, clock):
    allowed = poll(governor, clock, MIDNIGHT + DAY)

    gaps = [b - a for a, b in pairwise(allowed)]
    assert 80 <= len(allowed) <= 90
    assert max(gaps) <= timedelta(minutes=20)


def test_no_day_in_a_week_exceeds_it(governor, clock):
    allowed = poll(governor, clock, MIDNIGHT + 7 * DAY)

    by_day = [
        sum(1 for at in allowed if MIDNIGHT + n * DAY <= at < MIDNIGHT + (n + 1) * DAY)
        for n in range(7)
    ]
    assert all(80 <= number <= 90 for number in by_day)


def test_the_beijing_day_counts_not_the_machines(governor, clock):
    clock.advance(DAY - FIVE)
    for _ in range(100):
        governor.take("list", Purpose.MANUAL, clock.now())
    before = governor.take("list", Purpose.MANUAL, clock.now())
    clock.advance(FIVE)

    assert before == Denied(MIDNIGHT + DAY, "已发布列表今日额度 100 次已用完")
    assert isinstance(governor.take("list", Purpose.POLL, clock.now()), Granted)
    assert next_midnight(clock.now()) == MIDNIGHT + 2 * DAY


def test_a_person_may_use_the_reserve_and_nobody_more_than_all(governor, clock):
    while isinstance(governor.take("list", Purpose.FOLLOW, clock.now()), Granted):
        pass
    left_for_polls = 90 - governor.used("list", clock.now())
    poll(governor, clock, MIDNIGHT + DAY - FIVE)
    by_hand = 0
    while isinstance(governor.take("list", Purpose.MANUAL, clock.now()), Granted):
        by_hand += 1

    assert left_for_polls == 24  # one an hour
    assert by_hand >= 10
    assert governor.used("list", clock.now()) == 100


def test_after_a_long_walk_polls_still_come_evenly_to_the_end_of_the_day(governor, clock):
    poll(governor, clock, MIDNIGHT + timedelta(hours=10))
    for _ in range(25):
        governor.take("list", Purpose.FOLLOW, clock.now())

    rest = poll(governor, clock, MIDNIGHT + DAY)

    assert rest[-1] > MIDNIGHT + DAY - timedelta(hours=2)
    assert governor.used("list", clock.now() - FIVE) <= 90


def test_what_the_platform_says_holds_until_its_time(governor, clock):
    until = MIDNIGHT + timedelta(hours=3)
    governor.hold("list", until, "今日调用额度已用完（45009）", clock.now())

    denied = governor.take("list", Purpose.POLL, clock.now())
    clock.advance(timedelta(hours=3))

    assert denied == Denied(until, "今日调用额度已用完（45009）")
    assert isinstance(governor.take("list", Purpose.POLL, clock.now()), Granted)


def test_a_clock_set_back_frees_no_calls(governor, clock):
    clock.advance(timedelta(hours=1))
    for _ in range(60):
        governor.take("list", Purpose.FOLLOW, clock.now())
    clock.step(timedelta(hours=-3))

    assert governor.used("list", clock.now()) == 60


def test_counts_survive_the_process_and_are_shared(database, clock):
    governors = [Governor(database, "wx", [LIST]) for _ in range(4)]

    def take(n):
        return governors[n % 4].take("list", Purpose.MANUAL, clock.now())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(take, range(120)))

    assert sum(isinstance(a, Granted) for a in answers) == 100
    assert Governor(database, "wx", [LIST]).used("list", clock.now()) == 100


def test_other_channels_have_their_own_counts(sqlite_database, governor, clock):
    governor.take("list", Purpose.POLL, clock.now())

    assert Governor(sqlite_database, "other", [LIST]).used("list", clock.now()) == 0


def test_the_plan_says_that_polls_are_thinned_out(governor, clock):
    plan = governor.plan("list", FIVE, clock.now())

    assert plan.thinned
    assert plan.text == (
        "已发布列表：每天 100 次（留 10 次供人工刷新），今日已用 0 次，还可用 90 次；"
        "设置为每5分钟一次，"
        "一天要 288 次，超出额度，已摊匀为约每16分钟一次"
    )


def test_the_plan_of_a_rare_poll_says_nothing_of_thinning(governor, clock):
    plan = governor.plan("list", timedelta(hours=1), clock.now())

    assert not plan.thinned
    assert plan.text == "已发布列表：每天 100 次（留 10 次供人工刷新），今日已用 0 次，还可用 90 次"


def test_the_plan_of_a_spent_day_says_when_it_goes_on(governor, clock):
    for _ in range(100):
        governor.take("list", Purpose.MANUAL, clock.now())

    plan = governor.plan("list", FIVE, clock.now())

    assert plan.text.endswith(
        "今日已用 100 次，还可用 0 次；已发布列表今日额度 90 次已用完，2026-07-16 00:00 起恢复"
    )


def test_a_budget_that_ends_with_the_day_is_no_failure(governor, clock):
    clock.advance(timedelta(hours=23, minutes=40))  # 23:40 in Beijing
    for _ in range(90):
        governor.take("list", Purpose.MANUAL, clock.now())

    late = governor.take("list", Purpose.POLL, clock.now())
    early = governor.take("list", Purpose.FOLLOW, clock.now())

    assert isinstance(late, Denied)
    assert late.thinned
    assert isinstance(early, Denied)
    assert not early.thinned
