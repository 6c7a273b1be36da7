"""Whoever keeps the rules can see why one spoke and another kept silent."""

from analysis.explain import _WHY, explain
from analysis.rules import Outcome
from analysis.subject import Subject


def test_hits_come_first_and_silence_names_its_reason(book):
    told = explain(book, Subject(text="去年着火过。隔壁楼没有着火，我家着火了"))

    fire = [(one.is_hit, one.why) for one in told if one.rule == "fire/burning"]
    assert fire[0] == (True, "命中")
    assert all("不算" in why for is_hit, why in fire if not is_hit)


def test_an_exception_is_named_by_its_word(book):
    told = explain(book, Subject(text="消防演练：模拟楼内着火"))

    assert any("“演练”" in one.why for one in told if one.rule == "fire/burning")


def test_every_outcome_has_its_sentence():
    assert set(_WHY) == set(Outcome)
