"""Tables that an app's backend leaves in a folder: read, never moved or changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from crawler import limits
from crawler.app.options import Export
from crawler.app.pages import moment
from crawler.sheet import Line, read_sheet
from store.records import Capture

_FILES = 500


def tables(folder: Path) -> list[Path]:
    """The newest CSV files of a folder, oldest first. Raises OSError."""
    found = [path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file()]
    found.sort(key=lambda path: (path.stat().st_mtime, path.name))
    return found[-_FILES:]


def content(path: Path) -> bytes:
    """The file, one byte over the cap at most. Raises OSError."""
    with path.open("rb") as file:
        return file.read(limits.BODY + 1)


def captures(export: Export, body: bytes, channel: str, now: datetime) -> Iterator[Capture | str]:
    """Posts, and a Chinese sentence for each record that is none. Raises SheetBroken."""
    needed = [export.text, *([export.id] if export.id else [])]
    for line in read_sheet(body, needed):
        if not isinstance(line, Line):
            yield f"第 {line.number} 行：{line.why}"
            continue
        cells = line.cells
        text, title = cells[export.text], cells.get(export.title, "")
        if not (text or title):
            yield f"第 {line.number} 行：“{export.text}”是空的"
            continue
        raw = cells.get(export.time, "")
        told = moment(raw, now)
        number = cells.get(export.id, "") if export.id else ""
        yield Capture(
            channel=channel,
            key=f"export/{number or _hash(title, text, raw)}",
            kind=export.kind,
            role=export.role,
            title=title,
            text=text,
            column=export.name,
            author_id=cells.get(export.author, ""),
            state=cells.get(export.state, ""),
            reply=cells.get(export.reply, ""),
            published_at=told[0] if told else None,
            published_raw=raw,
            precision=told[1] if told else None,
        )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
