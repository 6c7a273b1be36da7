"""Data past its time is deleted, and the deletion itself is recorded.

PIPL art. 19 and 47: kept no longer than needed. What belongs to an item stays as long as the
item does; the ledger stays always (it holds no post text). Network logs stay at least six
months (Cybersecurity Law art. 23(3)), which settings cannot shorten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from store import grams, ledger
from store.engine import Database
from store.tables import assessments, fetches, findings, item_posts, items, posts, runs, versions

LOGS_FLOOR = timedelta(days=183)
_BATCH = 500  #: posts in one transaction, so that nobody waits long for the database


@dataclass(frozen=True, slots=True)
class Purged:
    posts: int
    runs: int


def purge(
    database: Database,
    *,
    now: datetime,
    unflagged: timedelta,
    closed: timedelta,
    logs: timedelta,
) -> Purged:
    """Deletes posts that no item holds after `unflagged`, those of items closed for `closed`,
    and runs with their fetches after `logs` (never before six months). Safe to repeat."""
    told = 0
    while True:
        with database.write() as connection:
            old = _old_posts(connection, now - unflagged, now - closed)
            if not old:
                break
            _forget(connection, old)
            told += len(old)
            _record(connection, now, "posts", len(old))
    with database.write() as connection:
        gone = _old_runs(connection, now - max(logs, LOGS_FLOOR))
        if gone:
            _record(connection, now, "runs", gone)
    if told:
        _empty_log(database)
    return Purged(posts=told, runs=gone)


def _empty_log(database: Database) -> None:
    """Brings the overwritten pages into the file; the old ones stand in the log until then."""
    if not database.is_sqlite:
        return
    with database.engine.connect() as connection:
        raw = connection.connection.dbapi_connection  # a transaction could not empty the log
        if raw is not None:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _old_posts(connection: sa.Connection, unflagged: datetime, closed: datetime) -> list[int]:
    held = sa.select(item_posts.c.post).join(items, items.c.id == item_posts.c.item)
    kept = held.where(sa.or_(items.c.closed_at.is_(None), items.c.closed_at >= closed))
    loose = sa.and_(posts.c.id.not_in(held), posts.c.changed_at < unflagged)
    worded = sa.or_(*(posts.c[name] != "" for name in ("title", "text", "reply", "author")))
    done = sa.and_(posts.c.id.in_(held), posts.c.id.not_in(kept), worded)
    found = connection.execute(
        sa.select(posts.c.id).where(sa.or_(loose, done)).order_by(posts.c.id).limit(_BATCH)
    )
    return [int(row.id) for row in found]


def _forget(connection: sa.Connection, old: list[int]) -> None:
    """A post that an item names keeps its row without its words; another one goes entirely."""
    grams.remove(connection, old)
    connection.execute(findings.delete().where(findings.c.post.in_(old)))
    connection.execute(assessments.delete().where(assessments.c.post.in_(old)))
    connection.execute(versions.delete().where(versions.c.post.in_(old)))
    named = sa.select(item_posts.c.post)
    connection.execute(posts.delete().where(posts.c.id.in_(old), posts.c.id.not_in(named)))
    blank = {"title": "", "text": "", "reply": "", "author": "", "notes": {}}
    emptied = posts.update().where(posts.c.id.in_(old))
    connection.execute(emptied.values(**blank, assessed=posts.c.version))


def _old_runs(connection: sa.Connection, before: datetime) -> int:
    old = sa.select(runs.c.id).where(runs.c.planned_at < before, runs.c.state != "running")
    connection.execute(fetches.delete().where(fetches.c.run.in_(old)))
    return int(connection.execute(runs.delete().where(runs.c.id.in_(old))).rowcount)


def _record(connection: sa.Connection, now: datetime, what: str, count: int) -> None:
    ledger.append(
        connection,
        item=None,
        at=now,
        kind="purged",
        by="retention",
        note=f"到期删除 {what} {count} 条",
        detail={"what": what, "count": count},
    )
