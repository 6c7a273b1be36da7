"""What is known of a site's pages: found but not yet read, to be read again, or done.

It is the crawl's durable position: a page enters it in the same transaction in which the
list that named it counts as read, and stays due until it has been read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from crawler.intake import insert_into
from crawler.site import revisits
from store.engine import insert_for
from store.tables import pages, positions

Hint = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page that a list, feed or sitemap names."""

    url: str
    kind: str  #: article, letter or comment
    column: str = ""  #: address of the list; says how to read the page
    title: str = ""
    at: datetime | None = None  #: as the list dates it
    touched: datetime | None = None  #: last change, as feeds and sitemaps tell it
    state: str = ""  #: of a letter, as its board tells it

    @property
    def hint(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "title": self.title,
            "at": self.at.isoformat() if self.at else None,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One row of `pages`."""

    url: str
    kind: str = ""
    etag: str = ""
    modified: str = ""
    digest: str = ""
    last_at: datetime | None = None
    next_at: datetime | None = None
    closed: bool = False
    failures: int = 0
    hint: Hint = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What a list page added."""

    fresh: int = 0
    known: int = 0


def get(connection: sa.Connection, channel: str, url: str) -> Known:
    """What is known of one page; a blank where nothing is."""
    row = (
        connection.execute(sa.select(pages).where(pages.c.channel == channel, pages.c.url == url))
        .mappings()
        .one_or_none()
    )
    return _known(row) if row is not None else Known(url=url)


def discover(
    connection: sa.Connection,
    channel: str,
    found: Sequence[Found],
    now: datetime,
    *,
    spread: int = 0,
) -> News:
    """Enters new pages as due, the newest to be read first; `spread` is how many came before.

    A known page whose title in the list, or whose time of change, is new becomes due again.
    """
    wanted = {one.url: one for one in found}
    seen = _rows(connection, channel, wanted)
    fresh = []
    for rank, one in enumerate(wanted.values(), start=spread):
        old = seen.get(one.url)
        if old is None:
            fresh.append(_entered(channel, one, now, rank))
        elif _has_news(old, one):
            connection.execute(
                pages.update()
                .where(pages.c.channel == channel, pages.c.url == one.url)
                .values(next_at=now, closed=False, hint={**old.hint, **one.hint})
            )
    if fresh:
        connection.execute(_enter(connection.dialect.name), fresh)
    return News(fresh=len(wanted) - len(seen), known=len(seen))


def due(connection: sa.Connection, channel: str, now: datetime, cap: int) -> list[Known]:
    """Pages to read now: new ones newest first, with a quarter kept for those to be seen again
    (letters before others), so that neither starves the other."""
    base = sa.select(pages).where(
        pages.c.channel == channel, pages.c.next_at <= now, pages.c.closed == sa.false()
    )
    fresh = connection.execute(
        base.where(pages.c.last_at.is_(None)).order_by(pages.c.next_at.desc()).limit(cap)
    ).mappings()
    again = connection.execute(
        base.where(pages.c.last_at.is_not(None))
        .order_by(sa.case((pages.c.kind == "letter", 0), else_=1), pages.c.next_at)
        .limit(cap)
    ).mappings()
    new, old = [_known(row) for row in fresh], [_known(row) for row in again]
    kept = max(cap - len(new), min(len(old), max(1, cap // 4))) if old else 0
    return [*new[: cap - kept], *old[:kept]]


def backlog(connection: sa.Connection, channel: str, now: datetime) -> int:
    """How many pages were due at `now` and still are."""
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(pages)
            .where(pages.c.channel == channel, pages.c.next_at <= now, pages.c.closed == sa.false())
        ).scalar_one()
    )


def record(connection: sa.Connection, channel: str, *known: Known) -> None:
    """Writes what was read, as it now is."""
    rows = [
        {
            "channel": channel,
            "url": page.url,
            "kind": page.kind,
            "etag": page.etag[:500],
            "modified": page.modified[:100],
            "digest": page.digest,
            "last_at": page.last_at,
            "next_at": page.next_at,
            "closed": page.closed,
            "failures": page.failures,
            "hint": dict(page.hint),
        }
        for page in known
    ]
    if rows:
        connection.execute(_record(connection.dialect.name), rows)


@cache
def _record(dialect: str) -> Any:
    made = insert_for(dialect)(pages)
    return made.on_conflict_do_update(
        index_elements=["channel", "url"],
        set_={c.name: made.excluded[c.name] for c in pages.c if not c.primary_key},
    )


def trouble(connection: sa.Connection, channel: str, page: Known, now: datetime) -> None:
    """A page that could not be read is tried again, ever less often."""
    failures = page.failures + 1
    connection.execute(
        pages.update()
        .where(pages.c.channel == channel, pages.c.url == page.url)
        .values(failures=failures, next_at=revisits.after_trouble(failures, now))
    )


def position(connection: sa.Connection, channel: str, name: str) -> dict[str, Any]:
    """What was left under a name; empty where nothing was."""
    value = connection.execute(
        sa.select(positions.c.value).where(positions.c.channel == channel, positions.c.list == name)
    ).scalar_one_or_none()
    return dict(value) if isinstance(value, dict) else {}


def leave(
    connection: sa.Connection,
    channel: str,
    name: str,
    value: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Keeps a position, or forgets it where `value` is empty."""
    if not value:
        connection.execute(
            positions.delete().where(positions.c.channel == channel, positions.c.list == name)
        )
        return
    kept = {"value": dict(value), "at": now}
    connection.execute(
        insert_into(connection, positions)
        .values(channel=channel, list=name, **kept)
        .on_conflict_do_update(index_elements=["channel", "list"], set_=kept)
    )


def _entered(channel: str, one: Found, now: datetime, rank: int) -> dict[str, Any]:
    dated = min(one.at, now) if one.at else now
    return {
        "channel": channel,
        "url": one.url,
        "kind": one.kind,
        "next_at": dated - timedelta(milliseconds=rank),
        "hint": one.hint,
    }


@cache
def _enter(dialect: str) -> Any:
    return insert_for(dialect)(pages).on_conflict_do_nothing(index_elements=["channel", "url"])


def _has_news(old: Known, one: Found) -> bool:
    if old.last_at is None:
        return False  # due already
    if one.touched is not None and one.touched > old.last_at:
        return True
    if one.column != old.hint.get("column"):
        return False
    return any(
        said and said != old.hint.get(name, said)
        for name, said in (("title", one.title), ("state", one.state))
    )


def _rows(connection: sa.Connection, channel: str, urls: Iterable[str]) -> dict[str, Known]:
    wanted = list(urls)
    found: dict[str, Known] = {}
    for start in range(0, len(wanted), 500):
        rows = connection.execute(
            sa.select(pages).where(
                pages.c.channel == channel, pages.c.url.in_(wanted[start : start + 500])
            )
        ).mappings()
        found.update({row["url"]: _known(row) for row in rows})
    return found


def _known(row: sa.RowMapping) -> Known:
    values = {name: row[name] for name in Known.__slots__ if name != "hint"}
    hint = row["hint"] if isinstance(row["hint"], dict) else {}
    return Known(**values, hint=hint)
