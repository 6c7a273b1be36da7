"""The rule packs: words an office chose, with the reason it gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pydantic import Field

from analysis import concern, limits
from analysis.concern import Cuts, Opinion, shipped_cuts
from analysis.leaning import Listener
from analysis.packs import in_folder, load, shipped
from analysis.rules import Rulebook, Trace
from analysis.subject import Stage, Subject
from analysis.thresholds import Thresholds
from analysis.tools import StageOptions, Tools
from store.records import Finding

ORDER = 10

_SIFTED: Final = "rules.sifted"
#: Calm group of the corpus → how a text of it is called.
_CALLED: Final = {
    "bulletin": "单位发布的消息",
    "informal": "单位账号的发言",
    "reply": "单位的答复",
    "thanks": "致谢",
    "chatter": "闲谈",
    "advert": "广告",
    "enquiry": "询问",
    "suggestion": "建议",
}


class Options(StageOptions):
    folder: str = ""  #: the office's own packs; a file named as a shipped one takes its place
    off: tuple[str, ...] = ()  #: "complaint" or "complaint/sarcasm"
    #: What a rule found is weighed together with all else that is known of the text, and only
    #: noted where that speaks against it; false: rules decide alone.
    weighed: bool = True
    #: Shares from which that speaks for it; the defaults stand beside the shipped model.
    complaint_from: float = Field(default_factory=lambda: shipped_cuts().complaint, gt=0, le=1)
    hazard_from: float = Field(default_factory=lambda: shipped_cuts().hazard, gt=0, le=1)
    rumour_from: float = Field(default_factory=lambda: shipped_cuts().rumour, gt=0, le=1)


def build(options: Options, tools: Tools) -> Stage:
    """Raises PacksWrong with every mistake of every pack."""
    return RulesStage(tools.rulebook or rulebook(options), options, tools.thresholds)


class RulesStage:
    def __init__(self, book: Rulebook, options: Options, thresholds: Thresholds) -> None:
        self._book = book
        self._options = options
        self._thresholds = thresholds
        self._listener = Listener()
        self._names = [rule.name for rule in book.rules]

    def prepare(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Looks for rules in the whole batch at once, and weighs what it found."""
        is_weighed = self._options.weighed
        read = self._listener.lean(subjects) if is_weighed else list(subjects)
        sifted = self._book.sift(read)
        for subject, some in zip(read, sifted, strict=True):
            subject.marks[_SIFTED] = some
        if is_weighed:
            names = self._names
            hits = [{names[one.rule] for one in some} for some in sifted]
            concern.weigh_all(read, hits, self._cuts)
        return read

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        return findings(self._book, subject, is_weighed=self._options.weighed)

    def _cuts(self, channel: str) -> Cuts:
        options = self._options
        moved = self._thresholds.of(channel, "rules.complaint_from", options.complaint_from)
        return Cuts(moved, options.hazard_from, options.rumour_from, shipped_cuts().grave)


def rulebook(options: Options) -> Rulebook:
    """The rules that settings name. Raises PacksWrong, FileNotFoundError."""
    files = shipped()
    if options.folder:
        folder = Path(options.folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"stages.rules.folder: no folder {options.folder}")
        files = files + in_folder(folder)
    off = set(options.off)
    return Rulebook([r for r in load(files) if r.pack not in off and r.name not in off])


def findings(book: Rulebook, subject: Subject, *, is_weighed: bool = True) -> list[Finding]:
    """Each rule's first hits, the gravest rules first.

    Where the text as a whole speaks against what a rule found, that is only noted. A rule that
    was not there when the scales were made counts, unless it calls itself weak. Where nobody
    weighed the text, rules alone decide.
    """
    traces = book.hits(subject, subject.marks.get(_SIFTED))
    if not traces:
        return []
    opinion = concern.opinion_on(subject) if is_weighed else None
    made: list[tuple[int, int, Finding]] = []
    said: dict[str, set[str]] = {}
    reached: dict[str, int] = {}
    for trace in traces:
        name = trace.rule.name
        words = subject.text[trace.start : trace.end]
        told = said.setdefault(name, set())
        overlaps = trace.start < reached.get(name, 0)  # 淹死 and 死人了 in 淹死人了
        if words in told or overlaps or len(told) >= limits.FINDINGS_PER_RULE:
            continue
        told.add(words)
        reached[name] = trace.end
        finding = _finding(trace, words)
        if opinion is not None and not _counts(trace, opinion, subject.text):
            finding = _noted(finding, opinion)
        rank = finding.level.rank if finding.level else 9
        made.append((rank, trace.start, finding))
    made.sort(key=lambda one: one[:2])
    return [finding for _, _, finding in made[: limits.FINDINGS_PER_TEXT]]


def _counts(trace: Trace, opinion: Opinion, text: str) -> bool:
    rule = trace.rule.rule
    if rule.level is None or not (rule.weak or concern.is_known(trace.rule.name)):
        return True
    if trace.is_quoted:  # what was weighed are the writer's own words
        return True
    return concern.counts(opinion, trace.rule.topic, rule.level, text)


def _noted(finding: Finding, opinion: Opinion) -> Finding:
    like = _CALLED.get(opinion.likeness, "无须提醒的内容")
    return Finding(
        stage=finding.stage,
        rule=finding.rule,
        reason=f"只作记录，不提醒（通篇更像{like}）：{finding.reason}",
        text=finding.text,
        start=finding.start,
        end=finding.end,
    )


def _finding(trace: Trace, words: str) -> Finding:
    rule = trace.rule.rule
    shown = " ".join(words.split())
    reason = rule.reason.replace("{word}", shown if len(shown) <= 40 else shown[:39] + "…")
    return Finding(
        stage="rules",
        rule=trace.rule.name,
        topic=trace.rule.topic,
        level=rule.level,
        reason=f"转发或引用的内容：{reason}" if trace.is_quoted else reason,
        text=words,
        start=trace.start,
        end=trace.end,
    )
