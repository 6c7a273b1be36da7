"""Words the letter that stands for many: one line an item, none left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.dossier import Dossier
from alerts.headers import clean_header
from alerts.items import Item
from alerts.letterhead import letter
from alerts.letters import Letter
from alerts.links import Link, link_of
from alerts.notices import Notice
from alerts.phrases import PAINT, TAG, Paint, Reason, desk_link, reasons_of
from alerts.routing import channel_name
from config.clock import shown
from config.settings import Settings
from store.records import Finding, Level


@dataclass(frozen=True, slots=True)
class Line:
    """One item in a bundle."""

    number: str
    level: Level
    paint: Paint
    title: str
    channel: str
    state: str
    found: str
    reason: str
    link: Link | None
    desk: str


def bundle(notice: Notice, dossier: Dossier, settings: Settings) -> Letter:
    lines = [_line(one, item, found, url, settings) for one, item, found, url in dossier.members]
    oldest: datetime = min(
        (one.created_at for one, *_ in dossier.members), default=notice.created_at
    )
    level = min((line.level for line in lines), key=lambda one: one.rank, default=Level.IV)
    counted = "、".join(
        f"{one.label}{n}条" for one in Level if (n := sum(line.level is one for line in lines))
    )
    facts = {
        "lines": lines,
        "count": len(lines),
        "counted": counted,
        "paint": PAINT[level],
        "level": level,
        "oldest": shown(oldest),
        "backlog": len(lines) > settings.alerts.backlog,
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    word = "积压" if facts["backlog"] else "新增"
    title = (
        f"【舆情预警·{level.label}】{word} {len(lines)} 条（{counted}），最早 {shown(oldest)[5:]}"
    )
    return letter(notice, dossier, title, "bundle", facts, level=level)


def _line_reason(notice: Notice, reasons: Sequence[Reason]) -> str:
    """What this line is about: an urging says so, an alert says why it was raised."""
    if notice.detail.get("rung"):
        return clean_header(str(notice.detail.get("what", "")), 120)
    tag = "" if notice.stage == "alert" else f"【{TAG.get(notice.stage, '动态')}】"
    return tag + (clean_header(reasons[0].text, 80) if reasons else "")


def _line(
    notice: Notice, item: Item, found: Sequence[Finding], url: str, settings: Settings
) -> Line:
    reasons, _ = reasons_of(found)
    return Line(
        number=item.number,
        level=item.level,
        paint=PAINT[item.level],
        title=("【演练】" if item.drill else "") + clean_header(item.title, 80),
        channel=clean_header(channel_name(settings, item.channel), 40),
        state=item.state.label,
        found=shown(item.discovered_at),
        reason=_line_reason(notice, reasons),
        link=link_of(url),
        desk=desk_link(item, settings),
    )
