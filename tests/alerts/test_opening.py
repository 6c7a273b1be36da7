"""What is flagged becomes an item with its notices, once, whatever its texts hold."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from alerts.items import list_items, list_notices, show_item
from alerts.lifecycle import move_item
from alerts.opening import open_items
from store import tables
from store.ledger import verify
from store.records import State


def watch(database, clock, **fields):
    row = {
        "at": clock.now(), "stage": "silence", "key": "silence:site:2026-07-15", "channel": "site",
        "topic": "silence", "level": "III", "reason": "官网已 26 小时没有新内容",
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(tables.findings.insert().values(**row | fields))


def test_item_ledger_and_notices_come_together(database, settings, clock, assess):
    post = assess(database, level="II", topics=("fire",), title="厂房冒黑烟")

    assert open_items(database, settings, clock.now()) == 1

    shown = show_item(database, "TL-2026-0001")
    item = shown["item"]
    assert (item.key, item.state, item.level, item.topic) == (
        f"post:{post}", State.TO_ASSESS, "II", "fire",
    )  # fmt: skip
    assert [row["id"] for row in shown["posts"]] == [post]
    assert [line["kind"] for line in shown["events"]] == ["opened"]
    assert {(n["recipient"], n["transport"]) for n in shown["notices"]} == {
        ("duty@example.gov.cn", "smtp"),
        ("fire@example.gov.cn", "smtp"),
    }
    assert verify(database) == (1, [])
    assert open_items(database, settings, clock.now()) == 0


def test_what_is_not_flagged_is_only_marked(sqlite_database, settings, clock, assess):
    assess(sqlite_database, flagged=False, level=None)

    assert open_items(sqlite_database, settings, clock.now()) == 1
    assert open_items(sqlite_database, settings, clock.now()) == 0
    assert list_items(sqlite_database) == []
    assert list_notices(sqlite_database) == []


def test_without_a_level_it_is_the_lowest(sqlite_database, settings, clock, assess):
    assess(sqlite_database, level=None)
    open_items(sqlite_database, settings, clock.now())

    assert list_items(sqlite_database)[0].level == "IV"


def test_an_edit_adds_a_line_and_changes_nothing_else(sqlite_database, settings, clock, assess):
    post = assess(sqlite_database, level="II")
    open_items(sqlite_database, settings, clock.now())
    move_item(sqlite_database, 1, State.TO_REPORT, by="王", via="cli", note="属实", now=clock.now())
    before = show_item(sqlite_database, 1)

    assess(sqlite_database, post=post, version=2, level="IV")
    assess(sqlite_database, post=post, version=3, level=None, flagged=False)
    open_items(sqlite_database, settings, clock.now())

    after = show_item(sqlite_database, 1)
    assert after["item"] == before["item"]
    assert [line["kind"] for line in after["events"]] == ["opened", "moved", "joined", "updated"]
    assert len(after["notices"]) == len(before["notices"])


def test_a_higher_level_is_told_once_and_the_state_stays(
    sqlite_database, settings, clock, assess, deliver, memory
):
    post = assess(sqlite_database, level="IV")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)
    for version in (2, 3):
        assess(sqlite_database, post=post, version=version, level="II")
        open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    item = list_items(sqlite_database)[0]
    assert (item.level, item.state, item.version) == ("II", State.TO_ASSESS, 1)
    subjects = [letter.subject[:10] for letter in memory.letters]
    assert subjects == ["【舆情预警·一般】官", "【升级·重大】官网："]
    assert "由Ⅳ级（一般）升为Ⅱ级（重大）" in memory.letters[1].text
    assert memory.letters[1].parent == memory.letters[0].id


def test_numbers_have_no_gap_even_when_a_batch_fails(
    sqlite_database, settings, clock, assess, monkeypatch
):
    assess(sqlite_database)
    open_items(sqlite_database, settings, clock.now())
    assess(sqlite_database)
    with monkeypatch.context() as broken, pytest.raises(sa.exc.OperationalError):
        broken.setattr(
            "alerts.cases.owe",
            lambda *a, **k: (_ for _ in ()).throw(sa.exc.OperationalError("x", {}, Exception())),
        )
        open_items(sqlite_database, settings, clock.now())
    assess(sqlite_database)
    open_items(sqlite_database, settings, clock.now())

    assert sorted(item.number for item in list_items(sqlite_database)) == [
        "TL-2026-0001",
        "TL-2026-0002",
        "TL-2026-0003",
    ]


def test_the_year_of_a_number_is_that_of_shanghai(sqlite_database, settings, assess):
    assess(sqlite_database)
    open_items(sqlite_database, settings, datetime(2026, 12, 31, 15, 59, tzinfo=UTC))
    assess(sqlite_database)
    open_items(sqlite_database, settings, datetime(2026, 12, 31, 16, 0, tzinfo=UTC))

    numbers = sorted(item.number for item in list_items(sqlite_database))
    assert numbers == ["TL-2026-0001", "TL-2027-0001"]


def test_two_openers_at_once_open_each_case_once(database, settings, clock, assess):
    for number in range(20):
        assess(database, title=f"第{number}件")

    def work():
        while open_items(database, settings, clock.now(), limit=3):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = list_items(database)
    assert len(found) == 20
    assert sorted(item.number for item in found) == [f"TL-2026-{n:04d}" for n in range(1, 21)]
    assert verify(database)[1] == []


def test_a_watch_opens_one_item_and_a_return_after_closing_another(
    sqlite_database, settings, clock
):
    watch(sqlite_database, clock)
    watch(sqlite_database, clock)
    open_items(sqlite_database, settings, clock.now())
    assert [item.key for item in list_items(sqlite_database)] == ["watch:silence:site:2026-07-15"]
    assert [e["kind"] for e in show_item(sqlite_database, 1)["events"]] == ["opened", "joined"]

    move_item(
        sqlite_database, 1, State.DISMISSED, by="王", via="cli", note="节假日", now=clock.now()
    )
    watch(sqlite_database, clock)
    open_items(sqlite_database, settings, clock.now())

    assert sorted(item.key for item in list_items(sqlite_database)) == [
        "watch:silence:site:2026-07-15",
        "watch:silence:site:2026-07-15#2",
    ]


def test_a_case_that_cannot_be_read_is_reported_and_stops_nobody(
    sqlite_database, settings, clock, assess
):
    broken = assess(sqlite_database, title="坏的")
    with sqlite_database.write() as connection:
        connection.execute(
            tables.assessments.update()
            .where(tables.assessments.c.post == broken)
            .values(topics=json.loads("7"))
        )
    assess(sqlite_database, title="好的")

    open_items(sqlite_database, settings, clock.now())

    found = {item.title: item for item in list_items(sqlite_database)}
    assert set(found) == {"一条已触发的线索无法整理成条目", "好的"}
    assert found["好的"].number == "TL-2026-0002"
    assert open_items(sqlite_database, settings, clock.now()) == 0


def test_an_edit_that_makes_a_case_was_discovered_when_it_was_edited(
    sqlite_database, settings, clock, assess
):
    post = assess(sqlite_database, flagged=False, level=None)
    open_items(sqlite_database, settings, clock.now())
    clock.advance(timedelta(days=3))
    assess(sqlite_database, post=post, version=2, level="II")
    open_items(sqlite_database, settings, clock.now())

    assert list_items(sqlite_database)[0].discovered_at == clock.now()


def test_a_drill_says_so_in_every_subject(
    sqlite_database, settings, clock, assess, deliver, memory
):
    assess(sqlite_database, drill=True, level="I", title="演练用帖文")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    assert memory.letters[0].subject.startswith("【演练】【舆情预警·特别重大】")
    assert memory.letters[0].text.startswith("【演练】")
