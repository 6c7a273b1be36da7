"""发件箱: delivers what is owed, at least once, one letter a person, the severest first.

A row is leased and its retry booked before the attempt; the letter is sent outside any
transaction; then the row is marked. A crash at any instant leaves a row that comes back by
itself with the same Message-ID, so no repair code exists.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from alerts import pace
from alerts.aftermath import away, delivered, doubtful, refused
from alerts.bundles import adopt, member_ids
from alerts.claims import Claim, claim, log_attempt
from alerts.dossier import BUNDLED, gather
from alerts.items import Item
from alerts.letters import Letter, NotDelivered, Receipt, Transport, Trouble
from alerts.notices import Notice, notice_of, owe
from alerts.turns import take_turn
from alerts.wording import plain, write
from config.clock import Clock
from config.duration import spoken
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import NoticeState
from store.tables import notices

log = logging.getLogger(__name__)

#: (notice, its item) → the address behind which this person may act, or ""
Links = Callable[[Notice, Item], str]

_LATE = timedelta(minutes=5)  #: a letter that left later than this says so


def deliver_one(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    *,
    clock: Clock,
    random: Random,
    worker: str = "",
    links: Links | None = None,
) -> bool:
    """Tries one notice that is due; answers whether there was one.

    Never raises for what a letter or a transport does; raises only where the database fails,
    and then the row comes back when its lease runs out.
    """
    taken = claim(
        database,
        transports,
        settings,
        now=clock.now(),
        random=random,
        worker=worker or f"{os.getpid()}",
    )
    if taken is None:
        return False
    _deliver(database, transports, settings, taken, clock=clock, random=random, links=links)
    return True


def deliver_notice(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    notice: str,
    *,
    clock: Clock,
    random: Random,
) -> Receipt | NotDelivered | None:
    """Tries one particular notice now, due or not; None where somebody else has it."""
    taken = claim(
        database,
        transports,
        settings,
        now=clock.now(),
        random=random,
        worker=f"{os.getpid()}",
        only=notice,
    )
    if taken is None:
        return None
    return _deliver(database, transports, settings, taken, clock=clock, random=random)


def _deliver(
    database: Database,
    transports: Mapping[str, Transport],
    settings: Settings,
    taken: Claim,
    *,
    clock: Clock,
    random: Random,
    links: Links | None = None,
) -> Receipt | NotDelivered:
    letter = _letter(database, settings, taken, clock.now(), links)
    began = clock.monotonic()
    outcome = _attempt(transports.get(taken.notice.transport), letter)
    took = round(1000 * (clock.monotonic() - began))
    _settle(database, settings, taken, outcome, now=clock.now(), random=random, took=took)
    return outcome


def recover(database: Database, now: datetime) -> int:
    """Takes back what a killed service held; answers how many rows.

    Only for the start of a service that knows it is alone: without this they come back as well,
    but not before their leases run out.
    """
    with database.write() as connection:
        freed = connection.execute(
            notices.update()
            .where(
                notices.c.state == NoticeState.SENDING.value,
                notices.c.lease_until > now,
            )
            .values(lease_until=now)
        )
    return int(freed.rowcount)


def resend(database: Database, notice: str, *, by: str, now: datetime, via: str = "cli") -> str:
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
            via=via,
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
    visit: int = connection.execute(
        sa.select(sa.func.max(notices.c.visit)).where(*same)
    ).scalar_one()
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
        adopt(connection, member_ids(connection, old.id), made)
    return made


def _letter(
    database: Database, settings: Settings, taken: Claim, now: datetime, links: Links | None
) -> Letter:
    notice = taken.notice
    late = now - notice.created_at
    if late > _LATE:
        notice = replace(notice, detail={**notice.detail, "late": spoken(late)})
    try:
        with database.read() as connection:
            dossier = gather(connection, notice)
        if links is not None and dossier.item is not None:
            dossier = replace(dossier, act=links(notice, dossier.item))
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


def _settle(
    database: Database,
    settings: Settings,
    taken: Claim,
    outcome: Receipt | NotDelivered,
    *,
    now: datetime,
    random: Random,
    took: int,
) -> None:
    notice = taken.notice
    with database.write() as connection:
        take_turn(connection)
        state = _state_after(outcome, notice)
        log_attempt(connection, notice.id, now, outcome=state.value, reply=outcome.reply, ms=took)
        if not _mark(connection, taken, outcome, state=state, now=now, random=random):
            return  # our lease ran out and somebody else has the row; the attempt is on record
        if isinstance(outcome, Receipt):
            delivered(connection, settings, notice, outcome, now)
        elif state is NoticeState.SUPERSEDED:
            pass
        elif state is NoticeState.REFUSED:
            refused(connection, settings, notice, outcome, now)
        elif outcome.kind in {Trouble.LINK, Trouble.SYSTEM}:
            away(connection, settings, notice, outcome, now)
        elif state is NoticeState.UNSURE and taken.was_unsure:
            doubtful(connection, settings, notice, now)
    log.info(
        "notice.%s notice=%s transport=%s attempts=%d reply=%s",
        state.value, notice.id, notice.transport, notice.attempts, outcome.reply,
    )  # fmt: skip


def _state_after(outcome: Receipt | NotDelivered, notice: Notice) -> NoticeState:
    if isinstance(outcome, Receipt):
        return NoticeState.SENT
    if notice.stage == "test":
        return NoticeState.SUPERSEDED  # whoever tried it has been told; it is not owed
    if outcome.kind is Trouble.UNSURE:
        return NoticeState.UNSURE
    if outcome.permanent and not (outcome.too_large and not notice.detail.get("small")):
        return NoticeState.REFUSED
    return NoticeState.DEFERRED


def _mark(
    connection: sa.Connection,
    taken: Claim,
    outcome: Receipt | NotDelivered,
    *,
    state: NoticeState,
    now: datetime,
    random: Random,
) -> bool:
    notice = taken.notice
    values: dict[str, Any] = {
        "state": state.value,
        "reply": outcome.reply,
        "lease_until": None,
        "lease_by": "",
    }
    if state in {NoticeState.SENT, NoticeState.REFUSED, NoticeState.SUPERSEDED}:
        values["settled_at"] = now
    elif isinstance(outcome, NotDelivered):
        values["next_at"] = _next_at(outcome, notice, now, random)
        if outcome.too_large:
            values["detail"] = {**notice.detail, "small": True}
    updated = connection.execute(
        notices.update()
        .where(notices.c.id == notice.id, notices.c.lease_by == taken.lease)
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
