"""What people do to a case beside moving it: level, pause, 批示, 交办, 督办; each on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from alerts.deadlines import NotPaused, paused
from alerts.dutywork import Duty
from alerts.headers import clean_text
from alerts.items import Item, find_item
from alerts.lifecycle import AlreadyMoved, NotAllowed
from alerts.notices import owe
from alerts.promising import promise_of
from alerts.turns import take_turn
from config.clock import shown
from config.roster import Rank
from config.settings import split_recipient
from store.engine import Database
from store.ledger import append
from store.records import Level
from store.tables import items, promises

_LEADERS = {Rank.LEADER, Rank.DEPUTY, Rank.CHIEF}


class Act(StrEnum):
    """A record of the ledger that people also get as a mail."""

    INSTRUCTION = "instruction"
    ORDER = "order"
    SUPERVISION = "supervision"

    @property
    def label(self) -> str:
        return {"instruction": "批示", "order": "交办", "supervision": "督办"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Who decides of a level or a limit, of what rank, why, and when."""

    by: str
    rank: Rank
    note: str
    now: datetime
    via: str = "desk"


def relevel(
    database: Database,
    which: int | str,
    level: Level,
    ruling: Ruling,
    *,
    expected_version: int | None = None,
    duty: Duty | None = None,
) -> Item:
    """Changes the level; answers the item as it is now. Raises NoSuchItem, NotAllowed.

    Raising is free. Lowering Ⅰ or Ⅱ needs a leader and a reason; a leader's lowering may make
    the due later, anybody else's never does.
    """
    with database.write() as connection:
        take_turn(connection)
        return relevel_within(
            connection, which, level, ruling, expected_version=expected_version, duty=duty
        )


def relevel_within(
    connection: sa.Connection,
    which: int | str,
    level: Level,
    ruling: Ruling,
    *,
    expected_version: int | None = None,
    duty: Duty | None = None,
) -> Item:
    """The same inside the caller's transaction, which must have taken its turn."""
    by, note = clean_text(ruling.by, 60), clean_text(ruling.note, 2000)
    if not by:
        raise NotAllowed("未写明经办人，不能调整等级")
    item = find_item(connection, which)
    _unmoved(item, expected_version)
    if not item.state.is_open:
        raise NotAllowed(f"{item.number} 已{item.state.label}，不能调整等级")
    if level is item.level:
        return item
    lowered = level.rank > item.level.rank
    if lowered and item.level.rank <= 2 and ruling.rank not in _LEADERS:
        raise NotAllowed(f"“{item.level.label}”下调等级须由带班领导以上决定")
    if lowered and not note:
        raise NotAllowed("下调等级须写明理由")
    connection.execute(
        items.update().where(items.c.id == item.id).values(level=level.value, promised=0)
    )
    if lowered and ruling.rank in _LEADERS:
        connection.execute(
            promises.update()
            .where(promises.c.item == item.id, promises.c.ended_at.is_(None))
            .values(released=True)
        )
    append(
        connection,
        item=item.id,
        at=ruling.now,
        kind="levelled",
        by=by,
        via=ruling.via,
        before=item.level.value,
        after=level.value,
        note=note,
        detail={"rank": ruling.rank.value},
    )
    if duty is not None:
        duty.keep(connection, item.id, ruling.now)
    return find_item(connection, item.id)


def pause(
    database: Database,
    duty: Duty,
    which: int | str,
    until: datetime,
    ruling: Ruling,
) -> datetime:
    """Stops the clock of the present stage, once; answers the new due. Raises NotAllowed."""
    by, note = clean_text(ruling.by, 60), clean_text(ruling.note, 2000)
    if not by or not note:
        raise NotAllowed("中止计时须写明决定人和理由")
    with database.write() as connection:
        take_turn(connection)
        item = find_item(connection, which)
        duty.keep(connection, item.id, ruling.now)
        row = (
            connection.execute(
                sa.select(promises).where(
                    promises.c.item == item.id,
                    promises.c.visit == item.version,
                    promises.c.stage == item.state.value,
                    promises.c.ended_at.is_(None),
                )
            )
            .mappings()
            .one_or_none()
        )
        if row is None:
            raise NotAllowed(f"{item.number} 现为“{item.state.label}”，本环节没有时限")
        try:
            made = paused(
                promise_of(row),
                ruling.now,
                until,
                duty.settings.deadlines,
                duty.calendar,
                by=ruling.rank,
                before=row["paused_until"] is not None,
            )
        except NotPaused as refusal:
            raise NotAllowed(str(refusal)) from None
        connection.execute(
            promises.update()
            .where(promises.c.id == row["id"])
            .values(
                due_at=made.at,
                rule=made.rule,
                calendar=made.calendar_version,
                paused_until=until,
                counted_at=until,
                next_at=until,
            )
        )
        append(
            connection,
            item=item.id,
            at=ruling.now,
            kind="paused",
            by=by,
            via=ruling.via,
            before=item.state.value,
            after=item.state.value,
            note=f"中止计时至 {shown(until)}，时限由 {shown(row['due_at'])} 顺延至 "
            f"{shown(made.at)}：{note}",
            detail={"until": until.isoformat(), "rank": ruling.rank.value, "rule": made.rule},
        )
        return made.at


def put_on_record(
    database: Database,
    which: int | str,
    act: Act,
    text: str,
    *,
    by: str,
    now: datetime,
    to: Iterable[str] = (),
    offices: Mapping[str, str] | None = None,
    via: str = "desk",
) -> int:
    """批示, 交办 or 督办: a line of the ledger, and a mail to each address; answers the line.

    `offices`: which office an address is of, so that it sees the item at the desk. State, level
    and limits stay. Raises NoSuchItem, NotAllowed.
    """
    by, note = clean_text(by, 60), clean_text(text, 2000)
    if not by or not note:
        raise NotAllowed(f"{act.label}须写明由谁作出和内容")
    addresses = list(dict.fromkeys(to))
    if act is not Act.INSTRUCTION and not addresses:
        raise NotAllowed(f"{act.label}须写明送达的地址")
    with database.write() as connection:
        take_turn(connection)
        item = find_item(connection, which)
        event = append(
            connection,
            item=item.id,
            at=now,
            kind=act.value,
            by=by,
            via=via,
            before=item.state.value,
            after=item.state.value,
            note=note,
            detail={"to": addresses},
        )
        for address in addresses:
            transport, recipient = split_recipient(address)
            owe(
                connection,
                subject_key=f"item:{item.id}",
                stage=act.value,
                visit=event,
                recipient=recipient,
                transport=transport,
                office=(offices or {}).get(address, ""),
                item=item.id,
                level=item.level,
                now=now,
                detail={
                    "event": event,
                    "by": by,
                    "note": note,
                    "before": item.state.value,
                    "after": item.state.value,
                    "why": f"{by}就 {item.number} 作出{act.label}",
                },
            )
    return event


def _unmoved(item: Item, expected: int | None) -> None:
    if expected not in {None, item.version}:
        raise AlreadyMoved(
            f"{item.number} 已由他人转为“{item.state.label}”，请刷新后再办",
            by="",
            state=item.state,
        )
