"""Every planned fetch ends in exactly one outcome, whatever becomes of the run."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crawler import runs
from crawler.intake import Counts
from crawler.runs import Busy, LedgerBroken, NotPlanned
from store.records import Outcome, RunState
from store.tables import channels, fetches, positions
from store.tables import runs as runs_table

HOUR = timedelta(hours=1)


@pytest.fixture
def begin(database, clock):
    def begin(channel="site", deadline=HOUR):
        clock.advance(1)
        return runs.start(
            database, channel, planned_at=clock.now(), now=clock.now, deadline=deadline
        )

    return begin


def one(database, table, **wanted):
    with database.read() as connection:
        asked = sa.select(table).where(*(table.c[k] == v for k, v in wanted.items()))
        return connection.execute(asked).mappings().one()


def test_a_run_tells_what_was_planned_and_how_it_ended(database, begin, clock):
    run = begin()
    assert run.plan(["a", "b", "c", "a"]) == ["a", "b", "c"]
    assert run.plan(["c", "d"]) == ["d"]
    run.settle("a", Outcome.OK_NEW, status=200, bytes=10, ms=5)
    run.settle("b", Outcome.TIMEOUT, why="30 秒内没有收完")
    run.settle("c", Outcome.OK_UNCHANGED)
    run.count(Counts(seen=3, new=2, changed=1))

    result = run.finish(why="「通知公告」为空", backlog=4)

    assert result.outcomes == {"dropped": 1, "ok-new": 1, "ok-unchanged": 1, "timeout": 1}
    assert (result.planned, result.failed, result.backlog) == (4, 2, 4)
    assert (result.seen, result.new, result.changed) == (3, 2, 1)
    row = one(database, runs_table, id=run.id)
    assert (row["state"], row["finished_at"], row["new"]) == ("done", clock.now(), 2)
    channel = one(database, channels, id="site")
    assert channel["last_attempt_at"] == channel["last_success_at"] == channel["last_new_at"]
    assert (channel["failures"], channel["why"]) == (0, "「通知公告」为空")


def test_a_run_that_asked_nothing_and_says_why_takes_no_failure_back(database, begin):
    begin().finish(RunState.FAILED, why="连接不上对方主机")

    spared = begin().finish(why="按额度摊匀，尚未到查询时间")
    again = begin().finish(why="按额度摊匀，尚未到查询时间")
    run = begin()
    run.plan(["a"])
    run.settle("a", Outcome.OK_UNCHANGED)
    read = run.finish()
    calm = begin().finish(why="按额度摊匀，尚未到查询时间")

    assert [one.state for one in (spared, again)] == ["failed", "failed"]
    assert again.why == "连接不上对方主机"
    assert [one.state for one in (read, calm)] == ["done", "done"]


def test_a_second_outcome_for_one_fetch_is_refused(begin):
    run = begin()
    run.plan(["a"])
    run.settle("a", Outcome.OK_NEW)

    with pytest.raises(NotPlanned):
        run.settle("a", Outcome.TIMEOUT)
    with pytest.raises(NotPlanned):
        run.settle("never planned", Outcome.OK_NEW)


def test_sums_that_do_not_add_up_are_our_fault_and_said(database, begin):
    run = begin()
    run.plan(["a"])
    with database.write() as connection:
        connection.execute(runs_table.update().values(planned=7))

    with pytest.raises(LedgerBroken, match="7 planned, 1 outcomes"):
        run.finish()
    row = one(database, runs_table, id=run.id)
    assert row["state"] == "failed"
    assert "账目不符" in row["why"]


def test_failures_in_a_row_are_counted_and_a_success_clears_them(database, begin):
    for _ in range(3):
        begin().finish(RunState.FAILED, why="域名无法解析")
    failed = dict(one(database, channels, id="site"))
    begin().finish()
    well = one(database, channels, id="site")

    assert (failed["failures"], failed["why"]) == (3, "域名无法解析")
    assert failed["last_success_at"] is None
    assert (well["failures"], well["why"]) == (0, "")


def test_a_run_that_we_stopped_says_nothing_about_its_channel(database, begin):
    begin().finish(RunState.FAILED, why="域名无法解析")
    run = begin()
    run.plan(["a"])
    result = run.finish(RunState.KILLED, why=runs.STOPPED)
    channel = one(database, channels, id="site")

    assert (result.state, result.why, result.outcomes) == ("killed", runs.STOPPED, {"dropped": 1})
    assert (channel["failures"], channel["why"], channel["last_success_at"]) == (1, "", None)


def test_a_run_stopped_for_being_late_is_a_failure(database, begin, clock):
    run = begin(deadline=HOUR)
    clock.advance(HOUR)
    run.finish(RunState.KILLED, why=runs.STOPPED)
    channel = one(database, channels, id="site")

    assert (channel["failures"], channel["why"]) == (1, runs.STOPPED)


def test_two_runs_of_one_channel_do_not_overlap(begin, database, clock):
    running = begin()

    with pytest.raises(Busy):
        begin()
    begin("another channel").finish()
    running.finish()
    assert begin().finish().state is RunState.DONE


def test_the_same_planned_moment_is_read_once(database, clock):
    def begin():
        return runs.start(database, "site", planned_at=clock.now(), now=clock.now, deadline=HOUR)

    begin().finish()
    with pytest.raises(Busy, match="已经做过"):
        begin()


def test_a_run_past_its_deadline_is_closed_and_its_fetches_dropped(database, begin, clock):
    run = begin(deadline=timedelta(minutes=1))
    run.plan(["a", "b"])
    run.settle("a", Outcome.OK_NEW)
    run.count(Counts(seen=1, new=1))
    clock.advance(timedelta(minutes=2))

    (closed,) = runs.reap(database, clock.now())

    assert closed.state is RunState.KILLED
    assert closed.outcomes == {"dropped": 1, "ok-new": 1}
    assert closed.new == 1
    assert one(database, channels, id="site")["failures"] == 1
    # what the late process says afterwards changes nothing any more
    assert run.finish().state is RunState.KILLED
    assert one(database, runs_table, id=run.id)["state"] == "killed"


def test_a_run_whose_process_is_gone_is_closed_before_the_next(database, begin, clock):
    run = begin()
    run.plan(["a"])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lease = dict(one(database, positions, channel="site", list="run")["value"])
    with database.write() as connection:
        connection.execute(positions.update().values(value=lease | {"pid": gone.pid}))

    begin().finish()

    dead = one(database, runs_table, id=run.id)
    assert (dead["state"], dead["failed"]) == ("killed", 1)
    assert one(database, fetches, run=run.id)["outcome"] == "dropped"


def test_a_process_number_used_again_is_not_taken_for_the_dead_one(database, begin, clock):
    begin()
    lease = dict(one(database, positions, channel="site", list="run")["value"])
    with database.write() as connection:
        connection.execute(positions.update().values(value=lease | {"born": "earlier"}))

    assert [r.state for r in runs.reap(database, clock.now())] == [RunState.KILLED]


def test_a_living_run_is_left_alone(database, begin, clock):
    run = begin()

    assert runs.reap(database, clock.now()) == []
    assert run.finish().state is RunState.DONE
