"""Ten tellings of one event are one case, before and after a restart; two events never are."""

from datetime import UTC, datetime, timedelta

import pytest

from analysis.kinship import Kinship
from store import tables

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
FLOOD = "云岭乡下河村的老桥被水冲断了，对岸还有十几户人家出不来，请快派人来看看。"


@pytest.fixture
def stored(sqlite_database, make_post):
    """Stores a flagged post with its case; answers the post's id."""
    count = 0

    def store(text=FLOOD, *, into=None, at=NOON, **fields):
        nonlocal count
        count += 1
        row = {"title": "", "text": text, "captured_at": at, "published_at": at, "key": f"k{count}"}
        post = make_post(sqlite_database, **(row | fields))
        with sqlite_database.write() as connection:
            if into is None:
                into = connection.execute(
                    tables.items.insert().values(
                        number=f"TL-{count}", key=f"post:{post}", level="III", topic="flood", topics=[],
                        title=text[:20], channel="site", post=post, discovered_at=at, changed_at=at,
                    )
                ).inserted_primary_key[0]  # fmt: skip
            connection.execute(tables.item_posts.insert().values(item=into, post=post, at=at))
        return post

    return store


@pytest.fixture
def kin_of(sqlite_database):
    def ask(kin, post):
        with sqlite_database.read() as connection:
            return list(kin(connection, post))

    return ask


def test_a_copy_and_a_forward_are_kin_of_the_first(stored, kin_of):
    kin = Kinship()
    first, copy = stored(), stored(FLOOD.replace("。", "！！"))
    forward = stored(f"转发微博//@某人：{FLOOD}")

    assert kin_of(kin, first) == []
    assert kin_of(kin, copy) == [first]
    assert kin_of(kin, forward) == [first, copy]
    assert kin_of(kin, first) == [copy, forward]  # asked again: filed once


@pytest.mark.parametrize(
    "other",
    [
        FLOOD.replace("十几", "二十几"),
        FLOOD.replace("下河村", "上河村"),
        FLOOD.replace("请快派人来看看", "没有人来看看"),
        FLOOD.replace("被水冲断了", "恢复通车了"),
    ],
)
def test_what_differs_in_number_place_negation_or_act_is_no_kin(stored, kin_of, other):
    kin = Kinship(places=["下河村", "上河村"])
    first, second = stored(), stored(other)

    assert kin_of(kin, first) == []
    assert kin_of(kin, second) == []


def test_after_a_restart_events_are_what_they_were(sqlite_database, stored, kin_of):
    before = Kinship()
    first, second = stored(), stored(FLOOD + "！")
    elsewhere = stored("解放路路灯坏了一周没人修，晚上黑得看不见路。")
    known = [kin_of(before, post) for post in (first, second, elsewhere)]

    after = Kinship()
    assert after.rebuild(sqlite_database, NOON + timedelta(hours=1)) == 3

    late = stored(f"转发微博//@某人：{FLOOD}", at=NOON + timedelta(hours=2))
    assert known == [[], [first], []]
    assert kin_of(after, late) == [first, second]
    assert kin_of(after, elsewhere) == []


def test_the_same_words_much_later_are_another_event(stored, kin_of):
    kin = Kinship(window=timedelta(days=1))
    first, later = stored(), stored(at=NOON + timedelta(days=2))

    assert kin_of(kin, first) == []
    assert kin_of(kin, later) == []


def test_a_drill_is_never_told_with_what_is_real(stored, kin_of):
    kin = Kinship()
    drill, real = stored(drill=True), stored()

    assert kin_of(kin, drill) == []
    assert kin_of(kin, real) == []


def test_a_comment_on_a_case_follows_it_unless_it_names_something_else(stored, kin_of):
    kin = Kinship()
    post = stored(key="top")
    kin_of(kin, post)

    same = stored("水还在往上涨，里面的人怎么办啊，快点来！", parent="top")
    other = stored("我们杨柳镇也淹了，水还在往上涨，快点来！", parent="top")

    assert kin_of(kin, same) == [post]
    assert kin_of(kin, other) == []


def test_memory_holds_no_more_than_the_window(stored, kin_of):
    kin = Kinship(window=timedelta(days=1))
    texts = [f"第{n}号井盖没了，走路当心，编号{n}{n}{n}。" for n in range(12)]
    days = [NOON + timedelta(days=n) for n in range(12)]
    for text, at in zip(texts, days, strict=True):
        kin_of(kin, stored(text, at=at))

    assert len(kin) <= 4


def test_what_was_published_long_before_it_was_read_has_kin_too(stored, kin_of):
    kin = Kinship()
    long_ago = NOON - timedelta(days=120)
    first, second = stored(published_at=long_ago), stored(published_at=long_ago)

    assert kin_of(kin, first) == []
    assert kin_of(kin, second) == [first]
