"""Every stage has its promise; who is late is told of, up the chain, and each rung once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from alerts.auditor import audit, last_audit
from alerts.dutywork import Duty, remind
from alerts.items import counts, find_item, show_item
from alerts.lifecycle import AlreadyMoved, move_item
from alerts.opening import open_items
from config.roster import Person, Rank, Roster
from config.workdays import load_calendar
from store.ledger import append, verify
from store.records import State
from store.tables import items, notices, promises

CALENDAR = load_calendar()
PEOPLE = {
    name: Person(name=name, rank=rank, addresses=(f"{rank.value}@example.gov.cn",))
    for name, rank in (
        ("王值班", Rank.OFFICER), ("陈科", Rank.LEADER), ("周局", Rank.DEPUTY), ("赵局", Rank.CHIEF)
    )
}  # fmt: skip


def duty_for(settings, people=PEOPLE):
    return Duty(
        settings=settings,
        roster=Roster(settings=settings.roster, people=people),
        calendar=CALENDAR,
    )


@pytest.fixture
def duty(settings):
    return duty_for(settings)


@pytest.fixture
def opened(settings, clock, assess):
    def make(database, level="II", **fields):
        assess(database, level=level, topics=("accident",), **fields)
        open_items(database, settings, clock.now())
        with database.read() as connection:
            last = connection.execute(sa.select(sa.func.max(items.c.id))).scalar_one()
            return find_item(connection, last)

    return make


def urged(database, item=None, stages=("reminder", "overdue", "progress", "review")):
    query = sa.select(notices).where(notices.c.stage.in_(stages))
    if item is not None:
        query = query.where(notices.c.item == item.id)
    with database.read() as connection:
        rows = connection.execute(query.order_by(notices.c.created_at, notices.c.rung)).mappings()
        return [(r["stage"], r["rung"], r["recipient"]) for r in rows]


def step(database, item, to, clock, note="已核实", **more):
    return move_item(
        database, item.id, to, by="王值班", via="desk", note=note, now=clock.now(), **more
    )


def test_a_stage_climbs_the_chain_rung_by_rung_and_each_is_told_once(database, duty, clock, opened):
    item = opened(database, level="II")  # 15 minutes to assess

    for _ in range(70):
        remind(database, duty, clock.now())
        remind(database, duty, clock.now())
        clock.advance(timedelta(seconds=30))

    assert urged(database) == [
        ("reminder", 50, "officer@example.gov.cn"),
        ("reminder", 80, "officer@example.gov.cn"),
        ("overdue", 100, "leader@example.gov.cn"),
        ("overdue", 150, "deputy@example.gov.cn"),
        ("overdue", 200, "chief@example.gov.cn"),
    ]
    lines = [e for e in show_item(database, item.id)["events"] if e["kind"] == "overdue"]
    assert lines[0]["detail"]["rule"].startswith("II.to_assess 15m/natural")
    assert lines[0]["detail"]["addresses"] == ["smtp:leader@example.gov.cn"]
    assert lines[0]["detail"]["source"]
    assert lines[0]["note"].startswith("研判已超时")
    assert verify(database)[1] == []


def test_until_it_is_done_the_head_of_office_is_told_every_hour(
    sqlite_database, duty, clock, opened
):
    opened(sqlite_database, level="I")
    for _ in range(60):
        remind(sqlite_database, duty, clock.now())
        clock.advance(timedelta(minutes=5))

    repeats = [rung for _, rung, _ in urged(sqlite_database) if rung > 1000]

    assert repeats == [1001, 1002, 1003, 1004]


def test_nothing_is_written_by_a_tick_with_nothing_due(sqlite_database, duty, clock, opened):
    opened(sqlite_database)
    remind(sqlite_database, duty, clock.now())

    def changes():
        with sqlite_database.read() as connection:
            return connection.exec_driver_sql("PRAGMA data_version").scalar()

    before = changes()
    assert remind(sqlite_database, duty, clock.now() + timedelta(minutes=1)) == 0
    assert changes() == before


def test_after_a_stop_only_the_highest_missed_rung_goes_out_and_lists_the_rest(
    sqlite_database, duty, clock, opened, deliver, memory
):
    opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    deliver(sqlite_database)
    clock.advance(timedelta(days=3))

    assert remind(sqlite_database, duty, clock.now()) == 1

    [(stage, rung, to)] = urged(sqlite_database)
    assert (stage, to) == ("overdue", "chief@example.gov.cn")
    assert rung > 1000
    deliver(sqlite_database)
    letter = memory.to("chief@example.gov.cn")[-1]
    assert letter.subject.startswith("【超时·重大】")
    assert "以本信代之" in letter.text
    assert "应发超时，通知带班领导" in letter.text


def test_an_empty_slot_goes_up_at_once_and_to_the_fallback_and_is_an_alarm(
    sqlite_database, settings, clock, opened
):
    people = {name: person for name, person in PEOPLE.items() if person.rank is not Rank.LEADER}
    opened(sqlite_database, level="II")
    duty = duty_for(settings, people)
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(minutes=16))
    remind(sqlite_database, duty, clock.now())
    remind(sqlite_database, duty, clock.now())

    told = {to for _, rung, to in urged(sqlite_database) if rung == 100}

    assert told == {"deputy@example.gov.cn", "chief@example.gov.cn"}  # chief@ is the fallback too
    with sqlite_database.read() as connection:
        alarms = connection.execute(
            sa.select(items.c.title).where(items.c.key == "system:roster:leader")
        ).all()
    assert [row.title for row in alarms] == ["值班链条缺人：带班领导通知不到"]


def test_a_stage_that_ended_late_between_two_ticks_is_told_of_all_the_same(
    sqlite_database, duty, clock, opened, deliver, memory
):
    item = opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(minutes=16))
    step(sqlite_database, item, State.TO_REPORT, clock)  # by a program that knows no duty
    clock.advance(2)
    remind(sqlite_database, duty, clock.now())

    assert ("overdue", 100, "leader@example.gov.cn") in urged(sqlite_database)
    deliver(sqlite_database)
    [letter] = [one for one in memory.to("leader@example.gov.cn") if "超时" in one.subject]
    assert "研判逾期完成" in letter.text


def test_moves_made_while_the_service_was_down_are_all_looked_at(
    sqlite_database, duty, clock, opened
):
    item = opened(sqlite_database, level="II")
    clock.advance(timedelta(minutes=20))
    step(sqlite_database, item, State.TO_REPORT, clock)
    clock.advance(timedelta(hours=2))
    step(sqlite_database, item, State.TO_RECEIVE, clock)
    clock.advance(timedelta(minutes=1))
    remind(sqlite_database, duty, clock.now())

    with sqlite_database.read() as connection:
        rows = connection.execute(sa.select(promises).order_by(promises.c.visit)).all()
    assert [(r.visit, r.stage, r.told >= 100, r.ended_at is not None) for r in rows] == [
        (1, "to_assess", True, True),
        (2, "to_report", True, True),
        (3, "to_receive", False, False),
    ]


def test_with_duty_at_hand_the_move_itself_keeps_the_dues(sqlite_database, duty, clock, opened):
    item = opened(sqlite_database, level="II")
    clock.advance(timedelta(minutes=16))
    step(sqlite_database, item, State.TO_REPORT, clock, duty=duty)

    with sqlite_database.read() as connection:
        rows = connection.execute(sa.select(promises).order_by(promises.c.visit)).all()
    assert [(r.stage, r.ended_at is None) for r in rows] == [
        ("to_assess", False),
        ("to_report", True),
    ]
    assert ("overdue", 100, "leader@example.gov.cn") in urged(sqlite_database)
    assert remind(sqlite_database, duty, clock.now()) == 0


def test_a_queued_reminder_has_no_point_once_the_item_has_moved(
    sqlite_database, duty, clock, opened, deliver, memory
):
    item = opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    deliver(sqlite_database)
    memory.letters.clear()
    clock.advance(timedelta(minutes=8))
    remind(sqlite_database, duty, clock.now())
    step(sqlite_database, item, State.TO_REPORT, clock)
    deliver(sqlite_database)

    assert memory.letters == []
    kinds = [event["kind"] for event in show_item(sqlite_database, item.id)["events"]]
    assert "superseded" in kinds


def test_a_raised_level_shortens_the_promise_and_a_lower_one_never_lengthens_it(
    sqlite_database, duty, clock, opened
):
    item = opened(sqlite_database, level="III")
    remind(sqlite_database, duty, clock.now())
    first = due_at(sqlite_database, item)
    put_level(sqlite_database, item, "I")
    remind(sqlite_database, duty, clock.now())
    raised = due_at(sqlite_database, item)
    put_level(sqlite_database, item, "IV")
    remind(sqlite_database, duty, clock.now())

    assert raised < first
    assert due_at(sqlite_database, item) == raised


def due_at(database, item, stage="to_assess"):
    with database.read() as connection:
        return connection.execute(
            sa.select(promises.c.due_at).where(
                promises.c.item == item.id, promises.c.stage == stage
            )
        ).scalar_one()


def put_level(database, item, level):
    with database.write() as connection:
        connection.execute(
            items.update().where(items.c.id == item.id).values(level=level, promised=0)
        )


def test_a_new_post_on_an_item_touches_neither_its_due_nor_its_rungs(
    sqlite_database, settings, duty, clock, opened, assess
):
    item = opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    before = due_at(sqlite_database, item)
    clock.advance(60)
    assess(sqlite_database, post=item.post, version=2, level="II", topics=("accident",))
    open_items(sqlite_database, settings, clock.now())
    remind(sqlite_database, duty, clock.now())

    assert due_at(sqlite_database, item) == before
    assert urged(sqlite_database) == []


def test_handling_asks_for_notes_on_progress_and_a_note_begins_anew(
    sqlite_database, duty, clock, opened
):
    item = opened(sqlite_database, level="II")  # a note every two hours
    for to in (State.TO_REPORT, State.TO_RECEIVE, State.HANDLING):
        step(sqlite_database, item, to, clock, duty=duty)
    clock.advance(timedelta(minutes=90))
    with sqlite_database.write() as connection:
        append(connection, item=item.id, at=clock.now(), kind="noted", by="张工", note="已到现场")
    clock.advance(timedelta(minutes=45))
    remind(sqlite_database, duty, clock.now())
    early = [rung for stage, rung, _ in urged(sqlite_database) if stage == "progress"]
    clock.advance(timedelta(minutes=80))
    remind(sqlite_database, duty, clock.now())

    late = [rung for stage, rung, _ in urged(sqlite_database) if stage == "progress"]
    assert early == []
    assert late == [100_100]


def test_a_watched_item_comes_back_on_its_day(
    sqlite_database, duty, clock, opened, deliver, memory
):
    item = opened(sqlite_database, level="IV")
    on = clock.now() + timedelta(days=2)

    def named(connection, before, moved):
        append(
            connection, item=item.id, at=moved.at, kind="watched", by="王值班",
            detail={"review_by": on.isoformat()},
        )  # fmt: skip

    step(sqlite_database, item, State.WATCHING, clock, note="再看两天", also=named)
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(days=1, hours=23))
    remind(sqlite_database, duty, clock.now())
    assert show_item(sqlite_database, item.id)["item"].state is State.WATCHING
    clock.advance(timedelta(hours=2))
    remind(sqlite_database, duty, clock.now())
    deliver(sqlite_database)

    shown = show_item(sqlite_database, item.id)["item"]
    assert (shown.state, shown.version) == (State.TO_ASSESS, 3)
    assert ("review", 0, "officer@example.gov.cn") in urged(sqlite_database)
    assert any("复查时间已到" in letter.text for letter in memory.to("officer@example.gov.cn"))


def test_the_survivor_of_a_merge_takes_the_earlier_due(sqlite_database, duty, clock, opened):
    first = opened(sqlite_database, level="III", title="甲")
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(minutes=20))
    second = opened(sqlite_database, level="III", title="乙")
    remind(sqlite_database, duty, clock.now())
    step(sqlite_database, first, State.MERGED, clock, into=second.id)
    remind(sqlite_database, duty, clock.now())

    assert due_at(sqlite_database, second) == due_at(sqlite_database, first)


def test_the_desk_counts_as_overdue_what_was_promised_earlier(sqlite_database, duty, clock, opened):
    opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    assert counts(sqlite_database, clock.now()).overdue == 0
    clock.advance(timedelta(minutes=16))
    assert counts(sqlite_database, clock.now()).overdue == 1


def test_one_item_that_cannot_be_worked_out_stops_no_other(sqlite_database, duty, clock, opened):
    bad, good = opened(sqlite_database, title="甲"), opened(sqlite_database, title="乙")
    with sqlite_database.write() as connection:
        connection.execute(items.update().where(items.c.id == bad.id).values(level="IX"))
    clock.advance(timedelta(minutes=16))
    remind(sqlite_database, duty, clock.now())
    remind(sqlite_database, duty, clock.now())

    assert ("overdue", 100, "leader@example.gov.cn") in urged(sqlite_database, good)
    with sqlite_database.read() as connection:
        keys = connection.execute(sa.select(items.c.key)).scalars().all()
    assert keys.count(f"system:duty:{bad.id}") == 1


def test_the_auditor_finds_a_planner_that_stands_still_and_says_so_once(
    sqlite_database, settings, duty, clock, opened, deliver
):
    opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    deliver(sqlite_database)
    clock.advance(timedelta(minutes=10))
    assert audit(sqlite_database, settings, clock.now()) == 0

    clock.advance(timedelta(minutes=10))  # and nobody has asked for reminders
    assert audit(sqlite_database, settings, clock.now()) == 1
    assert audit(sqlite_database, settings, clock.now()) == 1

    with sqlite_database.read() as connection:
        assert last_audit(connection) == (clock.now(), 1, 0)
        alarm = connection.execute(
            sa.select(items).where(items.c.key.startswith("system:audit:silent"))
        ).one()
    assert "1个条目到了时限而没有通知" in alarm.title


def test_the_auditor_finds_items_that_were_never_promised_anything(
    sqlite_database, settings, clock, opened
):
    opened(sqlite_database, level="II")
    clock.advance(timedelta(minutes=6))

    assert audit(sqlite_database, settings, clock.now()) == 1


def test_the_auditor_finds_notices_that_are_stuck(sqlite_database, settings, duty, clock, opened):
    opened(sqlite_database, level="II")
    remind(sqlite_database, duty, clock.now())
    clock.advance(timedelta(minutes=11))
    remind(sqlite_database, duty, clock.now())

    assert audit(sqlite_database, settings, clock.now()) == 1
    with sqlite_database.read() as connection:
        assert last_audit(connection)[2] == 1


def test_of_twenty_who_click_at_once_one_succeeds_and_leaves_one_line(
    database, duty, clock, opened
):
    item = opened(database, level="II")
    remind(database, duty, clock.now())
    results = []

    def click(number):
        try:
            move_item(
                database, item.id, State.TO_REPORT, by=f"第{number}人", via="desk", note="",
                now=clock.now(), expected_version=1, duty=duty,
            )  # fmt: skip
            results.append("moved")
        except AlreadyMoved as late:
            results.append(str(late))

    threads = [threading.Thread(target=click, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results.count("moved") == 1
    assert all("已由 第" in result for result in results if result != "moved")
    lines = [e for e in show_item(database, item.id)["events"] if e["kind"] == "moved"]
    assert len(lines) == 1
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(promises)).scalar() == 2


def test_working_time_passes_over_the_national_day_with_its_make_up_day(
    sqlite_database, duty, clock, opened
):
    clock.step(datetime(2026, 9, 30, 8, 0, tzinfo=UTC) - clock.now())  # 16:00, the eve
    item = opened(sqlite_database, level="IV")  # four working hours
    remind(sqlite_database, duty, clock.now())

    assert due_at(sqlite_database, item) > datetime(2026, 10, 7, 16, tzinfo=UTC)
    with sqlite_database.read() as connection:
        row = connection.execute(sa.select(promises)).one()
    assert row.calendar.startswith("2026")
