"""交接班: what the next shift must know, from the record alone; the same moment, the same sheet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from alerts.dutywork import Duty
from alerts.headers import clean_header
from alerts.items import Item, item_of, overdue_items, rank, undelivered_notices
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import shown
from config.roster import Rank
from config.settings import split_recipient
from store.engine import Database
from store.ledger import append
from store.records import State
from store.tables import events, facts, items, promises

_LISTED = 100  #: open items written out; the rest is counted
_NAME = "handover"  #: the fact that says which change of shift was told last


def hand_over(database: Database, duty: Duty, now: datetime) -> int:
    """Owes the sheet of the latest change of shift to both shifts; answers to how many people.

    For every tick: once a change, and after a stop once for all that were missed, from where the
    last sheet ended. The change before the very first start is nobody's.
    """
    switch = duty.roster.last_switch(now)
    with database.read() as connection:
        if not duty.roster.people or _told(connection)[0] == switch:
            return 0
    with database.write() as connection:
        take_turn(connection)
        before, ended = _told(connection)
        if before == switch:
            return 0
        _note(connection, switch, now)
        if before is None or before > switch:  # a first start; or a clock that was set back
            return 0
        return _owe(connection, duty, min(ended, switch), switch, now)


def _owe(
    connection: sa.Connection, duty: Duty, since: datetime, switch: datetime, now: datetime
) -> int:
    text, addresses = _sheet(connection, duty, since, now), _addresses(duty, switch, now)
    append(
        connection,
        item=None,
        at=now,
        kind="handover",
        by="系统",
        note=f"{shown(switch)} 交接班，交接班单发送{len(addresses)}人",
        detail={"since": since.isoformat(), "switch": switch.isoformat(), "to": addresses},
    )
    made = 0
    for transport, recipient in map(split_recipient, addresses):
        told = owe(
            connection,
            subject_key=f"handover:{switch.isoformat()}",
            stage="handover",
            recipient=recipient,
            transport=transport,
            now=now,
            detail={"sheet": text, "switch": switch.isoformat(), "why": "您在交班或接班人员之列"},
        )
        made += told is not None
    return made


def _addresses(duty: Duty, switch: datetime, now: datetime) -> list[str]:
    """Of those who leave, of those who come, and of the leader in charge; never nobody."""
    roster = duty.roster
    people = [
        *roster.on_duty(switch - timedelta(seconds=1), Rank.OFFICER),
        *roster.on_duty(now, Rank.LEADER),
    ]
    addresses = [address for person in people for address in person.addresses]
    return list(dict.fromkeys([*addresses, *roster.reachable(now, Rank.OFFICER).addresses]))


def _told(connection: sa.Connection) -> tuple[datetime | None, datetime]:
    """The change that was told last, and until when its sheet spoke."""
    row = connection.execute(
        sa.select(facts.c.value, facts.c.at).where(facts.c.name == _NAME)
    ).one_or_none()
    if row is None:
        return None, datetime.max.replace(tzinfo=UTC)
    return datetime.fromisoformat(row.value["switch"]), row.at


def _note(connection: sa.Connection, switch: datetime, now: datetime) -> None:
    value = {"switch": switch.isoformat()}
    updated = connection.execute(
        facts.update().where(facts.c.name == _NAME).values(value=value, at=now)
    )
    if not updated.rowcount:
        connection.execute(facts.insert().values(name=_NAME, value=value, at=now))


def sheet(database: Database, duty: Duty, since: datetime, now: datetime) -> str:
    """The sheet for the shift that ends at `now` and began at `since`; plain Chinese text."""
    with database.read() as connection:
        return _sheet(connection, duty, since, now)


def _sheet(connection: sa.Connection, duty: Duty, since: datetime, now: datetime) -> str:
    standing = _open(connection)
    late = {item.id for item in overdue_items(connection, now)}
    dues = _dues(connection, [item.id for item in standing])
    came = _count(connection, items.c.discovered_at, since, now)
    done = _count(connection, items.c.closed_at, since, now)
    undelivered = undelivered_notices(connection, now)
    words = _instructions(connection, since, now)
    left = max(since, duty.roster.last_switch(now) - timedelta(seconds=1))
    lines = [
        f"交接班单　{shown(since)} 至 {shown(now)}",
        f"{duty.settings.agency.name}",
        "",
        f"交班：{_names(duty, left)}",
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
        .where(
            events.c.kind.in_(list(_ACTS)),
            events.c.at >= since,
            events.c.at < now,
            items.c.drill.is_(sa.false()),
        )
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
