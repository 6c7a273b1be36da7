"""Words written by their sound are found where a rule asks for it, and point at what was written."""

import pytest

from analysis.packs import load
from analysis.rules import Rulebook
from analysis.subject import Subject

PACK = """
[pack]
name = "试试"
topic = "fire"
[[rules]]
id = "gas"
name = "燃气泄漏"
level = "III"
any = ["燃气泄漏", "起火"]
sound = {sound}
reason = "称有燃气泄漏（{{word}}）。"
review = 2030-01-01
"""


@pytest.fixture
def found(tmp_path):
    def find(text, *sound):
        file = tmp_path / "gas.toml"
        file.write_text(PACK.format(sound=list(sound)), encoding="utf-8")
        book = Rulebook(load([file]))
        return [text[t.start : t.end] for t in book.hits(Subject(text=text))]

    return find


@pytest.mark.parametrize(
    ("text", "sound", "words"),
    [
        ("楼道然器泻漏快来", ("homophone",), ["然器泻漏"]),
        ("楼道ranqi xielou快来", ("pinyin",), ["ranqi xielou"]),
        ("楼道RAN气xie漏快来", ("pinyin",), ["RAN气xie漏"]),
        ("楼道然*器 泻 漏快来", ("homophone",), ["然*器 泻 漏"]),
        ("楼道燃氣泄漏快来", ("homophone", "pinyin"), ["燃氣泄漏"]),
        ("然qi泄漏", ("homophone", "pinyin"), ["然qi泄漏"]),
        ("楼道然器泻漏", (), []),
        ("楼道然器泻漏", ("pinyin",), []),
        ("楼道ranqi xielou", ("homophone",), []),
        ("这是奇货可居", ("homophone",), []),  # qí huò: two characters, another tone
        ("an english sentence about ran and xie", ("pinyin",), []),
    ],
)
def test_sounds(found, text, sound, words):
    assert found(text, *sound) == words


@pytest.mark.parametrize("text", ["", "a" * 50_000, "ranqi" * 10_000, "\ud800然器", "然" * 50_000])
def test_no_text_is_too_odd_for_sounds(found, text):
    assert isinstance(found(text, "homophone", "pinyin"), list)


def test_a_sound_that_is_none_is_refused(tmp_path):
    file = tmp_path / "gas.toml"
    file.write_text(PACK.format(sound=["dialect"]), encoding="utf-8")

    with pytest.raises(Exception, match=r"rules\.0\.sound\.0"):
        load([file])
