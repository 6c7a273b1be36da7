"""初报、续报、终报: the text of a report upward, from the record alone.

What nobody has recorded is not invented: it is named as still to be found out. Titles, sections
and paragraphs are plain text; how they become paper is the renderer's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from alerts.headers import clean_header, clean_text, cut
from alerts.items import Item, find_item, show_item, topic_label
from alerts.lifecycle import NotAllowed
from alerts.phrases import ended
from alerts.routing import channel_name
from alerts.turns import take_turn
from config.clock import shown
from config.duration import spoken
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import State
from store.tables import promises

_EXCERPT = 200  #: characters of a post
_TITLE = 40
_TOLD = 30  #: lines of history written out; the rest is counted


class Stage(StrEnum):
    """Which report it is."""

    FIRST = "first"
    FOLLOW = "follow"
    FINAL = "final"

    @property
    def label(self) -> str:
        return {"first": "初报", "follow": "续报", "final": "终报"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened to the item."""

    at: datetime
    kind: str
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One stage with its promise."""

    stage: str
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that a report may say of an item, in time order."""

    agency: str
    item: Item
    channel: str
    office: str
    source: Mapping[str, Any] | None  #: the first post
    posts: Sequence[datetime]  #: when each post of the event was found
    reasons: Sequence[str]
    history: Sequence[Told]
    limits: Sequence[Limit]
    notified: int  #: people who were told
    first_told_at: datetime | None
    briefs: Sequence[tuple[Stage, datetime]]  #: reports that were put on record


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One report: a title, then (heading, paragraphs) in order."""

    number: str  #: of the item
    stage: Stage
    title: str
    at: datetime
    sections: tuple[tuple[str, tuple[str, ...]], ...]


def brief(record: Record, stage: Stage, now: datetime) -> Brief:
    """The report as of `now`. Pure. Raises NotAllowed for a 终报 of an open item."""
    item = record.item
    if stage is Stage.FINAL and item.state.is_open:
        raise NotAllowed(f"{item.number} 现为“{item.state.label}”，尚未办结，只能出续报")
    count = sum(one is Stage.FOLLOW for one, _ in record.briefs) + 1
    label = f"续报（{_number(count)}）" if stage is Stage.FOLLOW else stage.label
    drill = "【演练】" if item.drill else ""
    subject = clean_header(item.title, _TITLE)
    made = {Stage.FIRST: _first, Stage.FOLLOW: _follow, Stage.FINAL: _final}[stage](record, now)
    return Brief(
        number=item.number,
        stage=stage,
        title=f"{drill}关于“{subject}”的舆情{label}",
        at=now,
        sections=tuple((heading, tuple(lines) or ("无。",)) for heading, lines in made),
    )


def plain(made: Brief) -> str:
    """The same as plain text."""
    lines = [made.title, f"编号：{made.number}　生成时间：{shown(made.at)}"]
    for heading, paragraphs in made.sections:
        lines += ["", heading, *paragraphs]
    return "\n".join(lines)


def put_brief_on_record(
    database: Database, made: Brief, *, by: str, now: datetime, via: str = "cli"
) -> int:
    """Notes that this report was made; the next 续报 counts and tells from here."""
    by = clean_text(by, 60)
    if not by:
        raise NotAllowed("未写明由谁出具")
    with database.write() as connection:
        take_turn(connection)
        item = find_item(connection, made.number)
        return append(
            connection,
            item=item.id,
            at=now,
            kind="brief",
            by=by,
            via=via,
            before=item.state.value,
            after=item.state.value,
            note=made.title,
            detail={"stage": made.stage.value},
        )


# --- the three of them --------------------------------------------------------------------------

Sections = list[tuple[str, list[str]]]

#: What a first report is asked for and no machine can know.
_ASKED = ("事发时间和地点", "人员伤亡和财产损失", "影响范围和发展趋势", "现场负责人", "请求事项")


def _first(record: Record, now: datetime) -> Sections:
    return [
        ("一、基本情况", _basics(record)),
        ("二、研判情况", _judged(record)),
        ("三、已采取的措施", _measures(record, None)),
        ("四、办理时限", _limits(record, now)),
        (
            "五、待核实填报",
            [f"{one}：（待核实）" for one in _ASKED] + ["签发人：　　　　　　报送时间："],
        ),
    ]


def _follow(record: Record, now: datetime) -> Sections:
    since = max((at for _, at in record.briefs), default=record.item.discovered_at)
    fresh = sum(at > since for at in record.posts)
    spread = [f"自 {shown(since)} 以来，同一事件新增帖文 {fresh} 条，累计 {len(record.posts)} 条。"]
    return [
        ("一、前报以来的情况", [f"本件现为“{record.item.state.label}”。", *spread]),
        ("二、处置进展", _measures(record, since)),
        ("三、办理时限", _limits(record, now)),
        ("四、待核实填报", ["最新进展和下一步措施：（待核实）", "签发人：　　　　　　报送时间："]),
    ]


def _final(record: Record, now: datetime) -> Sections:
    item = record.item
    ended = item.closed_at or item.changed_at
    lasted = spoken(ended - item.discovered_at)
    outcome = [f"{shown(ended)} 转为“{item.state.label}”，自发现起历时{lasted}。"]
    outcome += [one.text for one in record.history if one.kind == "moved"][-2:]
    return [
        ("一、基本情况", _basics(record)),
        ("二、处置经过", _measures(record, None)),
        ("三、处置结果", outcome),
        ("四、时限执行情况", _kept(record)),
        ("五、后续", ["十四日内再现同一事件的帖文，或原帖等级上升的，自动转回研判。"]),
    ]


# --- what they are made of ----------------------------------------------------------------------


def _basics(record: Record) -> list[str]:
    item, source = record.item, record.source
    found, title = shown(item.discovered_at), clean_header(item.title, 120)
    lines = [
        f"{found}，我单位在“{record.channel}”监测发现：{ended(title)}",
        f"类别：{topic_label(item.topic)}；等级：{item.level.numeral}级（{item.level.label}）。",
    ]
    if source is not None:
        body = cut(clean_header(str(source["text"] or source["title"]), 2000), _EXCERPT)
        lines.append(f"内容摘要：{body}")
        at = source["published_at"]
        lines.append(f"发布时间：{shown(at) if at else '页面未标明'}；来源：{_where(source)}")
    lines.append(f"同一事件的帖文累计 {len(record.posts)} 条。")
    return lines


def _where(source: Mapping[str, Any]) -> str:
    column = clean_header(str(source["column"]), 40)
    url = clean_header(str(source["url"]), 300)
    return "，".join(part for part in (column, url) if part) or "见台账"


def _judged(record: Record) -> list[str]:
    lines = [f"{n}. {reason}" for n, reason in enumerate(record.reasons[:8], 1)]
    if len(record.reasons) > 8:
        lines.append(f"另有 {len(record.reasons) - 8} 条依据，见台账。")
    return lines


def _measures(record: Record, since: datetime | None) -> list[str]:
    lines = []
    if since is None and record.first_told_at is not None:
        lines.append(
            f"{shown(record.first_told_at)} 起通知有关人员，共 {record.notified} 人次送达。"
        )
    if record.office:
        lines.append(f"责任处室：{record.office}。")
    told = [one for one in record.history if since is None or one.at > since]
    lines += [f"{shown(one.at)}，{one.by}：{one.text}" for one in told[-_TOLD:]]
    if len(told) > _TOLD:
        lines.append(f"此前另有 {len(told) - _TOLD} 项，见台账。")
    return lines


def _limits(record: Record, now: datetime) -> list[str]:
    return [
        f"{one.stage}：{shown(one.due_at)} 前"
        + (f"（已超时{spoken(now - one.due_at)}）" if one.due_at < now else "")
        for one in record.limits
        if one.ended_at is None
    ]


def _kept(record: Record) -> list[str]:
    lines = []
    for one in record.limits:
        if one.ended_at is None:
            continue
        late = one.ended_at > one.due_at
        how = f"逾期{spoken(one.ended_at - one.due_at)}" if late else "按时"
        lines.append(f"{one.stage}：时限 {shown(one.due_at)}，完成 {shown(one.ended_at)}，{how}。")
    return lines


def _number(count: int) -> str:
    figures = "零一二三四五六七八九十"
    if count <= 10:
        return figures[count]
    tens, ones = divmod(count, 10)
    head = "" if tens == 1 else figures[tens] if tens <= 10 else str(tens)
    return f"{head}十{figures[ones] if ones else ''}"


# --- from the tables ----------------------------------------------------------------------------

_KINDS = {
    "opened": "立项",
    "grew": "等级上升",
    "absorbed": "并入其他条目",
    "levelled": "调整等级",
    "noted": "进展",
    "acknowledged": "签收",
    "paused": "中止计时",
    "instruction": "批示",
    "order": "交办",
    "supervision": "督办",
    "overdue": "超时通报",
}
_STAGES = {state.value: state.label for state in State} | {"progress": "进展报告"}


def record_of(database: Database, settings: Settings, which: int | str) -> Record:
    """Gathers what is on record of one item. Raises NoSuchItem."""
    found = show_item(database, which)
    item: Item = found["item"]
    sent = [row for row in found["notices"] if row["state"] == "sent" and row["settled_at"]]
    with database.read() as connection:
        rows = connection.execute(
            sa.select(promises).where(promises.c.item == item.id).order_by(promises.c.id)
        ).all()
    posts = sorted(found["posts"], key=lambda row: row["captured_at"])
    reasons = dict.fromkeys(
        clean_header(row["reason"], 200) for row in found["findings"] if row["reason"]
    )
    return Record(
        agency=settings.agency.name,
        item=item,
        channel=channel_name(settings, item.channel),
        office=next((one.name for one in settings.offices if one.id == item.office), ""),
        source=posts[0] if posts else None,
        posts=[row["captured_at"] for row in posts],
        reasons=list(reasons),
        history=list(_history(found["events"])),
        limits=[
            Limit(stage=_STAGES.get(row.stage, row.stage), due_at=row.due_at, ended_at=row.ended_at)
            for row in rows
        ],
        notified=len(sent),
        first_told_at=min((row["settled_at"] for row in sent), default=None),
        briefs=[
            (Stage(row["detail"]["stage"]), row["at"])
            for row in found["events"]
            if row["kind"] == "brief"
        ],
    )


def _history(lines: Iterable[Mapping[str, Any]]) -> Iterable[Told]:
    for row in lines:
        note = clean_text(str(row["note"]), 400).replace("\n", " ")
        if row["kind"] == "moved":
            text = f"{_STAGES.get(row['before'], '')}转为{_STAGES.get(row['after'], '')}"
        elif row["kind"] in _KINDS:
            text = _KINDS[row["kind"]]
        else:
            continue
        yield Told(
            at=row["at"],
            kind=row["kind"],
            by=clean_header(row["by"], 60),
            text=f"{text}：{note}" if note else text,
        )
