"""Search answers exactly what "the text contains it" answers, on both databases."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa

from console.search import index_pending, items_matching, matching, spelled, terms, waiting_count
from store.tables import item_posts, posts

TEXTS = [
    "桥下积水很深，车辆被困", "积水已经退了", "下水道积，水很多", "积\n水", "ＡＢＣ公司停电 abc", "停电了",
    "水积", "积水积水积水", "", "单", "100%会停", "a_b 停", "预警信号：暴雨红色", "暴雨，红色", "𠮷野家积水",
]  # fmt: skip


def found(database, query: str) -> set[int]:
    with database.read() as connection:
        return set(connection.execute(matching(connection, terms(query))).scalars())


def expected(texts: dict[int, str], query: str) -> set[int]:
    wanted = terms(query)
    return {number for number, text in texts.items() if all(t in spelled(text) for t in wanted)}


@pytest.fixture
def texts(database, make_post) -> dict[int, str]:
    rnd = random.Random(7)
    many = [*TEXTS, *("".join(rnd.choices("积水停电桥下，。 ", k=12)) for _ in range(150))]
    return {make_post(database, title="", text=text): text for text in many}


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "waiting"])
def test_search_equals_contains(database, texts, indexed) -> None:
    if indexed:
        while index_pending(database, 64):
            pass
    queries = [
        "积水",
        "停电",
        "积水 停电",
        "水积水",
        "ABC",
        "abc公司",
        "红色",
        "暴雨红色",
        "桥下积水",
    ]
    for query in queries:
        assert found(database, query) == expected(texts, query), query


def test_one_character_is_no_term() -> None:
    assert terms("水") == []
    assert terms("水 积水") == ["积水"]
    assert terms('"积水" OR NEAR(a b) * \' & | !') == ["积水", "or", "near"]


def test_an_edited_post_is_found_by_its_new_words(database, make_post) -> None:
    post = make_post(database, title="", text="路灯坏了")
    index_pending(database)
    with database.write() as connection:
        connection.execute(
            posts.update().where(posts.c.id == post).values(text="井盖丢了", version=2)
        )
    assert found(database, "井盖") == {post}
    assert index_pending(database) == 1
    assert found(database, "井盖") == {post}
    with database.read() as connection:
        assert waiting_count(connection) == 0


def test_indexing_twice_changes_nothing(database, texts) -> None:
    assert index_pending(database, 1000) == len(texts)
    assert index_pending(database, 1000) == 0


def test_the_list_finds_items_by_words_number_and_filters(start, database, flag) -> None:
    desk = start(database)
    one = flag(desk, title="桥下积水", text="积水没人管，没人修", level="II")
    two = flag(desk, title="路灯", text="没人修", level="IV")
    index_pending(database)
    with desk.visit("zhiban") as visitor:
        assert one in visitor.get("/items?q=积水").text
        assert two not in visitor.get("/items?q=积水").text
        assert two in visitor.get(f"/items?q={two.lower()}").text
        assert one not in visitor.get("/items?level=IV").text
        assert "个字以上" in visitor.get("/items?q=水").text
        assert "没有符合条件" in visitor.get("/items?q=不存在的词").text
        for odd in ("%", "'", '"', "\\", "积水*", "NEAR(", "a" * 5000, "🚒🚒", "%00", "since=x"):
            assert visitor.client.get("/items", params={"q": odd}).status_code == 200
        assert (
            visitor.get("/items?page=9999999&level=V&since=2026-13-45&order=x").status_code == 200
        )
    with database.read() as connection:
        ids = set(connection.execute(items_matching(connection, ["积水"])).scalars())
        linked = connection.execute(sa.select(item_posts.c.item)).scalars().all()
    assert len(ids) == 1
    assert ids <= set(linked)
