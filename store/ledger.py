"""台账: the append-only, hash-chained record of what happened to each item, and its proof."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from store.engine import Database
from store.tables import events, facts

GENESIS = "0" * 64
_HEAD = "ledger-head"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One place where the chain does not hold."""

    event: int
    why: str


def append(
    connection: sa.Connection,
    *,
    item: int | None,
    at: datetime,
    kind: str,
    by: str,
    via: str = "service",
    before: str = "",
    after: str = "",
    note: str = "",
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Adds one line inside the caller's transaction; answers its number.

    The head row is locked first, so two writers on PostgreSQL cannot fork the chain
    (on SQLite every writing transaction is alone already).
    """
    head = connection.execute(
        sa.select(facts.c.value).where(facts.c.name == _HEAD).with_for_update()
    ).scalar_one_or_none()
    previous = head["hash"] if head else GENESIS
    line = {
        "item": item,
        "at": at,
        "kind": kind,
        "by": by,
        "via": via,
        "before": before,
        "after": after,
        "note": note,
        "detail": dict(detail or {}),
    }
    digest = _hash(previous, line)
    number = connection.execute(
        events.insert().values(**line, previous=previous, hash=digest)
    ).inserted_primary_key
    event = int(number[0]) if number is not None else 0
    value = {"hash": digest, "event": event}
    if head is None:
        connection.execute(facts.insert().values(name=_HEAD, value=value, at=at))
    else:
        connection.execute(facts.update().where(facts.c.name == _HEAD).values(value=value, at=at))
    return event


def verify(database: Database) -> tuple[int, list[Flaw]]:
    """Walks the whole chain; answers how many lines there are and every flaw found."""
    flaws: list[Flaw] = []
    count, previous, last = 0, GENESIS, 0
    with database.read() as connection:
        head = connection.execute(
            sa.select(facts.c.value).where(facts.c.name == _HEAD)
        ).scalar_one_or_none()
        for row in _lines(connection):
            count += 1
            last = row["id"]
            if row["previous"] != previous:
                flaws.append(Flaw(last, "与上一条不相接：中间有缺失或改动"))
            line = {key: row[key] for key in _FIELDS}
            if _hash(row["previous"], line) != row["hash"]:
                flaws.append(Flaw(last, "内容与校验值不符：被改动过"))
            previous = row["hash"]
    if head is not None and (head["hash"] != previous or head["event"] != last):
        flaws.append(Flaw(head["event"], "末尾缺失：最后一条不是登记的那一条"))
    return count, flaws


_FIELDS = ("item", "at", "kind", "by", "via", "before", "after", "note", "detail")


def _lines(connection: sa.Connection) -> Iterator[Mapping[str, Any]]:
    for row in connection.execute(sa.select(events).order_by(events.c.id)).mappings():
        yield dict(row)


def _hash(previous: str, line: Mapping[str, Any]) -> str:
    at = line["at"].astimezone(UTC).isoformat(timespec="microseconds")
    body = json.dumps({**line, "at": at}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()
