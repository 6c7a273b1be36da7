"""交接班: what the next shift must know, from the record alone; the same moment, the same sheet."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from alerts.dutywork import Duty
from alerts.headers import clean_header
from alerts.items import Item, item_of, overdue_items, rank, undelivered_notices
from config.clock import shown
from config.roster import Rank
from store.engine import Database
from store.records import State
from store.tables import events, items, promises

_LISTED = 100  #: open items written out; the rest is counted


def sheet(database: Database, duty: Duty, since: datetime, now: datetime) -> str:
    """The sheet for the shift that ends at `now` and began at `since`; plain Chinese text."""
    with database.read() as connection:
        standing = _open(connection)
        late = {item.id for item in overdue_items(connection, now)}
        dues = _dues(connection, [item.id for item in standing])
        came = _count(connection, items.c.discovered_at, since, now)
        done = _count(connection, items.c.closed_at, since, now)
        undelivered = undelivered_notices(connection, now)
        words = _instructions(connection, since, now)
    lines = [
        f"交接班单　{shown(since)} 至 {shown(now)}",
        f"{duty.settings.agency.name}",
        "",
        f"交班：{_names(duty, since)}",
        f"接班：{_names(duty, now)}",
        "",
        f"一、本班情况：新发现 {came} 条，办结或不予处置 {done} 条。",
        f"二、移交在办 {len(standing)} 条，其中已超时 {len(late)} 条：",
    ]
    for number, item in enumerate(standing[:_LISTED], 1):
        due = dues.get(item.id)
        until = f"，{shown(due)} 到期" if due else ""
        mark = "【已超时】" if item.id in late else ""
        lines.append(
            f"{number}. {mark}{item.number}　{item.level.numeral}级　{item.state.label}{until}"
            f"　{clean_header(item.title, 60)}"
        )
    if len(standing) > _LISTED:
        lines.append(f"另有 {len(standing) - _LISTED} 条，见值班台。")
    if not standing:
        lines.append("无。")
    lines.append(f"三、未送达的通知 {len(undelivered)} 条：")
    reached = dict.fromkeys(clean_header(row["recipient"], 60) for row in undelivered)
    lines.append("、".join(reached) + "。" if reached else "无。")
    lines.append(f"四、本班批示、交办、督办 {len(words)} 件：")
    lines += words or ["无。"]
    lines += ["", "交班人签字：　　　　　　　接班人签字：", f"生成时间 {shown(now)}"]
    return "\n".join(lines) + "\n"


_COUNTED = sa.and_(items.c.drill.is_(sa.false()), items.c.topic != "system")


def _open(connection: sa.Connection) -> list[Item]:
    rows = connection.execute(
        sa.select(items)
        .where(
            items.c.state.in_([state.value for state in State if state.is_open]),
            items.c.drill.is_(sa.false()),
        )
        .order_by(rank(items.c.level), items.c.discovered_at)
    ).mappings()
    return [item_of(row) for row in rows]


def _dues(connection: sa.Connection, wanted: list[int]) -> dict[int, datetime]:
    rows = connection.execute(
        sa.select(promises.c.item, promises.c.due_at)
        .join(items, items.c.id == promises.c.item)
        .where(promises.c.ended_at.is_(None), promises.c.stage == items.c.state)
    )
    known = set(wanted)
    return {row.item: row.due_at for row in rows if row.item in known}


def _count(
    connection: sa.Connection, at: sa.Column[datetime], since: datetime, now: datetime
) -> int:
    query = sa.select(sa.func.count()).where(at >= since, at < now, _COUNTED)
    return int(connection.execute(query).scalar_one())


_ACTS = {"instruction": "批示", "order": "交办", "supervision": "督办"}


def _instructions(connection: sa.Connection, since: datetime, now: datetime) -> list[str]:
    rows = connection.execute(
        sa.select(events.c.kind, events.c.by, events.c.note, items.c.number)
        .join(items, items.c.id == events.c.item)
        .where(events.c.kind.in_(list(_ACTS)), events.c.at >= since, events.c.at < now)
        .order_by(events.c.id)
    )
    return [
        f"· {row.number} {_ACTS[row.kind]}（{row.by}）：{clean_header(row.note, 120)}"
        for row in rows
    ]


def _names(duty: Duty, at: datetime) -> str:
    told = []
    for role in (Rank.OFFICER, Rank.LEADER):
        people = duty.roster.on_duty(at, role)
        told.append(f"{role.label} {'、'.join(one.name for one in people) or '（空班）'}")
    return "，".join(told)
