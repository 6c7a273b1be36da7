"""舆情条目: the case as a frozen value, and the questions the desk asks about all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from store.engine import Database
from store.records import Level, NoticeState, State, Topic
from store.tables import (
    attempts,
    events,
    findings,
    item_posts,
    items,
    notices,
    posts,
    promises,
)

_LATE = timedelta(minutes=10)  #: a notice still owed after this is "undelivered"
_REMEMBERED = timedelta(days=7)  #: a refusal is shown this long; its alarm item stays
_OWED = [state.value for state in NoticeState if state.is_owed]
_OPEN = [state.value for state in State if state.is_open]


class NoSuchItem(LookupError):
    """There is no item of that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One case. `version` counts its moves: who acts on an older one is told who was first."""

    id: int
    number: str  #: TL-2026-0123
    key: str
    state: State
    version: int
    level: Level
    topic: Topic | None
    topics: tuple[str, ...]
    title: str
    tone: str
    channel: str
    post: int | None
    office: str
    discovered_at: datetime
    published_at: datetime | None
    changed_at: datetime
    closed_at: datetime | None
    merged_into: int | None
    drill: bool


def item_of(row: Mapping[Any, Any]) -> Item:
    """A row of `items` as a value."""
    return Item(
        **{
            **{name: row[name] for name in Item.__slots__},
            "state": State(row["state"]),
            "level": Level(row["level"]),
            "topic": topic_of(row["topic"]),
            "topics": tuple(row["topics"] or ()),
        }
    )


def topic_of(value: str | None) -> Topic | None:
    try:
        return Topic(value) if value else None
    except ValueError:
        return None  # a topic of a newer program, or a pack's own


def topic_label(topic: Topic | str | None) -> str:
    """As duty staff read it."""
    known = topic if isinstance(topic, Topic) else topic_of(topic)
    return known.label if known else (str(topic) if topic else "未分类")


def find_item(connection: sa.Connection, which: int | str) -> Item:
    """By id, by number (TL-2026-0123), or by the number's figures. Raises NoSuchItem."""
    text = str(which).strip().upper()
    wanted = items.c.number == text
    if text.isdecimal() and len(text) < 18:
        wanted = items.c.id == int(text)
    row = connection.execute(sa.select(items).where(wanted)).mappings().one_or_none()
    if row is None:
        raise NoSuchItem(f"没有编号为 {text} 的条目；`tinglan items list` 列出全部")
    return item_of(row)


def list_items(
    database: Database,
    *,
    states: Sequence[State] = (),
    levels: Sequence[Level] = (),
    only_open: bool = False,
    limit: int = 100,
) -> list[Item]:
    """Open ones first, then the gravest, then the oldest."""
    query = sa.select(items)
    if states:
        query = query.where(items.c.state.in_([state.value for state in states]))
    if levels:
        query = query.where(items.c.level.in_([level.value for level in levels]))
    if only_open:
        query = query.where(items.c.state.in_(_OPEN))
    is_open = sa.case((items.c.state.in_(_OPEN), 0), else_=1)
    query = query.order_by(is_open, rank(items.c.level), items.c.discovered_at, items.c.id)
    with database.read() as connection:
        return [item_of(row) for row in connection.execute(query.limit(limit)).mappings()]


