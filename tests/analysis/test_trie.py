"""Words are found in a whole batch as they are found one by one."""

import random

import pytest

from analysis.matcher import Slices
from analysis.trie import Trie, codes_of


def hits(words, text):
    found = Trie(words).find(codes_of(text))
    return sorted(
        zip(found.starts.tolist(), found.ends.tolist(), found.words.tolist(), strict=True)
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_trie_finds_what_slices_find(seed):
    chance = random.Random(seed)
    letters = "火灾了a😀"
    words = list({"".join(chance.choices(letters, k=chance.randint(1, 6))) for _ in range(60)})
    text = "".join(chance.choices(letters + "水", k=400))

    assert hits(words, text) == sorted(Slices(words).find(text))


def test_a_word_that_the_end_cuts_off_is_not_found():
    assert hits(["着火了", "火火"], "着火") == []
    assert hits(["火火"], "着火") == []
    assert hits(["火灾火灾"], "火灾火") == []


def test_nothing_is_found_by_no_words_and_in_no_text():
    assert hits([], "着火") == []
    assert hits(["着火"], "") == []


def test_lone_surrogates_are_characters_like_others():
    assert hits(["火\ud83d"], "着火\ud83d了") == [(1, 3, 0)]
