"""`tinglan rules list | test | backtest`: what rules there are, and what they make of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TextIO

from analysis.assess import assess
from analysis.backtest import Backtest, Change
from analysis.engines import Engine
from analysis.explain import Explanation, explain
from analysis.learning import Lesson
from analysis.precision import Precision
from analysis.rules import Rulebook
from analysis.subject import Stage, Subject
from store.records import Assessment, Role

_WIDTH = 40  #: characters of a text that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    rule: str  #: pack/id
    name: str
    topic: str
    level: str | None  #: None: takes note, never flags
    roles: tuple[str, ...]
    is_weak: bool
    words: int  #: and patterns that start it
    review: date
    is_due: bool  #: the day of review is past


def list_rules(book: Rulebook, today: date) -> list[RuleLine]:
    """Every rule in the order of its pack."""
    return [
        RuleLine(
            rule=one.name,
            name=one.rule.name,
            topic=one.topic.value,
            level=one.rule.level.value if one.rule.level else None,
            roles=tuple(role.value for role in one.rule.roles),
            is_weak=one.rule.weak,
            words=len(one.lists["any"]) + len(one.rule.patterns),
            review=one.rule.review,
            is_due=one.rule.review < today,
        )
        for one in book.rules
    ]


def overdue(book: Rulebook, today: date) -> list[str]:
    """Rules whose day of review is past."""
    return [line.rule for line in list_rules(book, today) if line.is_due]


def show_rules(
    book: Rulebook,
    today: date,
    out: TextIO,
    precision: Mapping[str, Precision] | None = None,
) -> None:
    """`precision`: what duty staff made of each rule's hits, where there is a desk to ask."""
    lines = list_rules(book, today)
    named = {one.name: one for one in book.rules}
    for line in lines:
        rule = named[line.rule]
        level = rule.rule.level
        marks = [f"{level.numeral}级" if level else "只归类"]
        marks += ["拿不准"] if line.is_weak else []
        marks += ["只看本单位发布"] if line.roles == (Role.OWN.value,) else []
        due = "，已到复看日期" if line.is_due else ""
        out.write(
            f"{line.rule}　{line.name}（{rule.topic.label}，{'，'.join(marks)}，{line.words}个词）"
            f"　复看 {line.review.isoformat()}{due}{_made_of(line.rule, precision)}\n"
        )
    for name in sorted(set(precision or {}) - set(named)):
        out.write(f"{name}　（模型提示或已停用的规则）{_made_of(name, precision)}\n")
    late = sum(line.is_due for line in lines)
    if late:
        out.write(f"有 {late} 条已过复看日期，请复看后把 review 改到下一次。\n")
    out.write(f"共 {len(lines)} 条规则，{book.word_count} 个不同的词。\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What one text gets, and of each rule whose words it holds why it spoke or was silent."""

    assessment: Assessment
    explanations: tuple[Explanation, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "flagged": self.assessment.flagged,
            "level": self.assessment.level.value if self.assessment.level else None,
            "topics": [topic.value for topic in self.assessment.topics],
            "tone": self.assessment.tone.value,
            "reasons": [
                {"stage": f.stage, "rule": f.rule, "why": f.reason}
                for f in self.assessment.findings
            ],
            "rules": [
                {
                    "rule": e.rule, "name": e.name, "hit": e.is_hit, "why": e.why,
                    "text": e.text, "start": e.start, "end": e.end,
                }
                for e in self.explanations
            ],
        }  # fmt: skip


def try_text(
    subject: Subject, *, book: Rulebook, stages: Mapping[str, Stage], engine: Engine
) -> Tested:
    """`rules test`: judged as it would be, nothing stored."""
    (assessment,) = assess([subject], stages=stages, engine=engine)
    return Tested(assessment=assessment, explanations=tuple(explain(book, subject)))


def show_tested(tested: Tested, out: TextIO) -> None:
    one = tested.assessment
    if one.flagged and one.level is not None:
        topics = "、".join(topic.label for topic in one.topics)
        out.write(f"提醒：{one.level.numeral}级（{one.level.label}），类别：{topics}。\n")
    else:
        out.write("不提醒。\n")
    for finding in one.findings:
        out.write(f"  · {finding.reason}\n")
    hits = [e for e in tested.explanations if e.is_hit]
    misses = [e for e in tested.explanations if not e.is_hit]
    for title, some in (("命中的规则", hits), ("看过、没有算的规则", misses)):
        if some:
            out.write(f"{title}：\n")
        for e in some:
            out.write(f"  {e.rule}　{e.name}：“{_short(e.text)}”　{e.why}\n")
    if not tested.explanations:
        out.write("没有一条规则的词在这段话里。\n")


def _made_of(rule: str, precision: Mapping[str, Precision] | None) -> str:
    if precision is None:
        return ""
    return f"　{precision.get(rule, Precision(rule=rule)).shown}"


def show_lesson(lesson: Lesson, out: TextIO) -> None:
    """`rules learn`: what verdicts suggest, and what each change would have meant."""
    for one in lesson.proposals:
        out.write(f"{'调整' if one.moves else '维持'}　{one.shown}\n")
    if not lesson.proposals:
        out.write("近半年还没有可以据以调整的处置结果。\n")
    for rule in lesson.doubtful:
        out.write(f"请人复看规则 {rule.rule}：{rule.shown}\n")


def lesson_json(lesson: Lesson) -> dict[str, Any]:
    return {
        "proposals": [
            {
                "channel": one.channel,
                "threshold": one.movable.name,
                "now": one.now,
                "then": one.then,
                "confirmed": one.confirmed,
                "dismissed": one.dismissed,
                "saved": one.saved,
                "mails_saved": one.mails_saved,
                "lost": one.lost,
                "more": one.more,
                "mails_more": one.mails_more,
                "why": one.why,
            }
            for one in lesson.proposals
        ],
        "doubtful": [
            {"rule": one.rule, "confirmed": one.confirmed, "dismissed": one.dismissed}
            for one in lesson.doubtful
        ],
    }


def show_backtest(done: Backtest, out: TextIO) -> None:
    out.write(
        f"{done.since:%Y-%m-%d} 以来共 {done.seen} 条：当时提醒 {done.flagged_then} 条，"
        f"现在会提醒 {done.flagged_now} 条；新增 {done.new} 条，不再提醒 {done.gone} 条，"
        f"等级有变 {done.other_level} 条。\n"
        f"邮件：当时按同一事件合并约 {done.mails_then} 封，现在约 {done.mails_now} 封。\n"
    )
    for change in done.changes:
        out.write(f"  {_turn(change)}　#{change.post}（{change.channel}）{_short(change.text)}\n")
        for reason in change.reasons:
            out.write(f"      {reason}\n")
    left = done.new + done.gone + done.other_level - len(done.changes)
    if left > 0:
        out.write(f"  …… 另有 {left} 条未列出。\n")


def backtest_json(done: Backtest) -> dict[str, Any]:
    return {
        "since": done.since.isoformat(),
        "seen": done.seen,
        "flagged_then": done.flagged_then,
        "flagged_now": done.flagged_now,
        "new": done.new,
        "gone": done.gone,
        "other_level": done.other_level,
        "mails_then": done.mails_then,
        "mails_now": done.mails_now,
        "changes": [
            {
                "post": c.post,
                "channel": c.channel,
                "was": c.was.value if c.was else None,
                "is_now": c.is_now.value if c.is_now else None,
                "reasons": list(c.reasons),
            }
            for c in done.changes
        ],
    }


def _turn(change: Change) -> str:
    if change.was is None and change.is_now is not None:
        return f"新增（{change.is_now.numeral}级）"
    if change.is_now is None and change.was is not None:
        return f"不再提醒（原{change.was.numeral}级）"
    assert change.was is not None  # noqa: S101 - see Change
    assert change.is_now is not None  # noqa: S101
    return f"{change.was.numeral}级改{change.is_now.numeral}级"


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _WIDTH else one_line[: _WIDTH - 1] + "…"
