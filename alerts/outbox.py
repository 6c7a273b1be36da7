"""发件箱: delivers what is owed, at least once, one letter a person, the severest first.

A row is leased and its retry booked before the attempt; the letter is sent outside any
transaction; then the row is marked. A crash at any instant leaves a row that comes back by
itself with the same Message-ID, so no repair code exists.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from alerts import pace
from alerts.dossier import BUNDLED, gather
from alerts.items import find_item, rank
from alerts.letters import Letter, NotDelivered, Receipt, Transport, Trouble
from alerts.lifecycle import URGING
from alerts.notices import Notice, notice_of, owe
from alerts.opening import raise_alarm
from alerts.routing import fallback
from alerts.turns import take_turn
from alerts.wording import plain, write
from config.clock import Clock, shown
from config.duration import spoken
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import Level, NoticeState
from store.tables import attempts, notices

log = logging.getLogger(__name__)

_LEASE_MARGIN = timedelta(seconds=30)
_PATIENCE = timedelta(minutes=10)  #: an outage of the network is an alarm after this
_LATE = timedelta(minutes=5)  #: a letter that left later than this says so
_SINGLE = (Level.I.value, Level.II.value)  #: never bundled
_WAITING = (NoticeState.PENDING, NoticeState.DEFERRED, NoticeState.UNSURE)
_TRIES = 50  #: rows looked at in one call, at most


def deliver_one(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    *,
    clock: Clock,
    random: Random,
    worker: str = "",
) -> bool:
    """Tries one notice that is due; answers whether there was one.

    Never raises for what a letter or a transport does; raises only where the database fails,
    and then the row comes back when its lease runs out.
    """
    worker = worker or f"{os.getpid()}"
    claim = _claim(database, transports, settings, now=clock.now(), random=random, worker=worker)
    if claim is None:
        return False
    letter = _letter(database, settings, claim, clock.now())
    began = clock.monotonic()
    outcome = _attempt(transports.get(claim.notice.transport), letter)
    took = round(1000 * (clock.monotonic() - began))
    _settle(database, settings, claim, outcome, now=clock.now(), random=random, took=took)
    return True


def resend(database: Database, notice: str, *, by: str, now: datetime) -> str:
    """Owes a notice once more, as a new row with its own Message-ID; answers its id.

    One that is still owed is brought forward instead. Raises NoSuchNotice.
    """
    with database.write() as connection:
        take_turn(connection)
        row = connection.execute(sa.select(notices).where(notices.c.id == notice)).mappings()
        found = row.one_or_none()
        if found is None:
            raise NoSuchNotice(f"发件箱里没有 {notice}；`tinglan outbox list` 列出全部")
        old = notice_of(found)
        if old.state.is_owed:
            connection.execute(
                notices.update()
                .where(notices.c.id == old.id, notices.c.state != NoticeState.SENDING.value)
                .values(next_at=now)
            )
            made = old.id
        else:
            made = _again(connection, old, now)
        append(
            connection,
            item=old.item,
            at=now,
            kind="resent",
            by=by,
            via="cli",
            note=f"{old.recipient}：人工重发",
            detail={"notice": old.id, "as": made},
        )
    return made


class NoSuchNotice(LookupError):
    """The outbox has no such row."""


def _again(connection: sa.Connection, old: Notice, now: datetime) -> str:
    same = (
        notices.c.subject_key == old.subject_key,
        notices.c.stage == old.stage,
        notices.c.rung == old.rung,
        notices.c.recipient == old.recipient,
        notices.c.transport == old.transport,
    )
    visit = connection.execute(sa.select(sa.func.max(notices.c.visit)).where(*same)).scalar_one()
    made = owe(
        connection,
        subject_key=old.subject_key,
        stage=old.stage,
        visit=visit + 1,
        rung=old.rung,
        recipient=old.recipient,
        transport=old.transport,
        office=old.office,
        item=old.item,
        digest=old.digest,
        level=old.level,
        now=now,
        detail={**old.detail, "resend_of": old.id},
    )
    assert made is not None  # noqa: S101 - nobody else can have taken this key: it is our turn
    if old.stage == "bundle":
        _adopt(connection, [_id for (_id,) in _member_ids(connection, old.id)], made)
    return made


# --- claiming ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until its lease runs out."""

    notice: Notice  #: as it stands now: sending, with this attempt counted
    lease: str  #: what the row's lease_by says while it is ours
    was_unsure: bool


