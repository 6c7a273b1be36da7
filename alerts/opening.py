"""Turns what was found into items, and writes what is owed to each person in the same breath."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from alerts.headers import clean_header
from alerts.items import Item, item_of
from alerts.notices import owe
from alerts.routing import Route, fallback, route
from alerts.turns import take_turn
from config.clock import SHANGHAI
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import Level, State, Topic
from store.tables import assessments, facts, findings, item_posts, items, posts

log = logging.getLogger(__name__)

_TITLE = 60  #: characters kept of a title


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


def open_items(database: Database, settings: Settings, now: datetime, limit: int = 200) -> int:
    """Deals with what was assessed or noticed since; answers with how much, 0 when all is done.

    One transaction: items, ledger lines and notices commit together or not at all. A case that
    cannot be read becomes an item in plain words, and never holds up the others.
    """
    with database.write() as connection:
        take_turn(connection)
        assessed = _waiting_assessments(connection, limit)
        watched = _waiting_findings(connection, limit)
        for row in assessed:
            _contained(connection, settings, now, row, _assessed)
            _mark(connection, assessments, row["id"])
        for row in watched:
            _contained(connection, settings, now, row, _watched)
            _mark(connection, findings, row["id"])
    return len(assessed) + len(watched)


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
    before = _latest(connection, f"system:{key}")
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
    routes = fallback(settings, "系统告警，送后备联系人")
    return _open(
        connection,
        case,
        [one for one in routes if (one.recipient, one.transport) not in without],
        now,
    )


# --- reading what waits ---------------------------------------------------------------------------


def _waiting_assessments(connection: sa.Connection, limit: int) -> Sequence[Mapping[Any, Any]]:
    query = (
        sa.select(assessments)
        .where(assessments.c.reported == sa.false())
        .order_by(assessments.c.id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def _waiting_findings(connection: sa.Connection, limit: int) -> Sequence[Mapping[Any, Any]]:
    query = (
        sa.select(findings)
        .where(findings.c.reported == sa.false(), findings.c.assessment.is_(None))
        .order_by(findings.c.id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def _mark(connection: sa.Connection, table: sa.Table, row: int) -> None:
    connection.execute(table.update().where(table.c.id == row).values(reported=True))


def _contained(
    connection: sa.Connection,
    settings: Settings,
    now: datetime,
    row: Mapping[Any, Any],
    deal: Any,
) -> None:
    """Deals with one row so that its failure stays its own, and is still reported."""
    try:
        with connection.begin_nested():
            deal(connection, settings, now, row)
    except sa.exc.OperationalError:
        raise  # the database itself: nothing of this batch may be called done
    except Exception as error:
        log.exception("opening.failed row=%s", row["id"])
        with connection.begin_nested():
            raise_alarm(
                connection,
                settings,
                key=f"unreadable:{deal.__name__.strip('_')}:{row['id']}",
                title="一条已触发的线索无法整理成条目",
                reason=(
                    f"记录 {row['id']}（帖文 {row['post'] or '无'}）整理时出错："
                    f"{type(error).__name__}。请人工查看该帖文。"
                ),
                level=Level.II,
                now=now,
            )


def _assessed(
    connection: sa.Connection, settings: Settings, now: datetime, row: Mapping[Any, Any]
) -> None:
    item = _item_of_post(connection, row["post"])
    if not row["flagged"]:
        if item is not None:
            note = f"帖文更新为第{row['version']}版，本版未触发规则"
            _line(connection, item, now, kind="updated", note=note, detail={"post": row["post"]})
        return
    case = _case(connection, row)
    if item is None:
        _open(connection, case, _routes(settings, case), now)
    else:
        _join(connection, settings, item, case, now)


def _case(connection: sa.Connection, row: Mapping[Any, Any]) -> Case:
    post = connection.execute(sa.select(posts).where(posts.c.id == row["post"])).mappings().one()
    level = _level(row["level"])
    topics = tuple(str(topic) for topic in row["topics"] or ())
    return Case(
        key=f"post:{row['post']}",
        title=_title(post["title"], post["text"]),
        level=level,
        topics=topics,
        topic=_leading(connection, row["id"], topics),
        channel=post["channel"],
        tone=row["tone"],
        post=row["post"],
        published_at=post["published_at"],
        # An edit that turns a quiet post into a case was not there to be seen before it.
        discovered_at=post["captured_at"] if row["version"] == 1 else post["changed_at"],
        drill=post["drill"],
        visit=row["version"],
        told=f"帖文第{row['version']}版触发规则",
        detail={"assessment": row["id"], "post": row["post"]},
    )


def _watched(
    connection: sa.Connection, settings: Settings, now: datetime, row: Mapping[Any, Any]
) -> None:
    if row["post"] is not None and not row["key"]:
        item = _item_of_post(connection, row["post"])
        key = f"post:{row['post']}"
    else:
        key = f"watch:{row['key'] or row['stage']}"
        item = _latest(connection, key)
        if item is not None and not item.state.is_open:
            item = None  # it was dealt with, and here it is again: a new case
    topic = row["topic"] or Topic.SYSTEM.value
    case = Case(
        key=key,
        title=_title(row["reason"], row["text"]),
        level=_level(row["level"]),
        topics=(topic,),
        topic=topic,
        channel=row["channel"],
        post=row["post"],
        discovered_at=row["at"],
        visit=row["id"],
        told=row["reason"],
        detail={"findings": [row["id"]], "post": row["post"]},
    )
    if item is None:
        _open(connection, case, _routes(settings, case), now)
    else:
        _join(connection, settings, item, case, now)


# --- writing --------------------------------------------------------------------------------------


def _open(connection: sa.Connection, case: Case, routes: Sequence[Route], now: datetime) -> Item:
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
    _line(
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


def _join(
    connection: sa.Connection, settings: Settings, item: Item, case: Case, now: datetime
) -> None:
    """A line of history; a higher level is taken over and told once. State and notes stay."""
    _attach(connection, item.id, case.post, now)
    grew = case.level.rank < item.level.rank
    detail = {**case.detail, "level": case.level.value}
    kind = "grew" if grew else "joined"
    _line(connection, item, now, kind=kind, note=case.told, detail=detail)
    if not grew:
        return
    connection.execute(items.update().where(items.c.id == item.id).values(level=case.level.value))
    routes = _routes(settings, case)
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


def _routes(settings: Settings, case: Case) -> tuple[Route, ...]:
    return route(settings, topics=case.topics, level=case.level, channel=case.channel)


def _line(
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


def _item_of_post(connection: sa.Connection, post: int) -> Item | None:
    """The item a post belongs to; where that was merged, the one it went into."""
    row = (
        connection.execute(
            sa.select(items)
            .join(item_posts, item_posts.c.item == items.c.id)
            .where(item_posts.c.post == post)
            .order_by(sa.case((items.c.merged_into.is_(None), 0), else_=1), items.c.id.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    return item_of(row) if row else None


def _latest(connection: sa.Connection, key: str) -> Item | None:
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
    last = connection.execute(
        sa.select(facts.c.value).where(facts.c.name == name).with_for_update()
    ).scalar_one()
    connection.execute(facts.update().where(facts.c.name == name).values(value=last + 1, at=now))
    return f"TL-{year}-{last + 1:04d}"


def _leading(connection: sa.Connection, assessment: int, topics: Sequence[str]) -> str:
    """The topic of the gravest finding; else the first that was named."""
    rows = connection.execute(
        sa.select(findings.c.topic, findings.c.level)
        .where(findings.c.assessment == assessment, findings.c.topic.is_not(None))
        .order_by(findings.c.id)
    ).all()
    ranked = sorted((_level(level).rank, n, topic) for n, (topic, level) in enumerate(rows))
    for _, _, topic in ranked:
        if topic in topics or not topics:
            return str(topic)
    return topics[0] if topics else ""


def _level(value: Any) -> Level:
    try:
        return Level(value)
    except ValueError:
        return Level.IV


def _title(title: str, text: str) -> str:
    """What the case is called: the title, or how the text begins."""
    return clean_header(title, _TITLE) or clean_header(text[:400], _TITLE) or "（无文字内容）"


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
