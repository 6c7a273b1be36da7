"""Level, pause, 批示, 交办, 督办, 交接班, 演练: each by the rules, each on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.acts import Act, Ruling, pause, put_on_record, relevel
from alerts.digest.figures import figures
from alerts.digest.weeks import week_of
from alerts.drill import answers, inject, report
from alerts.dutywork import Duty, remind
from alerts.handover import sheet
from alerts.items import counts, show_item
from alerts.lifecycle import NotAllowed, move_item
from alerts.opening import open_items
from config.roster import Person, Rank, Roster
from config.workdays import load_calendar
from store.ledger import verify
from store.records import Level, State
from store.tables import items, notices, posts, promises

HOUR = timedelta(hours=1)


@pytest.fixture
def duty(settings):
    people = {
        name: Person(name=name, rank=rank, addresses=(f"{rank}@example.gov.cn",))
        for name, rank in (("王值班", Rank.OFFICER), ("陈科", Rank.LEADER))
    }
    roster = Roster(settings=settings.roster, people=people)
    return Duty(settings=settings, roster=roster, calendar=load_calendar())


@pytest.fixture
def opened(sqlite_database, settings, duty, clock, assess):
    def make(level):
        assess(sqlite_database, level=level, topics=("complaint",))
        open_items(sqlite_database, settings, clock.now())
        remind(sqlite_database, duty, clock.now())
        return 1

    return make


def promise(database):
    with database.read() as connection:
        return connection.execute(sa.select(promises).where(promises.c.item == 1)).one()


def test_anybody_may_raise_and_the_due_comes_nearer(sqlite_database, duty, clock, opened):
    item = opened("IV")
    before = promise(sqlite_database).due_at
    raised = Ruling(by="王值班", rank=Rank.OFFICER, note="", now=clock.now())
    made = relevel(sqlite_database, item, Level.II, raised, duty=duty)

    assert made.level is Level.II
    assert promise(sqlite_database).due_at < before
    lines = show_item(sqlite_database, item)["events"]
    assert [(e["before"], e["after"]) for e in lines if e["kind"] == "levelled"] == [("IV", "II")]


@pytest.mark.parametrize(
    ("rank", "note", "why"), [(Rank.OFFICER, "不严重", "带班领导"), (Rank.LEADER, "", "理由")]
)
def test_what_is_grave_is_lowered_by_a_leader_with_a_reason(
    sqlite_database, duty, clock, opened, rank, note, why
):
    item = opened("I")
    lowered = Ruling(by="某人", rank=rank, note=note, now=clock.now())
    with pytest.raises(NotAllowed, match=why):
        relevel(sqlite_database, item, Level.III, lowered, duty=duty)


def test_only_a_leader_gives_more_time(sqlite_database, duty, clock, opened):
    item = opened("III")
    first = promise(sqlite_database).due_at
    officer = Ruling(by="王值班", rank=Rank.OFFICER, note="已降温", now=clock.now())
    leader = Ruling(by="陈科", rank=Rank.LEADER, note="已降温", now=clock.now())
    relevel(sqlite_database, item, Level.IV, officer, duty=duty)
    by_officer = promise(sqlite_database).due_at
    relevel(sqlite_database, item, Level.III, officer, duty=duty)
    relevel(sqlite_database, item, Level.IV, leader, duty=duty)

    assert by_officer == first
    assert promise(sqlite_database).due_at > first


def test_a_leader_pauses_a_lower_one_once_and_nobody_is_urged_meanwhile(
    sqlite_database, duty, clock, opened
):
    item = opened("III")
    before = promise(sqlite_database).due_at
    asked = Ruling(by="陈科", rank=Rank.LEADER, note="等鉴定", now=clock.now())
    due = pause(sqlite_database, duty, item, clock.now() + 24 * HOUR, asked)
    clock.advance(23 * HOUR)
    remind(sqlite_database, duty, clock.now())

    with sqlite_database.read() as connection:
        urged = connection.execute(
            sa.select(notices.c.id).where(notices.c.stage.in_(["reminder", "overdue"]))
        ).all()
    assert due > before
    assert urged == []
    with pytest.raises(NotAllowed, match="已中止过一次"):
        again = replace(asked, now=clock.now())
        pause(sqlite_database, duty, item, clock.now() + HOUR, again)
    clock.advance(48 * HOUR)
    assert remind(sqlite_database, duty, clock.now()) == 1


def test_what_is_grave_is_never_paused_and_raising_ends_a_pause(
    sqlite_database, duty, clock, opened
):
    item = opened("III")
    asked = Ruling(by="陈科", rank=Rank.LEADER, note="等鉴定", now=clock.now())
    pause(sqlite_database, duty, item, clock.now() + 24 * HOUR, asked)
    raised = Ruling(by="王", rank=Rank.OFFICER, note="", now=clock.now())
    relevel(sqlite_database, item, Level.I, raised, duty=duty)
    clock.advance(timedelta(minutes=11))
    remind(sqlite_database, duty, clock.now())

    with sqlite_database.read() as connection:
        stages = connection.execute(sa.select(notices.c.stage)).scalars().all()
    assert "overdue" in stages
    with pytest.raises(NotAllowed, match="不得中止"):
        again = replace(asked, now=clock.now())
        pause(sqlite_database, duty, item, clock.now() + HOUR, again)


@pytest.mark.parametrize("act", Act)
def test_words_of_a_leader_are_a_line_and_a_letter_and_change_nothing_else(
    sqlite_database, settings, clock, opened, deliver, memory, act
):
    item = opened("III")
    deliver(sqlite_database)
    before = show_item(sqlite_database, item)["item"]
    put_on_record(
        sqlite_database, item, act, "请防汛办今日内回复", by="周局", now=clock.now(),
        to=["flood@example.gov.cn"],
    )  # fmt: skip
    deliver(sqlite_database)

    [letter] = memory.to("flood@example.gov.cn")
    assert letter.subject.startswith(f"【{act.label}·较大】")
    assert "请防汛办今日内回复" in letter.text
    assert "周局" in letter.text
    shown = show_item(sqlite_database, item)
    assert shown["item"] == before
    assert shown["events"][-2]["kind"] == act.value
    assert verify(sqlite_database)[1] == []


def test_the_sheet_tells_the_next_shift_what_stands_open(
    sqlite_database, settings, duty, clock, opened
):
    began = clock.now()
    opened("II")
    clock.advance(HOUR)
    put_on_record(sqlite_database, 1, Act.INSTRUCTION, "速查", by="周局", now=clock.now())
    clock.advance(HOUR)
    told = sheet(sqlite_database, duty, began, clock.now())

    assert "交接班单　2026-07-15 12:00 至 2026-07-15 14:00" in told
    assert "值班员 王值班，带班领导 陈科" in told
    assert "新发现 1 条" in told
    assert "移交在办 1 条，其中已超时 1 条" in told
    assert "【已超时】TL-2026-0001　Ⅱ级　待研判，2026-07-15 12:15 到期" in told
    assert "批示（周局）：速查" in told
    assert told == sheet(sqlite_database, duty, began, clock.now())


def test_a_drill_goes_the_real_way_marked_and_counts_nowhere(
    sqlite_database, settings, duty, clock, assess, deliver, memory
):
    made = inject(
        sqlite_database, channel="site", texts=["演练：某桥下积水"], by="陈科", now=clock.now()
    )
    clock.advance(5)
    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(posts.c.drill)).scalars().all() == [True]
    assess(sqlite_database, post=made[0], level="II", topics=("flood",))
    open_items(sqlite_database, settings, clock.now())
    clock.advance(10)
    deliver(sqlite_database)
    clock.advance(300)
    move_item(
        sqlite_database, 1, State.TO_REPORT, by="王值班", via="desk", note="", now=clock.now()
    )
    told = answers(sqlite_database, made)

    assert memory.letters[0].subject.startswith("【演练】【舆情预警·重大】")
    assert (told[0].to_mail, told[0].to_assessed) == (
        timedelta(seconds=15), timedelta(seconds=315),
    )  # fmt: skip
    assert "发出通知15秒" in report(told, 1)
    assert "签收未完成" in report(told, 1)
    assert counts(sqlite_database, clock.now()).open == 0
    week = figures(sqlite_database, settings, week_of(clock.now()), clock.now())
    assert (week["posts"]["total"], week["items"]["total"]) == (0, 0)
    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(items.c.drill)).scalars().all() == [True]
