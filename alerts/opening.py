"""Takes what was assessed or noticed since, and makes a case of whatever was flagged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from alerts.cases import Case, join_item, latest, open_item, raise_alarm, record, routes_of
from alerts.growth import flares_up, grow
from alerts.headers import clean_header
from alerts.items import Item, item_of
from alerts.routing import Route
from alerts.turns import take_turn
from config.settings import Settings
from store.engine import Database
from store.records import Level, Topic
from store.tables import assessments, findings, item_posts, items, posts

log = logging.getLogger(__name__)

_TITLE = 60  #: characters kept of a title
_KIN = 500  #: posts of an event that are looked at, the latest
_LATEST = 20  #: … of these first


#: (case, now) → who is told beside the offices
Also = Callable[[Case, datetime], Sequence[Route]]
#: post → other posts that tell of the same event
Kin = Callable[[sa.Connection, int], Sequence[int]]


def open_items(
    database: Database,
    settings: Settings,
    now: datetime,
    limit: int = 200,
    *,
    kin: Kin | None = None,
    also: Also | None = None,
) -> int:
    """Deals with what was assessed or noticed since; answers with how much, 0 when all is done.

    One transaction: items, ledger lines and notices commit together or not at all. A case that
    cannot be read becomes an item in plain words, and never holds up the others.
    """
    with database.write() as connection:
        take_turn(connection)
        assessed = _waiting_assessments(connection, limit)
        watched = _waiting_findings(connection, limit)
        for row in assessed:
            _contained(connection, settings, now, row, partial(_assessed, kin=kin, also=also))
            _mark(connection, assessments, row["id"])
        for row in watched:
            _contained(connection, settings, now, row, _watched)
            _mark(connection, findings, row["id"])
    return len(assessed) + len(watched)


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
                key=f"unreadable:{getattr(deal, '__name__', '_assessed').strip('_')}:{row['id']}",
                title="一条已触发的线索无法整理成条目",
                reason=(
                    f"记录 {row['id']}（帖文 {row['post'] or '无'}）整理时出错："
                    f"{type(error).__name__}。请人工查看该帖文。"
                ),
                level=Level.II,
                now=now,
            )


def _assessed(
    connection: sa.Connection,
    settings: Settings,
    now: datetime,
    row: Mapping[Any, Any],
    *,
    kin: Kin | None,
    also: Also | None,
) -> None:
    item = _item_of_post(connection, row["post"])
    if not row["flagged"]:
        if item is not None:
            note = f"帖文更新为第{row['version']}版，本版未触发规则"
            record(connection, item, now, kind="updated", note=note, detail={"post": row["post"]})
        return
    case = _case(connection, row)
    if item is not None:
        join_item(connection, settings, item, case, now)
        flares_up(connection, item, case, now, new_post=False)
        return
    others = kin(connection, row["post"])[-_KIN:] if kin is not None else ()
    # A drill must not hide in a real case, nor a real post in a drill's.
    item = _item_of_kin(connection, others, drill=case.drill)
    if item is None:
        routes = [*routes_of(settings, case), *(also(case, now) if also is not None else ())]
        open_item(connection, case, _once(routes), now)
        return
    told = replace(case, told=f"同一事件的新帖文：{case.title}", visit=grown_visit(case))
    join_item(connection, settings, item, told, now)
    if not flares_up(connection, item, case, now, new_post=True):
        grow(connection, settings, item, now)


def _once(routes: Iterable[Route]) -> list[Route]:
    """One route a person: the first, which is an office's where there is one."""
    return list({(one.recipient, one.transport): one for one in reversed([*routes])}.values())[::-1]


def grown_visit(case: Case) -> int:
    """A number for a growth notice that no version of the item's own post can have."""
    return 1_000_000 + (case.post or 0)


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
    if row["post"] is not None:
        item = _item_of_post(connection, row["post"])
        key = f"post:{row['post']}"
    else:
        key = f"watch:{row['key'] or row['stage']}"
        item = latest(connection, key)
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
        open_item(connection, case, routes_of(settings, case), now)
    else:
        join_item(connection, settings, item, case, now)


def _item_of_kin(connection: sa.Connection, others: Sequence[int], *, drill: bool) -> Item | None:
    """The item of an event; the latest of its posts nearly always know it."""
    for some in (others[-_LATEST:], others[:-_LATEST]):
        item = _item_of_post(connection, *some, drill=drill) if some else None
        if item is not None:
            return item
    return None


def _item_of_post(connection: sa.Connection, *post: int, drill: bool | None = None) -> Item | None:
    """The item that posts belong to; where that was merged, the one it went into."""
    which: list[sa.ColumnElement[bool]] = [item_posts.c.post.in_(post)]
    if drill is not None:
        which.append(items.c.drill == drill)
    row = (
        connection.execute(
            sa.select(items)
            .join(item_posts, item_posts.c.item == items.c.id)
            .where(*which)
            .order_by(sa.case((items.c.merged_into.is_(None), 0), else_=1), items.c.id.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    return item_of(row) if row else None


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
