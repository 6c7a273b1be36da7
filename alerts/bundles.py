"""积压: where more is owed to one person than can be read singly, one letter lists it all."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from alerts import pace
from alerts.dossier import BUNDLED
from alerts.notices import Notice, notice_of, owe
from config.settings import Settings
from store.records import Level, NoticeState
from store.tables import attempts, notices

_SINGLE = (Level.I.value, Level.II.value)  #: never bundled
_WAITING = (NoticeState.PENDING, NoticeState.DEFERRED, NoticeState.UNSURE)


def due(now: datetime) -> sa.ColumnElement[bool]:
    """Waiting and due, or leased by somebody who never came back; members of a bundle are not.

    A time further ahead than anything is ever booked means the clock was set back.
    """
    ahead = now + pace.FURTHEST
    return sa.and_(
        sa.or_(
            sa.and_(
                notices.c.state.in_([state.value for state in _WAITING]),
                sa.or_(notices.c.next_at <= now, notices.c.next_at > ahead),
            ),
            sa.and_(
                notices.c.state == NoticeState.SENDING.value,
                sa.or_(notices.c.lease_until <= now, notices.c.lease_until > ahead),
            ),
        ),
        sa.not_(notices.c.lease_by.startswith(BUNDLED)),
    )


def bundled(connection: sa.Connection, notice: Notice, settings: Settings, now: datetime) -> Notice:
    """The letter that goes instead, where more is owed to this person than one can read singly."""
    if notice.stage == "bundle":
        if not _ever_unsure(connection, notice):  # else a copy would say more than the first did
            adopt(connection, _owed_lower(connection, notice, now), notice.id)
        return notice
    if notice.item is None or (notice.level and notice.level.value in _SINGLE):
        return notice
    owed = _owed_lower(connection, notice, now)
    if len(owed) < settings.calm.group:
        return notice
    made = owe(
        connection,
        subject_key=f"bundle:{notice.id}",
        stage="bundle",
        recipient=notice.recipient,
        transport=notice.transport,
        office=notice.office,
        level=notice.level,
        now=now,
        detail={"why": "短时间内有多条通知，合并发送，逐条列出"},
    )
    assert made is not None  # noqa: S101 - nobody else can have taken this key: it is our turn
    adopt(connection, owed, made)
    row = connection.execute(sa.select(notices).where(notices.c.id == made)).mappings().one()
    return notice_of(row)


def _owed_lower(connection: sa.Connection, notice: Notice, now: datetime) -> list[str]:
    return list(
        connection.execute(
            sa.select(notices.c.id).where(
                due(now),
                notices.c.recipient == notice.recipient,
                notices.c.transport == notice.transport,
                notices.c.item.is_not(None),
                notices.c.level.not_in(_SINGLE),
            )
        ).scalars()
    )


def adopt(connection: sa.Connection, ids: list[str], bundle: str) -> None:
    if ids:
        connection.execute(
            notices.update()
            .where(notices.c.id.in_(ids))
            .values(lease_by=f"{BUNDLED}{bundle}", lease_until=None)
        )


def member_ids(connection: sa.Connection, bundle: str) -> list[str]:
    """Whose letters a bundle stands for; empty for a single notice."""
    query = sa.select(notices.c.id).where(notices.c.lease_by == f"{BUNDLED}{bundle}")
    return list(connection.execute(query).scalars())


def _ever_unsure(connection: sa.Connection, notice: Notice) -> bool:
    if notice.state in {NoticeState.UNSURE, NoticeState.SENDING}:
        return True
    return (
        connection.execute(
            sa.select(attempts.c.id)
            .where(attempts.c.notice == notice.id, attempts.c.outcome == NoticeState.UNSURE.value)
            .limit(1)
        ).first()
        is not None
    )
