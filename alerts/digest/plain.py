"""A report as plain text: complete by itself, for the text part of the mail and for terminals."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.digest.glyphs import visible
from alerts.digest.model import Chart, Document, Heading, Paragraph, Table
from alerts.digest.model import plain as words


def plain_text(document: Document) -> str:
    """Every figure of the report; pictures are left out, their tables say the same."""
    return "\n".join(_lines(document)).rstrip() + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield "　".join(one for one in (document.red, document.issue, document.mark) if one)
    yield "　".join(one for one in (document.agency, document.date) if one)
    if document.signer:
        yield f"签发人：{document.signer}"
    yield ""
    yield document.heading
    for block in document.blocks:
        match block:
            case Heading(level=1):
                yield from ("", block.text)
            case Heading():
                yield from ("", block.text) if block.level == 3 else (block.text,)
            case Paragraph(style="quote"):
                yield f"  {visible(words(block.runs))}"
            case Paragraph():
                yield visible(words(block.runs)) + _address(block)
            case Table():
                yield from _table(block)
            case Chart():
                pass
    yield from ("", "--", *document.foot)


def _table(block: Table) -> Iterator[str]:
    yield f"{block.title}："
    for row in block.rows:
        cells = [words(cell) for cell in row]
        if block.lead >= 0:
            first = f"{cells[0]}. " if block.head[0] == "序号" else ""
            yield f"{first}{cells[block.lead]}"
            rest = [cell for at, cell in enumerate(cells) if at not in {0, block.lead} and cell]
            yield f"   {'　'.join(rest)}"
            yield from (f"   {run.url}" for run in row[block.lead] if run.url)
            continue
        rest = [
            f"{name} {cell}"
            for name, cell in zip(block.head[1:], cells[1:], strict=True)
            if cell and cell != "—"
        ]
        yield f"- {cells[0]}：{'，'.join(rest)}" if rest else f"- {cells[0]}"


def _address(block: Paragraph) -> str:
    found = [run.url for run in block.runs if run.url]
    return f"（{'　'.join(found)}）" if found else ""
