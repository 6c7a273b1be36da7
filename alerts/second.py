"""第二通道: what is grave and not delivered after ten minutes goes another way as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from alerts.notices import Notice, notice_of, owe
from alerts.routing import fallback
from alerts.turns import take_turn
from config.duration import spoken
from config.settings import Settings, split_recipient
from store.engine import Database
from store.ledger import append
from store.records import Level, NoticeState
from store.tables import notices

_GRAVE = (Level.I.value, Level.II.value)
_OWED = [state.value for state in NoticeState if state.is_owed]
_LAST = {"second", "fallback", "test", "bundle"}
_BATCH = 200
_MOST = 8  #: ways tried for one notice


def pass_on(database: Database, settings: Settings, now: datetime) -> int:
    """Owes the next way for each Ⅰ or Ⅱ that is late; answers how many. For every tick.

    The first stays owed: whichever arrives, arrives. One more way every `second_after`.
    """
    with database.read() as connection:
        if not _late(connection, settings, now, 1):
            return 0
    with database.write() as connection:
        take_turn(connection)
        late = _late(connection, settings, now, _BATCH)
        for notice, passed in late:
            _next_way(connection, settings, notice, passed, now)
    return len(late)


def ways(settings: Settings, recipient: str, transport: str) -> list[tuple[str, str]]:
    """(recipient, transport) of what to try where this address fails, in order; last the fallback.

    `[alerts.second]` names them; an address it does not name goes to the fallback at once.
    """
    named = dict(settings.alerts.second)
    key = recipient if transport == "smtp" else f"{transport}:{recipient}"
    own = (recipient, transport)
    second = [split_recipient(address)[::-1] for address in named.get(key, ())]
    last = [(one.recipient, one.transport) for one in fallback(settings, "")]
    return [way for way in dict.fromkeys([*second, *last]) if way != own]


def owe_another(
    connection: sa.Connection,
    notice: Notice,
    way: tuple[str, str],
    now: datetime,
    *,
    why: str,
    stage: str,
) -> bool:
    """The same, another way; False where that person has been told by that way already."""
    recipient, transport = way
    known = connection.execute(
        sa.select(notices.c.id).where(
            notices.c.subject_key == notice.subject_key,
            notices.c.recipient == recipient,
            notices.c.transport == transport,
            notices.c.stage.in_([notice.stage, "fallback", "second"]),
            notices.c.visit == notice.visit,
            notices.c.rung == notice.rung,
            notices.c.state.not_in([NoticeState.REFUSED.value, NoticeState.BOUNCED.value]),
        )
    ).first()
    if known is not None:
        return False
    made = owe(
        connection,
        subject_key=notice.subject_key,
        stage=stage,
        visit=notice.visit,
        rung=notice.rung,
        recipient=recipient,
        transport=transport,
        item=notice.item,
        digest=notice.digest,
        level=notice.level,
        now=now,
        detail={**notice.detail, "why": why, "instead_of": notice.id},
    )
    return made is not None


def _late(
    connection: sa.Connection, settings: Settings, now: datetime, limit: int
) -> list[tuple[Notice, int]]:
    after = settings.alerts.second_after
    rows = connection.execute(
        sa.select(notices)
        .where(
            notices.c.state.in_(_OWED),
            notices.c.level.in_(_GRAVE),
            notices.c.item.is_not(None),
            notices.c.stage.not_in(_LAST),
            notices.c.created_at <= now - after,
            notices.c.passed < _MOST,
        )
        .order_by(notices.c.created_at)
        .limit(_BATCH)
    ).mappings()
    # The n-th way is due n times `second_after` after the notice arose.
    found = [
        (notice_of(row), int(row["passed"]))
        for row in rows
        if row["created_at"] <= now - after * (row["passed"] + 1)
    ]
    return found[:limit]


def _next_way(
    connection: sa.Connection, settings: Settings, notice: Notice, passed: int, now: datetime
) -> None:
    waited = spoken(now - notice.created_at)
    why = f"发给 {notice.recipient} 的通知{waited}未能送达，改由本地址通知"
    left = ways(settings, notice.recipient, notice.transport)[passed:]
    told: Mapping[str, str] = {}
    for number, way in enumerate(left, passed + 1):
        if owe_another(connection, notice, way, now, why=why, stage="second"):
            told = {"recipient": way[0], "transport": way[1]}
            passed = number
            break
    else:
        passed = _MOST  # no way is left; the first stays owed
    connection.execute(notices.update().where(notices.c.id == notice.id).values(passed=passed))
    if told:
        append(
            connection,
            item=notice.item,
            at=now,
            kind="passed-on",
            by="系统",
            note=f"{why}：{told['recipient']}（{told['transport']}）",
            detail={"notice": notice.id, **told},
        )
