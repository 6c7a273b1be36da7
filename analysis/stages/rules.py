"""The rule packs: words an office chose, with the reason it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from pydantic import Field

from analysis import limits
from analysis.leaning import calm, concern
from analysis.packs import in_folder, load, shipped
from analysis.rules import Rulebook, Trace
from analysis.subject import Stage, Subject
from analysis.thresholds import Thresholds
from analysis.tools import StageOptions, Tools
from store.records import Finding, Level, Role, Topic

ORDER = 10


_GRAVE: Final = frozenset({Level.I, Level.II})
_VOICE: Final = 14  #: characters
_HINT: Final = 0.03  #: of concern; more is heard
_TALK: Final = ("other", "thanks", "request")
_SIFTED: Final = "rules.sifted"


class Options(StageOptions):
    folder: str = ""  #: the office's own packs; a file named as a shipped one takes its place
    off: tuple[str, ...] = ()  #: "complaint" or "complaint/sarcasm"
    #: A weak rule is only taken note of where the trained model is this sure that the text is
    #: calm: a bulletin, a question, thanks, small talk without anger (1: it always counts).
    calm_from: float = Field(default=0.75, gt=0, le=1)
    #: A rule is only taken note of where the model is this sure that an office speaks, unless
    #: one of `witness` stands in the text (1: it always counts). What is graver than Ⅲ takes
    #: more, and a text long enough to have a voice.
    official_from: float = Field(default=0.75, gt=0, le=1)
    official_grave: float = Field(default=0.95, gt=0, le=1)
    #: Rumours borrow an office's voice: for them it takes more.
    official_rumour: float = Field(default=0.93, gt=0, le=1)
    #: Any rule short of Ⅰ is only taken note of where the model is this sure that a text of some
    #: length is small talk, thanks or a question, and hears next to no complaint, danger or
    #: rumour in it: 嘴里起火 after a hot meal (1: it always counts).
    idle_from: float = Field(default=0.95, gt=0, le=1)
    #: Words of somebody who was there or asks for help.
    witness: tuple[str, ...] = (
        "我家", "我们家", "我们村", "我们小区", "我们楼", "我看到", "我看见", "我在", "我住",
        "我爸", "我妈", "我是", "俺", "咱们", "亲眼", "救命", "求救", "快来", "快救", "救救",
        "派人", "求助", "没人管", "没人来", "速转", "快跑", "听说", "网传",
    )  # fmt: skip


def build(options: Options, tools: Tools) -> Stage:
    """Raises PacksWrong with every mistake of every pack."""
    return RulesStage(tools.rulebook or rulebook(options), options, tools.thresholds)


class RulesStage:
    def __init__(self, book: Rulebook, options: Options, thresholds: Thresholds) -> None:
        self._book = book
        self._options = options
        self._thresholds = thresholds

    def prepare(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Looks for words and patterns in the whole batch at once."""
        for subject, some in zip(subjects, self._book.sift(subjects), strict=True):
            subject.marks[_SIFTED] = some
        return list(subjects)

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        return findings(self._book, subject, self._options, self._thresholds)


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


def findings(
    book: Rulebook,
    subject: Subject,
    options: Options | None = None,
    thresholds: Thresholds | None = None,
) -> list[Finding]:
    """Each rule's first hits, the gravest rules first.

    What the trained model holds for an office's own announcement or for mere talk is only taken
    note of, and so is what a weak rule hit in a text that it holds for calm. Without options,
    rules alone decide.
    """
    traces = book.hits(subject, subject.marks.get(_SIFTED))
    if not traces:
        return []
    is_calm, belied = _held_back(subject, options, thresholds or Thresholds())
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
        is_sure = belied(finding)
        if is_sure or (trace.rule.rule.weak and is_calm(finding.topic)):
            finding = _noted(finding, is_sure)
        rank = finding.level.rank if finding.level else 9
        made.append((rank, trace.start, finding))
    made.sort(key=lambda one: one[:2])
    return [finding for _, _, finding in made[: limits.FINDINGS_PER_TEXT]]


def _held_back(
    subject: Subject, options: Options | None, thresholds: Thresholds
) -> tuple[Callable[[Topic | None], bool], Callable[[Finding], bool]]:
    """For which topics the text counts as calm; and which findings its voice plainly belies."""
    leaning = subject.leaning
    if options is None or not leaning or subject.role is Role.OWN:
        return (lambda topic: False), (lambda finding: False)
    share = calm(leaning)
    least = options.calm_from
    # What verdicts have moved counts for complaints alone: nothing may quieten a danger.
    moved = thresholds.of(subject.channel, "rules.calm_from", least)

    def is_calm(topic: Topic | None) -> bool:
        from_here = moved if topic is Topic.COMPLAINT else least
        return from_here < 1 and share >= from_here

    official = leaning.get("official", 0.0)
    is_plain = options.official_from < 1 and official >= options.official_from
    is_long = len(subject.text) >= _VOICE
    talk = sum(leaning.get(kind, 0.0) for kind in _TALK)
    is_idle = is_long and options.idle_from < 1 and talk >= options.idle_from
    is_idle = is_idle and concern(leaning) < _HINT
    if not (is_plain or is_idle) or any(word in subject.text for word in options.witness):
        return is_calm, lambda finding: False

    def is_belied(finding: Finding) -> bool:
        if is_idle and finding.level is not Level.I:
            return True
        if not is_plain:
            return False
        if finding.level in _GRAVE:
            return is_long and official >= options.official_grave
        return finding.topic is not Topic.RUMOUR or official >= options.official_rumour

    return is_calm, is_belied


def _noted(finding: Finding, is_sure: bool) -> Finding:
    if finding.level is None:
        return finding
    why = "规则拿不准，全文又不像投诉、险情或传闻"
    if is_sure:
        why = "全文是单位发布或闲谈、致谢、询问的口吻"
    return Finding(
        stage=finding.stage,
        rule=finding.rule,
        reason=f"只作记录，不提醒（{why}）：{finding.reason}",
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
