"""草拟、审改、签发: what people do to an issue between its figures and its readers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.digest.build import INTERIM, let_go, sign
from alerts.digest.files import FORMATS, formatted
from alerts.digest.hours import leaves_at
from alerts.digest.periods import parse_period
from alerts.headers import clean_text
from alerts.turns import take_turn
from config.settings import Settings
from config.workdays import Calendar
from store.engine import Database
from store.ledger import append
from store.tables import digests

LONGEST = 4000  #: characters of 研判 or 工作建议


class NoSuchDigest(LookupError):
    """There is no issue of that id."""


class NotADraft(Exception):
    """It has left, or was never meant to; the text says what can be done instead."""


def edit_draft(  # noqa: PLR0917 - the desk calls it so
    database: Database, id: int, opinion: str, advice: str, by: str, now: datetime
) -> None:
    """Puts a person's 研判 and 工作建议 in place of the drafted words; empty: the draft's own.

    An approval that was given before is void: what goes out is what was approved. Raises
    NoSuchDigest, NotADraft.
    """
    with database.write() as connection:
        take_turn(connection)
        row = _draft(connection, id)
        connection.execute(
            digests.update()
            .where(digests.c.id == id)
            .values(
                opinion=clean_text(opinion, LONGEST),
                advice=clean_text(advice, LONGEST),
                edited_by=clean_text(by, 60),
                edited_at=now,
                state="built",
                approved_by="",
                approved_at=None,
            )
        )
        append(
            connection, item=None, at=now, kind="digest-edited", by=by, via="desk",
            note=f"{row['period']} 第{row['edition']}版",
            detail={"digest": id, "voided": row["approved_by"]},
        )  # fmt: skip


def approve(
    database: Database,
    settings: Settings,
    id: int,
    by: str,
    now: datetime,
    *,
    calendar: Calendar | None = None,
) -> bool:
    """签发: leaves at its hour, or at once where that has passed; answers whether it has left.

    Twice is once. Raises NoSuchDigest, NotADraft.
    """
    by = clean_text(by, 60)
    if not by:
        raise NotADraft("未写明签发人，不能签发")
    with database.write() as connection:
        take_turn(connection)
        row = _row(connection, id)
        if row["state"] == "sent":
            if row["mark"]:
                raise NotADraft("这一期已按未审核稿发出；如需更正，请另出更正版")
            return True
        row = _draft(connection, id)
        if row["state"] != "approved":
            row = sign(connection, row, by=by, now=now)
        period = parse_period(row["kind"], row["period"])
        hour = leaves_at(settings, period, calendar)
        if hour is None or now >= hour:
            let_go(connection, settings, row, now)
            return True
        return False


def render(database: Database, settings: Settings, id: int, format: str) -> bytes:
    """An issue as it stands, as `html`, `docx`, `pdf`, `csv` or `text`.

    The same row gives the same bytes. Raises NoSuchDigest, ValueError for another format, and
    alerts.digest.files.NotRendered where the extra packages are not installed.
    """
    if format not in FORMATS:
        raise ValueError(f"{format!r}: expected one of {', '.join(FORMATS)}")
    with database.read() as connection:
        row = _row(connection, id)
    return formatted(row, settings, format)


def _row(connection: sa.Connection, id: int) -> dict[str, Any]:
    row = connection.execute(sa.select(digests).where(digests.c.id == id)).mappings().one_or_none()
    if row is None:
        raise NoSuchDigest("没有这一期")
    return dict(row)


def _draft(connection: sa.Connection, id: int) -> dict[str, Any]:
    row = _row(connection, id)
    if row["kind"] == INTERIM:
        raise NotADraft("这是期间尚未结束时的临时报告，不能修改或签发")
    if row["state"] == "sent":
        raise NotADraft("这一期已经发出，不能再改；如需更正，请另出更正版")
    newer: int = connection.execute(
        sa.select(sa.func.max(digests.c.edition)).where(
            digests.c.kind == row["kind"], digests.c.period == row["period"]
        )
    ).scalar_one()
    if newer > row["edition"]:
        raise NotADraft(f"已有第{newer}版，请改新的一版")
    return row
