"""An item moves only as the table says, and every move leaves exactly one line of history."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from alerts.items import NoSuchItem, find_item, show_item
from alerts.lifecycle import NEXT, AlreadyMoved, NotAllowed, move, move_item
from alerts.opening import open_items
from store.ledger import verify
from store.records import State
from store.tables import events, items, notices

PAIRS = [(before, after) for before in State for after in State]


@pytest.fixture
def item(sqlite_database, settings, clock, assess):
    assess(sqlite_database, level="III")
    open_items(sqlite_database, settings, clock.now())
    with sqlite_database.read() as connection:
        return find_item(connection, "TL-2026-0001")


def put(database, item, state):
    with database.write() as connection:
        connection.execute(items.update().where(items.c.id == item.id).values(state=state.value))


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda state: state.value)
def test_every_pair_of_states_is_either_in_the_table_or_refused(
    sqlite_database, settings, clock, assess, item, before, after
):
    assess(sqlite_database, title="另一条")
    open_items(sqlite_database, settings, clock.now())
    put(sqlite_database, item, before)
    asked = {"by": "王值班", "via": "cli", "note": "已核实", "now": clock.now()}
    into = "TL-2026-0002" if after is State.MERGED else None

    if after in NEXT[before]:
        moved = move_item(sqlite_database, item.number, after, into=into, **asked)
        assert (moved.before, moved.after, moved.version) == (before, after, 2)
        lines = show_item(sqlite_database, item.number)["events"]
        assert [(line["before"], line["after"], line["by"]) for line in lines[1:]] == [
            (before.value, after.value, "王值班")
        ]
    else:
        with pytest.raises((NotAllowed, AlreadyMoved)):
            move_item(sqlite_database, item.number, after, into=into, **asked)
        assert show_item(sqlite_database, item.number)["item"].state is before
        assert len(show_item(sqlite_database, item.number)["events"]) == 1


def test_every_state_can_be_reached_and_only_merged_is_final():
    reached, edge = {State.TO_ASSESS}, [State.TO_ASSESS]
    while edge:
        for after in NEXT[edge.pop()] - reached:
            reached.add(after)
            edge.append(after)

    assert reached == set(State)
    assert [state for state in State if not NEXT[state]] == [State.MERGED]


def test_a_refusal_says_what_is_possible(item, clock):
    with pytest.raises(NotAllowed, match=r"待研判.*不能转为.*已办结.*可转为：待报告、不予处置"):
        move(item, State.CLOSED, by="王值班", via="cli", note="", now=clock.now())


@pytest.mark.parametrize(
    ("to", "by", "note", "missing"),
    [
        (State.DISMISSED, "王值班", " ", "理由"),
        (State.WATCHING, "王值班", "", "理由"),
        (State.TO_REPORT, "\u200b", "", "经办人"),
        (State.MERGED, "王值班", "", "另一条目"),
    ],
)
def test_a_move_without_what_it_needs_is_refused(item, clock, to, by, note, missing):
    with pytest.raises(NotAllowed, match=missing):
        move(item, to, by=by, via="cli", note=note, now=clock.now())


def test_of_two_people_the_second_is_told_who_was_first(sqlite_database, clock, item):
    seen = item.version
    asked = {"via": "cli", "note": "误报", "now": clock.now(), "expected_version": seen}
    move_item(sqlite_database, item.number, State.TO_REPORT, by="王值班", **asked)

    with pytest.raises(AlreadyMoved, match="已由 王值班 于 2026-07-15 12:00 转为“待报告”"):
        move_item(sqlite_database, item.number, State.DISMISSED, by="李值班", **asked)


def test_of_twenty_parallel_moves_one_succeeds(database, settings, clock, assess):
    assess(database)
    open_items(database, settings, clock.now())
    done, late = [], []
    together = threading.Barrier(20)

    def act(number: int) -> None:
        together.wait()
        try:
            done.append(
                move_item(
                    database,
                    1,
                    State.TO_REPORT,
                    by=f"值班{number}",
                    via="desk",
                    note="",
                    now=clock.now(),
                    expected_version=1,
                )
            )
        except AlreadyMoved as error:
            late.append(error.by)

    threads = [threading.Thread(target=act, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(done), len(late)) == (1, 19)
    assert set(late) == {done[0].by}
    with database.read() as connection:
        moves = connection.execute(sa.select(events).where(events.c.kind == "moved")).all()
    assert len(moves) == 1
    assert verify(database) == (2, [])


def test_a_merged_item_gives_its_posts_and_its_level(sqlite_database, settings, clock, assess):
    assess(sqlite_database, level="IV", title="甲")
    post = assess(sqlite_database, level="II", title="乙")
    open_items(sqlite_database, settings, clock.now())

    move_item(
        sqlite_database,
        "TL-2026-0002",
        State.MERGED,
        into="TL-2026-0001",
        by="王值班",
        via="cli",
        note="同一件事",
        now=clock.now(),
    )

    kept = show_item(sqlite_database, "TL-2026-0001")
    assert kept["item"].level == "II"
    assert post in {row["id"] for row in kept["posts"]}
    assess(sqlite_database, post=post, version=2, level="II")
    open_items(sqlite_database, settings, clock.now())
    last = show_item(sqlite_database, "TL-2026-0001")["events"][-1]
    assert last["kind"] == "joined"


def test_closing_withdraws_what_only_urged_and_tells_those_who_were_alerted(
    sqlite_database, settings, clock, assess, deliver, memory, item
):
    deliver(sqlite_database)
    asked = {"by": "王值班", "via": "cli", "note": "已修复", "now": clock.now()}
    for state in (State.TO_REPORT, State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW):
        move_item(sqlite_database, 1, state, **asked)
    move_item(sqlite_database, 1, State.CLOSED, **asked)
    deliver(sqlite_database)

    assert [letter.subject[:8] for letter in memory.to("duty@example.gov.cn")] == [
        "【舆情预警·较大",
        "【办结·较大】官",
    ]
    with sqlite_database.read() as connection:
        told = connection.execute(
            sa.select(notices.c.stage, notices.c.state).order_by(notices.c.stage)
        ).all()
    assert told == [("alert", "sent"), ("assign", "superseded"), ("closed", "sent")]


def test_an_unknown_number_is_named(sqlite_database, clock):
    with pytest.raises(NoSuchItem, match="TL-2026-9999"):
        move_item(
            sqlite_database,
            "tl-2026-9999",
            State.TO_REPORT,
            by="王",
            via="cli",
            note="",
            now=clock.now(),
        )
