"""Words with a gap between them are found by hand where RE2 finds them."""

import random

import pytest

from analysis.gaps import Gap
from analysis.packs import compiled
from analysis.stages.rules import Options, rulebook


def ends(pattern, text):
    """(by hand, by RE2) at every place of the text: where the match ends that begins there."""
    gap, by_re2 = Gap.of(pattern), compiled(pattern)
    found = (by_re2.match(text[begin:]) for begin in range(len(text)))
    alone = [-1 if one is None else begin + one.end() for begin, one in enumerate(found)]
    return [gap.end(text, begin) for begin in range(len(text))], alone


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(物业|物业公司)[^,。]{0,20}(不管|不理)", "物业公司说物业不管,物业不理。物业,不管"),
        ("(水|水管|水管工)[^,]{1,3}(漏|漏水|漏水了)", "水管漏水了水管工漏漏水水,漏水漏"),
        ("甲乙?[^丙]{0,4}(丁戊?|己)", "甲乙丁戊甲丙丁甲乙乙乙乙乙丁甲己己己己己"),
        ("(?:水|电)?费.{0,20}[贵涨]了?", "水费贵了\n电费\n涨费涨了了"),
        ("[一二三]天[^。!?]{2,4}修", "一天没修二天没人修三天。没修一天修修修修修修"),
        ("桥[^。]{0,2}塌", "桥"),
    ],
)
def test_a_match_ends_where_re2_ends_it(pattern, text):
    by_hand, by_re2 = ends(pattern, text)

    assert by_hand == by_re2


def test_shipped_gaps_end_where_re2_ends_them():
    chance = random.Random(4)
    patterns = [one for one in rulebook(Options()).sieve.patterns if one.gap is not None]
    matched = 0
    for pattern in patterns:
        heads, tails = (
            [word for some in words.values() for word in some]
            for words in (pattern.gap.heads, pattern.gap.tails)
        )
        pieces = [*"的了在一", *pattern.gap.stops, "😀"]
        text = "".join(chance.choice(chance.choice((heads, tails, pieces))) for _ in range(300))

        by_hand, by_re2 = ends(pattern.written, text)

        assert by_hand == by_re2, pattern.written
        matched += sum(end >= 0 for end in by_hand)
    assert len(patterns) > 50
    assert matched > 1_000


def test_whatever_pattern_is_taken_for_a_gap_ends_where_re2_ends_it():
    pieces = [
        "墙", "楼道", "(墙|墙角)", "(?:塌|塌了)", "(倒了?|歪)", "[一二]", "了?", "[^。]{0,3}",
        "[^。,]{2,5}", ".{0,4}", r"[^\n]{1,4}", "[^。]", "(?:[^。]){1,3}", "(?:[^。]了){0,2}", "(?:)",
        "(){0,2}", "(?:){2}", "墙{2}", "[^。]{0,3}?", r"\d", "^", "$",
    ]  # fmt: skip
    chance = random.Random(9)
    taken = 0
    for _ in range(30_000):
        pattern = "".join(chance.choices(pieces, k=chance.randint(2, 5)))
        pattern = chance.choice(["", "", "", "(?s)", "(?m)", "(?i)"]) + pattern
        if Gap.of(pattern) is None:
            continue
        text = "".join(chance.choices("墙角楼道塌了倒歪一二。,\n路", k=60))

        by_hand, by_re2 = ends(pattern, text)

        assert by_hand == by_re2, pattern
        taken += 1
    assert taken > 100


@pytest.mark.parametrize(
    "pattern",
    [
        "没人管",  # no gap
        "(墙|楼)[^。]{0,4}(塌|倒)[^。]{0,4}了",  # two
        "(墙|楼)[^。]{0,4}?(塌|倒)",  # as narrow as can be
        "(墙|楼)[^。]*(塌|倒)",  # without limit
        "(墙|楼)[一二三]{0,4}(塌|倒)",  # of certain characters
        r"(墙|楼)[^\d]{0,4}(塌|倒)",  # of a class that RE2 may read otherwise
        "(墙|楼)[^。]{0,4}(塌|倒)$",  # ends with the text
        "(墙|楼)?[^。]{0,4}(塌|倒)",  # may begin with the gap
        "(墙|楼)[^。]{0,4}(塌|倒)?",  # may end with it
        "(墙|楼)+[^。]{0,4}(塌|倒)",  # words without end
        "(?i)(a|b)[^。]{0,4}(c|d)",  # small letters or capitals
        "(?s)(墙|楼).{0,4}(塌|倒)",  # over the end of a line
        "(墙|楼)(?s:.){0,4}(塌|倒)",
        "(?:){2,3}(墙|楼)[^。]{0,4}(塌|倒)",  # nothing, some times
        "(?:[^。]了){0,4}(塌|倒)",  # more than one character, some times
    ],
)
def test_patterns_of_another_shape_are_left_to_re2(pattern):
    assert Gap.of(pattern) is None
