"""Topics that follow from more than words: what kind of post it is, and how it sounds."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from analysis.subject import Stage, Subject, reading_of
from analysis.tools import StageOptions, Tools
from store.records import Finding, Kind, Level, Role, Tone, Topic

ORDER = 20


class Options(StageOptions):
    #: Words that speak to the agency. Words *about* it will not do: half of all bulletins sound
    #: very negative to SnowNLP, and every bulletin names the agency.
    cues: tuple[str, ...] = ("你们", "贵局", "贵单位", "贵台", "你局", "你单位", "尔等")
    below: float = Field(default=-0.8, ge=-1, le=0)  #: tone score that counts as very negative


def build(options: Options, tools: Tools) -> Stage:
    def stage(subject: Subject) -> Iterable[Finding]:
        if subject.role is Role.OWN:
            return
        topics = {finding.topic for finding in subject.found}
        if subject.kind is Kind.LETTER and not topics:
            yield Finding(
                stage="topic", rule="letter", topic=Topic.ENQUIRY,
                reason="来信，内容未归入其他类别，按诉求咨询登记。",
            )  # fmt: skip
        # Tone adds here and never takes away: what rules found stays found.
        if not topics and _is_harsh(subject, options.below):
            cue = _first(reading_of(subject).own, options.cues)
            if cue:
                start = subject.text.find(cue)
                yield Finding(
                    stage="topic", rule="harsh", topic=Topic.COMPLAINT, level=Level.IV,
                    reason=f"语气强烈负面，且提到“{cue}”，疑似不满；请由人判断。",
                    text=cue, start=start, end=start + len(cue),
                )  # fmt: skip

    return stage


def _is_harsh(subject: Subject, below: float) -> bool:
    verdict = subject.verdict
    return verdict is not None and verdict.label is Tone.NEGATIVE and verdict.score <= below


def _first(text: str, words: Iterable[str]) -> str:
    found = [(at, word) for word in words if (at := text.find(word)) >= 0]
    return min(found)[1] if found else ""
