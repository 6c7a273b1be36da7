"""A case becomes an item or joins one: with history and notices, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.items import Item, item_of
from alerts.notices import owe
from alerts.routing import Route, fallback, route
from config.clock import SHANGHAI
from config.settings import Settings
from store.engine import insert_for
from store.ledger import append
from store.records import Level, State, Topic
from store.tables import facts, item_posts, items


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What asks for an item, whoever found it."""

    key: str
    title: str
    level: Level
    topics: tuple[str, ...]
    channel: str
    topic: str = ""
    tone: str = ""
    post: int | None = None
    published_at: datetime | None = None
    discovered_at: datetime
    drill: bool = False
    visit: int = 1  #: version of the post; makes a growth notice unique
    told: str = ""  #: what happened, for the ledger
    detail: Mapping[str, Any] = field(default_factory=dict)  #: where the reasons are


def raise_alarm(
    connection: sa.Connection,
    settings: Settings,
    *,
    key: str,
    title: str,
    reason: str,
    level: Level,
    now: datetime,
    spare: Iterable[tuple[str, str]] = (),
) -> Item | None:
    """An item about the service itself, for the fallback addresses; None where one is open.

    `spare` are the (recipient, transport) that this very alarm is about. Inside the caller's
    transaction, which must have taken its turn.
    """
    before = latest(connection, f"system:{key}")
    if before is not None and before.state.is_open:
        append(
            connection, item=before.id, at=now, kind="repeated", by="系统", note=reason, detail={}
        )
        return None
    case = Case(
        key=f"system:{key}",
        title=title,
        level=level,
        topics=(Topic.SYSTEM.value,),
        topic=Topic.SYSTEM.value,
        channel="",
        discovered_at=now,
        told=reason,
        detail={"reasons": [{"stage": "system", "reason": reason, "level": level.value}]},
    )
    without = set(spare)
    routes = fallback(settings, "系统告警，送兜底地址")
    return open_item(
        connection,
        case,
        [one for one in routes if (one.recipient, one.transport) not in without],
        now,
    )


def open_item(
    connection: sa.Connection, case: Case, routes: Sequence[Route], now: datetime
) -> Item:
    key = _free_key(connection, case.key)
    values: dict[str, Any] = {
        "number": _number(connection, now),
        "key": key,
        "state": State.TO_ASSESS.value,
        "version": 1,
        "level": case.level.value,
        "topic": case.topic,
        "topics": list(case.topics),
        "title": case.title,
        "tone": case.tone,
        "channel": case.channel,
        "post": case.post,
        "office": next((one.office for one in routes if one.office), ""),
        "discovered_at": case.discovered_at,
        "published_at": case.published_at,
        "changed_at": now,
        "drill": case.drill,
    }
    made = connection.execute(items.insert().values(values)).inserted_primary_key
    assert made is not None  # noqa: S101 - a single INSERT always answers its key
    item = item_of({"closed_at": None, "merged_into": None, **values, "id": made[0]})
    _attach(connection, item.id, case.post, now)
    record(
        connection,
        item,
        now,
        kind="opened",
        note=case.told,
        detail={
            **case.detail,
            "level": case.level.value,
            "routes": [[one.recipient, one.transport, one.why] for one in routes],
        },
        after=State.TO_ASSESS.value,
    )
    _tell(connection, item, case, routes, now, stage="alert", visit=1)
    return item


def join_item(
    connection: sa.Connection, settings: Settings, item: Item, case: Case, now: datetime
) -> None:
    """A line of history; a higher level is taken over and told once. State and notes stay."""
    _attach(connection, item.id, case.post, now)
    grew = case.level.rank < item.level.rank
    detail = {**case.detail, "level": case.level.value}
    kind = "grew" if grew else "joined"
    record(connection, item, now, kind=kind, note=case.told, detail=detail)
    if not grew:
        return
    # Its dues are worked out anew by the next tick: never later than promised.
    connection.execute(
        items.update().where(items.c.id == item.id).values(level=case.level.value, promised=0)
    )
    routes = routes_of(settings, case)
    told = {**case.detail, "before": item.level.value}
    grown = Case(**{**{n: getattr(case, n) for n in Case.__slots__}, "detail": told})
    _tell(connection, item, grown, routes, now, stage="growth", visit=case.visit)


def _tell(
    connection: sa.Connection,
    item: Item,
    case: Case,
    routes: Iterable[Route],
    now: datetime,
    *,
    stage: str,
    visit: int,
) -> None:
    for one in routes:
        owe(
            connection,
            subject_key=f"item:{item.id}",
            stage=stage,
            visit=visit,
            recipient=one.recipient,
            transport=one.transport,
            office=one.office,
            item=item.id,
            level=case.level,
            now=now,
            detail={**case.detail, "why": one.why},
        )


def routes_of(settings: Settings, case: Case) -> tuple[Route, ...]:
    return route(settings, topics=case.topics, level=case.level, channel=case.channel)


def record(
    connection: sa.Connection,
    item: Item,
    now: datetime,
    *,
    kind: str,
    note: str,
    detail: Mapping[str, Any],
    after: str = "",
) -> None:
    append(
        connection, item=item.id, at=now, kind=kind, by="系统", after=after, note=note,
        detail=detail,
    )  # fmt: skip


def _attach(connection: sa.Connection, item: int, post: int | None, now: datetime) -> None:
    if post is None:
        return
    statement = _insert(connection, item_posts).values(item=item, post=post, at=now)
    connection.execute(statement.on_conflict_do_nothing())


def latest(connection: sa.Connection, key: str) -> Item | None:
    """The newest of the cases that share a key: `key`, `key#2`, `key#3` …"""
    found, number = None, 1
    while True:
        name = key if number == 1 else f"{key}#{number}"
        row = connection.execute(sa.select(items).where(items.c.key == name)).mappings().first()
        if row is None:
            return found
        found, number = item_of(row), number + 1


def _free_key(connection: sa.Connection, key: str) -> str:
    number, name = 1, key
    while connection.execute(sa.select(items.c.id).where(items.c.key == name)).first():
        number += 1
        name = f"{key}#{number}"
    return name


def _number(connection: sa.Connection, now: datetime) -> str:
    """The next number of the year in Shanghai; gapless, as it rolls back with the item."""
    year = now.astimezone(SHANGHAI).year
    name = f"item-number:{year}"
    statement = _insert(connection, facts).values(name=name, value=0, at=now)
    connection.execute(statement.on_conflict_do_nothing())
    last: int = connection.execute(
        sa.select(facts.c.value).where(facts.c.name == name).with_for_update()
    ).scalar_one()
    connection.execute(facts.update().where(facts.c.name == name).values(value=last + 1, at=now))
    return f"TL-{year}-{last + 1:04d}"


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    return insert_for(connection.dialect.name)(table)
