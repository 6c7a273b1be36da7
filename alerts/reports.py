"""专报, 初报, 续报, 终报 and 交接班单 as papers: from the record alone, in every format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from alerts.briefs import Stage, brief, record_of
from alerts.digest.cases import told_of
from alerts.digest.casewords import facts, progress_words, spread_words, view_blocks
from alerts.digest.files import MIME, NotRendered, written
from alerts.digest.model import Block, Document, Heading, Paragraph, Run, body, text
from alerts.dutywork import Duty
from alerts.handover import sheet
from alerts.headers import clean_header
from alerts.items import find_item
from config.clock import SHANGHAI, shown
from config.settings import Settings
from store.engine import Database
from store.records import Level

KINDS = {"special": "专报", "first": "初报", "follow": "续报", "final": "终报"}
FORMATS = tuple(one for one in MIME if one != "csv")
_ADVICE = {
    "rumour": "对不实内容尽快核实，依法及时发布准确信息，并在原帖下回应。",
    "warning_error": "核对已发布的预警信息，过期或有误的立即更正、撤下，并说明情况。",
    "integrity": "会同网站运维单位查明原因、恢复原貌，并留存证据。",
    "silence": "请栏目主办处室按期更新。",
}


def special_report(
    database: Database, settings: Settings, item: int | str, now: datetime
) -> Document:
    """舆情专报 of one item: six sections, every sentence from the record. Raises NoSuchItem."""
    with database.read() as connection:
        found = find_item(connection, item)
        told = told_of(connection, settings, found, now)
    base = settings.console.public_url.rstrip("/")
    number = Run(told["number"], url=f"{base}/items/{told['number']}" if base else "")
    level = Level(told["level"])
    blocks: list[Block] = [
        body(
            f"{told['channel']}出现{level.label}（{level.numeral}级）舆情，现为“{told['state']}”，"
            f"相关帖文{told['spread']['total']}条。"
        ),
        Heading("一、基本情况"),
        body(*facts(told, number)),
        Heading("二、传播情况"),
        body(spread_words(told["spread"])),
        Heading("三、网民主要观点"),
        *(list(view_blocks(told["views"])) or [body("未采集到公众发言。")]),
        Heading("四、研判"),
        *_each(f"{row['at']} {row['by']}：{row['note']}" for row in told["judged"]),
        Heading("五、已采取措施"),
        body(progress_words(told)),
        Heading("六、处置建议"),
        *_each(_asked(told, found.topics), none="暂无需要提请的事项。"),
    ]
    return _paper(
        settings, now,
        red="网络舆情专报", heading=f"关于“{told['title']}”的舆情专报", blocks=blocks,
        issue=told["number"], drill=found.drill,
    )  # fmt: skip


def staged_report(
    database: Database, settings: Settings, item: int | str, kind: str, now: datetime
) -> Document:
    """初报, 续报 or 终报 as a paper. Raises NoSuchItem, NotAllowed, ValueError for another kind."""
    record = record_of(database, settings, item)
    made = brief(record, Stage(kind), now)
    blocks: list[Block] = []
    for heading, paragraphs in made.sections:
        blocks.append(Heading(heading))
        blocks += [body(one) for one in paragraphs]
    return _paper(
        settings, now,
        red=f"网络舆情{made.stage.label}", heading=made.title, blocks=blocks, issue=made.number,
        drill=record.item.drill,
    )  # fmt: skip


def handover_sheet(database: Database, duty: Duty, since: datetime, now: datetime) -> Document:
    """交接班单 as a paper: the same lines as the mail's."""
    lines = [one for one in sheet(database, duty, since, now).splitlines() if one.strip()]
    blocks: list[Block] = []
    for line in lines[2:]:
        if re.match(r"[一二三四五六七八九十]、", line):
            blocks.append(Heading(line))
        elif re.match(r"\d+\. ", line):
            blocks.append(Paragraph(text(line), "small"))
        elif not line.startswith("生成时间"):  # it stands at the foot
            blocks.append(body(line))
    return _paper(
        duty.settings, now,
        red="", heading="交接班单", blocks=[body(f"{shown(since)} 至 {shown(now)}"), *blocks],
    )  # fmt: skip


def report(
    database: Database, settings: Settings, item: int | str, kind: str, now: datetime
) -> Document:
    """The report of one item by kind: special, first, follow, final."""
    if kind == "special":
        return special_report(database, settings, item, now)
    return staged_report(database, settings, item, kind, now)


def formatted_report(document: Document, settings: Settings, format: str) -> bytes:
    """As `html`, `text`, `docx` or `pdf`. Raises ValueError, NotRendered."""
    if format not in FORMATS:
        raise ValueError(f"{format!r}: expected one of {', '.join(FORMATS)}")
    return written(document, settings, format)


def write_report(
    document: Document, stem: str, directory: Path, settings: Settings, formats: Iterable[str]
) -> list[Path]:
    """Writes the files asked for; answers their paths. Raises OSError, NotRendered."""
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    for format in formats:
        suffix = "txt" if format == "text" else format
        path = directory / f"{re.sub(r'[^A-Za-z0-9._-]', '_', stem)}.{suffix}"
        path.write_bytes(formatted_report(document, settings, format))
        made.append(path)
    return made


def _paper(
    settings: Settings, now: datetime, *, red: str, heading: str, blocks: Iterable[Block],
    issue: str = "", drill: bool = False,
) -> Document:  # fmt: skip
    day = now.astimezone(SHANGHAI)
    return Document(
        title=clean_header(heading, 120),
        red=red,
        issue=issue,
        agency=settings.agency.name,
        date=f"{day.year}年{day.month}月{day.day}日",
        signer=settings.digest.signer if red else "",
        mark="演练" if drill else "",
        heading=heading,
        blocks=tuple(blocks),
        foot=(f"由系统按台账生成，未记录的不写。生成时间 {shown(now, seconds=True)}",),
        made=now,
    )


def _each(lines: Iterable[str], none: str = "尚无记录。") -> list[Block]:
    return [body(line) for line in lines] or [body(none)]


def _asked(told: dict[str, object], topics: Iterable[str]) -> list[str]:
    """What the state and the topic ask for by rule; nothing about what has not happened."""
    said = []
    if told["open"]:
        said.append(f"本件现为“{told['state']}”，请按时限办理并及时续报。")
        said += [_ADVICE[topic] for topic in topics if topic in _ADVICE]
    return [f"{number}. {line}" for number, line in enumerate(said, 1)] if len(said) > 1 else said


__all__ = [
    "FORMATS", "KINDS", "NotRendered", "formatted_report", "handover_sheet", "report",
    "special_report", "staged_report", "write_report",
]  # fmt: skip
