"""The default tone engine: right, quick, calm about anything it is given, able to say why."""

import hashlib
import json

import numpy as np
import pytest

from analysis.assess import assess
from analysis.catalogue import build_stages
from analysis.engines import linear
from analysis.leaning import Listener
from analysis.model import CARD_FILE, GROUP_FILE, KIND_FILE, TONE_FILE
from analysis.model.blend import KINDS, Blend
from analysis.model.groups import GROUPS, Groups
from analysis.model.weights import ModelBroken, Read, Weights, summed
from analysis.subject import Subject
from analysis.tools import Tools
from store.records import Role, Tone
from tests.patience import at_most


@pytest.fixture(scope="module")
def engine():
    return linear.build(linear.Options())


@pytest.fixture(scope="module")
def blend():
    return Blend.load(TONE_FILE, KIND_FILE)


@pytest.fixture(scope="module")
def card():
    return json.loads(CARD_FILE.read_text(encoding="utf-8"))


def judge(engine, *texts, **more):
    return engine.judge([Subject(text=text, **more) for text in texts])


def test_a_complaint_a_bulletin_and_thanks_are_told_apart(engine):
    complaint, bulletin, thanks = judge(
        engine,
        "暖气一点都不热，打了八个电话没人管，太气人了",
        "市气象台发布暴雨橙色预警信号，预计未来3小时降雨量将达50毫米以上",
        "谢谢消防员，大火里救出了我们一家，太感谢了",
    )

    assert complaint.label is Tone.NEGATIVE
    assert bulletin.label is Tone.NEUTRAL
    assert thanks.label is Tone.POSITIVE
    assert complaint.score < bulletin.score < thanks.score


def test_probabilities_are_shares_of_the_three_tones(engine):
    (verdict,) = judge(engine, "公交等了四十分钟还没来")

    assert set(verdict.probabilities) == {Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE}
    assert sum(verdict.probabilities.values()) == pytest.approx(1)
    assert verdict.label == max(verdict.probabilities, key=verdict.probabilities.get)
    assert not verdict.degraded


def test_evidence_is_taken_from_the_text_as_it_was_written(engine):
    text = "服務態度極差，投訴沒人管！！！！"
    (verdict,) = judge(engine, text)

    assert verdict.label is Tone.NEGATIVE
    assert 1 <= len(verdict.evidence) <= 3
    assert all(word in text for word in verdict.evidence)


def test_traditional_full_width_and_zero_width_spellings_sound_the_same(engine):
    plain, other = judge(engine, "窗口服务太差了，跑了5趟", "窗口服務太差了，跑了５\u200b趟")

    assert other.probabilities == plain.probabilities


def test_the_agency_itself_is_neutral(engine):
    (verdict,) = judge(engine, "太差了，气死人了，投诉！", role=Role.OWN)

    assert verdict.label is Tone.NEUTRAL


def test_a_verdict_does_not_depend_on_its_neighbours(blend):
    texts = ["停水三天没人管", "", "谢谢你们", "😀😀😀", "a", "天" * 900, "今天晴", "\0\0投诉\0"]
    alone = np.concatenate([blend.probabilities([text]) for text in texts])

    assert np.array_equal(blend.probabilities(texts), alone)
    assert np.array_equal(blend.probabilities(texts * 90)[-8:], alone)


def test_what_the_n_grams_of_a_text_say_is_added_up_however_long_it_is():
    texts = ["甲乙丙" * 30, "丁", "", "戊己" * 400, "庚" * 3]
    read = Read.of(texts, np.arange(1 << 16, dtype=np.uint16))
    chance = np.random.default_rng(3)
    for low, high in ((-128, -127), (127, 128), (-128, 128)):
        said = chance.integers(low, high, (*read.slots.shape, 2, 8)).astype(np.int8)

        sums = summed(said, read)

        parts = np.split(said.sum(axis=0, dtype=np.int64), read.batch.begins)[1:]
        assert np.array_equal(sums, [part.sum(axis=0) for part in parts])


def test_without_words_of_its_own_a_text_makes_nobody_read_a_model(tmp_path, caplog):
    listener = Listener(tmp_path / "tone.bin", tmp_path / "kinds.bin")

    silent = listener.lean([Subject(text="//@某人：楼里着火了"), Subject(text="\n")])

    assert [one.leaning for one in silent] == [(), ()]
    assert not caplog.records
    assert not listener.lean([Subject(text="楼里着火了")])[0].leaning
    assert "leaning-model-broken" in caplog.text


def test_the_words_shown_do_not_depend_on_its_neighbours(engine):
    texts = [
        "又停水！通知没有一个，家里老人小孩怎么办", "你们是懂安抚的，再见", "太差了", "没人管",
        "投诉三个月没回音，要我证明什么", "路灯坏了一年，摔了人才修，气死人了",
    ]  # fmt: skip
    texts = [first + second for first in texts for second in texts]

    together = [verdict.evidence for verdict in judge(engine, *texts)]

    assert together == [judge(engine, text)[0].evidence for text in texts]
    assert sum(map(bool, together)) > len(texts) / 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\u3000",
        "😀😡🙏",
        "[泪][怒]",
        "\0",
        "\ud800\udfff lone",
        "\u200b\u200b\u2067",
        "1" * 50_000,
        "预报不准。" * 10_000,
        "预报不准" * 12_500,
        "This is terrible, nobody answers",
        "氣象局發布颱風警報",
        "𠮷𠮷野家" * 5_000,
        "//@a:" * 10_000,
        "!" * 50_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_whatever_comes_is_answered_within_a_second(engine, text):
    judge(engine, "预热")

    with at_most(1):
        (verdict,) = judge(engine, text)

    assert verdict.label in {Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE}


