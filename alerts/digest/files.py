"""The weekly as files: the page, and a table that no spreadsheet will execute."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from alerts.digest.build import Digest
from alerts.headers import clean_header

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


def write_files(digest: Digest, directory: Path) -> list[Path]:
    """Writes HTML and CSV; answers their paths. Raises OSError where that cannot be done.

    ASCII names: old mail and archive programs garble Chinese ones.
    """
    directory.mkdir(parents=True, exist_ok=True)
    edition = f"-r{digest.edition}" if digest.edition > 1 else ""
    stem = f"tinglan-{digest.kind}-{digest.period}{edition}"
    written = []
    for suffix, content in ((".html", digest.html), (".csv", table(digest))):
        path = directory / f"{stem}{suffix}"
        # The byte order mark is what makes Excel read a CSV as UTF-8.
        path.write_text(content, encoding="utf-8-sig" if suffix == ".csv" else "utf-8", newline="")
        written.append(path)
    return written


def table(digest: Digest) -> str:
    """The item list as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS.values())
    for line in digest.figures["items"]["list"]:
        writer.writerow(cell(str(line[name])) for name in _COLUMNS)
    return out.getvalue()


def cell(text: str) -> str:
    """Text that stays text: a leading apostrophe where a spreadsheet would see a formula."""
    plain = clean_header(text, 500)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
