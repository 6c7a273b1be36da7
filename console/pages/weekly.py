"""周报: what was sent or will be, to read, to take away, to approve."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import HTMLResponse, Response

from alerts.digest.build import build_digest
from alerts.digest.files import table
from alerts.digest.letter import digest_html, digest_subject, digest_text
from alerts.digest.weeks import parse_week, week_of
from console.accounts import record
from console.desk import Ask, Refused
from console.roles import Act
from store.tables import digests

#: The digest is a letter: its styles stand in it. Nothing else in it may do anything at all.
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox allow-popups"
)


def all_digests(ask: Ask) -> Response:
    with ask.desk.database.read() as connection:
        rows = connection.execute(
            sa.select(digests).order_by(digests.c.starts_at.desc(), digests.c.edition.desc())
        ).mappings()
        found = [
            {**row, "subject": digest_subject(row), "items": row["figures"]["items"]["total"]}
            for row in map(dict, rows)
        ]
    running = week_of(ask.desk.now())
    return ask.page("digests.html", found=found, running=running, before=running.before)


def one(ask: Ask) -> Response:
    row = _row(ask)
    return ask.page(
        "digest.html",
        row=row,
        subject=digest_subject(row),
        text=digest_text(row, ask.desk.settings),
        can_approve=ask.may(Act.APPROVE) and row["state"] != "sent",
    )


def running(ask: Ask) -> Response:
    """The week so far: shown, not stored."""
    desk = ask.desk
    made = build_digest(desk.database, desk.settings, week_of(desk.now()), desk.now(), send=False)
    return ask.page(
        "digest.html",
        row={"id": None, "state": "draft", "built_at": made.built_at, "edition": 1},
        subject=made.subject,
        text=made.text,
        can_approve=False,
    )


def letter(ask: Ask) -> Response:
    row = _row(ask)
    html = digest_html(row, ask.desk.settings)
    return HTMLResponse(html, headers={"content-security-policy": _LETTER_POLICY})


def as_csv(ask: Ask) -> Response:
    row = _row(ask)
    record(
        ask.desk.database, "exported", by=ask.user.shown, note=f"周报 {row['period']}",
        now=ask.desk.now(), address=ask.address,
    )  # fmt: skip
    name = f"tinglan-{row['kind']}-{row['period']}.csv"
    return Response(
        table(row["figures"]).encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def approve(ask: Ask) -> Response:
    """签发: the frozen issue goes to the outbox, once whatever is pressed twice."""
    row = _row(ask)
    if row["kind"] != "weekly":
        raise Refused(422, "只有整周的周报可以签发。")
    desk = ask.desk
    build_digest(desk.database, desk.settings, parse_week(row["period"]), desk.now(), send=True)
    record(
        desk.database, "digest-approved", by=ask.user.shown, note=row["period"],
        now=desk.now(), address=ask.address,
    )  # fmt: skip
    return ask.to(f"/digests/{row['id']}", "approved")


def _row(ask: Ask) -> dict[str, Any]:
    number = ask.part("id")
    with ask.desk.database.read() as connection:
        row = (
            connection.execute(
                sa.select(digests).where(digests.c.id == (int(number) if number.isdecimal() else 0))
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise Refused(404, "没有这一期周报。")
    return dict(row)
