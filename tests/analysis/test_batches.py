"""What is judged together is judged as alone, and every reason points at the words it means."""

import json
import random
from pathlib import Path

import pytest

import analysis
from analysis.assess import assess
from analysis.catalogue import build_engine, build_stages
from analysis.command import AssessTools, assess_lines
from analysis.literals import required
from analysis.normalise import normalise
from analysis.packs import compiled, load
from analysis.rules import Rulebook
from analysis.stages.rules import Options, rulebook
from analysis.subject import Subject, read_all
from analysis.tools import Tools

PLAIN = [
    "桥下积水困住一辆车，快来人",
    "小区燃气泄漏，闻到刺鼻气味，赶紧派人看看",
    "谢谢气象局，预报很准",
    "听说上游水库要溃坝了，群里都在传\n大家快跑",
    "关于解放路路灯长期不亮无人维修的投诉",
    "昨晚的暴雨红色预警今天早上才收到短信，太离谱了",
    "今天天气不错，出门走走",
    "//@某人：楼里着火了，有人没出来",
]


@pytest.fixture(scope="module")
def tools():
    engine = build_engine({})
    yield AssessTools(stages=build_stages({}, Tools()), engine=engine)
    engine.close()


def evading(text, chance):
    """The same words as somebody writes them who does not want to be found."""
    signs = "*-_.·~ \u200b\u200d\u202e|/😀"
    made = []
    for c in text:
        made.append("氣" if c == "气" and chance.random() < 0.5 else c)
        if "一" <= c <= "鿿" and chance.random() < 0.25:
            made.append(chance.choice(signs))
    return "".join(made)


def test_reasons_of_evading_texts_point_into_the_original(tools):
    chance = random.Random(7)
    texts = [evading(chance.choice(PLAIN), chance) for _ in range(400)]
    lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]

    answers = list(assess_lines(lines, tools))

    assert [one["id"] for one in answers] == list(range(400))
    flagged = [one for one in answers if one["flagged"]]
    assert len(flagged) > 150
    for one in flagged:
        pointed = [r for r in one["reasons"] if r["start"] >= 0]
        for reason in pointed:
            assert texts[one["id"]][reason["start"] : reason["end"]] == reason["text"]
    assert any("*" in r["text"] for one in flagged for r in one["reasons"])


def test_a_batch_is_judged_as_its_texts_alone(tools):
    subjects = [Subject(text=text) for text in [*PLAIN, "", "\n\n", "\0", "\U0010ffff着火了"] * 3]

    together = assess(subjects, stages=tools.stages, engine=tools.engine)
    alone = [assess([one], stages=tools.stages, engine=tools.engine)[0] for one in subjects]

    def plain(one):
        told = [(f.stage, f.rule, f.start, f.end, f.level) for f in one.findings]
        return one.tone, one.topics, one.level, one.flagged, told, round(one.tone_score, 9)

    assert [plain(one) for one in together] == [plain(one) for one in alone]


PACK = """
[pack]
name = "试试"
topic = "fire"
[[rules]]
id = "{id}"
name = "试试"
level = "IV"
patterns = ['{pattern}']
reason = "试一试这条规则"
review = 2030-01-01
"""


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("^着火", ["着火了", "楼上着火", "甲\n着火了"]),
        ("着火$", ["楼上着火", "着火了", "楼上着火\n快来"]),
        ("^(楼上)?着火了[^，]{0,3}$", ["着火了", "楼上着火了呀", "\n着火了", "着火了着火了，"]),
        ("(?m)^着火", ["着火了", "楼上\n着火了", "楼上着火"]),
        (r"\A着火", ["着火了", "甲\n着火了"]),
        ("[^甲]{3,9}着火", ["楼上楼着火", "甲乙", "丙丁戊", "着火"]),
        ("(?s)楼.*火", ["楼上\n有火", "楼", "火"]),
        ("火?", ["水", "火"]),
    ],
)
def test_a_pattern_is_found_in_a_batch_where_it_is_found_alone(tmp_path, pattern, texts):
    file = tmp_path / "one.toml"
    file.write_text(PACK.format(id="one", pattern=pattern), encoding="utf-8")
    book = Rulebook(load([file]))
    subjects = read_all([Subject(text=text) for text in texts])

    sifted = book.sift(subjects)

    together = [[t.start for t in book.hits(s, w)] for s, w in zip(subjects, sifted, strict=True)]
    assert together == [[t.start for t in book.hits(s)] for s in subjects]
    expected = [[m.start() for m in Naive(pattern).find(text)] for text in texts]
    assert together == expected


class Naive:
    """The pattern alone on a whole text, as if there were no batches."""

    def __init__(self, pattern):
        import re2

        self._pattern = re2.compile(pattern)

    def find(self, text):
        return [m for m in self._pattern.finditer(text) if m.end() > m.start()]


