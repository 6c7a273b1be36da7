"""Writes the letters. Whatever a post says, the letter gets written: the plain one at the worst."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.dossier import Dossier
from alerts.headers import clean_header, clean_text, cut
from alerts.items import Item, topic_label
from alerts.letters import Letter
from alerts.links import Link, link_of
from alerts.notices import Notice
from alerts.routing import channel_name
from config.clock import shown
from config.deadlines import Limit
from config.duration import spoken
from config.settings import Settings
from store.records import Finding, Level, State, Tone, Topic

log = logging.getLogger(__name__)

SUBJECT = 60  #: visible characters
_READ = 50_000  #: characters of a post that a letter looks at
REASONS = 8  #: shown in one letter; the rest is counted
_TAG = {
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


def write(notice: Notice, dossier: Dossier, settings: Settings) -> Letter:
    """The letter of a notice. Never raises: what cannot be worded well is worded plainly."""
    try:
        return _write(notice, dossier, settings)
    except Exception:
        log.exception("letter.plain notice=%s stage=%s", notice.id, notice.stage)
        return plain(notice, dossier.item)


def plain(notice: Notice, item: Item | None, *, why: str = "完整内容无法生成") -> Letter:
    """The shortest letter that still tells where to look; made of our own words alone."""
    number = item.number if item else notice.subject_key
    level = notice.level or (item.level if item else None)
    words = f"·{level.label}" if level else ""
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=f"【舆情预警{words}】有一条需要查看（{clean_header(number, 30)}）",
        text=(
            f"有一条舆情需要您查看，编号 {clean_header(number, 30)}。\n\n"
            f"{why}，本信为简版。请在服务器上运行：\n"
            f"  tinglan items show {clean_header(number, 30)}\n\n"
            f"生成时间：{shown(notice.created_at)}\n"
        ),
        date=notice.created_at,
        level=level,
    )


def _write(notice: Notice, dossier: Dossier, settings: Settings) -> Letter:
    if notice.stage == "bundle":
        return _bundle(notice, dossier, settings)
    if notice.stage == "test":
        return _test(notice, settings)
    if "sheet" in notice.detail:
        return _handover(notice, settings)
    if notice.digest is not None:
        from alerts.digest.letter import digest_letter

        return digest_letter(notice, dossier.digest, settings)
    if dossier.item is None:
        return plain(notice, None, why="对应的条目已不存在")
    if notice.detail.get("rung"):
        return _urge(notice, dossier, dossier.item, settings)
    if notice.stage in {"alert", "growth", "update"} or (
        notice.stage in {"fallback", "second"} and "after" not in notice.detail
    ):
        return _alert(notice, dossier, dossier.item, settings)
    return _moved(notice, dossier, dossier.item, settings)


# --- subjects -----------------------------------------------------------------------------------


def subject(item: Item, stage: str, settings: Settings) -> str:
    """`【舆情预警·重大】官网：… （TL-2026-0123）`, 60 characters at most."""
    tag = "系统告警" if _is_system(item) and stage == "alert" else _TAG.get(stage, "舆情")
    done = "" if item.state.is_open or stage in {"closed", "reopened"} else f"·{item.state.label}"
    drill = "【演练】" if item.drill else ""
    head = f"{drill}【{tag}·{item.level.label}{done}】"
    head += f"{clean_header(channel_name(settings, item.channel), 12)}："
    tail = f"（{item.number}）"
    title = clean_header(item.title, max(8, SUBJECT - len(head) - len(tail)))
    return head + title + tail


# --- the alert ----------------------------------------------------------------------------------


def _alert(notice: Notice, dossier: Dossier, item: Item, settings: Settings) -> Letter:
    source = dossier.source
    body = (source.text or source.title) if source else ""  # the title stands above already
    reasons, left = reasons_of(dossier.findings)
    facts = {
        "item": item,
        "stage": notice.stage,
        "paint": PAINT[item.level],
        "title": clean_header(item.title, 120),
        "place": _place(dossier, item, settings),
        "topics": "、".join(topic_label(t) for t in item.topics) or topic_label(item.topic),
        "tone": _tone(item.tone),
        "published": shown(item.published_at) if item.published_at else "页面未标明",
        "found": shown(item.discovered_at),
        "after": _after(item),
        "delay": _delay(notice),
        "reasons": reasons,
        "reasons_left": left,
        "excerpt": excerpt(body, dossier.findings, settings.alerts.excerpt),
        "link": link_of(source.url) if source else None,
        "kind": "系统告警" if _is_system(item) else "舆情预警",
        "dues": _dues(dossier, item, settings),
        "next": _next(item, settings, has_link=bool(source and source.url)),
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "why": clean_header(str(notice.detail.get("why", "")), 300),
        "before": _level_label(notice.detail.get("before")),
        "posts": dossier.posts,
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    return _letter(
        notice, dossier, subject(item, notice.stage, settings), "alert", facts, level=item.level
    )


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


def _place(dossier: Dossier, item: Item, settings: Settings) -> str:
    parts = [clean_header(channel_name(settings, item.channel), 40)]
    if dossier.source:
        if dossier.source.column:
            parts.append(clean_header(dossier.source.column, 40))
        parts.append(dossier.source.kind.label)
    return " · ".join(parts)


def _tone(tone: str) -> str:
    try:
        return Tone(tone).label if tone else ""
    except ValueError:
        return ""


def _after(item: Item) -> str:
    if item.published_at is None or item.published_at > item.discovered_at:
        return ""
    return f"发布后{spoken(item.discovered_at - item.published_at)}"


def _delay(notice: Notice) -> str:
    """Said where delivery itself was late, so that nobody takes an old fire for a new one."""
    late = notice.detail.get("late")
    return f"本通知因投递受阻，晚到约{late}" if late else ""


def _level_label(value: Any) -> str:
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


@dataclass(frozen=True, slots=True)
class Told:
    """One limit, as a letter tells of it."""

    label: str
    words: str
    until: str  #: empty where working time counts and nothing has been promised yet
    source: str


def _dues(dossier: Dossier, item: Item, settings: Settings) -> list[Told]:
    """The limits that a reader of the first alert should know: assess, report, reply."""
    stages = [State.TO_ASSESS, State.TO_REPORT, State.HANDLING][: 1 if _is_system(item) else None]
    told = []
    for stage in stages:
        limit = settings.deadlines.limit(stage, item.level)
        if limit is not None:
            until = dossier.dues.get(stage.value)
            if until is None and not limit.working:
                until = item.discovered_at + limit.natural
            told.append(
                Told(
                    STAGE_WORDS[stage.value],
                    limit.words,
                    shown(until) if until else "",
                    limit.source,
                )
            )
    return told


def _limit_words(limit: Limit | None, dossier: Dossier, item: Item) -> str:
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


def _is_system(item: Item) -> bool:
    return item.topic is Topic.SYSTEM


def _next(item: Item, settings: Settings, *, has_link: bool) -> list[str]:
    """What the reader should do now, by where the item stands."""
    if item.state is not State.TO_ASSESS:
        return [f"本条目现为“{item.state.label}”，如无新情况无需操作。"]
    if _is_system(item):
        return [
            "按上述原因检查并恢复；期间的通知不会丢失，恢复后补发。",
            f"恢复后登记：tinglan items move {item.number} dismissed --by 姓名 --note 处理情况",
        ]
    limit = settings.deadlines.limit(State.TO_ASSESS, item.level)
    within = limit.words.removesuffix("内") if limit else "尽快"
    channel = clean_header(channel_name(settings, item.channel), 40)
    where = "打开原文" if has_link else f"到“{channel}”"
    register = f"tinglan items move {item.number} to_report --by 姓名 --note 说明"
    return [
        f"{where}核实：时间、地点、是否属实、是否仍在发展。",
        f"{within}内完成研判：需要报告，或不予处置（写明理由）、关注、并入。",
        "登记结果：" + ("在值班台打开本条办理。" if settings.console.public_url else register),
    ]


# --- what happened to it ------------------------------------------------------------------------

_HAPPENED = {
    "assign": "请签收并处置",
    "closed": "已办结",
    "reopened": "重新打开，请再次研判",
    "review": "复查时间已到，请再次研判",
    "instruction": "领导批示",
    "order": "交办",
    "supervision": "督办",
}


def _moved(notice: Notice, dossier: Dossier, item: Item, settings: Settings) -> Letter:
    detail = notice.detail
    limit = settings.deadlines.limit(item.state, item.level)
    facts = {
        "item": item,
        "paint": PAINT[item.level],
        "title": clean_header(item.title, 120),
        "happened": _HAPPENED.get(notice.stage, "有新情况"),
        "before": _state_label(detail.get("before")),
        "after": _state_label(detail.get("after")),
        "by": clean_header(str(detail.get("by", "")), 60),
        "note": clean_text(str(detail.get("note", "")), 600),
        "place": _place(dossier, item, settings),
        "found": shown(item.discovered_at),
        "at": shown(notice.created_at),
        "lasted": spoken(notice.created_at - item.discovered_at),
        "due": _limit_words(limit, dossier, item),
        "link": link_of(dossier.source.url) if dossier.source else None,
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "why": clean_header(str(detail.get("why", "")), 300),
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    return _letter(
        notice, dossier, subject(item, notice.stage, settings), "moved", facts, level=item.level
    )


def _state_label(value: Any) -> str:
    try:
        return State(str(value)).label
    except ValueError:
        return ""


# --- what is late, or soon will be --------------------------------------------------------------


def _urge(notice: Notice, dossier: Dossier, item: Item, settings: Settings) -> Letter:
    detail = notice.detail
    late = detail.get("kind") == "overdue"
    ended = _moment(detail.get("ended"))
    words = STAGE_WORDS.get(str(detail.get("stage")), "办理")
    due = _moment(detail.get("due_at"))
    if ended:
        happened = f"{words}逾期完成"
    elif late:
        happened = f"{words}已超时"
    else:
        happened = f"{words}时限将到"
    missed = [clean_header(str(one), 80) for one in detail.get("missed", ())]
    facts = {
        "item": item,
        "paint": PAINT[item.level],
        "title": clean_header(item.title, 120),
        "happened": happened,
        "what": clean_header(str(detail.get("what", "")), 400),
        "due": shown(due) if due else "",
        "ended": shown(ended) if ended else "",
        "place": _place(dossier, item, settings),
        "found": shown(item.discovered_at),
        "lasted": spoken(notice.created_at - item.discovered_at),
        "office": _office_name(item, settings),
        "missed": missed,
        "missed_left": max(0, int(detail.get("missed_count", 0)) - len(missed)),
        "next": _asked(item, words, ended=bool(ended)),
        "link": link_of(dossier.source.url) if dossier.source else None,
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "delay": _delay(notice),
        "why": clean_header(str(detail.get("why", "")), 300),
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    tag = notice.stage if notice.stage in _TAG else str(detail.get("kind"))
    return _letter(notice, dossier, subject(item, tag, settings), "urge", facts, level=item.level)


def _asked(item: Item, words: str, *, ended: bool) -> list[str]:
    if ended:
        return ["该环节已经办完，本信通报逾期情况，无需操作；原因请在台账中补记。"]
    return [
        f"请尽快完成{words}；条目现为“{item.state.label}”。",
        f"不能按时完成的，请在台账中写明原因：tinglan items show {item.number}",
    ]


def _office_name(item: Item, settings: Settings) -> str:
    return next((one.name for one in settings.offices if one.id == item.office), "")


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


# --- many at once -------------------------------------------------------------------------------


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


def _bundle(notice: Notice, dossier: Dossier, settings: Settings) -> Letter:
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
    return _letter(notice, dossier, title, "bundle", facts, level=level)


def _line_reason(notice: Notice, reasons: Sequence[Reason]) -> str:
    """What this line is about: an urging says so, an alert says why it was raised."""
    if notice.detail.get("rung"):
        return clean_header(str(notice.detail.get("what", "")), 120)
    tag = "" if notice.stage == "alert" else f"【{_TAG.get(notice.stage, '动态')}】"
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


# --- a trial ------------------------------------------------------------------------------------


def _test(notice: Notice, settings: Settings) -> Letter:
    text = (
        f"这是一封测试信，经由正式的通知通道发出，用来确认 {settings.agency.name} 的"
        "舆情预警能够送达本地址。\n\n"
        "收到即说明通道正常，无需回复。若被归入垃圾邮件，请把发件人加入白名单。\n\n"
        f"生成时间：{shown(notice.created_at, seconds=True)}\n"
    )
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=f"【测试】{clean_header(settings.agency.name, 40)}舆情预警通道",
        text=text,
        date=notice.created_at,
    )


# --- the change of shift ------------------------------------------------------------------------


def _handover(notice: Notice, settings: Settings) -> Letter:
    """The sheet as it was written at the change; what has happened since is on the desk."""
    switch = _moment(notice.detail.get("switch")) or notice.created_at
    title = f"【交接班】{clean_header(settings.agency.name, 30)} {shown(switch)} 交接班单"
    text = clean_text(str(notice.detail["sheet"]))
    facts = {
        "lines": text.split("\n"),
        "subject": title,
        "why": clean_header(str(notice.detail.get("why", "")), 300),
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=clean_header(title, 78),
        text=f"{text}\n",
        html="" if notice.detail.get("small") else render("handover.html", facts),
        date=notice.created_at,
    )


# --- templates ----------------------------------------------------------------------------------


def templates() -> Environment:
    """HTML is escaped by the file's name; a name nobody filled is a mistake, not a blank."""
    return Environment(
        loader=PackageLoader("alerts"),
        autoescape=lambda name: bool(name and name.endswith(".html")),  # noqa: S701 - text is text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEMPLATES = templates()


def render(name: str, facts: dict[str, Any]) -> str:
    return _TEMPLATES.get_template(name).render(facts)


def _letter(
    notice: Notice,
    dossier: Dossier,
    title: str,
    template: str,
    facts: dict[str, Any],
    *,
    level: Level | None,
) -> Letter:
    small = bool(notice.detail.get("small"))  # the server said: too large
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=clean_header(title, 78),
        text=render(f"{template}.txt", facts),
        html="" if small else render(f"{template}.html", {**facts, "subject": title}),
        date=notice.created_at,
        level=level,
        parent=dossier.parent,
    )
