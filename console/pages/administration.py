"""用户, 审计, 自检: what keeps the desk itself in order."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from alerts.trial import Trial, try_mail
from config.clock import SHANGHAI
from config.section import recipient
from console.accounts import (
    NoAccount,
    add_user,
    all_users,
    find_user,
    record,
    set_disabled,
    set_password,
)
from console.banners import banners
from console.desk import Ask, Refused
from console.history import KINDS, VIA, said
from console.passwords import BadPassword
from console.roles import Role
from console.status import status
from store.ledger import verify
from store.tables import events, items

PAGE = 100


# --- 用户 ---------------------------------------------------------------------------------------


def users(ask: Ask) -> Response:
    return _users(ask)


def _users(ask: Ask, *, code: int = 200, **facts: Any) -> Response:
    plain: dict[str, Any] = {"why": "", "typed": defaultdict(str), "given": None}
    return ask.page(
        "users.html",
        status=code,
        found=all_users(ask.desk.database),
        roles=list(Role),
        offices=ask.desk.settings.offices,
        **{**plain, **facts},
    )


def add(ask: Ask) -> Response:
    """A new account with a password of ours, shown this once and good for one login."""
    desk = ask.desk
    typed = {name: ask.field(name, 64) for name in ("name", "shown", "role", "office")}
    invented = desk.passwords.invent()
    try:
        made = add_user(
            desk.database,
            desk.settings,
            desk.passwords,
            name=typed["name"],
            shown=typed["shown"],
            role=Role(typed["role"]) if typed["role"] in set(Role) else Role.VIEWER,
            office=typed["office"],
            password=invented,
            now=desk.now(),
            by=ask.user.shown,
            via="desk",
            temporary=True,
        )
    except (NoAccount, BadPassword) as error:
        return _users(ask, code=422, why=str(error), typed=defaultdict(str, typed))
    return _users(ask, given=(made, invented))


def switch(ask: Ask) -> Response:
    """Disables or enables an account, or gives it a new first password."""
    desk, wanted = ask.desk, ask.field("to", 10)
    try:
        found = find_user(desk.database, ask.part("name"))
    except NoAccount as error:
        raise Refused(404, str(error)) from None
    if found.id == ask.user.id:
        return _users(ask, code=422, why="不能停用或重置自己的账号，请另一位管理员办理。")
    if wanted == "reset":
        invented = desk.passwords.invent()
        set_password(
            desk.database, desk.passwords, found, invented,
            now=desk.now(), by=ask.user.shown, via="desk", temporary=True,
        )  # fmt: skip
        return _users(ask, given=(found, invented))
    if wanted not in {"disabled", "enabled"}:
        raise Refused(400, "提交的内容有误。")
    set_disabled(
        desk.database, found.name, wanted == "disabled",
        now=desk.now(), by=ask.user.shown, via="desk",
    )  # fmt: skip
    return ask.to("/users", wanted)


# --- 审计 ---------------------------------------------------------------------------------------


def audit(ask: Ask) -> Response:
    return _audit(ask)


def prove(ask: Ask) -> Response:
    """Walks the whole chain; the walk is on record as well."""
    count, flaws = verify(ask.desk.database)
    record(
        ask.desk.database, "verified", by=ask.user.shown,
        note=f"核验台账 {count} 条，{len(flaws)} 处不符", now=ask.desk.now(), address=ask.address,
    )  # fmt: skip
    return _audit(ask, proof=(count, flaws))


def _audit(ask: Ask, proof: Any = None) -> Response:
    by, kind, since = ask.query("by", 40), ask.query("kind", 30), _day(ask.query("since", 10))
    number = ask.query("page", 6)
    page = max(1, int(number)) if number.isdecimal() else 1
    query = sa.select(events, items.c.number).select_from(
        events.outerjoin(items, items.c.id == events.c.item)
    )
    if by:
        query = query.where(events.c.by == by)
    if kind:
        query = query.where(events.c.kind == kind)
    if since:
        query = query.where(
            events.c.at >= datetime.combine(since, datetime.min.time(), SHANGHAI),
            events.c.at
            < datetime.combine(since + timedelta(days=1), datetime.min.time(), SHANGHAI),
        )
    query = query.order_by(events.c.id.desc()).offset((page - 1) * PAGE).limit(PAGE + 1)
    with ask.desk.database.read() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return ask.page(
        "audit.html",
        rows=[{**row, "said": said(row, ask.desk.office_name)} for row in rows[:PAGE]],
        via=VIA,
        more=len(rows) > PAGE,
        number=page,
        by=by,
        kind=kind,
        since=since.isoformat() if since else "",
        kinds=KINDS,
        proof=proof,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


# --- 自检 ---------------------------------------------------------------------------------------


def selfcheck(ask: Ask) -> Response:
    return _selfcheck(ask)


def test_mail(ask: Ask) -> Response:
    """A real letter by the real path, with the time each part took."""
    desk = ask.desk
    address = ask.field("address", 254)
    try:
        recipient(address)
    except ValueError:
        return _selfcheck(ask, why="请填写一个邮箱地址，例如 duty@example.gov.cn", address=address)
    record(
        desk.database, "test-mail", by=ask.user.shown, note=address, now=desk.now(),
        address=ask.address,
    )  # fmt: skip
    trial = try_mail(
        desk.database, desk.settings, desk.transports(), address,
        clock=desk.house.clock, random=Random(),  # noqa: S311 - jitter, no secret
    )  # fmt: skip
    return _selfcheck(ask, trial=trial, address=address)


def _selfcheck(
    ask: Ask, *, trial: Trial | None = None, why: str = "", address: str = ""
) -> Response:
    desk, now = ask.desk, ask.desk.now()
    with desk.database.read() as connection:
        told = banners(desk, connection, now)
    return ask.page(
        "selfcheck.html",
        status=422 if why else 200,
        banners=told,
        report=status(desk.settings, desk.database, now, version=desk.version),
        trial=trial,
        why=why,
        address=address,
        settings=desk.settings,
    )
