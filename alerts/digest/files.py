"""An issue as files: page, Word, PDF, and a table that no spreadsheet will execute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alerts.digest.build import Digest
from alerts.digest.content import document_of
from alerts.digest.model import Document
from alerts.digest.paper import NotCompiled, pdf_file
from alerts.digest.plain import plain_text
from alerts.digest.web import web_page
from alerts.digest.word import NotInstalled, word_file
from alerts.headers import clean_header
from config.settings import Settings

MIME = {
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
FORMATS = tuple(MIME)
_SUFFIX = {"text": "txt"}

_COLUMNS = {
    "number": "编号",
    "level": "等级",
    "topic": "类别",
    "title": "标题",
    "channel": "渠道",
    "state": "状态",
    "published": "发布时间",
    "discovered": "发现时间",
    "closed": "办结时间",
    "lasted": "历时",
    "url": "原文",
}
_FORMULA = tuple("=+-@|＝＋－＠｜\t\r")


class NotRendered(Exception):
    """This kind of file cannot be made here; the text says what is missing."""


def formatted(
    row: Mapping[str, Any], settings: Settings, format: str, base: Path | None = None
) -> bytes:
    """One issue as the bytes of a file; the same row gives the same bytes. Raises NotRendered."""
    if format == "csv":
        # The byte order mark is what makes Excel read a CSV as UTF-8.
        return table(row["figures"]).encode("utf-8-sig")
    return written(document_of(row, settings), settings, format, base)


def written(document: Document, settings: Settings, format: str, base: Path | None = None) -> bytes:
    """Any report as `html`, `text`, `docx` or `pdf`. Raises NotRendered."""
    if format == "html":
        return web_page(document, inline=True)[0].encode("utf-8", "replace")
    if format == "text":
        return plain_text(document).encode("utf-8", "replace")
    try:
        if format == "docx":
            return word_file(document, settings.digest.fonts)
        return pdf_file(document, settings.digest.fonts, base)
    except (NotInstalled, NotCompiled) as error:
        raise NotRendered(str(error)) from None


def file_name(row: Mapping[str, Any], format: str) -> str:
    """ASCII: old mail and archive programs garble Chinese ones."""
    edition = f"-r{row['edition']}" if row["edition"] > 1 else ""
    return f"tinglan-{row['kind']}-{row['period']}{edition}.{_SUFFIX.get(format, format)}"


def write_files(
    digest: Digest,
    directory: Path,
    settings: Settings,
    formats: Iterable[str] = ("html", "csv"),
    *,
    base: Path | None = None,
) -> list[Path]:
    """Writes the files asked for; answers their paths. Raises OSError, NotRendered.

    `base`: where a relative folder of the office's own fonts is taken from.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for format in formats:
        path = directory / file_name(digest.row, format)
        path.write_bytes(formatted(digest.row, settings, format, base))
        written.append(path)
    return written


def table(figures: Mapping[str, Any]) -> str:
    """The item list as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS.values())
    for line in figures["items"]["list"]:
        writer.writerow(cell(str(line[name])) for name in _COLUMNS)
    return out.getvalue()


def cell(text: str) -> str:
    """Text that stays text: a leading apostrophe where a spreadsheet would see a formula."""
    plain = clean_header(text, 500)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
