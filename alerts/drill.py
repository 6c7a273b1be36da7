"""演练: marked posts through the real path, and how long each answer took."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.headers import clean_text
from config.duration import spoken
from store.engine import Database
from store.ledger import append
from store.records import Kind, NoticeState, Role
from store.tables import events, items, notices, posts


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one drill item went; None where it has not happened."""

    number: str
    level: str
    state: str
    to_open: timedelta | None  #: from the post to the item
    to_mail: timedelta | None  #: … to the first letter handed over
    to_received: timedelta | None  #: … to the first 签收
    to_assessed: timedelta | None  #: … to the first move by a person
    to_closed: timedelta | None


def inject(
    database: Database, *, channel: str, texts: Sequence[str], by: str, now: datetime
) -> list[int]:
    """Stores marked posts as a channel would have; answers their ids. Stages and alerts follow.

    Raises ValueError where there is nothing to say.
    """
    told = [clean_text(text, 2000) for text in texts]
    if not told or not all(told):
        raise ValueError("演练须写明帖文内容")
    made: list[int] = []
    with database.write() as connection:
        for number, text in enumerate(told, 1):
            digest = hashlib.sha256(f"drill:{now.isoformat()}:{number}:{text}".encode()).hexdigest()
            key = connection.execute(
                posts.insert().values(
                    channel=channel,
                    key=f"drill:{digest[:24]}",
                    kind=Kind.COMMENT.value,
                    role=Role.PUBLIC.value,
                    text=text,
                    published_at=now,
                    captured_at=now,
                    changed_at=now,
                    digest=digest,
                    notes={"drill": by},
                    drill=True,
                )
            ).inserted_primary_key
            if key is not None:
                made.append(int(key[0]))
        append(
            connection,
            item=None,
            at=now,
            kind="drill",
            by=by,
            note=f"开始演练，投放 {len(made)} 条标记帖文",
            detail={"posts": made, "channel": channel},
        )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill, as the ledger has it."""

    number: int  #: of its line in the ledger
    at: datetime
    by: str
    channel: str
    posts: tuple[int, ...]


def drills(database: Database, limit: int = 20) -> list[Drill]:
    """The latest first."""
    query = sa.select(events).where(events.c.kind == "drill").order_by(events.c.id.desc())
    with database.read() as connection:
        rows = connection.execute(query.limit(limit)).all()
    return [
        Drill(
            number=row.id,
            at=row.at,
            by=row.by,
            channel=str(row.detail.get("channel", "")),
            posts=tuple(row.detail.get("posts", ())),
        )
        for row in rows
    ]


def answers(database: Database, wanted: Sequence[int]) -> list[Answer]:
    """How the items of these drill posts went so far, in order."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(items, posts.c.captured_at)
            .join(posts, posts.c.id == items.c.post)
            .where(items.c.post.in_(list(wanted)), items.c.drill.is_(sa.true()))
            .order_by(items.c.id)
        ).all()
        return [_answer(connection, row) for row in rows]


def _answer(connection: sa.Connection, row: sa.Row[Any]) -> Answer:
    began: datetime = row.captured_at

    def after(query: sa.Select[Any]) -> timedelta | None:
        at: datetime | None = connection.execute(query).scalar()
        return at - began if at is not None else None

    def first(*where: sa.ColumnElement[bool]) -> timedelta | None:
        return after(sa.select(sa.func.min(events.c.at)).where(events.c.item == row.id, *where))

    return Answer(
        number=row.number,
        level=row.level,
        state=row.state,
        to_open=first(events.c.kind == "opened"),
        to_mail=after(
            sa.select(sa.func.min(notices.c.settled_at)).where(
                notices.c.item == row.id, notices.c.state == NoticeState.SENT.value
            )
        ),
        to_received=first(events.c.kind == "acknowledged"),
        to_assessed=first(events.c.kind == "moved", events.c.by != "系统"),
        to_closed=row.closed_at - began if row.closed_at else None,
    )


def report(told: Sequence[Answer], posted: int) -> str:
    """The drill in words: one line an item, then what did not happen."""
    steps = (
        ("立项", "to_open"),
        ("发出通知", "to_mail"),
        ("签收", "to_received"),
        ("研判", "to_assessed"),
        ("办结", "to_closed"),
    )
    lines = [f"【演练】投放 {posted} 条，形成条目 {len(told)} 条"]
    for one in told:
        took = [
            f"{label}{spoken(value)}"
            if (value := getattr(one, name)) is not None
            else f"{label}未完成"
            for label, name in steps
        ]
        lines.append(f"{one.number}　{'，'.join(took)}")
    if posted > len(told):
        lines.append(f"有 {posted - len(told)} 条未触发规则或尚未研判，请核对规则与服务状态。")
    return "\n".join(lines) + "\n"
