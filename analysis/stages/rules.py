"""The rule packs: words an office chose, with the reason it gave."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from analysis import limits
from analysis.packs import in_folder, load, shipped
from analysis.rules import Rulebook, Trace
from analysis.subject import Stage, Subject
from analysis.tools import StageOptions, Tools
from store.records import Finding

ORDER = 10


class Options(StageOptions):
    folder: str = ""  #: the office's own packs; a file named as a shipped one takes its place
    off: tuple[str, ...] = ()  #: "complaint" or "complaint/sarcasm"


def build(options: Options, tools: Tools) -> Stage:
    """Raises PacksWrong with every mistake of every pack."""
    book = tools.rulebook or rulebook(options)

    def stage(subject: Subject) -> Iterable[Finding]:
        return findings(book, subject)

    return stage


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


def findings(book: Rulebook, subject: Subject) -> list[Finding]:
    """Each rule's first hits, the gravest rules first."""
    made: list[tuple[int, int, Finding]] = []
    said: dict[str, set[str]] = {}
    reached: dict[str, int] = {}
    for trace in book.hits(subject):
        name = trace.rule.name
        words = subject.text[trace.start : trace.end]
        told = said.setdefault(name, set())
        overlaps = trace.start < reached.get(name, 0)  # 淹死 and 死人了 in 淹死人了
        if words in told or overlaps or len(told) >= limits.FINDINGS_PER_RULE:
            continue
        told.add(words)
        reached[name] = trace.end
        rank = trace.rule.rule.level.rank if trace.rule.rule.level else 9
        made.append((rank, trace.start, _finding(trace, words)))
    made.sort(key=lambda one: one[:2])
    return [finding for _, _, finding in made[: limits.FINDINGS_PER_TEXT]]


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
