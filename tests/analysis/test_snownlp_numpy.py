"""The NumPy engine says what the package says, to the last digit that matters."""

import json
import random
import subprocess
import sys

import pytest

from analysis.engines.snownlp_numpy import Options, build, load
from analysis.subject import Subject
from store.records import Role, Tone
from tests.patience import at_most

_ASK = """
import json, sys
from snownlp import SnowNLP
for line in sys.stdin:
    said = SnowNLP(json.loads(line))
    print(json.dumps([said.words, said.sentiments]))
"""
_PHRASES = [
    "预警",
    "暴雨",
    "气象局",
    "发布",
    "信号",
    "没有人管",
    "谢谢",
    "你们",
    "太慢了",
    "小区门口",
    "积水",
    "很深",
    "请问",
    "什么时候",
    "恢复",
    "供电",
    "质量",
    "很好",
    "喜欢",
    "服务",
    "态度",
    "差",
    "电话",
    "打不通",
    "消防通道",
    "被堵",
    "预报",
    "不准",
    "转发",
    "给家人",
    "听说",
    "水库",
    "今天",
    "明天",
    "孩子",
    "放学",
    "路上",
    "井盖",
    "不见了",
    "非常",
    "满意",
    "辛苦",
    "失望",
    "垃圾",
    "的",
    "了",
    "是",
    "在",
    "我",
    "也",
    "都",
    "就",
    "还",
    "又",
    "吗",
    "呢",
    "吧",
    "啊",
]
_SIGNS = "，。！？、 ~…：“”abc XYZ 123 45.6 😀 \n\t"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("model") / "snownlp.npz")


@pytest.fixture(scope="module")
def model(cache):
    pytest.importorskip("numpy")
    return load(cache, 120)


def generated(count):
    """Sentences of common words, of rare characters, and of both; the seed is fixed."""
    dice = random.Random(20261122)
    rare = [chr(dice.randint(0x4E00, 0x9FA5)) for _ in range(400)]
    texts = []
    for n in range(count):
        source = (_PHRASES, rare, [*_PHRASES, *rare])[n % 3]
        parts = [
            dice.choice(_SIGNS) if dice.random() < 0.15 else dice.choice(source)
            for _ in range(dice.randint(1, 40))
        ]
        text = "".join(parts).strip()
        if text:
            texts.append(text)
    return texts


def test_same_words_and_same_score_as_the_package(model):
    texts = generated(660)
    asked = "".join(json.dumps(t) + "\n" for t in texts)
    told = subprocess.run(
        [sys.executable, "-c", _ASK], input=asked, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    words, scores = zip(*(json.loads(line) for line in told), strict=True)

    assert len(texts) >= 600
    assert model.cut(texts) == list(words)
    assert max(abs(a - b) for (a, _), b in zip(model.judge(texts), scores, strict=True)) <= 1e-9
    assert "snownlp" not in sys.modules


def test_one_at_a_time_is_the_same_as_together(model):
    texts = generated(40)

    assert model.judge(texts) == [model.judge([t])[0] for t in texts]


def test_a_kept_model_is_read_back(model, cache):
    again = load(cache, 0.001)  # no time to convert anew: it can only be the kept one

    assert again.judge(["太差了"]) == model.judge(["太差了"])


@pytest.fixture
def engine(model, cache):
    return build(Options(cache=cache))


def test_verdicts_carry_what_weighed(engine):
    bad, good = engine.judge(
        [Subject(text="服务太差，非常失望"), Subject(text="非常好，很满意，推荐")]
    )

    assert bad.label is Tone.NEGATIVE
    assert "差" in "".join(bad.evidence) or "失望" in bad.evidence
    assert good.score > 0.5 > bad.score
    assert sum(bad.probabilities.values()) == pytest.approx(1)
    assert bad.model


def test_own_and_empty_texts_are_neutral(engine):
    said = engine.judge([Subject(text="太差", role=Role.OWN), Subject(text=" "), Subject(text="")])

    assert [v.label for v in said] == [Tone.NEUTRAL] * 3


@pytest.mark.parametrize(
    "text",
    [
        "😀",
        "水" * 50_000,
        "水，" * 25_000,
        "\ud800",
        "\0",
        "龘靐齉" * 100,
        "燃氣洩漏",
        "hello world",
        "a" * 50_000,
    ],
)
def test_any_text_is_judged_within_a_second(engine, text):
    engine.judge([Subject(text="好")])

    with at_most(1):
        (verdict,) = engine.judge([Subject(text=text)])

    assert verdict.label is not Tone.UNKNOWN
    assert -1 <= verdict.score <= 1


def test_a_model_that_cannot_be_read_means_unknown(monkeypatch):
    from analysis.engines import snownlp_numpy

    def gone(*_parts):
        raise FileNotFoundError("snownlp is not installed")

    monkeypatch.setattr(snownlp_numpy._package, "file", gone)
    engine = build(Options())

    assert [v.label for v in engine.judge([Subject(text="差"), Subject(text="")])] == [
        Tone.UNKNOWN,
        Tone.NEUTRAL,
    ]