def show_item(database: Database, which: int | str) -> dict[str, Any]:
    """Everything known of one item: itself, its posts, reasons, history and notices.

    Raises NoSuchItem.
    """
    with database.read() as connection:
        item = find_item(connection, which)
        joined = sa.select(posts).join(item_posts, item_posts.c.post == posts.c.id)
        shown: dict[str, Any] = {
            "item": item,
            "posts": _rows(connection, joined.where(item_posts.c.item == item.id)),
            "events": _rows(
                connection,
                sa.select(events).where(events.c.item == item.id).order_by(events.c.id),
            ),
            "notices": _rows(
                connection,
                sa.select(notices)
                .where(notices.c.item == item.id)
                .order_by(notices.c.created_at, notices.c.id),
            ),
        }
        of_posts = findings.c.post.in_([row["id"] for row in shown["posts"]])
        noticed = [one for row in shown["events"] for one in row["detail"].get("findings", ())]
        shown["findings"] = _rows(
            connection,
            sa.select(findings)
            .where(sa.or_(of_posts, findings.c.id.in_(noticed)))
            .order_by(findings.c.id),
        )
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What `status` says of the desk."""

    by_state: Mapping[str, int]  #: open states only
    open: int
    overdue: int
    owed: int  #: notices not yet delivered
    undelivered: int  #: … and late, or refused


def counts(database: Database, now: datetime) -> Counts:
    """Drills are left out."""
    with database.read() as connection:
        by_state = {
            str(row.state): int(row.many)
            for row in connection.execute(
                sa.select(items.c.state, sa.func.count().label("many"))
                .where(items.c.state.in_(_OPEN), items.c.drill.is_(sa.false()))
                .group_by(items.c.state)
            )
        }
        owed = connection.execute(
            sa.select(sa.func.count()).select_from(notices).where(notices.c.state.in_(_OWED))
        ).scalar_one()
        late = connection.execute(sa.select(sa.func.count()).where(_undelivered(now))).scalar_one()
        running = overdue_items(connection, now)
    return Counts(
        by_state=by_state,
        open=sum(by_state.values()),
        overdue=len(running),
        owed=owed,
        undelivered=late,
    )


def overdue_items(connection: sa.Connection, now: datetime) -> list[Item]:
    """Open items whose present stage has lasted longer than was promised."""
    rows = connection.execute(
        sa.select(items)
        .join(
            promises,
            sa.and_(
                promises.c.item == items.c.id,
                promises.c.visit == items.c.version,
                promises.c.stage == items.c.state,
            ),
        )
        .where(
            promises.c.ended_at.is_(None),
            promises.c.due_at < now,
            items.c.state.in_(_OPEN),
            items.c.drill.is_(sa.false()),
        )
    ).mappings()
    return sorted(map(item_of, rows), key=lambda item: (item.level.rank, item.discovered_at))


def undelivered_notices(connection: sa.Connection, now: datetime) -> list[dict[str, Any]]:
    """Owed for longer than ten minutes, or refused for good within the last week."""
    return _rows(
        connection, sa.select(notices).where(_undelivered(now)).order_by(notices.c.created_at)
    )


def list_notices(
    database: Database, *, states: Sequence[NoticeState] = (), limit: int = 100
) -> list[dict[str, Any]]:
    """The outbox, newest first: what is owed, tried, refused, with the item's number."""
    query = sa.select(notices, items.c.number, items.c.title).select_from(
        notices.outerjoin(items, items.c.id == notices.c.item)
    )
    if states:
        query = query.where(notices.c.state.in_([state.value for state in states]))
    query = query.order_by(notices.c.created_at.desc(), notices.c.id).limit(limit)
    with database.read() as connection:
        return _rows(connection, query)


def list_attempts(database: Database, notice: str) -> list[dict[str, Any]]:
    """Every try at one notice, oldest first."""
    with database.read() as connection:
        return _rows(
            connection,
            sa.select(attempts).where(attempts.c.notice == notice).order_by(attempts.c.id),
        )


def rank(column: Any) -> sa.Case[Any]:
    """Orders levels: 1 the gravest; what has no level comes last."""
    return sa.case(*((column == level.value, level.rank) for level in Level), else_=len(Level) + 1)


def _undelivered(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(
            notices.c.state.in_([NoticeState.REFUSED.value, NoticeState.BOUNCED.value]),
            notices.c.settled_at >= now - _REMEMBERED,
        ),
        sa.and_(notices.c.state.in_(_OWED), notices.c.created_at < now - _LATE),
    )


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
