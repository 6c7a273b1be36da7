"""Takes the foremost notice that is due, under a lease, its retry booked before the attempt."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import sqlalchemy as sa

from alerts import calm, pace
from alerts.bundles import bundled, due
from alerts.items import find_item, rank
from alerts.letters import Transport, Trouble
from alerts.lifecycle import STAGED, URGING
from alerts.notices import Notice, notice_of
from alerts.turns import take_turn
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import NoticeState
from store.tables import attempts, notices

_LEASE_MARGIN = timedelta(seconds=30)
_TRIES = 50  #: rows looked at in one call, at most


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until its lease runs out."""

    notice: Notice  #: as it stands now: sending, with this attempt counted
    lease: str  #: what the row's lease_by says while it is ours
    was_unsure: bool


def claim(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    *,
    now: datetime,
    random: Random,
    worker: str,
    only: str = "",
) -> Claim | None:
    """The foremost notice that is due, or the one named `only`; None where there is none."""
    if not only:
        with database.read() as connection:  # the idle tick must not take the write lock
            if not _any_due(connection, now):
                return None
    with database.write() as connection:
        take_turn(connection)
        if only:
            row = connection.execute(sa.select(notices).where(notices.c.id == only)).mappings()
            found = notice_of(row.one())
            return _lease(connection, found, transports, now=now, random=random, worker=worker)
        away = pace.outages(connection)
        shut = {name for name, outage in away.items() if outage.is_shut(now)}
        shut |= {name for name, one in transports.items() if _spent(connection, name, one, now)}
        for _ in range(_TRIES):
            notice = _foremost(connection, shut, now)
            if notice is None:
                return None
            if _superseded(connection, notice, now):
                continue
            until = calm.held_until(connection, notice, settings, now)
            if until is not None:
                calm.hold(connection, notice, until, now)
                continue
            notice = bundled(connection, notice, settings, now)
            if notice.transport in away:
                pace.book(connection, away[notice.transport], now)
            return _lease(connection, notice, transports, now=now, random=random, worker=worker)
    return None


def _any_due(connection: sa.Connection, now: datetime) -> bool:
    return connection.execute(sa.select(notices.c.id).where(due(now)).limit(1)).first() is not None


def _foremost(connection: sa.Connection, shut: Iterable[str], now: datetime) -> Notice | None:
    """By level, then age."""
    row = (
        connection.execute(
            sa.select(notices)
            .where(due(now), notices.c.transport.not_in(list(shut)))
            .order_by(rank(notices.c.level), notices.c.created_at, notices.c.id)
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    return notice_of(row) if row else None


def _spent(connection: sa.Connection, name: str, transport: Transport, now: datetime) -> bool:
    """Whether this minute's letters have all been sent."""
    if not transport.rate:
        return False
    at = connection.execute(
        sa.select(attempts.c.at)
        .join(notices, notices.c.id == attempts.c.notice)
        .where(notices.c.transport == name)
        .order_by(attempts.c.id.desc())
        .limit(1)
        .offset(transport.rate - 1)
    ).scalar_one_or_none()
    return at is not None and now - timedelta(minutes=1) < at <= now


def _superseded(connection: sa.Connection, notice: Notice, now: datetime) -> bool:
    """Whether a notice that only urges has lost its point; the first alert never does."""
    if notice.stage not in URGING or notice.item is None:
        return False
    item = find_item(connection, notice.item)
    if notice.detail.get("ended"):
        return False  # tells of a stage that ended late; it is about the past from the start
    if item.closed_at is not None and item.closed_at >= notice.created_at:
        why = f"条目已{item.state.label}，不再需要"
    elif notice.stage in STAGED and notice.visit != item.version:
        why = f"条目已转为{item.state.label}，不再需要"
    else:
        return False  # open, or it happened to a closed item: that is news
    connection.execute(
        notices.update()
        .where(notices.c.id == notice.id)
        .values(state=NoticeState.SUPERSEDED.value, settled_at=now, reply=why)
    )
    append(
        connection,
        item=notice.item,
        at=now,
        kind="superseded",
        by="系统",
        note=f"{notice.recipient}：{why}",
        detail={"notice": notice.id, "stage": notice.stage},
    )
    return True


def _lease(
    connection: sa.Connection,
    notice: Notice,
    transports: Mapping[str, Transport],
    *,
    now: datetime,
    random: Random,
    worker: str,
) -> Claim | None:
    transport = transports.get(notice.transport)
    lasts = (transport.deadline if transport else timedelta()) + _LEASE_MARGIN
    lease = f"{worker}:{uuid.UUID(int=random.getrandbits(128)).hex[:12]}"
    lost = notice.state is NoticeState.SENDING  # its worker died with the letter in hand
    unsure = lost or notice.state is NoticeState.UNSURE
    tried = notice.attempts + 1
    retry = pace.wait(tried, Trouble.UNSURE if unsure else None, random)
    updated = connection.execute(
        notices.update()
        .where(
            notices.c.id == notice.id,
            notices.c.state == notice.state.value,
            notices.c.attempts == notice.attempts,
        )
        .values(
            state=NoticeState.SENDING.value,
            attempts=tried,
            next_at=now + retry,
            lease_until=now + lasts,
            lease_by=lease,
        )
    )
    if updated.rowcount != 1:
        return None
    if lost:
        reply = "上次投递中断，结果不明；以同一 Message-ID 重发"
        log_attempt(connection, notice.id, now, outcome=NoticeState.UNSURE.value, reply=reply)
    ours = replace(
        notice, state=NoticeState.SENDING, attempts=tried, next_at=now + retry, lease_by=lease
    )
    return Claim(ours, lease, unsure)


def log_attempt(
    connection: sa.Connection,
    notice: str,
    now: datetime,
    *,
    outcome: str,
    reply: str,
    ms: int | None = None,
) -> None:
    connection.execute(
        attempts.insert().values(notice=notice, at=now, outcome=outcome, reply=reply, ms=ms)
    )
