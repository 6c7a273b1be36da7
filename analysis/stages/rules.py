"""The rule packs: words an office chose, with the reason it gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from pydantic import Field

from analysis import concern, limits
from analysis.concern import Cuts, Opinion, shipped_cuts
from analysis.leaning import Listener
from analysis.packs import Resolved, in_folder, load, shipped
from analysis.rows import rows_of
from analysis.rules import Rulebook
from analysis.sieve import Met
from analysis.subject import Stage, Subject, reading_of
from analysis.thresholds import Thresholds
from analysis.tools import StageOptions, Tools
from store.records import Finding, Level, Topic

ORDER = 10

_SIFTED: Final = "rules.sifted"
_UNRANKED: Final = 9  #: comes after every level
_SHOWN: Final = 40  #: characters of the words hit, in a reason
_FINDING: Final = rows_of(Finding)
#: Calm group of the corpus → what is said before the reason of a rule that a text like it met.
_NOTED: Final = {
    group: f"只作记录，不提醒（通篇更像{called}）："
    for group, called in {
        "": "无须提醒的内容",
        "bulletin": "单位发布的消息",
        "informal": "单位账号的发言",
        "reply": "单位的答复",
        "thanks": "致谢",
        "chatter": "闲谈",
        "advert": "广告",
        "enquiry": "询问",
        "suggestion": "建议",
    }.items()
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
        kinds: dict[_Kind, int] = {}
        self._rules = [_Rule.of(rule, kinds) for rule in book.rules]
        self._kinds = tuple(kinds)
        #: number → name: the scales know nothing of the others
        self._known = {
            i: one.name for i, one in enumerate(book.rules) if concern.is_known(one.name)
        }
        self._grave = frozenset(
            i for i, one in enumerate(book.rules) if concern.is_grave(one.topic, one.rule.level)
        )

    def prepare(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Looks for rules in the whole batch at once, and weighs what it found."""
        is_weighed = self._options.weighed
        read = self._listener.lean(subjects) if is_weighed else list(subjects)
        sifted = self._book.sift(read)
        for subject, some in zip(read, sifted, strict=True):
            subject.marks[_SIFTED] = some
        if is_weighed:
            known = self._known
            hits = [{known[number] for number, *_ in some if number in known} for some in sifted]
            concern.weigh_all(read, hits, self._cuts)
        return read

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        """Each rule's first hits, the gravest rules first.

        Where the text as a whole speaks against what a rule found, that is only noted. A rule
        that was not there when the scales were made counts, unless it calls itself weak. Where
        nobody weighed the text, rules alone decide.
        """
        sifted: Sequence[Met] | None = subject.marks.get(_SIFTED)
        if sifted is None:
            sifted = self._book.sift([subject])[0]
        if not sifted:
            return ()
        opinion = concern.opinion_on(subject) if self._options.weighed else None
        against = dict[int, str]()
        made: list[tuple[int, int, int, Finding]] = []  #: rank, start, how many before, …
        rules, text, told, before, reached = self._rules, subject.text, list[str](), -1, 0
        for number, start, end, is_quoted in sifted:
            words = text[start:end]
            if number != before:
                before, told = number, [words]
            # 淹死 and 死人了 in 淹死人了 are one.
            elif start < reached or words in told or len(told) >= limits.FINDINGS_PER_RULE:
                continue
            else:
                told.append(words)
            reached = end
            name, topic, level, rank, is_weighed, kind, reasoned = rules[number]
            reason = _reason(reasoned, words)
            if is_quoted:  # what is weighed are the writer's own words
                reason = f"转发或引用的内容：{reason}"
            elif is_weighed and opinion is not None:
                said = against.get(kind)
                if said is None:
                    said = against[kind] = self._against(kind, opinion, subject, sifted)
                if said:
                    rank, topic, level, reason = _UNRANKED, None, None, f"{said}{reason}"
            finding = _FINDING(("rules", reason, name, topic, level, words, start, end))
            made.append((rank, start, len(made), finding))
        made.sort()
        return [finding for _, _, _, finding in made[: limits.FINDINGS_PER_TEXT]]

    def _against(self, kind: int, opinion: Opinion, subject: Subject, sifted: Sequence[Met]) -> str:
        """What the text as a whole says against such a rule; empty where the rule counts."""
        topic, level, is_known = self._kinds[kind]
        if level is None or concern.counts(
            opinion,
            topic,
            level,
            reading_of(subject).normalised.text,
            is_grave=topic is Topic.RUMOUR  # nothing else asks for it
            and not self._grave.isdisjoint([met[0] for met in sifted]),
            is_known=is_known,
        ):
            return ""
        return _NOTED.get(opinion.likeness, _NOTED[""])

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


class _Kind(NamedTuple):
    """Of rules that are alike in this, either all count in a text or none."""

    topic: Topic | None
    level: Level | None
    is_known: bool  #: the scales were made with it


class _Rule(NamedTuple):
    """What a rule says wherever it is met."""

    name: str
    topic: Topic | None
    level: Level | None
    rank: int
    is_weighed: bool  #: the text as a whole may speak against it
    kind: int
    reason: tuple[str, ...]  #: what stands between the words that were hit

    @classmethod
    def of(cls, one: Resolved, kinds: dict[_Kind, int]) -> Self:
        """`kinds` is added to."""
        rule, name = one.rule, one.name
        is_known = concern.is_known(name)
        return cls(
            name=name,
            topic=one.topic,
            level=rule.level,
            rank=rule.level.rank if rule.level else _UNRANKED,
            is_weighed=rule.level is not None and (rule.weak or is_known),
            kind=kinds.setdefault(_Kind(one.topic, rule.level, is_known), len(kinds)),
            reason=tuple(rule.reason.split("{word}")),
        )


def _reason(parts: tuple[str, ...], words: str) -> str:
    if len(parts) == 1:
        return parts[0]
    if not words.isalnum():
        words = " ".join(words.split())
    return (words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…").join(parts)
