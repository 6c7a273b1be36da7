"""What is purged is gone from the text index as well, every version of it, on both databases."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from console.search import index_pending, matching
from store.grams import remove
from store.retention import purge
from store.tables import posts, versions

LIMITS = {
    "unflagged": timedelta(days=90),
    "closed": timedelta(days=180),
    "logs": timedelta(days=183),
}


def found(database, term: str) -> list[int]:
    with database.read() as connection:
        return sorted(set(connection.execute(matching(connection, [term])).scalars()))


def edit(database, post: int, version: int, text: str, now) -> None:
    """As intake revises: both versions are kept."""
    with database.write() as connection:
        row = connection.execute(sa.select(posts).where(posts.c.id == post)).one()
        for number, words in ((row.version, row.text), (version, text)):
            connection.execute(
                database.insert(versions)
                .values(post=post, version=number, title="", text=words, captured_at=now)
                .on_conflict_do_nothing()
            )
        connection.execute(
            posts.update().where(posts.c.id == post).values(text=text, version=version)
        )


def test_a_purged_post_leaves_nothing_to_be_found(database, make_post, clock) -> None:
    old = make_post(database, title="", text="积水很深，桥下积水")
    index_pending(database)
    edit(database, old, 2, "路灯坏了", clock.now())
    index_pending(database)
    edit(database, old, 3, "这一版来不及进索引", clock.now())
    edit(database, old, 4, "井盖丢了", clock.now())
    index_pending(database)
    clock.advance(timedelta(days=91))
    fresh = make_post(
        database, title="", text="积水退了，路灯好了，井盖也找到了",
        captured_at=clock.now(), changed_at=clock.now(),
    )  # fmt: skip
    index_pending(database)
    assert found(database, "积水") == [old, fresh]
    assert found(database, "路灯") == [old, fresh]

    assert purge(database, now=clock.now(), **LIMITS).posts == 1

    for term in ("积水", "路灯", "井盖"):
        assert found(database, term) == [fresh], term
    with database.write() as connection:
        remove(connection, [old, fresh])  # what is not there is no mistake
    assert found(database, "积水") == []


def test_a_new_post_in_the_place_of_an_old_one_is_found_by_its_own_words(
    database, make_post, clock
) -> None:
    old = make_post(database, title="", text="积水很深")
    index_pending(database)
    clock.advance(timedelta(days=91))
    purge(database, now=clock.now(), **LIMITS)
    make_post(
        database, id=old, title="", text="桥上风大", captured_at=clock.now(), changed_at=clock.now()
    )
    index_pending(database)

    assert found(database, "积水") == []
    assert found(database, "风大") == [old]