def test_shipped_rules_lose_nothing_in_a_batch():
    book = rulebook(Options())
    subjects = read_all([Subject(text=text) for text in PLAIN * 40])

    for subject, sifted in zip(subjects, book.sift(subjects), strict=True):
        assert len(book.hits(subject, sifted)) == len(book.hits(subject))


def test_texts_read_apart_meet_rules_where_texts_read_together_do():
    book = rulebook(Options())
    texts = [*PLAIN, "", "转发：㈱①😀 楼里 着-火-了，家 里 没人", *PLAIN]

    apart = [one for text in texts for one in read_all([Subject(text=text)])]

    assert book.sift(apart) == book.sift(read_all([Subject(text=text) for text in texts]))
    assert sum(map(bool, book.sift(apart))) > len(PLAIN)


def test_no_pattern_matches_a_text_without_the_words_it_is_said_to_need():
    book = rulebook(Options())
    lines = (Path(analysis.__file__).parent / "corpus" / "domain.tsv").read_text("utf-8")
    texts = [normalise(line.split("\t")[6]).text for line in lines.splitlines()[1::9]]

    met = [
        (p.written, t)
        for p in book.sieve.patterns
        for by_re2 in [compiled(p.written)]
        for t in texts
        if by_re2.search(t)
    ]

    assert len(met) > 100
    for pattern, text in met:
        assert all(any(word in text for word in words) for words in required(pattern)), pattern


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("(井盖|路灯)[^。]{0,8}(没|坏)了?", [{"井盖", "路灯"}, {"没", "没了", "坏", "坏了"}]),
        ("死了?[一二]个", [{"死一个", "死二个", "死了一个", "死了二个"}]),
        ("(甲|乙.*)丙", [{"甲", "乙"}, {"丙"}]),
        ("甲(乙|.)丙", [{"甲"}, {"丙"}]),
        ("(甲乙)+丙", [{"甲乙"}, {"丙"}]),
        ("(甲乙){0,3}", []),
        (r"\d{11}", []),
        ("(?i)abc", []),
        ("[[:alpha:]]甲", []),
        (r"\p{Han}甲", []),
        (r"甲\z", []),
    ],
)
def test_what_a_pattern_needs_is_read_off_or_left_open(pattern, needs):
    assert {frozenset(words) for words in required(pattern)} == {frozenset(n) for n in needs}


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (
            "(物业|物业公司)[^,。]{0,20}(不管|不理)",
            ["物业公司说物业不管,物业不理", "物业,不管", "不管物业"],
        ),
        ("(他|他们)[^,]{0,18}(走|走了)$", ["他们说他走了", "他走了,他们", "他走了他走"]),
        ("甲{1,2}[^乙]{2,20}?丙", ["甲甲甲丁丁丙丙", "甲丙丁丙", "甲乙丙"]),
        ("(?:水|电)?费[^,]{0,20}(贵|涨)", ["水费贵电费涨", "费贵", "费,涨"]),
    ],
)
def test_a_pattern_tried_only_where_it_can_begin_is_found_all_the_same(tmp_path, pattern, texts):
    file = tmp_path / "one.toml"
    file.write_text(PACK.format(id="one", pattern=pattern), encoding="utf-8")
    book = Rulebook(load([file]))

    for text in texts:
        expected = [(m.start(), m.end()) for m in Naive(pattern).find(text)]
        assert [(t.start, t.end) for t in book.hits(Subject(text=text))] == expected, text


def test_shipped_rules_meet_what_they_explain():
    book = rulebook(Options())
    lines = (Path(analysis.__file__).parent / "corpus" / "domain.tsv").read_text("utf-8")
    subjects = read_all([Subject(text=line.split("\t")[6]) for line in lines.splitlines()[1::7]])

    for subject in subjects:
        assert book.hits(subject) == [t for t in book.traces(subject) if t.is_hit], subject.text


def test_shipped_patterns_match_where_re2_alone_finds_them():
    book = rulebook(Options())
    lines = (Path(analysis.__file__).parent / "corpus" / "domain.tsv").read_text("utf-8")
    texts = [normalise(line.split("\t")[6]).text for line in lines.splitlines()[1::23]]

    written = [compiled(pattern.written) for pattern in book.sieve.patterns]
    look = book.sieve.look(texts)
    patterns = book.sieve.patterns
    found = {(p, n): hits for p, n, hits in patterns.search(look, *patterns.possible(look))}

    for place, text in enumerate(texts):
        for number, pattern in enumerate(written):
            alone = [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
            assert [hit[:2] for hit in found.get((place, number), [])] == alone
