"""What comes by phone, paper or hotline is kept like any other post, once, masked."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from crawler.byhand import Entry, NotTaken, Refused, Way, record, record_file, way_of
from store.tables import posts, versions

KEY = b"k" * 32

TABLE = (
    "工单编号,来源,诉求内容,来电号码,受理时间\n"
    "G001,12345热线,解放路积水半米，电话13812345678,13812345678,2026-07-15 08:30\n"
    "G002,12345热线,只有四列,138\n"
    "G003,来访,镕堃路的井盖丢了,13900001111,2026/7/15\n"
    "G004,火星,内容,1,2026-07-15 08:30\n"
    "G005,来信,内容,1,前天下午吧\n"
    "G006,来信,,1,2026-07-15 08:30\n"
)


@pytest.fixture
def take(database, clock):
    def take(body, **more):
        return record_file(database, body, now=clock.now(), author_key=KEY, **more)

    return take


def kept(database):
    with database.read() as connection:
        return connection.execute(sa.select(posts).order_by(posts.c.id)).mappings().all()


def test_one_call_becomes_a_letter_to_be_assessed(database, clock):
    entry = Entry(
        way=Way.HOTLINE, text="桥下积水，电话13812345678", number="G1", person="13812345678"
    )

    first = record(database, entry, now=clock.now(), author_key=KEY)
    again = record(database, entry, now=clock.now(), author_key=KEY)

    (post,) = kept(database)
    assert (first.new, again.new, again.known) == (1, 0, 1)
    assert (post["channel"], post["kind"], post["role"]) == ("byhand", "letter", "public")
    assert (post["column"], post["text"]) == ("12345", "桥下积水，电话138****5678")
    assert (post["published_at"], post["assessed"], post["drill"]) == (clock.now(), 0, False)
    assert "13812345678" not in str(dict(post))


def test_the_same_number_later_is_the_same_matter_brought_up_to_date(database, clock):
    entry = {"way": Way.HOTLINE, "text": "桥下积水", "number": "G1"}
    record(database, Entry(**entry), now=clock.now(), author_key=KEY)

    done = record(
        database,
        Entry(**entry, state="已办结", reply="已抽排完毕"),
        now=clock.now(),
        author_key=KEY,
    )

    (post,) = kept(database)
    assert (done.changed, post["state"], post["reply"]) == (1, "已办结", "已抽排完毕")
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(versions)) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_taken_and_its_bad_lines_are_named(take, database, encoding):
    taken = take(TABLE.encode(encoding))

    assert (taken.new, taken.changed, taken.known) == (2, 0, 0)
    assert [str(one) for one in taken.refused] == [
        "第 3 行：有 4 列，应为 5 列",
        "第 5 行：来源“火星”无法识别；应为12345、来信、来访、电话、其他",
        "第 6 行：时间“前天下午吧”读不懂；应为 2026-07-15 08:30",
        "第 7 行：没有内容",
    ]
    assert [post["text"] for post in kept(database)][1] == "镕堃路的井盖丢了"
    assert take(TABLE.encode(encoding)).known == 2


def test_json_lines_are_taken_and_their_bad_lines_are_named(take, database):
    lines = [
        json.dumps({"number": 7, "text": "停电一天了", "way": "电话"}, ensure_ascii=False),
        "{",
        "[1]",
        "",
        json.dumps({"text": "没有来源的"}, ensure_ascii=False),
        json.dumps({"text": None}),
    ]

    taken = take("\n".join(lines).encode(), way=Way.VISIT)

    assert taken.new == 2
    assert taken.refused == [
        Refused(2, "不是一行 JSON"),
        Refused(3, "不是 JSON 对象"),
        Refused(6, "没有内容"),
    ]
    assert [post["column"] for post in kept(database)] == ["电话", "来访"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "空的"),
        ("编号,时间\n1,2026-07-15\n".encode(), "没有内容列"),
        (b"PK\x03\x04" + b"\x00" * 100, "没有内容列|不是文本|空的"),
    ],
)
def test_what_is_no_table_says_so(take, body, says):
    import re

    with pytest.raises(NotTaken) as caught:
        take(body)

    assert re.search(says, str(caught.value))


def test_many_lines_are_all_taken(take, database):
    rows = "".join(f"{n},内容 {n}\n" for n in range(350))

    assert take(f"编号,内容\n{rows}".encode()).new == 350


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("12345 热线", Way.HOTLINE),
        ("群众来访", Way.VISIT),
        ("来电", Way.PHONE),
        ("", Way.OTHER),
        ("letter", Way.LETTER),
    ],
)
def test_ways_in_the_words_people_use(said, way):
    assert way_of(said) is way
