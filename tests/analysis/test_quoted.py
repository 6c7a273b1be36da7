"""What others said is told from what the writer says."""

import pytest

from analysis.quoted import own_words, quoted_all, quoted_spans
from tests.patience import at_most


def own(text):
    return own_words(text, quoted_spans(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("辛苦了//@某某：楼里着火了//@另一个：真的？", "辛苦了"),
        ("转发微博", ""),
        ("【转】水库要垮了，快跑", ""),
        ("转自业主群：明天停水", ""),
        ("「小张：桥断了」\n- - - - - - -\n已经有人去修了", "已经有人去修了"),
        ("收到\n> 请查一下井盖\n> 谢谢", "收到"),
        ("请核实\n原文：某厂爆炸", "请核实"),
        ("速转！水库要垮了", "速转！水库要垮了"),
        ("转发给家人看看", "转发给家人看看"),
        ("回复@某某：还没修好", "回复@某某：还没修好"),
    ],
)
def test_only_the_writers_own_words_stay(text, words):
    assert own(text) == words


@pytest.mark.parametrize(
    "text",
    ["\n" * 50_000, "「" + "水" * 50_000, "「a」" + " " * 50_000, "//@" * 20_000, "> \n" * 20_000],
)
def test_hostile_layout_takes_no_time(text):
    with at_most(1):
        assert len(own(text)) <= len(text)


def test_quotations_are_found_in_a_batch_as_alone():
    texts = [
        "", "好", "RePost//@甲:着火了", "repost", "//@甲:着火了", "> 引\n己", "＞ 引\n己", "原文：甲",
        "", "引用：乙", "以下为转发内容：丙", "「甲」\n---\n乙", "摘自某报：丁", "轉發微博", "／／＠甲:戊", "😀",
    ]  # fmt: skip

    assert quoted_all(texts) == [quoted_spans(text) for text in texts]
    assert sum(map(bool, quoted_all(texts))) == 12
