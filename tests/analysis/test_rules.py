"""Rules hit what they mean, spare what they do not, and can say why."""

import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.matcher import Slices, matcher
from analysis.packs import PacksWrong, load, shipped
from analysis.rules import Outcome, Rulebook
from analysis.subject import Subject
from store.records import Kind, Role
from tests.patience import at_most

HEAD = '[pack]\nname = "试"\ntopic = "fire"\n'
RULE = """
[[rules]]
id = "burning"
name = "起火"
level = "II"
any = ["着火", "起火"]
reason = "称起火（{word}）"
review = 2027-01-01
"""


@pytest.fixture
def one_rule(pack_file):
    def make(more="", words=""):
        return Rulebook(load([pack_file(f"{HEAD}{words}{RULE}{more}\n")]))

    return make


def outcomes(book, text, **more):
    return [t.outcome for t in book.traces(Subject(text=text, **more))]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("楼下着火了", Outcome.HIT),
        ("楼下没有着火", Outcome.NEGATED),
        ("并未发生起火", Outcome.NEGATED),
        ("严防起火", Outcome.NEGATED),
        ("如遇起火请撤离", Outcome.NEGATED),
        ("桥洞淹没起火", Outcome.HIT),
        ("有没有着火？", Outcome.HIT),
        ("是不是起火了", Outcome.HIT),
        ("没有，着火了", Outcome.HIT),
    ],
)
def test_denied_is_not_reported_and_asked_is_not_denied(one_rule, text, outcome):
    assert outcomes(one_rule(), text) == [outcome]


def test_a_rule_may_leave_questions_out(one_rule):
    book = one_rule('question = "void"')

    assert outcomes(book, "是不是着火了？快去看，着火了！") == [Outcome.ASKED, Outcome.HIT]


def test_an_exception_counts_in_its_sentence_only(one_rule):
    book = one_rule('unless = ["去年"]')

    assert outcomes(book, "去年着火过。今天又着火了") == [Outcome.UNLESS, Outcome.HIT]


def test_an_exception_for_the_text_yields_to_a_cry_for_help(one_rule):
    book = one_rule('none = ["@drill"]\ndespite = ["救命"]', '[words]\ndrill = ["演练"]\n')

    assert outcomes(book, "消防演练：模拟着火") == [Outcome.NONE]
    assert outcomes(book, "不是演练！着火了救命") == [Outcome.HIT]


def test_each_excuse_has_its_own_despite(one_rule):
    book = one_rule(
        'none = ["通报"]\ndespite = ["我家"]\nexcuses = [{ words = ["谢谢"], despite = ["快来"] }]'
    )

    assert outcomes(book, "我家着火，谢谢消防员") == [Outcome.NONE]
    assert outcomes(book, "我家着火，快来，谢谢") == [Outcome.HIT]


def test_a_longer_word_hides_the_word_in_it(one_rule):
    assert outcomes(one_rule('inside = ["着火点"]'), "着火点很低") == [Outcome.INSIDE]


def test_must_words_have_to_be_near(one_rule):
    book = one_rule('must = [["小区", "楼"]]\nnear = 5')

    assert outcomes(book, "楼里着火") == [Outcome.HIT]
    assert outcomes(book, "楼里的人说远处的山上着火") == [Outcome.ALONE]


def test_role_kind_and_channel_are_conditions(one_rule):
    book = one_rule('kinds = ["comment"]\nchannels = ["site"]')

    assert outcomes(book, "着火", kind=Kind.COMMENT, channel="site") == [Outcome.HIT]
    assert outcomes(book, "着火", kind=Kind.POST, channel="site") == [Outcome.ELSEWHERE]
    assert outcomes(book, "着火", kind=Kind.COMMENT, channel="app") == [Outcome.ELSEWHERE]
    assert outcomes(book, "着火", kind=Kind.COMMENT, channel="site", role=Role.OWN) == [
        Outcome.ELSEWHERE
    ]