def _claim(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    *,
    now: datetime,
    random: Random,
    worker: str,
) -> Claim | None:
    with database.read() as connection:  # the idle tick must not take the write lock
        if not _any_due(connection, now):
            return None
    with database.write() as connection:
        take_turn(connection)
        away = pace.outages(connection)
        shut = {name for name, outage in away.items() if outage.is_shut(now)}
        shut |= {name for name, one in transports.items() if _spent(connection, name, one, now)}
        for _ in range(_TRIES):
            notice = _foremost(connection, shut, now)
            if notice is None:
                return None
            if _superseded(connection, notice, now):
                continue
            notice = _bundled(connection, notice, settings, now)
            if notice.transport in away:
                pace.book(connection, away[notice.transport], now)
            return _lease(connection, notice, transports, now=now, random=random, worker=worker)
    return None


def _due(now: datetime) -> sa.ColumnElement[bool]:
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


def _any_due(connection: sa.Connection, now: datetime) -> bool:
    return connection.execute(sa.select(notices.c.id).where(_due(now)).limit(1)).first() is not None


def _foremost(connection: sa.Connection, shut: Iterable[str], now: datetime) -> Notice | None:
    """By level, then age."""
    row = (
        connection.execute(
            sa.select(notices)
            .where(_due(now), notices.c.transport.not_in(list(shut)))
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
    if item.closed_at is None or item.closed_at < notice.created_at:
        return False  # open, or it happened to a closed item: that is news
    why = f"条目已{item.state.label}，不再需要"
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
        _log_attempt(connection, notice.id, now, outcome=NoticeState.UNSURE.value, reply=reply)
    ours = replace(
        notice, state=NoticeState.SENDING, attempts=tried, next_at=now + retry, lease_by=lease
    )
    return Claim(ours, lease, unsure)


# --- bundles ----------------------------------------------------------------------------------


def _bundled(
    connection: sa.Connection, notice: Notice, settings: Settings, now: datetime
) -> Notice:
    """The letter that goes instead, where more is owed to this person than one can read singly."""
    if notice.stage == "bundle":
        if not _ever_unsure(connection, notice):  # else a copy would say more than the first did
            _adopt(connection, _owed_lower(connection, notice, now), notice.id)
        return notice
    if notice.item is None or (notice.level and notice.level.value in _SINGLE):
        return notice
    owed = _owed_lower(connection, notice, now)
    if len(owed) <= settings.alerts.backlog:
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
        detail={"why": f"待送达通知超过 {settings.alerts.backlog} 条，合并发送"},
    )
    assert made is not None  # noqa: S101 - nobody else can have taken this key: it is our turn
    _adopt(connection, owed, made)
    row = connection.execute(sa.select(notices).where(notices.c.id == made)).mappings().one()
    return notice_of(row)


def _owed_lower(connection: sa.Connection, notice: Notice, now: datetime) -> list[str]:
    return list(
        connection.execute(
            sa.select(notices.c.id).where(
                _due(now),
                notices.c.recipient == notice.recipient,
                notices.c.transport == notice.transport,
                notices.c.item.is_not(None),
                notices.c.level.not_in(_SINGLE),
            )
        ).scalars()
    )


def _adopt(connection: sa.Connection, ids: list[str], bundle: str) -> None:
    if ids:
        connection.execute(
            notices.update()
            .where(notices.c.id.in_(ids))
            .values(lease_by=f"{BUNDLED}{bundle}", lease_until=None)
        )


def _member_ids(connection: sa.Connection, bundle: str) -> Any:
    return connection.execute(
        sa.select(notices.c.id).where(notices.c.lease_by == f"{BUNDLED}{bundle}")
    ).all()


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


# --- sending ----------------------------------------------------------------------------------


def _letter(database: Database, settings: Settings, claim: Claim, now: datetime) -> Letter:
    notice = claim.notice
    late = now - notice.created_at
    if late > _LATE:
        notice = replace(notice, detail={**notice.detail, "late": spoken(late)})
    try:
        with database.read() as connection:
            dossier = gather(connection, notice)
    except Exception:
        log.exception("letter.unread notice=%s", notice.id)
        return plain(notice, None)
    return write(notice, dossier, settings)


def _attempt(transport: Transport | None, letter: Letter) -> Receipt | NotDelivered:
    if transport is None:
        return NotDelivered(Trouble.SYSTEM, "没有配置这个通知通道")
    try:
        return transport.send(letter)
    except NotDelivered as trouble:
        return trouble
    except Exception as error:  # a plug-in's own mistake must not stop the queue
        log.exception("transport.broken notice=%s", letter.id)
        return NotDelivered(Trouble.MESSAGE, f"通知通道内部错误：{type(error).__name__}")


# --- settling ---------------------------------------------------------------------------------


def _settle(
    database: Database,
    settings: Settings,
    claim: Claim,
    outcome: Receipt | NotDelivered,
    *,
    now: datetime,
    random: Random,
    took: int,
) -> None:
    notice = claim.notice
    with database.write() as connection:
        take_turn(connection)
        state = _state_after(outcome, notice)
        _log_attempt(connection, notice.id, now, outcome=state.value, reply=outcome.reply, ms=took)
        if not _mark(connection, claim, outcome, state=state, now=now, random=random):
            return  # our lease ran out and somebody else has the row; the attempt is on record
        if isinstance(outcome, Receipt):
            _delivered(connection, settings, notice, outcome, now)
        elif state is NoticeState.REFUSED:
            _refused(connection, settings, notice, outcome, now)
        elif outcome.kind in {Trouble.LINK, Trouble.SYSTEM}:
            _away(connection, settings, notice, outcome, now)
        elif state is NoticeState.UNSURE and claim.was_unsure:
            _doubtful(connection, settings, notice, now)
    log.info(
        "notice.%s notice=%s transport=%s attempts=%d reply=%s",
        state.value, notice.id, notice.transport, notice.attempts, outcome.reply,
    )  # fmt: skip


def _state_after(outcome: Receipt | NotDelivered, notice: Notice) -> NoticeState:
    if isinstance(outcome, Receipt):
        return NoticeState.SENT
    if outcome.kind is Trouble.UNSURE:
        return NoticeState.UNSURE
    if outcome.permanent and not (outcome.too_large and not notice.detail.get("small")):
        return NoticeState.REFUSED
    return NoticeState.DEFERRED


def _mark(
    connection: sa.Connection,
    claim: Claim,
    outcome: Receipt | NotDelivered,
    *,
    state: NoticeState,
    now: datetime,
    random: Random,
) -> bool:
    notice = claim.notice
    values: dict[str, Any] = {
        "state": state.value,
        "reply": outcome.reply,
        "lease_until": None,
        "lease_by": "",
    }
    if state in {NoticeState.SENT, NoticeState.REFUSED}:
        values["settled_at"] = now
    elif isinstance(outcome, NotDelivered):
        values["next_at"] = _next_at(outcome, notice, now, random)
        if outcome.too_large:
            values["detail"] = {**notice.detail, "small": True}
    updated = connection.execute(
        notices.update()
        .where(notices.c.id == notice.id, notices.c.lease_by == claim.lease)
        .values(values)
    )
    if updated.rowcount and notice.stage == "bundle" and "settled_at" in values:
        connection.execute(
            notices.update()
            .where(notices.c.lease_by == f"{BUNDLED}{notice.id}")
            .values(state=state.value, settled_at=now, reply=f"随积压合并通知发出：{outcome.reply}")
        )
    return bool(updated.rowcount)


def _next_at(outcome: NotDelivered, notice: Notice, now: datetime, random: Random) -> datetime:
    if outcome.kind in {Trouble.LINK, Trouble.SYSTEM}:
        return now  # the transport waits, not the row: once it is back the severest goes first
    if outcome.too_large:
        return now
    return now + pace.wait(notice.attempts, outcome.kind, random)


def _delivered(
    connection: sa.Connection, settings: Settings, notice: Notice, receipt: Receipt, now: datetime
) -> None:
    ended = pace.recovered(connection, notice.transport)
    if ended is not None:
        lasted = spoken(now - ended.since)
        log.info("transport.back transport=%s after=%s", notice.transport, lasted)
        append(
            connection,
            item=None,
            at=now,
            kind="transport-back",
            by="系统",
            note=f"通知通道 {notice.transport} 恢复，中断约{lasted}（{ended.why}）",
            detail={"transport": notice.transport, "since": ended.since.isoformat()},
        )
    told = [(notice.id, notice.item)]
    if notice.stage == "bundle":
        told = [
            (one, item)
            for one, item in connection.execute(
                sa.select(notices.c.id, notices.c.item).where(
                    notices.c.lease_by == f"{BUNDLED}{notice.id}"
                )
            )
        ]
    for one, item in told:
        append(
            connection,
            item=item,
            at=now,
            kind="notified",
            by="系统",
            note=f"{notice.recipient}（{notice.transport}）",
            detail={"notice": one, "by": notice.id, "reply": receipt.reply},
        )


def _refused(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    """Nobody is left untold: the fallback gets each letter, and one alarm about the address."""
    ids = [_id for (_id,) in _member_ids(connection, notice.id)] or [notice.id]
    rows = connection.execute(sa.select(notices).where(notices.c.id.in_(ids))).mappings().all()
    for lost in map(notice_of, rows):
        append(
            connection,
            item=lost.item,
            at=now,
            kind="refused",
            by="系统",
            note=f"{lost.recipient}（{lost.transport}）：{trouble.reply}",
            detail={"notice": lost.id, "kind": trouble.kind.value},
        )
        _pass_on(connection, settings, lost, trouble, now)
    what = {
        Trouble.RECIPIENT: "地址无效或拒收",
        Trouble.PROVIDER: "邮件服务商拒收（疑似按垃圾邮件处理）",
    }.get(trouble.kind, "对方拒收")
    raise_alarm(
        connection,
        settings,
        key=f"refused:{notice.transport}:{notice.recipient}",
        title=f"通知无法送达 {notice.recipient}：{what}",
        reason=f"{notice.recipient} 拒收通知，已转送后备联系人。对方答复：{trouble.reply}",
        level=Level.II,
        now=now,
        spare=[(notice.recipient, notice.transport)],
    )


def _pass_on(
    connection: sa.Connection,
    settings: Settings,
    lost: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    if lost.stage in {"fallback", "test"}:
        return  # the last resort has no resort
    why = f"{lost.recipient} 拒收（{trouble.reply}），转送后备联系人"
    for one in fallback(settings, why):
        if (one.recipient, one.transport) == (lost.recipient, lost.transport):
            continue
        known = connection.execute(
            sa.select(notices.c.id).where(
                notices.c.subject_key == lost.subject_key,
                notices.c.recipient == one.recipient,
                notices.c.transport == one.transport,
                notices.c.stage.in_([lost.stage, "fallback"]),
                notices.c.state != NoticeState.REFUSED.value,
            )
        ).first()
        if known is None:
            owe(
                connection,
                subject_key=lost.subject_key,
                stage="fallback",
                visit=lost.visit,
                recipient=one.recipient,
                transport=one.transport,
                item=lost.item,
                digest=lost.digest,
                level=lost.level,
                now=now,
                detail={**lost.detail, "why": why, "instead_of": lost.id},
            )


def _away(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    """The transport as a whole is away; said once, by whatever way is left."""
    outage = pace.failed(connection, notice.transport, trouble.kind, trouble.reply, now)
    grave = trouble.kind is Trouble.SYSTEM or now - outage.since >= _PATIENCE
    if outage.told or not grave:
        return
    raise_alarm(
        connection,
        settings,
        key=f"transport:{notice.transport}",
        title=f"通知通道 {notice.transport} 不通，通知暂存待发",
        reason=(
            f"自 {shown(outage.since)} 起无法投递：{trouble.reply}。"
            "通知均已保留，恢复后按等级补发。"
        ),
        level=Level.III,
        now=now,
    )
    pace.note_told(connection, outage, now)


def _doubtful(connection: sa.Connection, settings: Settings, notice: Notice, now: datetime) -> None:
    raise_alarm(
        connection,
        settings,
        key=f"unsure:{notice.transport}",
        title="邮件交出后多次收不到服务器确认",
        reason=(
            f"发给 {notice.recipient} 的通知已两次交出而未获确认，可能已送达，也可能没有；"
            "系统会以同一编号稀疏重发。请检查邮件服务器的响应时间。"
        ),
        level=Level.III,
        now=now,
    )


def _log_attempt(
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
