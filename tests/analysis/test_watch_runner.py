"""The runner: told once, grown, ended; a blind watch closes nobody else's eyes."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.opening import open_items
from analysis.watching import (
    EVERY,
    Tools,
    Unsure,
    WatchFinding,
    Watching,
    active,
    build_watches,
    watch,
    watch_options,
)
from store import tables
from store.records import Level, Topic
from tests.analysis.watched import HOUR, settings


class Says:
    """A watch that says what it is told to say."""

    def __init__(self, *seen):
        self.seen = seen

    def __call__(self, connection, settings, now):
        for one in self.seen:
            if isinstance(one, Exception):
                raise one
            yield one


def said(subject="pond:1", **more):
    given = {
        "reason": "池塘干了，请看",
        "level": Level.IV,
        "topic": Topic.SYSTEM,
        "over": "池塘有水了",
    }
    return WatchFinding(subject=subject, **given | more)


@pytest.fixture
def story(database, clock):
    """look(seen…) → rows written by one look, as (key, rule, level, reported)."""
    chosen = settings()

    def look(*seen, advance=timedelta(minutes=1)):
        clock.advance(advance)
        before = _rows(database)
        count = watch(database, {"pond": Says(*seen)}, chosen, clock.now())
        new = _rows(database)[len(before) :]
        assert count == len(new)
        open_items(database, chosen, clock.now())
        return [(row["key"], row["rule"], row["level"], row["reported"]) for row in new]

    return look


def _rows(database):
    with database.read() as connection:
        query = sa.select(tables.findings).order_by(tables.findings.c.id)
        return list(connection.execute(query).mappings())


def _items(database):
    with database.read() as connection:
        return list(connection.execute(sa.select(tables.items)).mappings())


def test_what_lasts_is_told_once_and_its_end_once(story, database):
    assert len(story(said())) == 1
    assert story(said(reason="池塘干了三天")) == []
    over = story()
    assert story() == []

    assert [(row[1], row[2]) for row in over] == [("over", "IV")]
    assert len(_items(database)) == 1
    assert _rows(database)[-1]["reason"].startswith("池塘有水了（自发生起共")


def test_growth_is_told_again_under_the_same_key(story, database):
    first = story(said())
    grown = story(said(step="day", level=Level.III))
    assert story(said(step="day", level=Level.III)) == []

    assert first[0][0] == grown[0][0]
    assert [item["level"] for item in _items(database)] == ["III"]


def test_the_next_occurrence_is_a_new_key(story, database):
    first = story(said())
    story()
    second = story(said())

    assert first[0][0] != second[0][0]
    assert len(_items(database)) == 2


def test_the_same_onset_seen_again_is_still_a_new_occurrence(story, clock):
    onset = clock.now()
    first = story(said(since=onset))
    story()

    assert story(said(since=onset))[0][0] != first[0][0]


def test_unsure_leaves_things_as_they_are(story):
    story(said())
    assert story(Unsure("pond:")) == []
    assert story(said()) == []
    assert [row[1] for row in story()] == ["over"]


def test_the_end_of_a_closed_case_reopens_nothing(story, database):
    story(said())
    with database.write() as connection:
        connection.execute(tables.items.update().values(state="dismissed"))

    assert [row[3] for row in story()] == [True]
    assert len(_items(database)) == 1


def test_growth_after_closing_is_a_case_again(story, database):
    story(said())
    with database.write() as connection:
        connection.execute(tables.items.update().values(state="closed"))
    story(said(step="day", level=Level.II))

    assert len(_items(database)) == 2


def test_an_event_is_told_once_and_is_never_over(story, clock):
    onset = clock.now()
    assert len(story(said(passing=True, since=onset))) == 1
    assert story(said(passing=True, since=onset)) == []
    assert story() == []


def test_a_watch_that_raises_is_contained_and_in_the_end_told(database, clock, caplog):
    chosen = settings()
    watches = {"a": Says(ValueError("0576-1234567")), "b": Says(said())}

    written = [watch(database, watches, chosen, clock.now()) for _ in range(5)]

    assert written == [1, 0, 1, 0, 0]
    assert "watch.failed" in caplog.text
    reasons = [row["reason"] for row in _rows(database)]
    assert "值守检查“a”连续出错（ValueError）" in reasons[1]
    assert "0576" not in "".join(reasons)

    watches["a"] = Says()
    assert watch(database, watches, chosen, clock.now()) == 1
    assert "已恢复" in _rows(database)[-1]["reason"]


def test_a_blind_watch_ends_nothing_it_told(database, clock):
    chosen = settings()
    watch(database, {"pond": Says(said())}, chosen, clock.now())

    assert watch(database, {"pond": Says(RuntimeError())}, chosen, clock.now()) == 0
    with database.read() as connection:
        assert list(active(connection, "pond")) == ["pond:1"]


def test_it_looks_once_a_minute_however_often_it_is_asked(sqlite_database, clock):
    watching = Watching(sqlite_database, {"pond": Says(said())}, settings(), clock)

    assert watching() == 1
    assert watching() == 0
    with sqlite_database.write() as connection:
        connection.execute(tables.findings.delete())
        connection.execute(tables.facts.delete())
    clock.advance(EVERY)
    assert watching() == 1


def test_every_watch_is_found_by_its_file_and_can_be_put_off(clock):
    names = {"silent", "unread", "broken", "missed", "backlog", "disk", "outbox", "tamper"}
    assert names <= set(watch_options())

    made = build_watches(
        {"disk": {"enabled": False}, "silent": {"limit": "7d"}}, Tools(started=clock.now())
    )

    assert "disk" not in made
    assert {"silent", "tamper"} <= set(made)


def test_a_growing_list_is_asked_for_in_the_settings():
    with pytest.raises(ValueError, match="growing"):
        watch_options()["unread"].model_validate({"after": ["6h", "1h"]})
    assert watch_options()["unread"].model_validate({"after": ["2h"]}).after == (2 * HOUR,)
