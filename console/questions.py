"""What the list is asked for: read from the URL, turned into a query, and written back as a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from alerts.items import Item, item_of, rank
from config.clock import SHANGHAI
from console.accounts import User
from console.roles import sees_own_only
from console.search import items_matching, terms
from store.records import Level, State, Topic
from store.tables import items, notices

PAGE = 50
#: With an office, or back from it.
GIVEN = [state.value for state in (State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW)]
OPEN = [state.value for state in State if state.is_open]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Filters of the list; "" is no filter. What makes no sense is dropped, never an error."""

    state: str = "open"  #: open, all, given (with an office), today (closed today), or a state
    level: str = ""
    topic: str = ""
    channel: str = ""
    office: str = ""
    q: str = ""  #: words in the text
    since: str = ""  #: a day, discovered from
    until: str = ""  #: a day, discovered up to its end
    late: str = ""  #: 1: overdue only
    order: str = "new"  #: new, grave, due
    page: int = 1

    @property
    def url(self) -> str:
        return "/items" + self.tail

    @property
    def tail(self) -> str:
        """`?state=…`, without what is as it is anyway."""
        plain = Question()
        told = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) != getattr(plain, one.name)
        }
        return f"?{urlencode(told)}" if told else ""

    def but(self, **changes: Any) -> Question:
        return replace(self, **{"page": 1, **changes})

    @property
    def is_filtered(self) -> bool:
        return self.but(order="new", page=1) != Question()


def question_of(query: Mapping[str, str]) -> Question:
    def one_of(name: str, allowed: set[str], default: str = "") -> str:
        value = query.get(name, "").strip()
        return value if value in allowed else default

    def word(name: str, limit: int = 60) -> str:
        return query.get(name, "").strip()[:limit]

    number = query.get("page", "1")
    return Question(
        state=one_of("state", {"open", "all", "given", "today", *State}, "open"),
        level=one_of("level", set(Level)),
        topic=one_of("topic", set(Topic)),
        channel=word("channel"),
        office=word("office"),
        q=word("q", 100),
        since=day_of(query.get("since", "")),
        until=day_of(query.get("until", "")),
        late=one_of("late", {"1"}),
        order=one_of("order", {"new", "grave", "due"}, "new"),
        page=max(1, min(100_000, int(number))) if number.isdecimal() else 1,
    )


def closed_today(now: datetime) -> sa.ColumnElement[bool]:
    """By the day in Shanghai."""
    midnight = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return sa.and_(
        items.c.state == State.CLOSED.value,
        items.c.closed_at >= midnight,
        items.c.closed_at < midnight + timedelta(days=1),
    )


def visible_to(user: User) -> sa.ColumnElement[bool]:
    """Which items this person may see at all."""
    if not sees_own_only(user.role):
        return sa.true()
    told = sa.select(notices.c.item).where(
        notices.c.office == user.office, notices.c.item.is_not(None)
    )
    return sa.or_(items.c.office == user.office, items.c.id.in_(told))


def wanted(
    connection: sa.Connection, question: Question, user: User, now: datetime
) -> sa.Select[Any]:
    """The query behind a list, unordered; `late` and `due` are for who can reckon limits."""
    query = sa.select(items).where(visible_to(user))
    if question.state == "open":
        query = query.where(items.c.state.in_(OPEN))
    elif question.state == "given":
        query = query.where(items.c.state.in_(GIVEN), items.c.drill.is_(sa.false()))
    elif question.state == "today":
        query = query.where(closed_today(now), items.c.drill.is_(sa.false()))
    elif question.state != "all":
        query = query.where(items.c.state == question.state)
    for name in ("level", "topic", "channel", "office"):
        if getattr(question, name):
            query = query.where(items.c[name] == getattr(question, name))
    if question.since:
        query = query.where(items.c.discovered_at >= midnight(question.since))
    if question.until:
        query = query.where(items.c.discovered_at < midnight(question.until, after=True))
    if question.q:
        query = query.where(_said(connection, question.q))
    return query


def ordered(query: sa.Select[Any], question: Question) -> sa.Select[Any]:
    newest = (items.c.discovered_at.desc(), items.c.id.desc())
    if question.order == "grave":
        return query.order_by(rank(items.c.level), *newest)
    return query.order_by(*newest)


def counted(connection: sa.Connection, query: sa.Select[Any]) -> int:
    inner = query.with_only_columns(items.c.id).order_by(None).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one())


def ids(connection: sa.Connection, query: sa.Select[Any]) -> list[int]:
    """Of all that answer, in the order of the query."""
    return list(connection.execute(query.with_only_columns(items.c.id)).scalars())


def read(connection: sa.Connection, query: sa.Select[Any]) -> list[Item]:
    return [item_of(row) for row in connection.execute(query).mappings()]


def _said(connection: sa.Connection, text: str) -> sa.ColumnElement[bool]:
    """By words of the posts, by the item's number, or by its title (an alarm has no post)."""
    looked = terms(text)
    ways = [items.c.number == text.upper()]
    if looked:
        ways.append(items.c.id.in_(items_matching(connection, looked)))
        ways.append(
            sa.and_(
                items.c.post.is_(None),
                *(items.c.title.ilike(f"%{term}%") for term in looked),
            )
        )
    return sa.or_(*ways)


def day_of(text: str) -> str:
    """An ISO day as it was typed; "" for anything else."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return ""


def midnight(day: str, *, after: bool = False) -> datetime:
    """When an ISO day begins in Shanghai; `after`: when it has ended."""
    begins = datetime.combine(date.fromisoformat(day), datetime.min.time(), SHANGHAI)
    return begins + timedelta(days=1) if after else begins
