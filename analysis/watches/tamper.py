"""Own pages that are not as they should be: each act told once, on however many pages it shows.

The crawl compares and keeps (crawler.tampering); here it is weighed. A difference counts once
two looks agree, an outage once it lasts. What people dismiss was meant: it becomes the measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from analysis.watching import Seen, Tools, Unsure, Watch, WatchFinding, WatchOptions, active
from config.clock import shown
from config.duration import Duration
from config.settings import Settings
from store.records import Level, State, Topic
from store.tables import fingerprints, items

_CONTENT, _STRUCTURE, _AVAILABILITY = "content", "structure", "availability"

_WORDS: Mapping[tuple[str, str], tuple[str, Level]] = {
    (_STRUCTURE, "defaced"): ("页面被整体替换", Level.I),
    (_STRUCTURE, "script"): ("出现外来脚本", Level.II),
    (_STRUCTURE, "code"): ("出现可疑的页内脚本", Level.II),
    (_STRUCTURE, "frame"): ("出现外来或隐藏的框架", Level.II),
    (_STRUCTURE, "form"): ("表单提交到外部地址或要求口令", Level.II),
    (_STRUCTURE, "base"): ("基准地址指向外部", Level.II),
    (_STRUCTURE, "refresh"): ("页面自动跳往外部", Level.II),
    (_STRUCTURE, "redirected"): ("页面被转往外部", Level.II),
    (_STRUCTURE, "hidden"): ("出现隐藏的文字或链接", Level.II),
    (_STRUCTURE, "trade"): ("出现黑产词语", Level.II),
    (_STRUCTURE, "link"): ("链接指向陌生外部网站", Level.II),
    (_STRUCTURE, "file"): ("附件改挂到其他网站", Level.II),
    (_STRUCTURE, "image"): ("引用陌生外部图片", Level.III),
    (_CONTENT, "phone"): ("电话号码有变", Level.III),
    (_CONTENT, "level"): ("等级或发布解除用语有变", Level.III),
    (_CONTENT, "negation"): ("否定意思有变", Level.III),
    (_CONTENT, "number"): ("数字有变", Level.III),
    (_CONTENT, "date"): ("日期有变", Level.III),
    (_CONTENT, "published"): ("发布时间被改动", Level.III),
    (_CONTENT, "title"): ("标题有变", Level.III),
    (_CONTENT, "inserted"): ("正文外插入诱导文字", Level.III),
    (_CONTENT, "replaced"): ("正文被整体替换", Level.III),
    (_CONTENT, "words"): ("正文文字有变", Level.IV),
    (_CONTENT, "keywords"): ("关键词或描述有变", Level.IV),
    (_CONTENT, "source"): ("信息来源有变", Level.IV),
    (_CONTENT, "file"): ("附件有变", Level.IV),
    (_CONTENT, "picture"): ("正文图片有变", Level.IV),
    (_AVAILABILITY, "emptied"): ("正文消失", Level.III),
    (_AVAILABILITY, "unavailable"): ("页面打不开或成了错误页", Level.III),
    (_AVAILABILITY, "certificate"): ("安全证书有问题", Level.III),
    (_AVAILABILITY, "removed"): ("页面被删除", Level.IV),
}
_UNKNOWN = ("页面有变化", Level.III)
_ASK = {
    _CONTENT: "请核实是否本单位修改；如属正常修改，以“不予处置”确认，系统即以新内容为准。",
    _STRUCTURE: "疑似篡改，请立即核查并保全现场；如属本单位改版，以“不予处置”确认。",
    _AVAILABILITY: "请核实页面是否应当可以访问；如属正常下线，以“不予处置”确认。",
}


class Options(WatchOptions):
    unavailable_after: Duration = timedelta(hours=1)  #: an outage is a tampering only if it lasts
    many: int = Field(default=5, ge=2, le=100)  #: notices a day and channel; then one for the rest
    words: bool = True  #: tell of edits that touch neither figures nor sense


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One change on one page."""

    channel: str
    url: str
    title: str
    kind: str
    label: str
    mark: str
    before: str
    after: str
    since: datetime

    @property
    def told(self) -> tuple[str, Level]:
        return _WORDS.get((self.kind, self.label), _UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Act:
    """Changes that show on the same pages."""

    changes: tuple[_Change, ...]  #: one of each mark, the gravest first
    pages: tuple[_Change, ...]  #: one of each page

    @property
    def level(self) -> Level:
        return self.changes[0].told[1]


class Tamper:
    """Looks at the kept differences; before that, takes over what people said was meant."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def tend(self, connection: sa.Connection, settings: Settings, now: datetime) -> None:
        """What was dismissed, or closed with nothing planted left, becomes the measure."""
        for subject, state in active(connection, "tamper").items():
            item = _item(connection, state["key"])
            if item is None or State(item.state) not in {State.DISMISSED, State.CLOSED}:
                continue
            marks = set(state["steps"])
            for row in _rows(connection, _channel_of(subject)):
                mine = [one for one in row["changes"] if one["mark"] in marks]
                if len(mine) < len(row["changes"]):
                    continue  # more than people have seen
                planted = any(one["kind"] == _STRUCTURE for one in mine)
                if State(item.state) is State.DISMISSED or not planted:
                    _accept(connection, row, now)

    def __call__(
        self, connection: sa.Connection, settings: Settings, now: datetime
    ) -> Iterable[Seen]:
        told = active(connection, "tamper")
        for channel in settings.channels:
            if channel.disabled:
                yield Unsure(f"tamper:{channel.id}:")
                continue
            mine = {s: one for s, one in told.items() if _channel_of(s) == channel.id}
            yield from self._channel(connection, channel.id, channel.name, mine, now)

    def _channel(
        self,
        connection: sa.Connection,
        channel: str,
        name: str,
        told: Mapping[str, Mapping[str, Any]],
        now: datetime,
    ) -> Iterable[Seen]:
        sure: list[_Change] = []
        present: set[str] = set()
        for row in _rows(connection, channel):
            changes = _changes(row)
            present |= {one.mark for one in changes}
            sure += [one for one in changes if self._is_sure(one, row["looks"], now)]
        covered = {mark for state in told.values() for mark in state["steps"]}
        for subject, state in told.items():
            still = [one for one in sure if one.mark in state["steps"]]
            if still:
                yield from self._still(connection, subject, state, still, name)
            elif present & set(state["steps"]):
                yield Unsure(subject)  # a look that has not been confirmed yet
        fresh = [one for one in sure if one.mark not in covered]
        acts = _acts(fresh)
        lately = [
            one
            for one in told.values()
            if datetime.fromisoformat(one["since"]) > now - timedelta(days=1)
        ]
        if acts and (len(acts) + len(lately) > self._options.many):
            yield from _together(channel, name, acts)
        else:
            for act in acts:
                yield from _findings(channel, name, act)

    def _is_sure(self, one: _Change, looks: int, now: datetime) -> bool:
        if one.label == "defaced":
            return True
        if one.label == "words" and not self._options.words:
            return False
        if one.kind == _AVAILABILITY and one.label != "emptied":
            return looks >= 2 and now - one.since >= self._options.unavailable_after
        return looks >= 2

    def _still(
        self,
        connection: sa.Connection,
        subject: str,
        state: Mapping[str, Any],
        still: Sequence[_Change],
        name: str,
    ) -> Iterable[Seen]:
        """Keeps it alive; where the item was closed with the plant still there, says so."""
        act = _acts(still)[0]
        yield _finding(subject, _channel_of(subject), name, act, step=act.changes[0].mark)
        item = _item(connection, state["key"])
        if item is not None and State(item.state) is State.CLOSED:
            what, level = act.changes[0].told
            yield WatchFinding(
                subject=subject,
                reason=(
                    f"“{name}”{what}，条目{item.number}已办结而页面上仍在："
                    f"{act.pages[0].url}。请复核。"
                ),
                level=level,
                topic=Topic.INTEGRITY,
                channel=_channel_of(subject),
                step=f"still:{item.id}",
                text=_evidence(act),
            )


def build(options: Options, tools: Tools) -> Watch:
    return Tamper(options)


def _findings(channel: str, name: str, act: _Act) -> Iterable[Seen]:
    """The first opens the item; each further change is a line in its history."""
    subject = f"tamper:{channel}:{act.changes[0].mark}"
    yield _finding(subject, channel, name, act, step=act.changes[0].mark)
    for one in act.changes[1:]:
        yield _line(subject, name, one)


def _together(channel: str, name: str, acts: Sequence[_Act]) -> Iterable[Seen]:
    """Too many at once for one notice each: most likely a new template."""
    changes = sorted((one for act in acts for one in act.changes), key=lambda one: one.told[1].rank)
    urls = list(dict.fromkeys(one.url for act in acts for one in act.pages))
    kinds = "、".join(dict.fromkeys(one.told[0] for one in changes))
    subject = f"tamper:{channel}:many"
    yield WatchFinding(
        subject=subject,
        reason=(
            f"“{name}”有{len(urls)}个页面同时变化，疑似改版或批量篡改：{kinds[:120]}。"
            f"例如 {'、'.join(urls[:3])}。{_ASK[changes[0].kind]}"
        ),
        level=changes[0].told[1],
        topic=Topic.INTEGRITY,
        channel=channel,
        since=min(one.since for one in changes),
        step=changes[0].mark,
        text=_pair(changes[0]),
        over=f"“{name}”的批量页面变化已处理",
    )
    for one in changes[1:]:
        yield _line(subject, name, one)


def _finding(subject: str, channel: str, name: str, act: _Act, *, step: str) -> WatchFinding:
    lead = act.changes[0]
    what, level = lead.told
    more = "、".join(dict.fromkeys(one.told[0] for one in act.changes[1:] if one.told[0] != what))
    also = f"；另有{more}" if more else ""
    where = f"{lead.title[:30]} {lead.url}" if lead.title else lead.url
    checked = "" if lead.label == "defaced" else "，已二次核对"
    count = f"（共{len(act.pages)}个页面）" if len(act.pages) > 1 else ""
    return WatchFinding(
        subject=subject,
        reason=(
            f"“{name}”{what}{count}：{_pair(lead)}{also}。页面：{where}，"
            f"{shown(lead.since)}发现{checked}。{_ASK[lead.kind]}"
        ),
        level=level,
        topic=Topic.INTEGRITY,
        channel=channel,
        since=lead.since,
        step=step,
        text=_evidence(act),
        over=f"“{name}”页面已恢复或已确认：{lead.url}",
    )


def _line(subject: str, name: str, one: _Change) -> WatchFinding:
    what, level = one.told
    return WatchFinding(
        subject=subject,
        reason=f"“{name}”{what}：{_pair(one)}。页面：{one.url}",
        level=level,
        topic=Topic.INTEGRITY,
        channel=one.channel,
        since=one.since,
        step=one.mark,
        text=_pair(one),
        over=f"“{name}”页面已恢复或已确认：{one.url}",
    )


def _acts(changes: Sequence[_Change]) -> list[_Act]:
    """Changes grouped by the pages they show on, the gravest first."""
    by_mark: dict[str, list[_Change]] = {}
    for one in changes:
        by_mark.setdefault(one.mark, []).append(one)
    groups: dict[frozenset[str], list[list[_Change]]] = {}
    for same in by_mark.values():
        groups.setdefault(frozenset(one.url for one in same), []).append(same)
    acts = []
    for group in groups.values():
        ranked = sorted(group, key=lambda same: same[0].told[1].rank)
        acts.append(_Act(tuple(same[0] for same in ranked), tuple(ranked[0])))
    return sorted(acts, key=lambda act: act.level.rank)


def _evidence(act: _Act) -> str:
    lines = [f"{one.told[0]}：{_pair(one)}" for one in act.changes[:10]]
    return "\n".join([*lines, *(one.url for one in act.pages[:20])])


def _pair(one: _Change) -> str:
    if one.before and one.after:
        return f"原“{one.before[:60]}”，现“{one.after[:60]}”"
    return f"新增“{one.after[:80]}”" if one.after else f"删去“{one.before[:80]}”"


def _rows(connection: sa.Connection, channel: str) -> Sequence[Mapping[Any, Any]]:
    rows = connection.execute(
        sa.select(fingerprints)
        .where(fingerprints.c.channel == channel, fingerprints.c.since.is_not(None))
        .order_by(fingerprints.c.since, fingerprints.c.url)
        .limit(2000)
    ).mappings()
    return [row for row in rows if row["changes"]]


def _changes(row: Mapping[Any, Any]) -> list[_Change]:
    return [
        _Change(
            channel=row["channel"],
            url=row["url"],
            title=str(row["baseline"].get("headline") or row["baseline"].get("title") or ""),
            kind=one["kind"],
            label=one["label"],
            mark=one["mark"],
            before=one["before"],
            after=one["after"],
            since=row["since"],
        )
        for one in row["changes"]
    ]


def _accept(connection: sa.Connection, row: Mapping[Any, Any], now: datetime) -> None:
    mine = sa.and_(fingerprints.c.channel == row["channel"], fingerprints.c.url == row["url"])
    if row["latest"] is None:  # it is gone, and that is right; should it return, it starts anew
        connection.execute(fingerprints.delete().where(mine))
        return
    connection.execute(
        fingerprints.update()
        .where(mine)
        .values(
            baseline=row["latest"],
            baseline_at=now,
            latest=sa.null(),
            changes=sa.null(),
            since=None,
            looks=0,
        )
    )


def _item(connection: sa.Connection, key: str) -> Any:
    """The newest item of a key."""
    name = f"watch:{key}"
    return connection.execute(
        sa.select(items.c.id, items.c.number, items.c.state)
        .where(sa.or_(items.c.key == name, items.c.key.startswith(f"{name}#", autoescape=True)))
        .order_by(items.c.id.desc())
        .limit(1)
    ).first()


def _channel_of(subject: str) -> str:
    return subject.split(":")[1]
