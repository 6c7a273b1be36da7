"""Data past its time goes, what an item needs stays, and the going is recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from config.clock import ManualClock
from store.engine import Database
from store.retention import purge
from store.tables import events, item_posts, items, posts, runs

LIMITS = {
    "unflagged": timedelta(days=90),
    "closed": timedelta(days=730),
    "logs": timedelta(days=190),
}


@pytest.fixture
def hold(clock: ManualClock) -> Callable[..., None]:
    def make(database: Database, post: int, closed_at: Any = None) -> None:
        with database.write() as connection:
            item = connection.execute(
                items.insert().values(
                    number=f"TL-2026-{post:04}",
                    key=f"post:{post}",
                    level="III",
                    topic="complaint",
                    topics=[],
                    title="路灯",
                    channel="site",
                    discovered_at=clock.now(),
                    changed_at=clock.now(),
                    closed_at=closed_at,
                    state="closed" if closed_at else "to_assess",
                )
            ).inserted_primary_key
            connection.execute(item_posts.insert().values(item=item[0], post=post, at=clock.now()))

    return make


def texts(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(posts.c.text).order_by(posts.c.id)).scalars())


def test_an_old_post_without_an_item_goes_and_the_ledger_says_so(
    database: Database, make_post: Callable[..., int], clock: ManualClock
) -> None:
    make_post(database)
    clock.advance(timedelta(days=91))
    make_post(database, text="新的", captured_at=clock.now(), changed_at=clock.now())

    done = purge(database, now=clock.now(), **LIMITS)

    assert done.posts == 1
    assert texts(database) == ["新的"]
    with database.read() as connection:
        assert connection.execute(sa.select(events.c.kind)).scalars().all() == ["purged"]


def test_a_post_of_an_open_item_stays(
    database: Database, make_post: Callable[..., int], clock: ManualClock, hold: Callable[..., None]
) -> None:
    hold(database, make_post(database))
    clock.advance(timedelta(days=3000))

    assert purge(database, now=clock.now(), **LIMITS).posts == 0


def test_an_item_closed_long_ago_keeps_its_record_without_the_words(
    database: Database, make_post: Callable[..., int], clock: ManualClock, hold: Callable[..., None]
) -> None:
    hold(database, make_post(database), closed_at=clock.now())
    clock.advance(timedelta(days=731))

    assert purge(database, now=clock.now(), **LIMITS).posts == 1

    assert texts(database) == [""]
    assert purge(database, now=clock.now(), **LIMITS).posts == 0


def test_a_closed_post_that_is_only_a_title_loses_it_too(
    database: Database,
    make_post: Callable[..., int],
    hold: Callable[..., None],
    clock: ManualClock,
) -> None:
    post = make_post(database, title="张三家的路灯", text="", reply="已联系张三", author="a1b2")
    hold(database, post, closed_at=clock.now())
    clock.advance(timedelta(days=731))

    done = [purge(database, now=clock.now(), **LIMITS).posts for _ in range(2)]

    assert done == [1, 0]
    with database.read() as connection:
        row = connection.execute(sa.select(posts)).mappings().one()
    assert (row["title"], row["reply"], row["author"]) == ("", "", "")


def test_runs_stay_six_months_whatever_settings_say(database: Database, clock: ManualClock) -> None:
    with database.write() as connection:
        connection.execute(
            runs.insert().values(channel="site", planned_at=clock.now(), state="done")
        )
    short = LIMITS | {"logs": timedelta(days=1)}
    clock.advance(timedelta(days=182))
    assert purge(database, now=clock.now(), **short).runs == 0

    clock.advance(timedelta(days=2))

    assert purge(database, now=clock.now(), **short).runs == 1


def test_many_old_posts_go_in_batches(
    sqlite_database: Database, make_post: Callable[..., int], clock: ManualClock
) -> None:
    for _ in range(12):
        make_post(sqlite_database)
    clock.advance(timedelta(days=91))

    assert purge(sqlite_database, now=clock.now(), **LIMITS).posts == 12


def test_no_byte_of_what_is_purged_is_left_in_the_files(
    sqlite_database: Database, make_post: Callable[..., int], clock: ManualClock
) -> None:
    words = "路灯坏了一直没人修" * 400
    for number in range(60):
        post = make_post(sqlite_database, text=words)
        if number % 3 == 0:  # an edit frees the pages of a long text at once
            with sqlite_database.write() as connection:
                edited = posts.update().where(posts.c.id == post)
                connection.execute(edited.values(text="路灯坏了一直没人修，已修好", version=2))
    clock.advance(timedelta(days=91))

    assert purge(sqlite_database, now=clock.now(), **LIMITS).posts == 60

    file = sqlite_database.file
    assert file is not None
    for one in file.parent.glob(f"{file.name}*"):
        assert one.read_bytes().count("路灯坏了".encode()) == 0, one
