"""A report as content: blocks of text, tables and charts, from which every format is made.

Strings are what is to be read, never markup; each renderer escapes in its own way. That there
is one content is what makes the totals the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.digest import charts
from alerts.digest.glyphs import is_changed, printable


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a line. `to` is an anchor in the same report, `url` a page elsewhere."""

    text: str
    bold: bool = False
    to: str = ""
    url: str = ""


Text = tuple[Run, ...]

_NONE = 6  #: characters of 本周无
APPENDIX = "list"  #: anchor of the heading before which the text proper ends


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`style`: body, small, note (small, grey), quote (what somebody said), warning."""

    runs: Text
    style: str = "body"


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 一、 (黑体), 2 （一） (楷体), 3 1. (bold)."""

    text: str
    level: int = 1
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    widths: tuple[int, ...]  #: relative
    align: str = ""  #: of each column: l, c or r; the last one holds for the rest
    anchors: tuple[str, ...] = ()  #: of each row
    total: bool = False  #: the last row is a sum
    lead: int = -1  #: the column that stands for a row where all of them cannot stand side by side

    def side(self, column: int) -> str:
        return self.align[min(column, len(self.align) - 1)] if self.align else "l"


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    unit: str
    svg: str  #: drawn for paper
    told: str  #: the same in words


Block = Paragraph | Heading | Table | Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One report. `red` is the red head; without it there is only the title."""

    title: str  #: as in a subject or a file's properties
    red: str = ""  #: 网络舆情周报
    issue: str = ""  #: 第47期（总第12期）
    agency: str = ""
    date: str = ""  #: 2026年11月23日
    signer: str = ""
    mark: str = ""  #: 未审核稿, 更正版1
    heading: str = ""  #: 2号, over the text
    blocks: tuple[Block, ...] = ()
    foot: tuple[str, ...] = ()
    made: datetime | None = None

    def anchors(self) -> set[str]:
        """Every place that a run may lead to."""
        found: set[str] = set()
        for block in self.blocks:
            if isinstance(block, Heading):
                found.add(block.anchor)
            elif isinstance(block, Table):
                found.update(block.anchors)
        return found - {""}

    def texts(self) -> Iterator[str]:
        """Every string that is to be read."""
        yield from (
            self.title, self.red, self.issue, self.agency, self.date, self.signer, self.mark,
            self.heading, *self.foot,
        )  # fmt: skip
        for block in self.blocks:
            match block:
                case Paragraph():
                    yield from (run.text for run in block.runs)
                case Heading():
                    yield block.text
                case Table():
                    yield from (block.title, *block.head)
                    yield from (run.text for row in block.rows for cell in row for run in cell)
                case Chart():
                    yield from (block.title, block.unit, block.told)


def for_paper(document: Document) -> Document:
    """The same with every string as the shipped fonts can show it, and a note where that shows."""
    changed = any(is_changed(text) for text in document.texts())
    note = ("原文中的表情以[表情]代替，本文件字体未收录的字以□代替；原样见网页版和条目清单。",)
    return replace(
        document,
        title=printable(document.title),
        red=printable(document.red),
        issue=printable(document.issue),
        agency=printable(document.agency),
        date=printable(document.date),
        signer=printable(document.signer),
        mark=printable(document.mark),
        heading=printable(document.heading),
        blocks=tuple(map(_printable, _closed_up(document.blocks))),
        foot=tuple(map(printable, document.foot)) + (note if changed else ()),
    )


def _closed_up(blocks: Sequence[Block]) -> Iterator[Block]:
    """A heading with nothing under it but 本周无 takes one line of a page, not two."""
    passed = False
    for at, block in enumerate(blocks):
        after, last = (*blocks[at + 1 : at + 3], None, None)[:2]
        if passed:
            passed = False
        elif (
            isinstance(block, Heading)
            and block.level == 2
            and isinstance(after, Paragraph)
            and _is_none(plain(after.runs))
            and (last is None or isinstance(last, Heading))
        ):
            passed = True
            yield replace(block, text=f"{block.text}：{plain(after.runs).rstrip('。')}")
        else:
            yield block


def _is_none(words: str) -> bool:
    return len(words) <= _NONE and words.rstrip("。").endswith("无")


def _printable(block: Block) -> Block:
    match block:
        case Paragraph():
            return replace(block, runs=_runs(block.runs))
        case Heading():
            return replace(block, text=printable(block.text))
        case Table():
            return replace(
                block,
                title=printable(block.title),
                head=tuple(map(printable, block.head)),
                rows=tuple(tuple(map(_runs, row)) for row in block.rows),
            )
        case Chart():
            return replace(block, title=printable(block.title), told=printable(block.told))


def _runs(runs: Text) -> Text:
    return tuple(replace(run, text=printable(run.text)) for run in runs)


# --- short ways to write content ----------------------------------------------------------------


def text(*pieces: str | Run) -> Text:
    return tuple(one if isinstance(one, Run) else Run(one) for one in pieces if one)


def body(*pieces: str | Run) -> Paragraph:
    return Paragraph(text(*pieces))


def note(*pieces: str | Run) -> Paragraph:
    return Paragraph(text(*pieces), "note")


def quote(*pieces: str | Run) -> Paragraph:
    return Paragraph(text(*pieces), "quote")


def table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str | int | Run | Text]],
    widths: Sequence[int],
    align: str = "",
    *,
    anchors: Sequence[str] = (),
    total: bool = False,
    lead: int = -1,
) -> Table:
    return Table(
        title, tuple(head), tuple(tuple(map(_cell, row)) for row in rows), tuple(widths), align,
        tuple(anchors), total, lead,
    )  # fmt: skip


def _cell(value: str | int | Run | Text) -> Text:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, Run) else (Run(str(value)),)


def chart(title: str, unit: str, svg: str, rows: Sequence[charts.Row]) -> Chart:
    return Chart(title, unit, str(svg), charts.told(unit, rows))


def plain(runs: Text) -> str:
    return "".join(run.text for run in runs)
