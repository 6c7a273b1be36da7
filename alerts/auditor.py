"""稽核: looks in the database, not at the ticks, for what should have been told and was not.

Runs in a lane of its own. Both questions are answered from an index and cut at a number, so
that there is never a reason to switch it off for being slow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from alerts.cases import latest, raise_alarm
from alerts.deadlines import Watched
from alerts.deadlines import audit as find_silent
from alerts.turns import take_turn
from config.clock import shown
from config.settings import Settings
from store.engine import Database
from store.records import Level, NoticeState, State
from store.tables import facts, items, notices, promises

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
STUCK = {True: timedelta(minutes=10), False: timedelta(minutes=30)}  #: Ⅰ/Ⅱ, the rest
_MOST = 1000  #: rows looked at; the oldest first, so a cut hides nothing for long
_LISTED = 10
_NAME = "audit"


def audit(database: Database, settings: Settings, now: datetime) -> int:
    """Raises an alarm where an open item or a notice stands still; answers how many do.

    What it found, and that it looked at all, is kept in `facts` under "audit".
    """
    with database.read() as connection:
        late = find_silent(_watched(connection, now), now, settings.deadlines.grace)
        numbers = _numbers(connection, [one.item for one in late[:_LISTED]])
        stuck = _stuck(connection, now)
    with database.write() as connection:
        take_turn(connection)
        if late:
            log.error("audit.silent items=%d", len(late))
            _alarm(
                connection,
                settings,
                now,
                key="silent",
                title=f"{len(late)}个条目到了时限而没有通知",
                reason=f"{'、'.join(numbers)}{'等' if len(late) > _LISTED else ''}："
                "到期后没有任何通知，催办可能已停止。请立即人工盯办，并重启服务。",
            )
        if stuck:
            oldest = min(created for created, _ in stuck)
            _alarm(
                connection,
                settings,
                now,
                key="stuck",
                title=f"{len(stuck)}条通知滞留未发出",
                reason=f"最早一条生成于 {shown(oldest)}，收件人"
                f"{'、'.join(dict.fromkeys(to for _, to in stuck[:_LISTED]))}。"
                "请检查邮件服务器，运行 tinglan outbox list 查看。",
            )
        _note(connection, now, {"late": len(late), "stuck": len(stuck)})
    return len(late) + len(stuck)


def last_audit(connection: sa.Connection) -> tuple[datetime, int, int] | None:
    """(when, silent items, stuck notices) of the last look; None where there was none."""
    row = connection.execute(
        sa.select(facts.c.at, facts.c.value).where(facts.c.name == _NAME)
    ).one_or_none()
    return (row.at, int(row.value["late"]), int(row.value["stuck"])) if row else None


def _watched(connection: sa.Connection, now: datetime) -> Iterable[Watched]:
    """Open items whose next instant has passed, and those that nobody has promised anything."""
    rows = connection.execute(
        sa.select(promises.c.item, promises.c.next_at, promises.c.told_at, items.c.state)
        .join(items, items.c.id == promises.c.item)
        .where(promises.c.next_at <= now)
        .order_by(promises.c.next_at)
        .limit(_MOST)
    ).all()
    # Only what the planner owes: an item that was opened or moved a moment ago is not late yet.
    fresh = connection.execute(
        sa.select(items.c.id, items.c.state, items.c.changed_at)
        .where(items.c.promised < items.c.version)
        .order_by(items.c.id)
        .limit(_MOST)
    ).all()
    return [
        *(
            Watched(item=row.item, state=State(row.state), next_at=row.next_at, told_at=row.told_at)
            for row in rows
        ),
        *(
            Watched(item=row.id, state=State(row.state), next_at=row.changed_at, told_at=None)
            for row in fresh
        ),
    ]


def _stuck(connection: sa.Connection, now: datetime) -> list[tuple[datetime, str]]:
    """Owed, due, and older than its class may be. What waits for its window is not due."""
    grave = notices.c.level.in_([Level.I.value, Level.II.value])
    rows = connection.execute(
        sa.select(notices.c.created_at, notices.c.recipient)
        .where(
            notices.c.state.in_([state.value for state in NoticeState if state.is_owed]),
            notices.c.stage != "test",
            sa.or_(
                sa.and_(grave, notices.c.created_at <= now - STUCK[True]),
                sa.and_(
                    sa.not_(grave),
                    notices.c.created_at <= now - STUCK[False],
                    # Tried in vain, or not even tried half an hour after it could have gone.
                    sa.or_(notices.c.attempts > 0, notices.c.next_at <= now - STUCK[False]),
                ),
            ),
        )
        .order_by(notices.c.next_at)
        .limit(_MOST)
    )
    return [(row.created_at, row.recipient) for row in rows]


def _numbers(connection: sa.Connection, wanted: list[int]) -> list[str]:
    query = sa.select(items.c.number).where(items.c.id.in_(wanted)).order_by(items.c.id)
    return list(connection.execute(query).scalars())


def _alarm(
    connection: sa.Connection,
    settings: Settings,
    now: datetime,
    *,
    key: str,
    title: str,
    reason: str,
) -> None:
    known = latest(connection, f"system:audit:{key}")
    if known is None or not known.state.is_open:
        raise_alarm(
            connection,
            settings,
            key=f"audit:{key}",
            title=title,
            reason=reason,
            level=Level.II,
            now=now,
        )


def _note(connection: sa.Connection, now: datetime, value: dict[str, int]) -> None:
    updated = connection.execute(
        facts.update().where(facts.c.name == _NAME).values(value=value, at=now)
    )
    if not updated.rowcount:
        connection.execute(facts.insert().values(name=_NAME, value=value, at=now))
