"""What letters have in common: subjects, reasons, excerpts, limits, colours; each a pure phrase."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.dossier import Dossier
from alerts.headers import clean_header, clean_text, cut
from alerts.items import Item
from alerts.notices import Notice
from alerts.routing import channel_name
from config.clock import shown
from config.deadlines import Limit
from config.duration import spoken
from config.settings import Settings
from store.records import Finding, Level, State, Topic

SUBJECT = 60  #: visible characters
_READ = 50_000  #: characters of a post that a letter looks at
REASONS = 8  #: shown in one letter; the rest is counted
TAG = {
    "alert": "舆情预警",
    "growth": "升级",
    "assign": "交办",
    "closed": "办结",
    "reopened": "复燃",
    "fallback": "转送",
    "second": "转送",
    "update": "舆情动态",
    "review": "复查",
    "reminder": "催办",
    "overdue": "超时",
    "progress": "催报",
    "instruction": "批示",
    "order": "交办",
    "supervision": "督办",
    "test": "测试",
}


@dataclass(frozen=True, slots=True)
class Reason:
    text: str
    hits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours of a level; contrast of `ink` on `ground` is above 4.5:1, the word stands by it."""

    ground: str
    ink: str
    pale: str


PAINT = {
    Level.I: Paint("#b3261e", "#ffffff", "#fbeae9"),
    Level.II: Paint("#b54708", "#ffffff", "#fdf0e6"),
    Level.III: Paint("#f5d76e", "#3a2d00", "#fdf7df"),
    Level.IV: Paint("#1f5fbf", "#ffffff", "#eaf1fb"),
}


def subject(item: Item, stage: str, settings: Settings) -> str:
    """`【舆情预警·重大】官网：… （TL-2026-0123）`, 60 characters at most."""
    tag = "系统告警" if is_system(item) and stage == "alert" else TAG.get(stage, "舆情")
    done = "" if item.state.is_open or stage in {"closed", "reopened"} else f"·{item.state.label}"
    drill = "【演练】" if item.drill else ""
    head = f"{drill}【{tag}·{item.level.label}{done}】"
    head += f"{clean_header(channel_name(settings, item.channel), 12)}："
    tail = f"（{item.number}）"
    title = clean_header(item.title, max(8, SUBJECT - len(head) - len(tail)))
    return head + title + tail


def reasons_of(findings: Iterable[Finding]) -> tuple[list[Reason], int]:
    """Readable reasons, the same one told once with all its words; and how many were left out."""
    merged: dict[str, dict[str, None]] = {}
    for finding in findings:
        text = clean_header(finding.reason, 200) or "命中规则"
        hits = merged.setdefault(text, {})
        hit = clean_header(finding.text, 40)
        if hit:
            hits[hit] = None
    reasons = [Reason(text, tuple(hits)[:6]) for text, hits in merged.items()]
    return reasons[:REASONS], max(0, len(reasons) - REASONS)


def excerpt(body: str, findings: Sequence[Finding], limit: int) -> list[tuple[str, bool]]:
    """About `limit` characters around the first hit, in pieces: (text, is a hit).

    Hits are looked up by their words: offsets point into the version that was assessed, and
    the post may have been edited since.
    """
    text = re.sub(r"\s+", " ", clean_text(body[:_READ]))
    words = sorted(
        {w for w in (clean_header(f.text, 60) for f in findings) if w and w in text},
        key=lambda w: (-len(w), w),
    )
    first = min((text.find(word) for word in words), default=0)
    start = 0 if len(text) <= limit else max(0, min(first - limit // 4, len(text) - limit))
    piece = cut(text[start:], limit)
    if start:
        piece = "…" + piece[1:]
    if not words:
        return [(piece, False)] if piece else []
    split = re.split("(" + "|".join(map(re.escape, words)) + ")", piece)
    return [(part, part in words) for part in split if part]


def place(dossier: Dossier, item: Item, settings: Settings) -> str:
    parts = [clean_header(channel_name(settings, item.channel), 40)]
    if dossier.source:
        if dossier.source.column:
            parts.append(clean_header(dossier.source.column, 40))
        parts.append(dossier.source.kind.label)
    return " · ".join(parts)


def delay(notice: Notice) -> str:
    """Said where delivery itself was late, so that nobody takes an old fire for a new one."""
    late = notice.detail.get("late")
    return f"本通知因投递受阻，晚到约{late}" if late else ""


def level_label(value: Any) -> str:
    try:
        level = Level(str(value))
    except ValueError:
        return ""
    return f"{level.numeral}级（{level.label}）"


STAGE_WORDS = {
    State.TO_ASSESS.value: "研判",
    State.TO_REPORT.value: "报告",
    State.TO_RECEIVE.value: "签收",
    State.HANDLING.value: "回应",
    State.TO_REVIEW.value: "审核",
    State.WATCHING.value: "复查",
    "progress": "进展报告",
}


def limit_words(limit: Limit | None, dossier: Dossier, item: Item) -> str:
    """Until when the present stage lasts; "" where it has no limit."""
    until = dossier.dues.get(item.state.value)
    if limit is None:
        return f"{shown(until)} 前" if until else ""
    if until is None and not limit.working:
        began = item.discovered_at if limit.since == "discovery" else item.changed_at
        until = began + limit.natural
    return f"{shown(until)} 前（{limit.words}）" if until else limit.words


def desk_link(item: Item, settings: Settings) -> str:
    """Where the duty desk shows the item; "" where the desk has no address to be written."""
    base = settings.console.public_url.rstrip("/")
    return f"{base}/items/{item.number}" if base else ""


def is_system(item: Item) -> bool:
    return item.topic is Topic.SYSTEM


def state_label(value: Any) -> str:
    try:
        return State(str(value)).label
    except ValueError:
        return ""


def office_name(item: Item, settings: Settings) -> str:
    return next((one.name for one in settings.offices if one.id == item.office), "")


def moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def since_published(item: Item) -> str:
    """How long it had stood there when it was found; "" where that is unknown."""
    if item.published_at is None or item.published_at > item.discovered_at:
        return ""
    took = item.discovered_at - item.published_at
    return spoken(took) if took >= timedelta(minutes=1) else "不到1分钟"


def ended(words: str) -> str:
    """As a sentence: with a full stop, unless it has an end of its own."""
    return words if words.endswith(("。", "！", "？", "!", "?", "…")) else f"{words}。"