def test_a_quoted_hit_says_so_or_is_left_out(one_rule):
    text = "转一下//@某人：着火了"

    (trace,) = one_rule().traces(Subject(text=text))
    assert trace.is_quoted
    assert trace.is_hit
    assert outcomes(one_rule('quoted = "void"'), text) == [Outcome.QUOTED]


def test_patterns_go_through_re2_and_find_their_place(one_rule):
    book = one_rule("patterns = ['[一二三]死[一二三]伤']")

    (trace,) = book.hits(Subject(text="听说一死三伤"))

    assert "听说一死三伤"[trace.start : trace.end] == "一死三伤"


@given(st.text(max_size=60))
def test_spans_are_the_words_as_written(book, filler):
    text = f"{filler}\n我家燃*气泄\u200b漏了！{filler}"

    for trace in book.traces(Subject(text=text)):
        assert 0 <= trace.start < trace.end <= len(text)


def test_the_span_of_an_evasive_spelling_is_all_of_it(book):
    text = "快看，楼里燃*氣 洩-漏了"

    spans = {text[t.start : t.end] for t in book.hits(Subject(text=text))}

    assert "燃*氣 洩-漏" in spans


def test_without_the_wheel_the_answers_are_the_same(monkeypatch):
    words = ["燃气", "气泄", "燃气泄漏", "泄漏", "火"]
    text = "燃气泄漏起火燃气"
    fast = sorted(matcher(words).find(text))

    monkeypatch.setitem(sys.modules, "daachorse", None)
    slow = matcher(words)

    assert isinstance(slow, Slices)
    assert sorted(slow.find(text)) == fast


def test_every_mistake_is_told_at_once_with_file_and_key(pack_file):
    file = pack_file(
        HEAD
        + """
[[rules]]
id = "Bad Id"
name = "起火"
level = "V"
any = ["着火"]
colour = "red"
reason = "称已起火"
review = "明年"
"""
    )
    other = pack_file(
        HEAD
        + RULE.replace('"着火", "起火"', '"火", "@nowhere"')
        + "patterns = ['(?=x)']\nnear = 5\n",
        "other.toml",
    )
    broken = pack_file("[pack\n", "broken.toml")

    with pytest.raises(PacksWrong) as caught:
        load([file, other, broken])

    told = [(m.file.rsplit("/", 1)[-1], m.key) for m in caught.value.mistakes]
    assert set(told) == {
        ("own.toml", "rules.0.id"),
        ("own.toml", "rules.0.level"),
        ("own.toml", "rules.0.colour"),
        ("own.toml", "rules.0.review"),
        ("other.toml", "rules.0.any.0"),
        ("other.toml", "rules.0.any.1"),
        ("other.toml", "rules.0.patterns.0"),
        ("other.toml", "rules.0.near"),
        ("broken.toml", "(file)"),
    }
    assert "rules.0.level: found 'V', expected 'I', 'II', 'III' or 'IV'" in str(caught.value)


def test_an_office_file_takes_the_place_of_the_shipped_one(pack_file):
    own = pack_file(HEAD + RULE, "fire.toml")

    rules = [r for r in load([*shipped(), own]) if r.pack == "fire"]

    assert [r.rule.id for r in rules] == ["burning"]


def test_shipped_rules_have_a_reason_and_a_date_to_look_again(book):
    assert len(book.rules) > 30
    assert all(r.rule.review > date(2026, 11, 22) for r in book.rules)
    assert all(r.rule.reason.endswith(("。", "？")) for r in book.rules)
    assert len({r.name for r in book.rules}) == len(book.rules)


def test_ten_thousand_words_of_noise_stay_fast(pack_file):
    words = ", ".join(f'"第{n}号乱码词"' for n in range(10_000))
    book = Rulebook(load([pack_file(HEAD + RULE.replace('"着火", "起火"', words))]))

    with at_most(1):
        assert list(book.traces(Subject(text="第9999号乱码词" + "着火没着火" * 10_000)))
