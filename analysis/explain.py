"""Says of one text, for each rule whose words it holds, why the rule spoke or kept silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.rules import Outcome, Rulebook, Trace
from analysis.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One rule at one place, told to the person who keeps the rules."""

    rule: str  #: pack/id
    name: str
    text: str  #: the words, as they stand in the original
    start: int
    end: int
    is_hit: bool
    why: str  #: Chinese


_WHY: Final = {
    Outcome.HIT: "命中",
    Outcome.NEGATED: "不算：前面有否定、防范或假设的说法",
    Outcome.SUPPOSED: "不算：说的是担心或假设的情形，并未发生",
    Outcome.ASKED: "不算：所在的是问句（question = void）",
    Outcome.INSIDE: "不算：落在更长的词“{because}”里（inside）",
    Outcome.UNLESS: "不算：同一句里有“{because}”（unless）",
    Outcome.NONE: "不算：文中有“{because}”（none 或 excuses）",
    Outcome.ALONE: "不算：附近没有要求同时出现的词（{because}）",
    Outcome.QUOTED: "不算：是转发或引用的内容（quoted = void）",
    Outcome.ELSEWHERE: "不算：不看这种来源、种类或渠道（roles、kinds、channels）",
}


def explain(book: Rulebook, subject: Subject) -> list[Explanation]:
    """What `tinglan rules test` shows: hits first, then what was considered and left out."""
    told = [_told(trace, subject.text) for trace in book.traces(subject)]
    return sorted(told, key=lambda one: (not one.is_hit, one.start, one.rule))


def _told(trace: Trace, text: str) -> Explanation:
    return Explanation(
        rule=trace.rule.name,
        name=trace.rule.rule.name,
        text=text[trace.start : trace.end],
        start=trace.start,
        end=trace.end,
        is_hit=trace.is_hit,
        why=_WHY[trace.outcome].format(because=trace.because),
    )
