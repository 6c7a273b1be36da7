"""What every kind of channel must live through: days off, a death of a week, empty success, kills.

Real HTTP (and real IMAP) throughout; the site is read by processes of its own.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from alerts.digest.build import build_digest
from alerts.digest.coverage import coverage
from alerts.digest.weeks import week_of
from analysis.watching import Tools as Eyes
from analysis.watching import build_watches, watch
from console.status import status
from crawler.schedule import Timetable, last_attempts
from store.tables import fetches, findings, posts, runs
from tests.crawler.standins import StandIn, settings_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHERS = ["wechat", "weibo", "app", "mailbox"]


@pytest.fixture
def open_channel(clock):
    with ExitStack() as stack:
        yield lambda kind, **more: StandIn(kind, clock, stack, more)


def looked(database, settings, now, started):
    """One look of all watches; answers (watch, reason) of what they wrote."""
    with database.read() as connection:
        before = connection.execute(sa.select(sa.func.max(findings.c.id))).scalar() or 0
    watch(database, build_watches(settings.watches, Eyes(started=started)), settings, now)
    with database.read() as connection:
        rows = connection.execute(
            sa.select(findings.c.stage, findings.c.reason).where(findings.c.id > before)
        )
        return [(row.stage, row.reason) for row in rows]


def titles(database, channel):
    with database.read() as connection:
        asked = sa.select(posts.c.title, posts.c.text).where(posts.c.channel == channel)
        rows = connection.execute(asked.order_by(posts.c.id)).all()
    return [row.title or row.text for row in rows]


# --- could not look -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHERS)
def test_a_channel_dead_for_a_week_is_unread_in_that_weeks_digest(
    kind, open_channel, sqlite_database, clock
):
    clock.step(datetime(2026, 7, 12, 16, 0, tzinfo=UTC) - clock.now())  # Monday 00:00 in Beijing
    week, started = week_of(clock.now()), clock.now()
    channel = open_channel(kind)
    channel.publish("一切正常")
    assert channel.read(sqlite_database).state == "done"
    channel.die()

    states = []
    while clock.now() < week.ends_at - 12 * HOUR:
        clock.advance(11 * HOUR)
        states.append(channel.read(sqlite_database).state)
    told = looked(sqlite_database, channel.settings, clock.now(), started)
    digest = build_digest(sqlite_database, channel.settings, week, week.ends_at + HOUR, send=False)

    assert set(states) == {"failed"}
    assert [name for name, _ in told] == ["unread"]
    assert "已6天" in told[0][1]
    with sqlite_database.read() as connection:
        (row,) = coverage(connection, channel.settings, week.starts_at, week.ends_at)
    assert 160 * 60 <= row["unread_minutes"] <= 167 * 60
    assert f"监测中断{row['words'].removeprefix('监测中断')}" in row["words"]
    assert "小时" in row["words"]
    assert f"{channel.channel['name']}本周监测有中断" in digest.text
    (shown,) = status(channel.settings, sqlite_database, clock.now(), version="0")["channels"]
    assert 140 <= shown["unread_hours_7d"] <= 167
    assert shown["watches"][0]["watch"] == "unread"


def test_a_site_dead_for_a_week_is_unread_with_hours(shelf, site, crawl, sqlite_database):
    shelf.column(2)
    channel = site(every="1h", revisit=False)
    began = datetime.now(UTC)
    assert crawl(channel).one.state == "done"
    dead = {**channel, "columns": [{"url": "http://127.0.0.1:1/tzgg/index.html", "name": "通知"}]}

    for day in (3, 6):
        assert crawl(dead, ahead=day * 86_400).one.state == "failed"
    settings = settings_of(channel)
    end = began + 7 * DAY
    with sqlite_database.read() as connection:
        (row,) = coverage(connection, settings, began - HOUR, end)

    assert row["words"].startswith("监测中断6天")
    assert "小时" in row["words"]
    assert looked(sqlite_database, settings, end, began)[0][0] == "unread"


# --- answers and says nothing -------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 5], ids=["from the first day on", "after better days"])
@pytest.mark.parametrize("kind", ["wechat", "weibo", "app"])
def test_success_with_nothing_in_it_is_broken_after_the_third_run_and_never_calm(
    kind, before, open_channel, sqlite_database, clock
):
    started = clock.now()
    channel = open_channel(kind)
    for number in range(before):
        channel.publish(f"第 {number} 条")
        channel.read(sqlite_database)
    channel.hollow()

    told = [told_as_broken(channel, sqlite_database, clock, started) for _ in range(3)]

    assert told == [False, False, True]
    (shown,) = status(channel.settings, sqlite_database, clock.now(), version="0")["channels"]
    assert "broken" in {one["watch"] for one in shown["watches"]}


def told_as_broken(channel, database, clock, started):
    channel.read(database)
    said = looked(database, channel.settings, clock.now(), started)
    return any(name == "broken" for name, _ in said)


def test_a_site_whose_lists_are_empty_is_broken_after_the_third_run(
    shelf, site, crawl, sqlite_database
):
    shelf.column(3)
    channel = site(revisit=False)
    settings, started = settings_of(channel), datetime.now(UTC)
    for hour in range(3):
        crawl(channel, ahead=hour * 3600)
    shelf.list("/tzgg/index.html", [])

    told = []
    for hour in range(3, 6):
        crawl(channel, ahead=hour * 3600)
        now = started + timedelta(hours=hour, minutes=1)
        told.append([name for name, _ in looked(sqlite_database, settings, now, started)])

    assert ["broken" in names for names in told] == [False, False, True]


# --- days off -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHERS)
def test_what_was_missed_in_days_off_is_made_up_once_and_newest_first(
    kind, open_channel, sqlite_database, clock
):
    few = {"weibo": {"count": 10, "max_calls": 3}, "mailbox": {"max_letters": 20}}
    channel = open_channel(kind, **few.get(kind, {}))
    channel.publish("停机之前")
    channel.read(sqlite_database)
    for number in range(60):  # two days and a half in which nobody looks
        clock.advance(HOUR)
        channel.publish(f"第 {number:02} 条")
    timetable = Timetable(channel.settings.channels, clock)
    timetable.recover(last_attempts(sqlite_database))

    due = [one.id for one in timetable.due()]
    timetable.started(kind)
    assert timetable.due() == []  # sixty passes were missed; one makes up for them
    results = [channel.read(sqlite_database)]
    first = titles(sqlite_database, kind)[1:]
    while results[-1].backlog:
        channel.publish(f"又来 {len(results)}")
        results.append(channel.read(sqlite_database))

    kept = titles(sqlite_database, kind)
    assert due == [kind]
    assert first[0] == "第 59 条"
    assert len(first) < 60 or kind in {"wechat", "app"}
    for number in range(1, len(results)):  # what came meanwhile stood before the backlog
        assert f"又来 {number}" in kept
    assert len(kept) == len(set(kept)) == 60 + len(results)
    assert {f"第 {number:02} 条" for number in range(60)} <= set(kept)


def test_a_pass_that_was_made_is_not_made_again(open_channel, sqlite_database, clock):
    channel = open_channel("weibo")
    channel.publish("一")
    planned = clock.now() + HOUR

    first = channel.read(sqlite_database)
    clock.step(-HOUR)  # the clock was set back: the same moment comes again
    again = channel.read(sqlite_database)

    assert (first.state, first.new) == ("done", 1)
    assert (again.state, again.why) == ("failed", "这一轮采集已经做过")
    with sqlite_database.read() as connection:
        made = connection.execute(sa.select(runs.c.planned_at)).scalars().all()
    assert made == [planned]


# --- kills --------------------------------------------------------------------------------------


def test_five_hundred_pages_of_a_site_survive_a_kill(
    shelf, site, spawn, crawl, stored, sqlite_database
):
    shelf.column(500, size=50)
    columns = [{"url": f"{shelf.url}/tzgg/index.html", "pages": 20, "name": "通知公告"}]
    channel = site(columns=columns, revisit=False, max_fetches=1000)

    child = spawn(channel)
    shelf.wait_for(200)
    child.kill()
    child.wait()
    half = len(stored.posts())
    result = crawl(channel).one

    assert 0 < half < 500
    assert result.state == "done"
    kept = stored.posts()
    assert len(kept) == len({post.key for post in kept}) == 500
    assert all(post.version == 1 for post in kept)
    assert half + result.new == 500
    with sqlite_database.read() as connection:
        open_ = connection.execute(
            sa.select(sa.func.count()).where(fetches.c.outcome.is_(None))
        ).scalar()
    assert open_ == 0
