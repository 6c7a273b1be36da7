"""From text to judgement: what matters is flagged, what is calm stays calm, trouble stays small."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis.stages
from analysis.assess import assess, assessed
from analysis.catalogue import build_stages, stage_options
from analysis.engines import none as no_engine
from analysis.levels import propose, settle
from analysis.subject import Subject, read_all
from analysis.tools import Tools
from store.records import Finding, Kind, Level, Role, Tone, Topic
from tests.patience import at_most


@pytest.fixture(scope="session")
def stages(book):
    return build_stages({}, Tools(rulebook=book))


@pytest.fixture
def judge(stages):
    def one(text, engine=None, **more):
        engine = engine or no_engine.build(no_engine.Options())
        return assess([Subject(text=text, **more)], stages=stages, engine=engine)[0]

    return one


#: The ten kinds of sentence that sentiment alone gets wrong, in our own words.
@pytest.mark.parametrize(
    ("text", "topic", "at_least"),
    [
        ("立交桥下水太深，有人淹死了，快来人", Topic.CASUALTY, Level.II),
        ("群里传水库溃坝了，到底是不是真的", Topic.RUMOUR, Level.II),
        ("断电整整两天，热线打了十几遍也没人管", Topic.COMPLAINT, Level.IV),
        ("预警短信发错了吧，一大早收到四条作废的", Topic.WARNING_ERROR, Level.III),
        ("雨下成这样都没有预警，你们是干什么吃的", Topic.COMPLAINT, Level.III),
        ("你们公众号半个月没更新了", Topic.COMPLAINT, Level.IV),
    ],
)
def test_what_matters_is_flagged_whatever_it_sounds_like(judge, always, text, topic, at_least):
    for engine in (None, always(Tone.POSITIVE, 0.99)):
        done = judge(text, engine, kind=Kind.COMMENT)

        assert done.flagged
        assert topic in done.topics
        assert done.level.rank <= at_least.rank


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("多谢气象局，这回报得很准", Tone.POSITIVE),
        ("暴雨红色预警现已解除，请市民放心出行", Tone.NEGATIVE),
        ("今天心情不太好", Tone.NEGATIVE),
        ("这支曲子真叫人伤心", Tone.NEGATIVE),
    ],
)
def test_what_is_harmless_stays_calm_even_where_the_engine_cries(judge, always, text, tone):
    done = judge(text, always(Tone.NEGATIVE, -0.99))

    assert not done.flagged
    assert done.level is None
    assert done.tone is tone


def test_thanks_rank_above_a_death_report(judge, always):
    thanks = judge("谢谢气象局，提醒得真及时", always(Tone.NEGATIVE, -0.6))
    death = judge("桥下淹死人了", always(Tone.NEUTRAL, -0.1))

    assert thanks.tone_score > death.tone_score


@pytest.mark.parametrize(
    "text",
    [
        "【暴雨红色预警】请立即避险，过去三小时已致多处积水",
        "昨夜仓库着火，造成三人死亡，事故原因正在调查",
        "关于某加油站违规储存危险化学品的举报办理情况",
        "垃圾分类宣传周启动",
    ],
)
def test_the_agencys_own_posts_never_enter_the_opinion_queue(judge, always, text):
    done = judge(text, always(Tone.NEGATIVE, -1), role=Role.OWN)

    assert not done.flagged
    assert done.tone is Tone.NEUTRAL


def test_an_own_page_with_gambling_words_is_tampered_with(judge):
    text = "通知公告 澳门新葡京官网入口 注册送彩金"

    assert judge(text, role=Role.OWN).topics == (Topic.INTEGRITY,)
    assert not judge(text, role=Role.PUBLIC).flagged
    assert not judge("公安机关查处网上赌场，提醒市民远离百家乐", role=Role.OWN).flagged


def test_an_own_correction_goes_to_the_watches(judge):
    assert judge("更正：上一条信息系误发", role=Role.OWN).topics == (Topic.WARNING_ERROR,)


@pytest.mark.parametrize(
    "text",
    [
        "楼道里冒煙了，救命",
        "小区燃*气 泄-漏了",
        "燃🔥氣🔥洩🔥漏，快來人",
        "楼 里 着 火 了",
        "電動車起\u200b火",
    ],
)
def test_evasive_spellings_are_flagged_and_quoted_as_written(judge, text):
    done = judge(text)

    assert done.flagged
    assert all(text[f.start : f.end] == f.text for f in done.findings if f.start >= 0)


def test_forwarded_words_are_told_apart(judge):
    forwarded = judge("大家看看//@路人：我们楼着火了")
    own = judge("我们楼着火了")

    assert forwarded.findings[0].reason.startswith("转发或引用的内容：")
    assert not own.findings[0].reason.startswith("转发")
    assert not judge("辛苦了//@路人：这种处理结果糊弄谁").flagged


@settings(max_examples=60)
@given(
    title=st.text(max_size=20),
    filler=st.text(max_size=40),
    core=st.sampled_from(["我家着火了，快来人", "打了三遍电话没人管", "听说要地震了，速转", ""]),
)
def test_every_reason_points_at_its_words_in_the_original(stages, title, filler, core):
    text = f"{title}\n{filler}{core}{filler}" if title else filler + core

    (done,) = assess(
        [Subject(text=text, title=title)],
        stages=stages,
        engine=no_engine.build(no_engine.Options()),
    )

    for finding in done.findings:
        assert finding.reason
        assert text[finding.start : finding.end] == finding.text or finding.start == -1


@pytest.mark.parametrize(
    "text",
    ["", " \n", "😀😭🔥", "水" * 50_000, "着火了，没人管！" * 6_250, "死" * 50_000, "\ud800着火了", "\0着\0火了", "淹水了嗎？沒人管", "Fire at the warehouse, help!", "a" * 50_000, "没没没没" * 12_500, "//@" * 16_000],
)  # fmt: skip
def test_any_text_is_judged_within_a_second(judge, text):
    with at_most(1):
        done = judge(text)

    assert all(text[f.start : f.end] == f.text for f in done.findings if f.start >= 0)


def test_lone_surrogates_and_nul_hide_nothing(judge):
    assert judge("\ud800我家着\0火了").flagged


def test_a_stage_that_raises_stops_nobody(judge, stages, always, caplog):
    def broken(_subject):
        raise RuntimeError("out of order")

    done = assess([Subject(text="我家着火了")], stages={"toy": broken, **stages}, engine=always())[
        0
    ]

    assert done.flagged
    assert done.degraded
    assert Topic.FIRE in done.topics
    assert "stage=toy" in caplog.text


def test_without_rules_a_person_is_asked_to_look(always):
    def broken(_subject):
        raise RuntimeError

    done = assess([Subject(text="不知道说什么")], stages={"rules": broken}, engine=always())[0]

    assert done.flagged
    assert done.topics == (Topic.SYSTEM,)


def test_an_engine_that_raises_means_unknown_and_no_missed_alert(stages):
    class Broken:
        name = "broken"

        def judge(self, subjects):
            raise RuntimeError

        def close(self):
            pass

    done = assess([Subject(text="楼下着火了，快来人")], stages=stages, engine=Broken())[0]

    assert done.tone is Tone.UNKNOWN
    assert done.tone_score == 0
    assert done.flagged
    assert done.degraded


def test_a_toy_stage_is_one_file_and_one_settings_table(tmp_path, monkeypatch, book, always):
    (tmp_path / "shouting.py").write_text(
        "from analysis.tools import StageOptions\n"
        "from store.records import Finding, Level, Topic\n"
        "class Options(StageOptions):\n"
        "    marks: int = 3\n"
        "def build(options, tools):\n"
        "    def stage(subject):\n"
        "        if subject.text.count('！') >= options.marks:\n"
        "            yield Finding(stage='shouting', reason='感叹号很多。', level=Level.IV,"
        " topic=Topic.COMPLAINT)\n"
        "    return stage\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(analysis.stages, "__path__", [*analysis.stages.__path__, str(tmp_path)])

    try:
        assert set(stage_options()) == {"rules", "tone", "topic", "shouting"}
        stages = build_stages({"shouting": {"marks": 5}}, Tools(rulebook=book))
    finally:
        sys.modules.pop("analysis.stages.shouting", None)

    assert list(stages) == ["rules", "topic", "tone", "shouting"]
    calm, loud = assess(
        [Subject(text="啊！！！！"), Subject(text="啊！！！！！")], stages=stages, engine=always()
    )
    assert not calm.flagged
    assert loud.flagged


def test_a_stage_can_be_put_off(book):
    assert "topic" not in build_stages({"topic": {"enabled": False}}, Tools(rulebook=book))


def found(topic, level, rule="x/y"):
    return Finding(stage="rules", rule=rule, reason="…", topic=topic, level=level)


def test_a_hazard_with_people_in_danger_is_at_least_grade_two_whatever_its_tone():
    findings = [found(Topic.FIRE, Level.III), found(Topic.CASUALTY, Level.III)]

    for tone in Tone:
        assert propose(findings, tone, Role.PUBLIC, Kind.COMMENT).level is Level.II


def test_what_carries_no_level_is_never_flagged():
    assert propose([found(Topic.THANKS, None)], Tone.NEGATIVE, Role.PUBLIC, Kind.POST) == (
        None,
        False,
        (),
    )


def test_a_key_period_raises_by_one_but_not_beyond_grade_two():
    for level, raised in (
        (Level.IV, Level.III),
        (Level.III, Level.II),
        (Level.II, Level.II),
        (Level.I, Level.I),
    ):
        proposal = propose(
            [found(Topic.COMPLAINT, level)], Tone.NEUTRAL, Role.PUBLIC, Kind.POST, key_period=True
        )
        assert proposal.level is raised


def test_a_flagged_report_is_never_shown_as_positive():
    tone, score = settle(Tone.POSITIVE, 0.9, [found(Topic.CASUALTY, Level.II)], Role.PUBLIC)

    assert (tone, score) == (Tone.NEUTRAL, 0.0)


def test_the_subjects_given_stay_as_they_are_unless_they_may_be_written_into(stages):
    engine = no_engine.build(no_engine.Options())
    texts = ["热线打了十几遍也没人管", "今天天气不错", ""]
    fresh = [Subject(text=text) for text in texts]
    (read,) = read_all([Subject(text=texts[0])])
    ours = [Subject(text=text) for text in texts]

    apart = assess([*fresh, read], stages=stages, engine=engine)
    done = list(assessed(ours, stages=stages, engine=engine, in_place=True))

    assert done == apart[:3]
    assert apart[3] == apart[0]
    assert [(one.reading, one.verdict, one.found) for one in fresh] == [(None, None, ())] * 3
    assert (read.verdict, read.found) == (None, ())
    assert all(one.reading and one.verdict for one in ours)
