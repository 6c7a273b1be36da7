"""Builds a digest once: figures frozen in one row, its notices owed in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.digest.figures import figures
from alerts.digest.issues import NAMES, UNREAD
from alerts.digest.letter import digest_html, digest_subject, digest_text
from alerts.digest.periods import Period
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import SHANGHAI
from config.settings import Settings, split_recipient
from config.workdays import Calendar
from store.engine import Database
from store.ledger import append
from store.tables import digests

INTERIM = "interim"  #: of a period that is not over yet; never takes the place of the real one
_WORDS = {
    "state": "built", "opinion": "", "advice": "", "edited_by": "", "edited_at": None,
    "approved_by": "", "approved_at": None, "mark": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One issue, as frozen, with what a recipient reads."""

    id: int | None  #: None: shown only, nothing was stored
    kind: str
    period: str
    edition: int
    number: int  #: 总第M期; 0 where it is not counted
    built_at: datetime
    figures: Mapping[str, Any]
    subject: str
    text: str
    html: str
    state: str = "built"  #: built (a draft), approved, sent
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)  #: as stored


def build_digest(
    database: Database,
    settings: Settings,
    period: Period,
    now: datetime,
    send: bool,
    *,
    correct: bool = False,
    by: str = "",
    calendar: Calendar | None = None,
) -> Digest:
    """The digest of `period`. One that is over is frozen at the first call and stays as it is.

    `send` owes it to everybody in `[digest] to` (or the fallback), each once whatever the number
    of calls; with `[digest] approve = "hold"` only if somebody approved it, and `by` does so.
    `correct` makes a new edition (更正版) with figures of now. A period still running is only
    shown; with `send` it goes out as an interim report, stored under its own kind.
    """
    kind = period.kind if now >= period.ends_at else INTERIM
    row = _stored(database, kind, period) if kind != INTERIM and not correct else None
    if row is None:
        told = figures(database, settings, period, now, calendar=calendar)
        row = _row(kind, period, told, now)
        if kind == INTERIM and not send:
            return digest_of(row, settings)
    with database.write() as connection:
        take_turn(connection)
        row = _freeze(connection, row, now=now, again=correct)
        if by and row["state"] == "built":
            row = sign(connection, row, by=by, now=now)
        if send:
            row = let_go(connection, settings, row, now)
    return digest_of(row, settings)


def sign(
    connection: sa.Connection, row: Mapping[str, Any], *, by: str, now: datetime
) -> dict[str, Any]:
    """Puts a name under a draft. The transaction must have taken its turn."""
    signed = {"state": "approved", "approved_by": by, "approved_at": now.astimezone(UTC)}
    connection.execute(digests.update().where(digests.c.id == row["id"]).values(signed))
    append(
        connection, item=None, at=now, kind="digest-approved", by=by, via="desk",
        note=f"{row['period']} 第{row['edition']}版", detail={"digest": row["id"]},
    )  # fmt: skip
    return {**row, **signed}


def let_go(
    connection: sa.Connection, settings: Settings, row: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Owes it to everybody, once; held where nobody approved it and the settings say so."""
    if row["state"] == "sent":
        mark = str(row["mark"])
    elif row["approved_by"] or settings.digest.approve == "no":
        mark = ""
    elif settings.digest.approve == "hold":
        return dict(row)
    else:
        mark = UNREAD
    why = f"{NAMES.get(row['kind'], '周报')}收件人"
    for address in dict.fromkeys(settings.digest.to or settings.roster.fallback):
        transport, recipient = split_recipient(address)
        owe(
            connection,
            subject_key=f"digest:{row['id']}",
            stage="digest",
            recipient=recipient,
            transport=transport,
            digest=row["id"],
            now=now,
            detail={"why": why},
        )
    connection.execute(
        digests.update().where(digests.c.id == row["id"]).values(state="sent", mark=mark)
    )
    return {**row, "state": "sent", "mark": mark}


def digest_of(row: Mapping[str, Any], settings: Settings) -> Digest:
    """A row of `digests`, worded."""
    return Digest(
        **{
            name: row[name]
            for name in (
                "id", "kind", "period", "edition", "number", "built_at", "figures", "state",
            )
        },
        subject=digest_subject(row, settings),
        text=digest_text(row, settings),
        html=digest_html(row, settings),
        row=row,
    )  # fmt: skip


def _row(kind: str, period: Period, told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "id": None,
        "kind": kind,
        "period": str(period),
        "edition": 1,
        "number": 0,
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "built_at": now.astimezone(UTC),
        "figures": dict(told),
        **_WORDS,
    }


def _stored(database: Database, kind: str, period: Period) -> dict[str, Any] | None:
    with database.read() as connection:
        return newest(connection, kind, str(period))


def newest(connection: sa.Connection, kind: str, period: str) -> dict[str, Any] | None:
    """The last edition of an issue, if it was made at all."""
    row = (
        connection.execute(
            sa.select(digests)
            .where(digests.c.kind == kind, digests.c.period == period)
            .order_by(digests.c.edition.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    return dict(row) if row else None


def _freeze(
    connection: sa.Connection, row: dict[str, Any], *, now: datetime, again: bool
) -> dict[str, Any]:
    if row["id"] is not None:
        # Read before our turn came: somebody may have edited, approved or sent it meanwhile.
        return newest(connection, row["kind"], row["period"]) or row
    known = newest(connection, row["kind"], row["period"])
    if known is not None and row["kind"] != INTERIM and not again:
        return known  # somebody else froze it meanwhile
    made = {name: value for name, value in row.items() if name != "id"}
    if known is not None:
        made |= {
            "edition": known["edition"] + 1, "number": known["number"],
            "opinion": known["opinion"], "advice": known["advice"],
            "edited_by": known["edited_by"], "edited_at": known["edited_at"],
            "figures": {**made["figures"], "issue": known["figures"].get("issue", 0)},
        }  # fmt: skip
    elif row["kind"] != INTERIM:
        last = sa.select(sa.func.max(digests.c.number)).where(digests.c.kind == row["kind"])
        made["number"] = 1 + (connection.execute(last).scalar() or 0)
        made["figures"] = {**made["figures"], "issue": _ordinal(connection, row)}
    key = connection.execute(digests.insert().values(made)).inserted_primary_key
    assert key is not None  # noqa: S101 - a single INSERT always answers its key
    append(
        connection,
        item=None,
        at=now,
        kind="digest-built",
        by="系统",
        note=f"{made['period']} 第{made['edition']}版",
        detail={"digest": key[0], "kind": made["kind"]},
    )
    return {**made, "id": key[0]}


def _ordinal(connection: sa.Connection, row: Mapping[str, Any]) -> int:
    """第N期: which one of its year it is, by the year its last day falls into."""
    year = (row["ends_at"] - timedelta(seconds=1)).astimezone(SHANGHAI).year
    first = datetime(year, 1, 1, tzinfo=SHANGHAI)
    periods = sa.select(sa.func.count(sa.distinct(digests.c.period))).where(
        digests.c.kind == row["kind"],
        digests.c.ends_at > first,
        digests.c.ends_at <= first.replace(year=year + 1),
    )
    return 1 + int(connection.execute(periods).scalar_one())
