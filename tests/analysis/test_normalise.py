"""One spelling for matching, and the way back to the original."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.normalise import normal, normalise, normalise_all
from tests.patience import at_most

ANY_TEXT = st.text(
    alphabet=st.one_of(
        st.characters(),  # everything, lone surrogates too
        st.sampled_from("燃气泄漏火灾啊！!。， *-_·.~\n\t\u200b\u202e\x00１ａＡ㎡⑳氣災"),
    ),
    max_size=80,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("燃氣洩漏", "燃气泄漏"),
        ("著火了", "着火了"),
        ("ＡＢＣ１２３", "abc123"),
        ("燃\u200b气\ufeff泄\u202e漏", "燃气泄漏"),
        ("燃̶气̶泄̶漏̶", "燃气泄漏"),
        ("燃*气 泄-漏", "燃气泄漏"),
        ("燃 气 泄 漏", "燃气泄漏"),
        ("燃.气.泄.漏", "燃气泄漏"),
        ("燃🔥气🔥泄🔥漏", "燃气泄漏"),
        ("救命！！！！！", "救命!"),
        ("啊啊啊啊啊", "啊啊"),
        ("死了1000人", "死了1000人"),
        ("12000㎡", "12000m2"),
    ],
)
def test_many_spellings_become_one(written, meant):
    assert normalise(written).text == meant


@pytest.mark.parametrize(
    "apart", ["今天起火，灾民转移", "今天起火。灾民转移", "着火\n灾后", "起火了 灾民都走了"]
)
def test_words_never_meet_across_a_sentence_or_a_line(apart):
    assert "火灾" not in normalise(apart).text


def test_a_blank_between_whole_words_stays():
    assert normalise("今天 下雨 没带伞").text == "今天 下雨 没带伞"


@given(ANY_TEXT)
def test_every_character_leads_back_into_the_original(text):
    done = normalise(text)

    assert len(done.starts) == len(done.text)
    assert all(0 <= start < len(text) for start in done.starts)
    assert list(done.starts) == sorted(done.starts)


@given(ANY_TEXT)
def test_nothing_unencodable_or_invisible_is_left(text):
    done = normalise(text).text

    done.encode("utf-8")
    assert not any(unicodedata.category(c) in {"Cf", "Cs"} or c == "\0" for c in done)


@given(ANY_TEXT)
def test_normalising_twice_changes_nothing_more_for_a_word(text):
    once = normal(text)

    assert normal(normal(once)) == normal(once)


@settings(max_examples=30)
@given(st.lists(ANY_TEXT, max_size=8))
def test_a_batch_is_its_texts_one_by_one(texts):
    together = normalise_all(texts)

    assert [n.text for n in together] == [normalise(t).text for t in texts]
    assert [list(n.starts) for n in together] == [list(normalise(t).starts) for t in texts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "😀" * 50,
        "水" * 50_000,
        "水，" * 25_000,
        "a b " * 12_500,
        "燃 " * 25_000,
        "\ud800",
        "\0",
    ],
)
def test_any_text_is_ready_within_a_second(text):
    with at_most(1):
        assert len(normalise(text).text) <= 2 * len(text)
