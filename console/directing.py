"""What a person decides of an item beside its next step: level, pause, 批示, 交办, 督办."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from alerts.acts import Act as Record
from alerts.acts import Ruling, pause, put_on_record, relevel
from alerts.dutywork import Duty
from alerts.items import Item
from alerts.lifecycle import NotAllowed
from config.clock import SHANGHAI
from console.accounts import User
from console.handling import level_named, rank_of
from store.engine import Database


def change_level(
    database: Database,
    duty: Duty,
    user: User,
    item: Item,
    *,
    level: str,
    version: int,
    note: str,
    now: datetime,
) -> Item:
    """Raises NoSuchItem, NotAllowed, AlreadyMoved."""
    wanted = level_named(level)
    if wanted is item.level:
        raise NotAllowed("等级没有变化")
    if not note.strip():
        raise NotAllowed("调整等级须写明理由")
    ruling = Ruling(by=user.shown, rank=rank_of(user), note=note, now=now)
    return relevel(database, item.number, wanted, ruling, expected_version=version, duty=duty)


def stop_clock(
    database: Database, duty: Duty, user: User, item: Item, *, until: str, note: str, now: datetime
) -> datetime:
    """Until a minute in Shanghai (2026-11-22T18:00); answers the new due. Raises NotAllowed."""
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        raise NotAllowed("请选定中止到什么时间") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    ruling = Ruling(by=user.shown, rank=rank_of(user), note=note, now=now)
    return pause(database, duty, item.number, moment, ruling)


def direct(
    database: Database,
    duty: Duty,
    user: User,
    item: Item,
    *,
    act: Record,
    text: str,
    offices: Iterable[str],
    now: datetime,
) -> int:
    """批示, 交办 or 督办, told to every address of these offices. Raises NotAllowed."""
    chosen = set(offices)
    told = {
        address: office.id
        for office in duty.settings.offices
        if office.id in chosen
        for address in office.addresses
    }
    if act is not Record.INSTRUCTION and not told:
        raise NotAllowed(f"{act.label}须选择至少一个处室")
    return put_on_record(
        database, item.number, act, text, by=user.shown, now=now, to=told, offices=told
    )
