"""周报: what was sent or will be, to read, to take away, to word, to approve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from starlette.responses import HTMLResponse, Response

from alerts.digest.build import build_digest
from alerts.digest.content import document_of, drafted
from alerts.digest.drafts import LONGEST, NoSuchDigest, NotADraft, edit_draft, render
from alerts.digest.drafts import approve as sign
from alerts.digest.files import FORMATS, MIME, NotRendered, file_name
from alerts.digest.letter import digest_html, digest_subject
from alerts.digest.weeks import week_of
from console.accounts import record
from console.desk import Ask, Refused
from console.roles import Act
from store.tables import digests

#: The digest is a letter: its styles stand in it. Nothing else in it may do anything at all.
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox allow-popups"
)


STATES = {"built": "待签发", "approved": "已签发，到点发出", "sent": "已发出"}
KINDS = {
    "weekly": "周报", "daily": "日报", "monthly": "月报", "special": "专题报告", "interim": "临时",
}  # fmt: skip
_HERE = "https://desk.invalid"  #: stands for this desk, wherever it is reached
_LISTED = 50  #: items in the list at the end; files have them all
_TAKEN = {"docx": "Word 文档", "pdf": "PDF", "html": "网页", "csv": "条目表 CSV"}


def all_digests(ask: Ask) -> Response:
    with ask.desk.database.read() as connection:
        rows = connection.execute(
            sa.select(digests)
            .order_by(digests.c.starts_at.desc(), digests.c.edition.desc(), digests.c.id.desc())
            .limit(200)
        ).mappings()
        found = [
            {
                **row,
                "subject": digest_subject(row),
                "many": row["figures"].get("items", {}).get("total", "—"),
            }
            for row in map(dict, rows)
        ]
    running = week_of(ask.desk.now())
    return ask.page("digests.html", found=found, running=running, states=STATES, kinds=KINDS)


def one(ask: Ask) -> Response:
    return _one(ask, _row(ask))


def _one(
    ask: Ask,
    row: Mapping[str, Any],
    *,
    status: int = 200,
    why: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    opinion, advice = drafted(row, ask.desk.settings)
    open_still = row["state"] != "sent" and row["kind"] != "interim"
    return ask.page(
        "digest.html",
        status=status,
        row=row,
        subject=digest_subject(row),
        **_document(ask, row),
        states=STATES,
        taken=_TAKEN,
        longest=LONGEST,
        opinion=(typed or {}).get("opinion", opinion),
        advice=(typed or {}).get("advice", advice),
        why=why,
        can_edit=open_still and ask.may(Act.DRAFT),
        can_approve=open_still and row["state"] != "approved" and ask.may(Act.APPROVE),
    )


def running(ask: Ask) -> Response:
    """The week so far: shown, not stored."""
    desk = ask.desk
    made = build_digest(desk.database, desk.settings, week_of(desk.now()), desk.now(), send=False)
    row = defaultdict(str, {**made.row, "id": None})
    return ask.page(
        "digest.html", row=row, subject=made.subject, states=STATES, taken={}, longest=LONGEST,
        opinion="", advice="", why="", can_edit=False, can_approve=False,
        **_document(ask, made.row),
    )  # fmt: skip


def _document(ask: Ask, row: Mapping[str, Any]) -> dict[str, Any]:
    """The issue as blocks, each with the name of its kind, which is all a template can ask for."""
    settings = ask.desk.settings
    console = settings.console.model_copy(update={"public_url": _HERE})
    made = document_of(row, settings.model_copy(update={"console": console}), listed=_LISTED)
    blocks = [(type(one).__name__, one) for one in made.blocks]
    return {"document": made, "blocks": blocks, "desk_url": _HERE}


def letter(ask: Ask) -> Response:
    row = _row(ask)
    html = digest_html(row, ask.desk.settings)
    return HTMLResponse(html, headers={"content-security-policy": _LETTER_POLICY})


def file(ask: Ask) -> Response:
    """The issue as a file to take away; on record."""
    row, format = _row(ask), ask.part("format")
    if format not in FORMATS:
        raise Refused(404, "没有这种格式。")
    desk = ask.desk
    try:
        body = render(desk.database, desk.settings, row["id"], format)
    except NotRendered as error:
        raise Refused(501, str(error)) from None
    record(
        desk.database, "exported", by=ask.user.shown,
        note=f"{KINDS.get(row['kind'], '周报')} {row['period']}（{format}）", now=desk.now(),
        address=ask.address,
    )  # fmt: skip
    headers = {"content-disposition": f'attachment; filename="{file_name(row, format)}"'}
    if format == "html":
        headers["content-security-policy"] = _LETTER_POLICY
    return Response(body, media_type=MIME[format], headers=headers)


def edit(ask: Ask) -> Response:
    """研判 and 工作建议 in a person's words; left empty, the draft's own come back."""
    row, desk = _row(ask), ask.desk
    typed = {name: ask.field(name, LONGEST) for name in ("opinion", "advice")}
    try:
        edit_draft(
            desk.database, row["id"], typed["opinion"], typed["advice"], ask.user.shown, desk.now()
        )
    except NotADraft as error:
        return _one(ask, row, status=409, why=str(error), typed=typed)
    except NoSuchDigest:
        raise Refused(404, "没有这一期周报。") from None
    return ask.to(f"/digests/{row['id']}", "saved")


def approve(ask: Ask) -> Response:
    """签发: the frozen issue goes to the outbox, once whatever is pressed twice."""
    row, desk = _row(ask), ask.desk
    try:
        left = sign(
            desk.database, desk.settings, row["id"], ask.user.shown, desk.now(),
            calendar=desk.calendar(),
        )  # fmt: skip
    except NotADraft as error:
        return _one(ask, row, status=422, why=str(error))
    except NoSuchDigest:
        raise Refused(404, "没有这一期周报。") from None
    return ask.to(f"/digests/{row['id']}", "approved" if left else "signed")


def _row(ask: Ask) -> dict[str, Any]:
    number = ask.part("id")
    with ask.desk.database.read() as connection:
        row = (
            connection.execute(
                sa.select(digests).where(
                    digests.c.id == (int(number) if number.isdecimal() and len(number) < 18 else 0)
                )
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise Refused(404, "没有这一期周报。")
    return dict(row)
