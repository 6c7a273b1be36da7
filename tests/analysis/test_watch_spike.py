"""Louder than usual: a channel against its own past, and a case whose posts pile up."""

from datetime import timedelta

import pytest

from store import tables
from tests.analysis.watched import DAY, HOUR, Agency, settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
def agency(sqlite_database, clock):
    return Agency(sqlite_database, clock, settings(("weibo", "官方微博", "weibo")), only=("spike",))


@pytest.fixture
def say(agency, make_post):
    def say(at, count=1, *, flagged=0, **more):
        made = []
        for number in range(count):
            fields = {"channel": "weibo", "kind": "comment", "title": "", "role": "public"}
            when = at + number * timedelta(seconds=20)
            made.append(
                make_post(
                    agency.database,
                    **fields | {"published_at": when, "captured_at": when} | more,
                )
            )
            if number < flagged:
                with agency.database.write() as connection:
                    connection.execute(
                        tables.assessments.insert().values(
                            post=made[-1], version=1, at=when, tone="negative", topics=["flood"],
                            level="III", flagged=True, reported=True,
                        )
                    )  # fmt: skip
        return made

    return say


def quiet_fortnight(agency, say, *, busy_weekday=None):
    start = agency.clock.now() - 15 * DAY
    for day in range(14):
        at = start + day * DAY
        say(at, 40 if day % 7 == busy_weekday else 2)


def test_an_hour_far_above_the_twelve_before_is_told_once_and_its_end_too(agency, clock, say):
    quiet_fortnight(agency, say)
    say(clock.now() - 50 * MINUTE, 9, flagged=3)

    told = agency.look()
    again = agency.look()
    clock.advance(timedelta(hours=30))
    over = agency.look()

    assert "“官方微博”近1小时公众发言9条" in told[0]
    assert "其中触发预警3条" in told[0]
    assert again == []
    assert any("已回到平常" in one for one in over)
    assert agency.items()[0]["level"] == "III"
    assert agency.items()[0]["topic"] == "flood"


def test_a_day_as_busy_as_the_same_day_last_week_is_no_spike(agency, clock, say):
    quiet_fortnight(agency, say, busy_weekday=0)
    for hour in range(14, 23):  # forty over the day, no hour of it loud
        say(clock.now() - hour * HOUR, 4)

    assert not [one for one in agency.look() if "近24小时" in one]


def test_a_day_above_the_fortnight_and_above_last_week_is_told(agency, clock, say):
    quiet_fortnight(agency, say)
    for hour in range(14, 23):
        say(clock.now() - hour * HOUR, 4)

    assert [one for one in agency.look() if "近24小时公众发言36条" in one]


@pytest.mark.parametrize("more", [{"role": "own"}, {"drill": True}])
def test_own_posts_and_drills_are_not_counted(agency, clock, say, more):
    quiet_fortnight(agency, say)
    say(clock.now() - 50 * MINUTE, 30, **more)

    assert agency.look() == []


def test_old_articles_read_on_the_first_day_make_no_usual(agency, clock, say):
    say(clock.now() - 10 * DAY, 5, role="own", kind="article", captured_at=clock.now() - HOUR)
    say(clock.now() - 50 * MINUTE, 9, flagged=3)

    assert agency.look() == []


def test_a_new_channel_has_no_usual_to_be_above(agency, clock, say):
    say(clock.now() - 50 * MINUTE, 30)

    assert agency.look() == []


@pytest.fixture
def case(agency, clock, say):
    first = say(clock.now() - 3 * HOUR)[0]
    with agency.database.write() as connection:
        made = connection.execute(
            tables.items.insert().values(
                number="TL-2026-0001", key=f"post:{first}", level="IV", topic="flood",
                topics=["flood"], title="桥断了", channel="weibo", post=first,
                discovered_at=clock.now() - 3 * HOUR, changed_at=clock.now() - 3 * HOUR,
            )
        ).inserted_primary_key[0]  # fmt: skip

    def join(posts):
        with agency.database.write() as connection:
            for post in posts:
                connection.execute(
                    tables.item_posts.insert().values(item=made, post=post, at=clock.now())
                )

    join([first])
    return join


def test_a_case_that_grows_fast_rises_step_by_step_in_the_case_itself(agency, clock, say, case):
    case(say(clock.now() - 40 * MINUTE, 6))
    fast = agency.look()
    case(say(clock.now() - 30 * MINUTE, 30))
    storm = agency.look()
    again = agency.look()

    assert [one[:16] for one in fast] == ["同一事件近1小时新增6条，此前1"]
    assert "建议等级不低于Ⅱ级" in storm[0]
    assert again == []
    assert [item["level"] for item in agency.items()] == ["II"]
    assert [item["number"] for item in agency.items()] == ["TL-2026-0001"]


def test_a_case_that_grows_slowly_stays_as_it_is(agency, clock, say, case):
    case(say(clock.now() - 40 * MINUTE, 3))

    assert agency.look() == []
