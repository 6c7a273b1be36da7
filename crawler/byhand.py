"""`tinglan intake`: what reaches the office by phone, paper or hotline enters the same queue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crawler.app.pages import moment
from crawler.extraction.charset import decode
from crawler.intake import Counts, intake
from crawler.masking import mask
from crawler.pseudonyms import pseudonym
from crawler.sheet import BadLine, Line, SheetBroken, read_sheet
from store.engine import Database
from store.records import Capture, Kind, Role

CHANNEL = "byhand"
_BATCH = 100
_LINES = 50_000


class Way(StrEnum):
    """How it reached the office."""

    HOTLINE = "12345"  #: 政务服务便民热线
    LETTER = "来信"
    VISIT = "来访"
    PHONE = "电话"
    OTHER = "其他"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was said or written to the office.

    `number` is the office's own (工单号, 信访件号): the same number again is the same matter,
    brought up to date. `person` is only ever kept as a keyed pseudonym.
    """

    way: Way
    text: str
    title: str = ""
    number: str = ""
    person: str = ""
    time: str = ""  #: as written; "": now
    state: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was left out; `why` is Chinese."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"第 {self.line} 行：{self.why}"


@dataclass(slots=True)
class Taken:
    """What came of a file."""

    new: int = 0
    changed: int = 0
    known: int = 0
    refused: list[Refused] = field(default_factory=list)

    def add(self, counts: Counts) -> None:
        self.new += counts.new
        self.changed += counts.changed
        self.known += counts.seen - counts.new - counts.changed - counts.bad


class NotTaken(ValueError):
    """What was given is no entry, or a file is none we can read; the text is Chinese."""


#: what people call the columns → what we call them
COLUMNS: Mapping[str, str] = {
    "way": "way", "来源": "way", "渠道": "way", "方式": "way", "来源渠道": "way",
    "text": "text", "内容": "text", "诉求内容": "text", "反映内容": "text", "主要内容": "text",
    "title": "title", "标题": "title", "主题": "title", "诉求标题": "title",
    "number": "number", "id": "number", "编号": "number", "工单号": "number", "工单编号": "number",
    "信访件号": "number",
    "person": "person", "来电人": "person", "来电号码": "person", "诉求人": "person",
    "反映人": "person", "联系电话": "person",
    "time": "time", "时间": "time", "来电时间": "time", "受理时间": "time", "登记时间": "time",
    "日期": "time",
    "state": "state", "状态": "state", "办理状态": "state",
    "reply": "reply", "答复": "reply", "答复内容": "reply", "办理结果": "reply",
}  # fmt: skip


def record(
    database: Database, entry: Entry, *, now: datetime, author_key: bytes, channel: str = CHANNEL
) -> Taken:
    """Stores one entry; the assessment picks it up like any other post. Raises NotTaken."""
    return _stored(database, [_capture(entry, now, channel, author_key)], now, author_key)


def record_file(
    database: Database,
    body: bytes,
    *,
    now: datetime,
    author_key: bytes,
    way: Way | None = None,
    channel: str = CHANNEL,
) -> Taken:
    """Stores a CSV table or JSON Lines; a bad line is named and costs no other.

    `way` is taken where a line does not say. Lines are stored as they are read, so an
    interrupted import can simply be made again. Raises NotTaken for a file that is neither.
    """
    taken = Taken()
    batch: list[Capture] = []
    for number, row in _rows(body):
        if isinstance(row, str):
            taken.refused.append(Refused(number, row))
            continue
        try:
            batch.append(_capture(_entry(row, way), now, channel, author_key))
        except NotTaken as error:
            taken.refused.append(Refused(number, str(error)))
        if len(batch) >= _BATCH:
            _add(taken, _stored(database, batch, now, author_key))
            batch = []
    _add(taken, _stored(database, batch, now, author_key))
    return taken


def way_of(text: str) -> Way:
    """How it came, from the words people use. Raises NotTaken."""
    said = "".join(text.split())
    if not said:
        return Way.OTHER
    for way, words in (
        (Way.HOTLINE, ("12345", "热线", "hotline")),
        (Way.VISIT, ("来访", "走访", "上访", "visit")),
        (Way.PHONE, ("电话", "来电", "phone")),
        (Way.LETTER, ("来信", "信件", "信函", "邮寄", "letter")),
        (Way.OTHER, ("其他", "其它", "other")),
    ):
        if any(word in said.lower() for word in words):
            return way
    raise NotTaken(f"来源“{said[:20]}”无法识别；应为{'、'.join(Way)}")


def _rows(body: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """(line, its fields by our names, or why it has none). Raises NotTaken."""
    text = decode(body[: 8 * 1024]).text.lstrip("\ufeff \t\r\n")
    if text[:1] in {"{", "["}:
        yield from _json_lines(body)
        return
    try:
        lines = read_sheet(body, ())
        for count, line in enumerate(lines):
            if isinstance(line, BadLine):
                yield line.number, line.why
                continue
            named = _named(line.cells)
            if count == 0 and "text" not in named:
                raise NotTaken(_no_text(line))
            yield line.number, named
    except SheetBroken as error:
        raise NotTaken(error.reason) from None


def _no_text(line: Line) -> str:
    found = "、".join(line.cells)[:100]
    return f"第 1 行：没有内容列（内容、诉求内容、反映内容）；发现的列：{found}"


def _json_lines(body: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(decode(body).text.splitlines()[:_LINES], 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            yield number, "不是一行 JSON"
            continue
        yield number, (_named(found) if isinstance(found, dict) else "不是 JSON 对象")


def _named(cells: Mapping[str, Any]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in cells.items():
        ours = COLUMNS.get(str(name).strip().lower())
        if ours and isinstance(value, str | int | float) and not isinstance(value, bool):
            named.setdefault(ours, str(value).strip())
    return named


def _entry(row: Mapping[str, Any], way: Way | None) -> Entry:
    said = row.get("way", "")
    return Entry(
        way=way_of(said) if said or way is None else way,
        **{
            name: row.get(name, "")
            for name in ("text", "title", "number", "person", "time", "state", "reply")
        },
    )


def _capture(entry: Entry, now: datetime, channel: str, author_key: bytes) -> Capture:
    if not (entry.text.strip() or entry.title.strip()):
        raise NotTaken("没有内容")
    told = moment(entry.time.strip(), now) if entry.time.strip() else None
    if entry.time.strip() and told is None:
        raise NotTaken(f"时间“{entry.time[:30]}”读不懂；应为 2026-07-15 08:30")
    key = entry.number.strip()
    if not key or mask(key) != key:  # some offices number by who called
        said = key or "\x1f".join((entry.way, entry.title, entry.text, entry.time))
        key = pseudonym(channel, said, author_key)
    return Capture(
        channel=channel,
        key=f"{entry.way.name.lower()}/{key}",
        kind=Kind.LETTER,
        role=Role.PUBLIC,
        title=entry.title,
        text=entry.text,
        column=entry.way.value,
        author_id=entry.person.strip(),
        state=entry.state,
        reply=entry.reply,
        published_at=told[0] if told else now,
        published_raw=entry.time,
        precision=told[1] if told else None,
    )


def _stored(
    database: Database, captures: Iterable[Capture], now: datetime, author_key: bytes
) -> Taken:
    taken = Taken()
    with database.write() as connection:
        counts = intake(connection, captures, now=now, author_key=author_key)
    taken.add(counts)
    return taken


def _add(total: Taken, part: Taken) -> None:
    total.new += part.new
    total.changed += part.changed
    total.known += part.known
