"""降噪: when a letter of the lower levels may leave, so that nobody drowns and nothing is hidden.

The first letter after a quiet time leaves at once; those that follow are gathered. What was
really sent decides, not what was planned, so a restart or a second worker changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from alerts.dossier import BUNDLED
from alerts.notices import Notice
from config.clock import SHANGHAI
from config.keydates import in_force
from config.settings import Quiet, Settings
from store.records import Level, NoticeState
from store.tables import attempts, notices

LOWER = (Level.III.value, Level.IV.value)
_FURTHEST = timedelta(hours=6)  #: nothing is put off further at once; it is asked again then
#: What the service says of itself; what a person did (交办, 办结, 重发) is told at once.
_HELD = ("alert", "growth", "update", "reminder", "overdue", "progress", "review")


def held_until(
    connection: sa.Connection, notice: Notice, settings: Settings, now: datetime
) -> datetime | None:
    """When this letter may leave; None: now. A letter that was tried already is never held."""
    until = now
    if notice.attempts == 0 and notice.stage != "test":
        until = _throttle(connection, notice, settings, now)
        if is_lower(notice) and notice.stage in _HELD and "resend_of" not in notice.detail:
            until = max(until, _window(connection, notice, settings, now))
            quiet = settings.calm.quiet
            if quiet and notice.level in quiet.levels and not in_force(settings.keydates, now):
                until = max(until, quiet_end(quiet, now))
    return min(until, now + _FURTHEST) if until > now else None


def hold(connection: sa.Connection, notice: Notice, until: datetime, now: datetime) -> None:
    """Puts off this letter, and with a lower one all that wait for the same person."""
    alike = notices.c.id == notice.id
    if is_lower(notice):
        levels = LOWER if notice.level is Level.III else (Level.IV.value,)
        alike = sa.and_(
            notices.c.recipient == notice.recipient,
            notices.c.transport == notice.transport,
            notices.c.stage.in_(_HELD),
            notices.c.level.in_(levels),
            notices.c.state == NoticeState.PENDING.value,
            notices.c.attempts == 0,
            notices.c.next_at < until,
            sa.not_(notices.c.lease_by.startswith(BUNDLED)),
        )
    connection.execute(notices.update().where(alike).values(next_at=until))


def is_lower(notice: Notice) -> bool:
    return notice.item is not None and notice.level is not None and notice.level.value in LOWER


def quiet_end(quiet: Quiet, now: datetime) -> datetime:
    """When the quiet hours that hold at `now` end; `now` itself where none do. Pure."""
    local = now.astimezone(SHANGHAI)
    second = local.hour * 3600 + local.minute * 60 + local.second
    overnight = quiet.start > quiet.end
    inside = (
        second >= quiet.start or second < quiet.end
        if overnight
        else quiet.start <= second < quiet.end
    )
    if not inside:
        return now
    return now + timedelta(seconds=(quiet.end - second) % 86_400)


def _window(
    connection: sa.Connection, notice: Notice, settings: Settings, now: datetime
) -> datetime:
    calm = settings.calm
    window = calm.III if notice.level is Level.III else calm.IV
    sent: list[datetime] = list(
        connection.execute(
            sa.select(notices.c.settled_at)
            .where(
                notices.c.recipient == notice.recipient,
                notices.c.transport == notice.transport,
                notices.c.level.in_(LOWER),
                notices.c.state == NoticeState.SENT.value,
                notices.c.settled_at > now - max(calm.storm_within, window),
                notices.c.settled_at <= now,  # a clock set back must not hold anything for hours
                notices.c.stage.in_([*_HELD, "bundle"]),
                sa.not_(notices.c.lease_by.startswith(BUNDLED)),
            )
            .order_by(notices.c.settled_at.desc())
            .limit(max(1, calm.storm))
        ).scalars()
    )
    if not sent:
        return now
    until: datetime = sent[0] + window
    if len(sent) >= calm.storm:
        until = max(until, sent[calm.storm - 1] + calm.storm_within)
    return until


def _throttle(
    connection: sa.Connection, notice: Notice, settings: Settings, now: datetime
) -> datetime:
    """A mailbox that gets more letters a minute than it takes begins to refuse all of them."""
    at: datetime | None = connection.execute(
        sa.select(attempts.c.at)
        .join(notices, notices.c.id == attempts.c.notice)
        .where(
            notices.c.recipient == notice.recipient,
            notices.c.transport == notice.transport,
            attempts.c.at > now - timedelta(minutes=1),
            attempts.c.at <= now,
        )
        .order_by(attempts.c.at.desc())
        .limit(1)
        .offset(settings.calm.each - 1)
    ).scalar_one_or_none()
    return at + timedelta(minutes=1) if at is not None else now