def test_the_verdict_says_what_kind_of_post_it_is_as_well(engine):
    complaint, thanks, own = engine.judge(
        [
            Subject(text="暖气一点都不热，打了八个电话没人管，太气人了"),
            Subject(text="感谢消防员连夜救出我们一家"),
            Subject(text="市气象台发布暴雨橙色预警信号", role=Role.OWN),
        ]
    )

    assert KINDS[np.argmax(complaint.leaning)] == "complaint"
    assert KINDS[np.argmax(thanks.leaning)] == "thanks"
    assert not own.leaning


def test_no_text_is_heard_twice(engine):
    stages = build_stages({}, Tools())
    text = "我们村口的桥断了，没人管"

    (done,) = assess([Subject(text=text)], stages=stages, engine=engine)
    alone = stages["topic"]._listener.lean([Subject(text=text)])[0].leaning
    (verdict,) = judge(engine, text)

    assert done.flagged
    assert verdict.leaning == pytest.approx(alone)


def test_the_topic_stage_does_not_wake_its_own_model_after_ours(engine):
    stages = build_stages({}, Tools())

    assess([Subject(text="路灯又不亮了")], stages=stages, engine=engine)

    assert stages["topic"]._listener._model is None


def test_empty_and_blank_texts_are_neutral(engine):
    assert {v.label for v in judge(engine, "", "  \n", "\u3000")} == {Tone.NEUTRAL}


def test_no_text_at_all_is_no_verdict(engine):
    assert engine.judge([]) == []


def test_being_asked_for_less_certainty_flags_more():
    texts = ["路灯又不亮了", "请问几点上班", "这水能喝吗", "等了半天", "师傅说明天再来"]
    texts += ["今晚吃什么", "明天去爬山"]
    strict = judge(linear.build(linear.Options()), *texts)
    wide = judge(linear.build(linear.Options(negative_from=0.01)), *texts)

    assert sum(v.label is Tone.NEGATIVE for v in wide) > sum(
        v.label is Tone.NEGATIVE for v in strict
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b"not json\nxx", b'{"format": "other"}\n'],
    ids=["empty", "no head", "no json", "other format"],
)
def test_a_file_that_is_no_model_makes_tones_unknown_not_errors(tmp_path, content):
    (tmp_path / "tone.bin").write_bytes(content)
    (tmp_path / "kinds.bin").write_bytes(KIND_FILE.read_bytes())
    engine = linear.build(linear.Options(models=tmp_path))

    (verdict,) = judge(engine, "停水三天没人管")

    assert verdict.label is Tone.UNKNOWN
    assert verdict.degraded


def test_a_model_file_with_one_changed_byte_is_refused():
    content = bytearray(TONE_FILE.read_bytes())
    content[len(content) // 2] ^= 1

    with pytest.raises(ModelBroken):
        Weights.parse(bytes(content))


def test_a_missing_model_makes_tones_unknown(tmp_path):
    engine = linear.build(linear.Options(models=tmp_path))

    assert judge(engine, "停水")[0].label is Tone.UNKNOWN


def test_an_engine_that_was_closed_works_again(engine):
    before = judge(engine, "停水三天没人管")
    engine.close()

    assert judge(engine, "停水三天没人管") == before


def test_the_shipped_files_are_those_of_the_card_and_small(card):
    for name, path in (("tone", TONE_FILE), ("kinds", KIND_FILE), ("groups", GROUP_FILE)):
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == card["models"][name]["sha256"]
        assert len(content) == card["models"][name]["bytes"]
    assert TONE_FILE.stat().st_size + KIND_FILE.stat().st_size <= 1_000_000
    assert GROUP_FILE.stat().st_size <= 1_000_000


def test_the_two_files_cannot_be_mixed_up(tmp_path):
    with pytest.raises(ModelBroken):
        Blend.load(KIND_FILE, TONE_FILE)
    with pytest.raises(ModelBroken):
        Groups.load(KIND_FILE)


def test_the_groups_of_a_text_do_not_depend_on_its_neighbours():
    texts = [
        "停水三天没人管",
        "",
        "💧" * 30,
        "好" * 5_000,
        "\ud800\0停电",
        "谢谢你们",
        "English only",
    ]
    model = Groups.load(GROUP_FILE)

    heard = model.hear(texts)

    assert heard.shape == (len(texts), len(GROUPS))
    assert np.allclose(heard.sum(axis=1), 1)
    assert np.array_equal(heard, np.concatenate([model.hear([text]) for text in texts]))
    assert GROUPS[heard[0].argmax()] == "complaint_plain"
    assert GROUPS[heard[5].argmax()] == "thanks"
    assert model.hear([]).shape == (0, len(GROUPS))


@pytest.mark.parametrize(
    "path", [TONE_FILE, KIND_FILE, GROUP_FILE], ids=["tone", "kinds", "groups"]
)
def test_reading_and_writing_a_model_changes_nothing(path):
    assert Weights.load(path).dump() == path.read_bytes()
