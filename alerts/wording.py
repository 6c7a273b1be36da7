"""Writes the letters. Whatever a post says, the letter gets written: the plain one at the worst."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from alerts.dossier import Dossier
from alerts.gathered import bundle
from alerts.headers import clean_header, clean_text
from alerts.items import Item, topic_label
from alerts.letterhead import letter, render
from alerts.letters import Letter
from alerts.links import link_of
from alerts.notices import Notice
from alerts.phrases import (
    PAINT,
    STAGE_WORDS,
    TAG,
    delay,
    desk_link,
    excerpt,
    is_system,
    level_label,
    limit_words,
    moment,
    office_name,
    place,
    reasons_of,
    since_published,
    state_label,
    subject,
)
from alerts.routing import channel_name
from config.clock import shown
from config.duration import spoken
from config.settings import Settings
from store.records import State, Tone

log = logging.getLogger(__name__)


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
        return bundle(notice, dossier, settings)
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
        "place": place(dossier, item, settings),
        "topics": "、".join(topic_label(t) for t in item.topics) or topic_label(item.topic),
        "tone": _tone(item.tone),
        "published": shown(item.published_at) if item.published_at else "页面未标明",
        "found": shown(item.discovered_at),
        "after": _after(item),
        "delay": delay(notice),
        "reasons": reasons,
        "reasons_left": left,
        "excerpt": excerpt(body, dossier.findings, settings.alerts.excerpt),
        "link": link_of(source.url) if source else None,
        "kind": "系统告警" if is_system(item) else "舆情预警",
        "dues": _dues(dossier, item, settings),
        "next": _next(item, settings, has_link=bool(source and source.url)),
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "why": clean_header(str(notice.detail.get("why", "")), 300),
        "before": level_label(notice.detail.get("before")),
        "posts": dossier.posts,
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    return letter(
        notice, dossier, subject(item, notice.stage, settings), "alert", facts, level=item.level
    )


def _tone(tone: str) -> str:
    try:
        return Tone(tone).label if tone else ""
    except ValueError:
        return ""


def _after(item: Item) -> str:
    took = since_published(item)
    return f"发布后{took}" if took else ""


@dataclass(frozen=True, slots=True)
class Told:
    """One limit, as a letter tells of it."""

    label: str
    words: str
    until: str  #: empty where working time counts and nothing has been promised yet
    source: str


def _dues(dossier: Dossier, item: Item, settings: Settings) -> list[Told]:
    """The limits that a reader of the first alert should know: assess, report, reply."""
    stages = [State.TO_ASSESS, State.TO_REPORT, State.HANDLING][: 1 if is_system(item) else None]
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


def _next(item: Item, settings: Settings, *, has_link: bool) -> list[str]:
    """What the reader should do now, by where the item stands."""
    if item.state is not State.TO_ASSESS:
        return [f"本条目现为“{item.state.label}”，如无新情况无需操作。"]
    if is_system(item):
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
        "before": state_label(detail.get("before")),
        "after": state_label(detail.get("after")),
        "by": clean_header(str(detail.get("by", "")), 60),
        "note": clean_text(str(detail.get("note", "")), 600),
        "place": place(dossier, item, settings),
        "found": shown(item.discovered_at),
        "at": shown(notice.created_at),
        "lasted": spoken(notice.created_at - item.discovered_at),
        "due": limit_words(limit, dossier, item),
        "link": link_of(dossier.source.url) if dossier.source else None,
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "why": clean_header(str(detail.get("why", "")), 300),
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    return letter(
        notice, dossier, subject(item, notice.stage, settings), "moved", facts, level=item.level
    )


# --- what is late, or soon will be --------------------------------------------------------------


def _urge(notice: Notice, dossier: Dossier, item: Item, settings: Settings) -> Letter:
    detail = notice.detail
    late = detail.get("kind") == "overdue"
    ended = moment(detail.get("ended"))
    words = STAGE_WORDS.get(str(detail.get("stage")), "办理")
    due = moment(detail.get("due_at"))
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
        "place": place(dossier, item, settings),
        "found": shown(item.discovered_at),
        "lasted": spoken(notice.created_at - item.discovered_at),
        "office": office_name(item, settings),
        "missed": missed,
        "missed_left": max(0, int(detail.get("missed_count", 0)) - len(missed)),
        "next": _asked(item, words, ended=bool(ended)),
        "link": link_of(dossier.source.url) if dossier.source else None,
        "act": dossier.act,
        "desk": desk_link(item, settings),
        "delay": delay(notice),
        "why": clean_header(str(detail.get("why", "")), 300),
        "agency": settings.agency.name,
        "made": shown(notice.created_at, seconds=True),
    }
    tag = notice.stage if notice.stage in TAG else str(detail.get("kind"))
    return letter(notice, dossier, subject(item, tag, settings), "urge", facts, level=item.level)


def _asked(item: Item, words: str, *, ended: bool) -> list[str]:
    if ended:
        return ["该环节已经办完，本信通报逾期情况，无需操作；原因请在台账中补记。"]
    return [
        f"请尽快完成{words}；条目现为“{item.state.label}”。",
        f"不能按时完成的，请在台账中写明原因：tinglan items show {item.number}",
    ]


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
    switch = moment(notice.detail.get("switch")) or notice.created_at
    title = f"【交接班】{clean_header(settings.agency.name, 30)} {shown(switch)} 交接班单"
    text = str(notice.detail["sheet"]).strip()  # made of clean pieces; keeps its blanks
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
