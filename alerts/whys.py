"""为什么收到、为什么没收到: told from what was recorded, and from the rules as they stand now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from alerts.dutywork import Duty
from alerts.headers import clean_header
from alerts.items import Item, find_item
from alerts.routing import decide
from config.clock import shown
from config.roster import Person, Rank
from config.settings import Office, Settings, split_recipient
from store.engine import Database
from store.tables import events, notices

_STAGE = {
    "alert": "首次预警",
    "growth": "等级上升",
    "update": "同一事件的新帖文",
    "assign": "交办",
    "closed": "办结",
    "reopened": "重新打开",
    "fallback": "转送兜底地址",
    "second": "改由另一方式",
    "review": "复查",
    "reminder": "催办",
    "overdue": "超时",
    "progress": "催报进展",
    "instruction": "批示",
    "order": "交办",
    "supervision": "督办",
}
_STATE = {
    "pending": "待发",
    "sending": "发送中",
    "sent": "已送达",
    "deferred": "稍后重试",
    "unsure": "已交出、待确认",
    "refused": "被拒收",
    "bounced": "被退回",
    "superseded": "不再需要",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whys:
    """The explanation, line by line, Chinese; `got` says whether anything was addressed to them."""

    number: str
    who: str
    got: bool
    lines: tuple[str, ...]


def explain(database: Database, duty: Duty, which: int | str, who: str = "") -> Whys:
    """Why each person was told of an item; with `who`, why that one was, or was not.

    `who` is an address, a name of the roster, or an office's id or name. Raises NoSuchItem.
    """
    with database.read() as connection:
        item = find_item(connection, which)
        sent = _notices(connection, item)
        opened = _opened(connection, item)
        rungs = _rungs(connection, item)
    if not who:
        lines = [*_routed(duty.settings, item, opened), *map(_line, sent)]
        return Whys(number=item.number, who="", got=bool(sent), lines=tuple(lines))
    found = _resolve(duty, who)
    mine = [row for row in sent if (row["transport"], row["recipient"]) in found.targets]
    lines = [f"{found.what}：{'、'.join(found.addresses) or '没有登记地址'}"]
    if mine:
        lines += [f"收到过（或将收到）本条目的通知 {len(mine)} 封：", *map(_line, mine)]
    else:
        lines.append("本条目没有发给过此人的通知。原因：")
        lines += list(_absent(duty, item, found, opened)) or ["未找到原因，请核对设置。"]
    if found.person is not None:
        lines += _chain(found.person, rungs)
    return Whys(number=item.number, who=who, got=bool(mine), lines=tuple(lines))


# --- who is meant -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    what: str
    addresses: tuple[str, ...]
    person: Person | None = None
    offices: tuple[Office, ...] = ()
    is_fallback: bool = False

    @property
    def targets(self) -> set[tuple[str, str]]:
        return {split_recipient(address) for address in self.addresses}


def _resolve(duty: Duty, who: str) -> _Found:
    settings, name = duty.settings, clean_header(who, 120)
    person = duty.roster.people.get(name) or next(
        (one for one in duty.roster.people.values() if name in one.addresses), None
    )
    office = next((one for one in settings.offices if name in {one.id, one.name}), None)
    if office is not None:
        addresses, what = office.addresses, f"处室“{office.name}”"
    elif person is not None:
        addresses, what = person.addresses, f"{person.name}（{person.rank.label}）"
    else:
        addresses, what = (name,), f"地址 {name}"
    holding = [
        one for one in settings.offices if one is office or set(addresses) & set(one.addresses)
    ]
    return _Found(
        what=what,
        addresses=addresses,
        person=person,
        offices=tuple(holding),
        is_fallback=bool(set(addresses) & set(settings.roster.fallback)),
    )


# --- why not ------------------------------------------------------------------------------------


def _absent(
    duty: Duty, item: Item, found: _Found, opened: Mapping[str, Any] | None
) -> Iterator[str]:
    settings = duty.settings
    if not found.addresses:
        yield "· 没有登记可用地址，无法通知"
    decisions = decide(settings, topics=item.topics, level=item.level, channel=item.channel)
    for one in decisions:
        if one.office not in found.offices:
            continue
        if one.matches:
            at = shown(opened["at"]) if opened else shown(item.discovered_at)
            yield f"· 按现行设置应当收到（{one.why}）；{at} 立项时的设置没有分发给此人"
        else:
            yield f"· {one.why}"
    if found.person is not None:
        yield from _off_duty(duty, item, found.person)
    elif not found.offices and not found.is_fallback:
        yield "· 不在任何处室、值班表的地址之中，也不是兜底地址"
    if found.is_fallback and any(one.matches for one in decisions):
        yield "· 是兜底地址：有处室负责且均已送达的，不再转送"


def _off_duty(duty: Duty, item: Item, person: Person) -> Iterator[str]:
    roster, at = duty.roster, item.discovered_at
    on = person.name in {one.name for one in roster.on_duty(at, person.rank)}
    day, shift = roster.shift_at(at)
    when = f"{shown(at)}（{day.isoformat()}{shift.label}）"
    if not on:
        yield f"· 发现时 {when}，{person.name}不当班或请假"
    else:
        yield f"· 发现时 {when}，{person.name}当班"
    yield "· 值班表中的人员只在催办、超时升级和交接班时收到通知，首次预警按处室分发"


def _chain(person: Person, rungs: Iterable[Mapping[str, Any]]) -> list[str]:
    told = list(rungs)
    if not told:
        return ["本条目尚未到催办或升级的时点。"]
    lines = [f"本条目的催办和升级 {len(told)} 次："]
    for one in told:
        detail = one["detail"]
        to = "、".join(detail.get("addresses", ())) or "无"
        asked = _rank(detail.get("asked"))
        mark = "（含此人）" if any(a in to for a in person.addresses) else ""
        lines.append(f"  {shown(one['at'])} 通知{asked}{mark}：{clean_header(one['note'], 160)}")
    return lines


def _rank(value: Any) -> str:
    try:
        return Rank(str(value)).label
    except ValueError:
        return "当班人员"


# --- what is on record --------------------------------------------------------------------------


def _routed(settings: Settings, item: Item, opened: Mapping[str, Any] | None) -> Iterator[str]:
    if opened is not None:
        yield f"{shown(opened['at'])} 立项时分发："
        for recipient, transport, why in opened["detail"].get("routes", ()):
            yield f"  {recipient}（{transport}）：{clean_header(why, 200)}"
    yield "按现行设置："
    for one in decide(settings, topics=item.topics, level=item.level, channel=item.channel):
        yield f"  {'分发' if one.matches else '不分发'}　{one.why}"
    yield "通知："


def _line(row: Mapping[str, Any]) -> str:
    what = _STAGE.get(row["stage"], row["stage"])
    state = _STATE.get(row["state"], row["state"])
    why = clean_header(str(row["detail"].get("why", "")), 200) or "未记原因"
    at = shown(row["created_at"])
    return f"  {at} {what} → {row['recipient']}（{row['transport']}，{state}）：{why}"


def _notices(connection: sa.Connection, item: Item) -> list[dict[str, Any]]:
    query = (
        sa.select(notices)
        .where(notices.c.item == item.id)
        .order_by(notices.c.created_at, notices.c.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _opened(connection: sa.Connection, item: Item) -> dict[str, Any] | None:
    query = (
        sa.select(events.c.at, events.c.detail)
        .where(events.c.item == item.id, events.c.kind == "opened")
        .order_by(events.c.id)
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row else None


def _rungs(connection: sa.Connection, item: Item) -> list[dict[str, Any]]:
    query = (
        sa.select(events.c.at, events.c.note, events.c.detail)
        .where(events.c.item == item.id, events.c.kind.in_(["reminded", "overdue"]))
        .order_by(events.c.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]
