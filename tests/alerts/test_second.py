"""What is grave and does not arrive goes another way: after ten minutes, or at once if refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.letters import NotDelivered, Trouble
from alerts.opening import open_items
from alerts.second import pass_on, ways
from alerts.transports.memory import Memory
from store.tables import events, notices

DUTY = "duty@example.gov.cn"
SECOND = {"second": {DUTY: ["wecom:值班群", "backup@example.gov.cn"]}}
REFUSED = NotDelivered(Trouble.RECIPIENT, "550 no such user", permanent=True)


@pytest.fixture
def two_ways(make_settings):
    return make_settings(alerts=SECOND)


@pytest.fixture
def robot():
    return Memory()


def flag(database, settings, clock, assess, level="I"):
    assess(database, level=level, topics=("accident",))
    open_items(database, settings, clock.now())


def rows(database):
    query = sa.select(notices.c.stage, notices.c.transport, notices.c.recipient).where(
        notices.c.stage.in_(["second", "fallback"]), notices.c.item == 1
    )
    with database.read() as connection:
        return sorted(map(tuple, connection.execute(query)))


def test_after_ten_minutes_the_group_is_told_and_after_twenty_the_next_address(
    sqlite_database, two_ways, clock, assess, deliver, memory, robot
):
    memory.failing["*"] = NotDelivered(Trouble.LINK, "connection refused")
    transports = {"smtp": memory, "wecom": robot}
    flag(sqlite_database, two_ways, clock, assess)
    told = []
    for _ in range(4):
        deliver(sqlite_database, transports, using=two_ways, most=5)
        pass_on(sqlite_database, two_ways, clock.now())
        deliver(sqlite_database, transports, using=two_ways, most=5)
        told.append((len(robot.letters), len(rows(sqlite_database))))
        clock.advance(timedelta(minutes=9, seconds=59))
        clock.advance(1 if len(told) > 1 else 0)

    assert told[:3] == [(0, 0), (0, 0), (1, 1)]
    assert rows(sqlite_database)[:2] == [
        ("second", "smtp", "backup@example.gov.cn"),
        ("second", "wecom", "值班群"),
    ]
    letter = robot.letters[0]
    assert letter.subject.startswith("【转送·特别重大】")
    assert "未能送达，改由本地址通知" in letter.text
    memory.failing.clear()
    clock.advance(timedelta(minutes=2))
    deliver(sqlite_database, transports, using=two_ways)
    assert [one.subject[:7] for one in memory.to(DUTY)] == ["【舆情预警·特"]


@pytest.mark.parametrize("level", ["III", "IV"])
def test_the_lower_levels_wait_for_the_mail_to_come_back(
    sqlite_database, two_ways, clock, assess, level
):
    flag(sqlite_database, two_ways, clock, assess, level=level)
    clock.advance(timedelta(hours=3))

    assert pass_on(sqlite_database, two_ways, clock.now()) == 0


def test_a_refused_address_is_replaced_at_once(
    sqlite_database, two_ways, clock, assess, deliver, memory, robot
):
    memory.failing[DUTY] = REFUSED
    flag(sqlite_database, two_ways, clock, assess)
    deliver(sqlite_database, {"smtp": memory, "wecom": robot}, using=two_ways)

    assert rows(sqlite_database) == [("second", "wecom", "值班群")]
    assert len(robot.letters) == 1
    assert [one.subject[:6] for one in memory.to("chief@example.gov.cn")] == ["【系统告警·"]


def test_where_the_second_is_refused_too_the_fallback_is_told(
    sqlite_database, two_ways, clock, assess, deliver, memory, robot
):
    memory.failing[DUTY] = REFUSED
    robot.failing["值班群"] = REFUSED
    flag(sqlite_database, two_ways, clock, assess)
    deliver(sqlite_database, {"smtp": memory, "wecom": robot}, using=two_ways)

    assert ("fallback", "smtp", "chief@example.gov.cn") in rows(sqlite_database)


def test_each_way_is_taken_once_and_written_down(sqlite_database, two_ways, clock, assess):
    flag(sqlite_database, two_ways, clock, assess)
    for _ in range(10):
        clock.advance(timedelta(minutes=10))
        pass_on(sqlite_database, two_ways, clock.now())
        pass_on(sqlite_database, two_ways, clock.now())

    assert [one[0] for one in rows(sqlite_database)] == ["second"] * 3
    assert pass_on(sqlite_database, two_ways, clock.now()) == 0
    with sqlite_database.read() as connection:
        kinds = connection.execute(sa.select(events.c.kind)).scalars().all()
    assert kinds.count("passed-on") == 3


def test_an_address_without_a_second_goes_to_the_fallback(settings):
    assert ways(settings, DUTY, "smtp") == [("chief@example.gov.cn", "smtp")]
    assert ways(settings, "chief@example.gov.cn", "smtp") == []
