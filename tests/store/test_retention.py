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
