"""Reports upward are told from the record: nothing invented, nothing twice, nothing hostile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.acts import Act, put_on_record
from alerts.briefs import Stage, brief, plain, put_brief_on_record, record_of
from alerts.dutywork import Duty, remind
from alerts.lifecycle import NotAllowed, move_item
from alerts.opening import open_items
from alerts.phrases import ended
from config.roster import Person, Rank, Roster
from config.workdays import load_calendar
from store.ledger import verify
from store.records import State


@pytest.fixture
def duty(settings):
    people = {
        rank.label: Person(name=rank.label, rank=rank, addresses=(f"{rank}@example.gov.cn",))
        for rank in (Rank.OFFICER, Rank.LEADER, Rank.DEPUTY, Rank.CHIEF)
    }
    roster = Roster(settings=settings.roster, people=people)
    return Duty(settings=settings, roster=roster, calendar=load_calendar())


@pytest.fixture
def item(sqlite_database, settings, duty, clock, assess, deliver):
    assess(
        sqlite_database, level="II", topics=("accident",), title="化工厂塌了一角",
        text="厂房塌了，有人没出来。", reason="事故中有人身危险",
    )  # fmt: skip
    open_items(sqlite_database, settings, clock.now())
    remind(sqlite_database, duty, clock.now())
    deliver(sqlite_database)
    return 1


@pytest.fixture
def write(sqlite_database, settings, clock):
    def make(stage):
        return brief(record_of(sqlite_database, settings, 1), stage, clock.now())

    return make


def move(database, duty, clock, *states, note="已核实"):
    for state in states:
        clock.advance(timedelta(minutes=5))
        move_item(
            database, 1, state, by="王值班", via="desk", note=note, now=clock.now(), duty=duty
        )


def test_a_first_report_tells_what_is_known_and_asks_for_what_is_not(item, write):
    made = write(Stage.FIRST)
    text = plain(made)

    assert made.title == "关于“化工厂塌了一角”的舆情初报"
    assert [heading for heading, _ in made.sections] == [
        "一、基本情况", "二、研判情况", "三、已采取的措施", "四、办理时限", "五、待核实填报",
    ]  # fmt: skip
    assert "2026-07-15 12:00，我单位在“官网”监测发现" in text
    assert "Ⅱ级（重大）" in text
    assert "厂房塌了，有人没出来。" in text
    assert "1. 事故中有人身危险" in text
    assert "待研判：2026-07-15 12:15 前" in text
    assert "人员伤亡和财产损失：（待核实）" in text
    assert made == write(Stage.FIRST)


def test_a_follow_up_tells_only_what_is_new_and_counts_itself(
    sqlite_database, duty, clock, item, write
):
    move(sqlite_database, duty, clock, State.TO_REPORT)
    put_brief_on_record(sqlite_database, write(Stage.FIRST), by="王值班", now=clock.now())
    move(sqlite_database, duty, clock, State.TO_RECEIVE, note="报市政府总值班室")
    first = write(Stage.FOLLOW)
    put_brief_on_record(sqlite_database, first, by="王值班", now=clock.now())
    clock.advance(60)
    put_on_record(sqlite_database, 1, Act.INSTRUCTION, "全力搜救", by="周局", now=clock.now())
    second = write(Stage.FOLLOW)

    assert first.title.endswith("舆情续报（一）")
    assert "待报告转为待签收：报市政府总值班室" in plain(first)
    assert "待研判转为待报告" not in plain(first)
    assert second.title.endswith("舆情续报（二）")
    assert "周局：批示：全力搜救" in plain(second)
    assert "报市政府总值班室" not in plain(second)
    assert verify(sqlite_database)[1] == []


def test_a_final_report_waits_for_the_end_and_tells_how_limits_were_kept(
    sqlite_database, duty, clock, item, write
):
    with pytest.raises(NotAllowed, match="只能出续报"):
        write(Stage.FINAL)
    clock.advance(timedelta(minutes=20))
    move(sqlite_database, duty, clock, State.TO_REPORT, State.TO_RECEIVE, State.HANDLING)
    move(
        sqlite_database, duty, clock, State.TO_REVIEW, State.CLOSED, note="人员救出，已发布情况通报"
    )
    text = plain(write(Stage.FINAL))

    assert "舆情终报" in text
    assert "转为“已办结”，自发现起历时45分钟" in text
    assert "人员救出，已发布情况通报" in text
    assert "待研判：时限 2026-07-15 12:15，完成 2026-07-15 12:25，逾期10分钟。" in text
    assert "待报告：时限 2026-07-15 13:00，完成 2026-07-15 12:30，按时。" in text


def test_what_a_post_says_stays_text(sqlite_database, settings, clock, assess, write):
    assess(sqlite_database, title="坏\r\nBcc: a@b.c\u202e\x00", text="<b>" + "雨" * 5000)
    open_items(sqlite_database, settings, clock.now())
    made = write(Stage.FIRST)

    lines = [made.title, *(line for _, some in made.sections for line in some)]
    assert not any(c in line for line in lines for c in "\r\n\x00\u202e")
    assert max(map(len, lines)) < 400


def test_follow_ups_are_numbered_beyond_ten():
    from alerts.briefs import _number

    assert [_number(n) for n in (1, 10, 11, 20, 21)] == ["一", "十", "十一", "二十", "二十一"]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("桥下积水", "桥下积水。"),
        ("快来人！", "快来人！"),
        ("修不修？", "修不修？"),
        ("很长…", "很长…"),
    ],
)
def test_a_sentence_ends_once(title, words):
    assert ended(title) == words
