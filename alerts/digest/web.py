"""A report as a page: one HTML for mails (charts beside it, by CID) and for files (in it)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts.digest.model import Chart, Document, Heading, Paragraph, Table
from alerts.digest.pictures import NoPictures, png
from alerts.letterhead import render


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart that travels beside the page."""

    cid: str
    content: bytes  #: PNG


def web_page(
    document: Document, *, inline: bool, name: str = "chart"
) -> tuple[str, tuple[Picture, ...]]:
    """The page and its pictures; `inline` puts them into the page instead.

    Without the packages that draw them the page is complete all the same: each chart has its
    table.
    """
    pictures: list[Picture] = []
    sources: dict[int, str] = {}
    for at, block in enumerate(document.blocks):
        if isinstance(block, Chart):
            made = _picture(block, f"{name}-{len(pictures) + 1}@tinglan")
            if made is None:
                continue
            pictures.append(made)
            sources[at] = _data(made) if inline else f"cid:{made.cid}"
    facts: dict[str, Any] = {
        "document": document,
        "sections": _sections(document.blocks, sources),
        "subject": document.title,
        "kind": _kind,
    }
    return render("report.html", facts), () if inline else tuple(pictures)


def _sections(blocks: Sequence[Any], sources: dict[int, str]) -> list[list[tuple[Any, str]]]:
    """Blocks, each with the address of its picture, parted at the headings of level 1."""
    parted: list[list[tuple[Any, str]]] = [[]]
    for at, block in enumerate(blocks):
        if isinstance(block, Heading) and block.level == 1:
            parted.append([])
        parted[-1].append((block, sources.get(at, "")))
    return [one for one in parted if one]


def _kind(block: Any) -> str:
    return {Paragraph: "paragraph", Heading: "heading", Table: "table", Chart: "chart"}[type(block)]


def _picture(block: Chart, cid: str) -> Picture | None:
    try:
        return Picture(cid, png(block.svg))
    except NoPictures:
        return None


def _data(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.content).decode()
