"""Every post is kept once, masked, and its edits become versions with both texts."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from crawler import limits
from crawler.intake import Counts, clean, intake, intake_each
from crawler.pseudonyms import pseudonym
from store.records import Capture, Kind, Precision, Role
from store.tables import posts, versions

KEY = b"k" * 32


def letter(**fields):
    return Capture(
        **{
            "channel": "site",
            "key": "http://example.gov.cn/1.html",
            "kind": Kind.LETTER,
            "role": Role.PUBLIC,
            "title": "路灯不亮",
            "text": "小区门口的路灯坏了一周。",
            **fields,
        }
    )


@pytest.fixture
def take(database, clock):
    def take(*captures):
        with database.write() as connection:
            return intake(connection, captures, now=clock.now(), author_key=KEY)

    return take


@pytest.fixture
def kept(database):
    def kept(table=posts):
        with database.read() as connection:
            return list(connection.execute(sa.select(table).order_by(table.c.id)).mappings())

    return kept


def test_the_same_capture_twice_is_one_post(take, kept):
    assert take(letter(), letter()) == Counts(seen=2, new=1)
    assert take(letter()) == Counts(seen=1)

    (post,) = kept()
    assert (post["version"], post["assessed"]) == (1, 0)
    assert kept(versions) == []


def test_blanks_and_width_of_letters_are_no_edit(take):
    take(letter(text="共 3 人，A区"))

    assert take(letter(text="共３人，\u3000Ａ区")) == Counts(seen=1)


def test_an_edit_becomes_a_version_with_both_texts(take, kept, clock):
    take(letter())
    clock.advance(timedelta(hours=1))

    assert take(letter(text="路灯修好了。")) == Counts(seen=1, changed=1)

    (post,) = kept()
    assert (post["version"], post["text"], post["assessed"]) == (2, "路灯修好了。", 0)
    assert post["changed_at"] - post["captured_at"] == timedelta(hours=1)
    assert [(v["version"], v["text"]) for v in kept(versions)] == [
        (1, "小区门口的路灯坏了一周。"),
        (2, "路灯修好了。"),
    ]


def test_a_reply_that_comes_later_becomes_a_version(take, kept, clock):
    take(letter(state="办理中"))
    clock.advance(timedelta(days=2))
    take(letter(state="已办结", reply="已修复。", replied_at=clock.now()))

    (post,) = kept()
    assert (post["version"], post["state"], post["reply"]) == (2, "已办结", "已修复。")
    assert post["replied_at"] == clock.now()
    assert [v["state"] for v in kept(versions)] == ["办理中", "已办结"]


def test_a_third_edit_keeps_all_three_texts(take, kept):
    for text in ("一", "二", "三"):
        take(letter(text=text))

    assert [v["text"] for v in kept(versions)] == ["一", "二", "三"]


def test_numbers_are_masked_before_they_are_stored(take, kept):
    take(
        letter(
            title="王先生13812345678反映",
            text="身份证11010519491231002X",
            reply="请电0571-87654321",
            source="李四 13987654321",
        )
    )

    (post,) = kept()
    assert post["title"] == "王先生138****5678反映"
    assert post["text"] == "身份证1101************2X"
    assert post["reply"] == "请电0571-****4321"
    assert "13987654321" not in str(dict(post))


def test_an_author_is_a_pseudonym_and_never_a_name(take, kept):
    take(letter(author_id="张三@微信"), letter(key="2", author_id="张三@微信"))

    first, second = kept()
    assert first["author"] == second["author"] == pseudonym("site", "张三@微信", KEY)
    assert "张三" not in str(dict(first))
    assert pseudonym("weibo", "张三@微信", KEY) != first["author"]
    assert pseudonym("site", "张三@微信", b"other key other key") != first["author"]


def test_many_at_once_are_told_one_by_one(database, clock, kept):
    old, new, edited = (letter(key=name) for name in ("old", "new", "edited"))
    torn = letter(key="torn", notes={"a": object()}, title="", text="")
    with database.write() as connection:
        intake(connection, [old, edited], now=clock.now(), author_key=KEY)

    with database.write() as connection:
        told = intake_each(
            connection,
            [new, old, torn, letter(key="edited", text="路灯修好了。"), new],
            now=clock.now(),
            author_key=KEY,
        )

    assert told == [
        Counts(seen=1, new=1),
        Counts(seen=1),
        Counts(seen=1, bad=1),
        Counts(seen=1, changed=1),
        Counts(seen=1),
    ]
    assert sorted(post["key"] for post in kept()) == ["edited", "new", "old"]


def test_what_the_database_refuses_costs_no_other(database, clock, kept, monkeypatch):
    monkeypatch.setattr(
        "crawler.intake.digest_of", lambda title, *_: None if title == "坏" else "d"
    )
    captures = [letter(key="a"), letter(key="b", title="坏"), letter(key="c")]

    with database.write() as connection:
        told = intake_each(connection, captures, now=clock.now(), author_key=KEY)

    assert told == [Counts(seen=1, new=1), Counts(seen=1, bad=1), Counts(seen=1, new=1)]
    assert [post["key"] for post in kept()] == ["a", "c"]


def test_one_bad_capture_loses_no_other(take, kept):
    counts = take(
        letter(key="1"),
        letter(key=""),
        letter(key="2", title="", text="  \x00 "),
        letter(key="3", published_at="not a moment"),
        letter(key="4"),
    )

    assert counts == Counts(seen=5, new=2, bad=3)
    assert [p["key"] for p in kept()] == ["1", "4"]


def test_text_that_databases_refuse_is_cleaned(take, kept):
    take(letter(title="a\x00b\ud800c", text="一行\r\n二行\x07\x1b[31m\n三行", key="k\x00"))

    (post,) = kept()
    assert (post["key"], post["title"]) == ("k", "abc")
    assert post["text"] == "一行\n二行[31m\n三行"
    assert clean("好\U0001f600") == "好\U0001f600"


def test_long_texts_are_cut_and_said_to_be(take, kept):
    take(letter(text="长" * (limits.TEXT + 5), key="k" * 5000))

    (post,) = kept()
    assert len(post["text"]) == limits.TEXT
    assert "text_cut" in post["notes"]
    assert len(post["key"]) == limits.KEY


def test_two_long_keys_that_differ_at_the_end_stay_two_posts(take, kept):
    take(letter(key="k" * 5000 + "1"), letter(key="k" * 5000 + "2"))

    assert len(kept()) == 2


def test_times_that_cannot_be_are_flagged_not_trusted(take, kept, clock):
    take(
        letter(
            key="1",
            published_at=clock.now() + timedelta(days=3),
            published_raw="2026-07-18",
            precision=Precision.DAY,
        ),
        letter(key="2", published_at=clock.now().replace(year=1970)),
        letter(key="3", published_at=clock.now().replace(tzinfo=None)),
        letter(key="4", published_at=clock.now() + timedelta(hours=2)),
    )

    first, second, third, fourth = kept()
    assert (first["published_at"], first["published_raw"]) == (None, "2026-07-18")
    assert "future" in first["notes"]["published_at_doubt"]
    assert second["published_at"] is None
    assert third["published_at"] is None
    assert fourth["published_at"] is not None


def test_what_was_missing_is_filled_in_without_a_version(take, kept, clock):
    take(letter())
    take(letter(published_at=clock.now(), precision=Precision.MINUTE, source="市气象台"))

    (post,) = kept()
    assert (post["version"], post["source"], post["precision"]) == (1, "市气象台", "minute")
    assert post["published_at"] == clock.now()


def test_a_failed_transaction_leaves_nothing(database, clock, kept):
    with pytest.raises(RuntimeError), database.write() as connection:
        intake(connection, [letter()], now=clock.now(), author_key=KEY)
        raise RuntimeError

    assert kept() == []
