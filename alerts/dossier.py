"""Gathers what a letter about one item can tell; reading only, deciding nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.items import Item, item_of, topic_of
from alerts.notices import Notice, notice_of
from store.records import Finding, Kind, Level, Role
from store.tables import digests, findings, item_posts, items, notices, posts, promises


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The post a letter quotes."""

    title: str
    text: str
    url: str
    column: str
    source: str
    kind: Kind
    role: Role
    version: int
    published_at: datetime | None
    captured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything one letter may say. What could not be read is simply missing."""

    item: Item | None = None
    source: Source | None = None
    findings: tuple[Finding, ...] = ()
    posts: int = 0  #: joined to the item
    parent: str = ""  #: id of the first letter of this item to this person
    members: tuple[tuple[Notice, Item, tuple[Finding, ...], str], ...] = ()  #: of a bundle
    digest: Mapping[str, Any] = field(default_factory=dict)
    dues: Mapping[str, datetime] = field(default_factory=dict)  #: stage → until when, now running
    act: str = ""  #: signed link for this person, where the desk can be reached


def gather(connection: sa.Connection, notice: Notice) -> Dossier:
    """What is known now of the subject of a notice."""
    if notice.stage == "bundle":
        return Dossier(members=_members(connection, notice))
    if notice.digest is not None:
        row = connection.execute(sa.select(digests).where(digests.c.id == notice.digest))
        return Dossier(digest=dict(row.mappings().one()))
    item = _item(connection, notice.item)
    if item is None:
        return Dossier()
    return Dossier(
        item=item,
        source=_source(connection, notice.detail.get("post") or item.post),
        findings=_findings(connection, notice),
        posts=connection.execute(
            sa.select(sa.func.count()).where(item_posts.c.item == item.id)
        ).scalar_one(),
        parent=_parent(connection, notice),
        dues=_dues(connection, item),
    )


def _dues(connection: sa.Connection, item: Item) -> dict[str, datetime]:
    rows = connection.execute(
        sa.select(promises.c.stage, promises.c.due_at).where(
            promises.c.item == item.id, promises.c.visit == item.version
        )
    )
    return {str(row.stage): row.due_at for row in rows}


def _item(connection: sa.Connection, item: int | None) -> Item | None:
    row = connection.execute(sa.select(items).where(items.c.id == item)).mappings().one_or_none()
    return item_of(row) if row else None


def _source(connection: sa.Connection, post: int | None) -> Source | None:
    row = connection.execute(sa.select(posts).where(posts.c.id == post)).mappings().one_or_none()
    if row is None:
        return None
    plain = (
        "title",
        "text",
        "url",
        "column",
        "source",
        "version",
        "published_at",
        "captured_at",
    )
    return Source(
        **{name: row[name] for name in plain},
        kind=Kind(row["kind"]),
        role=Role(row["role"]),
    )


def _findings(connection: sa.Connection, notice: Notice) -> tuple[Finding, ...]:
    """The reasons that caused this notice, the gravest first."""
    detail = notice.detail
    wanted: sa.ColumnElement[bool]
    if detail.get("assessment"):
        wanted = findings.c.assessment == detail["assessment"]
    elif detail.get("findings"):
        wanted = findings.c.id.in_(detail["findings"])
    else:
        return tuple(_finding(one) for one in detail.get("reasons", ()))
    rows = connection.execute(sa.select(findings).where(wanted).order_by(findings.c.id)).mappings()
    found = [_finding(row) for row in rows]
    return tuple(sorted(found, key=lambda one: one.level.rank if one.level else 9))


def _finding(row: Mapping[Any, Any]) -> Finding:
    return Finding(
        stage=row.get("stage", ""),
        reason=row.get("reason", ""),
        rule=row.get("rule", ""),
        topic=topic_of(row.get("topic")),
        level=Level(row["level"]) if row.get("level") else None,
        text=row.get("text", ""),
        start=row.get("start", -1),
        end=row.get("end", -1),
    )


def _parent(connection: sa.Connection, notice: Notice) -> str:
    """The letter that began the thread: the item's first to this person, or its bundle."""
    row = (
        connection.execute(
            sa.select(notices)
            .where(
                notices.c.item == notice.item,
                notices.c.recipient == notice.recipient,
                notices.c.transport == notice.transport,
            )
            .order_by(notices.c.created_at, notices.c.visit, notices.c.id)
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if row is None or row["id"] == notice.id:
        return ""
    return str(row["lease_by"]).removeprefix(BUNDLED) if in_bundle(row["lease_by"]) else row["id"]


BUNDLED = "bundle:"


def in_bundle(lease_by: str) -> bool:
    return lease_by.startswith(BUNDLED)


def _members(
    connection: sa.Connection, bundle: Notice
) -> tuple[tuple[Notice, Item, tuple[Finding, ...], str], ...]:
    rows = connection.execute(
        sa.select(notices).where(notices.c.lease_by == f"{BUNDLED}{bundle.id}")
    ).mappings()
    told = []
    for row in rows:
        notice = notice_of(row)
        item = _item(connection, notice.item)
        if item is not None:
            source = _source(connection, item.post)
            url = source.url if source else ""
            told.append((notice, item, _findings(connection, notice), url))
    return tuple(sorted(told, key=lambda one: (one[1].level.rank, one[1].discovered_at)))
