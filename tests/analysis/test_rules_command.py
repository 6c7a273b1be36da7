"""The person who keeps the rules sees them, tries them on a text, and on the stored past."""

import io
from datetime import UTC, date, datetime, timedelta

import pytest

from analysis.backtest import backtest
from analysis.catalogue import build_stages
from analysis.model.blend import KINDS
from analysis.packs import load
from analysis.rules import Rulebook
from analysis.rules_command import (
    backtest_json,
    list_rules,
    show_backtest,
    show_rules,
    show_tested,
    try_text,
)
from analysis.subject import Subject
from analysis.tools import Tools
from store.records import Level, Tone
from store.tables import assessments

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
PACK = """
[pack]
name = "试"
topic = "fire"

[[rules]]
id = "burning"
name = "起火"
level = "II"
any = ["着火"]
none = ['/^关于.{2,40}的通知$/']
reason = "称起火（{word}）"
review = 2026-10-01

[[rules]]
id = "smell"
name = "气味"
level = "III"
weak = true
any = ["味道"]
reason = "提到气味（{word}）"
review = 2027-10-01
"""


@pytest.fixture
def one_pack(pack_file):
    return Rulebook(load([pack_file(PACK)]))


@pytest.fixture
def stages(one_pack):
    settings = {"topic": {"enabled": False}, "tone": {"enabled": False}}
    return build_stages(settings, Tools(rulebook=one_pack))


@pytest.fixture
def tried(one_pack, stages, always):
    def give(text, **more):
        subject = Subject(text=text, **more)
        return try_text(subject, book=one_pack, stages=stages, engine=always())

    return give


def printed(show, *given):
    out = io.StringIO()
    show(*given, out)
    return out.getvalue()


def test_the_list_names_each_rule_and_what_is_due(one_pack):
    burning, smell = list_rules(one_pack, date(2026, 11, 22))

    assert (burning.is_due, smell.is_due, smell.is_weak) == (True, False, True)
    told = printed(show_rules, one_pack, date(2026, 11, 22))
    assert "已到复看日期" in told
    assert "共 2 条规则" in told


def test_a_text_is_told_why_and_why_not(tried):
    told = printed(show_tested, tried("三楼着火了，有味道"))

    assert "提醒：Ⅱ级" in told
    assert "own/burning" in told
    assert "命中" in told


def test_a_pattern_in_a_list_is_an_exception_too(tried):
    quiet = tried("关于防范家中着火事故的通知")

    assert not quiet.assessment.flagged
    assert any("none" in e.why for e in quiet.explanations)


@pytest.mark.parametrize("text", ["电线老化容易着火", "要是着火了怎么办", "生怕又着火"])
def test_a_fear_is_no_report(tried, text):
    told = tried(text)

    assert not told.assessment.flagged
    assert any("担心或假设" in e.why for e in told.explanations)


def leaning(**shares):
    return tuple(shares.get(kind, 0.0) for kind in KINDS)


CALM = leaning(other=0.97, thanks=0.01, hazard=0.001)
WORRIED = leaning(other=0.05, hazard=0.9, complaint=0.03)


def test_a_weak_rule_gives_way_to_a_text_held_for_calm(tried):
    assert tried("这个味道真不错").assessment.flagged
    assert tried("楼道里这个味道真刺鼻", leaning=WORRIED).assessment.flagged
    noted = tried("这个味道真不错，下回还来吃", leaning=CALM).assessment
    assert not noted.flagged
    assert "只作记录，不提醒（通篇更像" in noted.findings[0].reason


def test_a_rule_of_the_offices_own_counts_unless_it_calls_itself_weak(tried):
    assert tried("游戏里那座城着火了，看得真过瘾", leaning=CALM).assessment.flagged


@pytest.fixture
def judged_then(database, make_post):
    def store(text, level=None, at=NOON):
        number = make_post(database, title="", text=text, captured_at=at, published_at=at)
        with database.write() as connection:
            connection.execute(
                assessments.insert().values(
                    post=number, version=1, at=at, tone=Tone.NEUTRAL.value, tone_score=0.0,
                    topics=[], level=level, flagged=level is not None, engine="", degraded=False,
                )
            )  # fmt: skip
        return number

    return store


def test_the_past_shows_what_is_new_and_what_is_gone(database, judged_then, stages, always):
    new = judged_then("城北批发市场三号门着火了")
    judged_then("转发微博//@某人：城北批发市场三号门着火了")
    gone = judged_then("今天天气不错", level="IV")
    graver = judged_then("南边山上着火，烟很大", level="III")
    judged_then("北边着火", at=NOON - timedelta(days=30))

    done = backtest(
        database, since=NOON - timedelta(days=7), stages=stages, engine=always(),
        recipients=lambda topics, level: 2 if level is Level.II else 1,
    )  # fmt: skip

    assert (done.seen, done.flagged_then, done.flagged_now) == (4, 2, 3)
    assert (done.new, done.gone, done.other_level) == (2, 1, 1)
    assert (done.mails_then, done.mails_now) == (2, 4)  # the forward is the same event
    assert [c.post for c in done.changes] == [new, new + 1, gone, graver]
    told = printed(show_backtest, done)
    assert "新增（Ⅱ级）" in told
    assert "不再提醒（原Ⅳ级）" in told
    assert "Ⅲ级改Ⅱ级" in told
    assert backtest_json(done)["mails_now"] == 4
