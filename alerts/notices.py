"""通知: what is owed to one person, as a value and as a row that cannot be owed twice."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import insert_for
from store.records import Level, NoticeState
from store.tables import notices

_SPACE = uuid.UUID("6f1c1b0e-6d0b-5a53-9a3b-7f1d6c2c9a10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    id: str
    item: int | None
    digest: int | None
    subject_key: str  #: item:17, digest:3, bundle:…
    stage: str  #: alert, growth, assign, closed, reopened, fallback, bundle, handover, digest, test
    visit: int
    rung: int
    recipient: str
    transport: str
    office: str
    level: Level | None
    state: NoticeState
    attempts: int
    created_at: datetime
    next_at: datetime
    lease_until: datetime | None
    lease_by: str
    detail: Mapping[str, Any]


def notice_of(row: Mapping[Any, Any]) -> Notice:
    """A row of `notices` as a value."""
    return Notice(
        **{
            **{name: row[name] for name in Notice.__slots__},
            "level": Level(row["level"]) if row["level"] else None,
            "state": NoticeState(row["state"]),
            "detail": row["detail"] or {},
        }
    )


def owe(
    connection: sa.Connection,
    *,
    subject_key: str,
    stage: str,
    recipient: str,
    transport: str,
    now: datetime,
    item: int | None = None,
    digest: int | None = None,
    visit: int = 1,
    rung: int = 0,
    office: str = "",
    level: Level | None = None,
    detail: Mapping[str, Any] | None = None,
    due_at: datetime | None = None,
) -> str | None:
    """Writes the debt inside the caller's transaction; answers its id, None if owed already.

    It may leave from `due_at` on; at once where that is not given.

    The id names the debt and the moment it arose: the same row keeps one Message-ID for ever,
    and two installations (or a database begun anew) never share one.
    """
    parts = (subject_key, stage, visit, rung, recipient, transport, now.isoformat())
    made = str(uuid.uuid5(_SPACE, "|".join(map(str, parts))))
    statement = insert_for(connection.dialect.name)(notices).values(
        id=made,
        item=item,
        digest=digest,
        subject_key=subject_key,
        stage=stage,
        visit=visit,
        rung=rung,
        recipient=recipient,
        transport=transport,
        office=office,
        level=level.value if level else "",
        state=NoticeState.PENDING.value,
        created_at=now,
        next_at=due_at or now,
        detail=dict(detail or {}),
    )
    # What came back, not rowcount: for an INSERT, PostgreSQL's driver does not say.
    written = connection.execute(statement.on_conflict_do_nothing().returning(notices.c.id))
    return made if written.first() is not None else None
