"""签收链接: signed, expiring, bound to item, person and stage; looking at one changes nothing.

Mail gateways open every link, some with a browser: only a POST with the token acts, and all it
may do is 签收. What a link did is on record as done by link, never as a proven login.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from alerts.items import Item, find_item, topic_label
from alerts.lifecycle import Keeper, move_within
from alerts.notices import Notice
from alerts.promising import acknowledge_stage
from alerts.turns import take_turn
from config.clock import shown
from config.settings import Settings, split_recipient
from store.engine import Database
from store.ledger import append
from store.records import State
from store.tables import events

LASTS = timedelta(hours=72)
_SALT = "tinglan.receive.1"
_LONGEST = 600  #: characters; no token of ours is longer


class Standing(StrEnum):
    """How a link stands, which decides what its page says."""

    READY = "ready"  #: may be used: show the button
    DONE = "done"  #: just now
    USED = "used"  #: it was used before, by this link or another of the same stage
    MOVED = "moved"  #: the stage is over; the item goes on
    CLOSED = "closed"
    EXPIRED = "expired"
    INVALID = "invalid"  #: cut, altered, or signed with a key that is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPage:
    """All that the page behind a link says. No post text, no other person's address in full."""

    standing: Standing
    status: int  #: of HTTP
    title: str
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()  #: (what, how it is) of the item
    button: str = ""  #: empty: nothing to do
    number: str = ""  #: of the item; empty where the link proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a valid token says."""

    item: int
    visit: int  #: version of the item in that stage
    recipient: str
    transport: str
    made_at: datetime


class BadLink(Exception):
    """The token cannot be used; `expired` where it once could."""

    def __init__(self, *, expired: bool) -> None:
        self.expired = expired
        super().__init__("expired" if expired else "invalid")


def make_token(
    keys: Sequence[str], *, item: int, visit: int, recipient: str, transport: str, at: datetime
) -> str:
    """Signed with the last of `keys`; made twice for the same moment it is the same."""
    told: str = _serializer(keys, at).dumps([item, visit, transport, recipient])
    return told


def linker(keys: Sequence[str], public_url: str) -> Callable[[Notice, Item], str]:
    """Makes the address that a letter holds; "" where the desk has none or nothing is asked.

    Signed for when the notice arose, so that every attempt at one letter says the same.
    """

    def link(notice: Notice, item: Item) -> str:
        if not public_url or not keys or item.state not in _RECEIVABLE:
            return ""
        if notice.detail.get("ended"):
            return ""
        token = make_token(
            keys,
            item=item.id,
            visit=item.version,
            recipient=notice.recipient,
            transport=notice.transport,
            at=notice.created_at,
        )
        return f"{public_url.rstrip('/')}/l/{token}"

    return link


def read_token(keys: Sequence[str], token: str, now: datetime) -> Grant:
    """Raises BadLink. A token from the future is refused as well: a clock was set back."""
    if not keys or not token or len(token) > _LONGEST or not token.isascii():
        raise BadLink(expired=False)
    try:
        told, at = _serializer(keys, now).loads(
            token, max_age=int(LASTS.total_seconds()), return_timestamp=True
        )
    except SignatureExpired as error:
        signed = error.date_signed
        raise BadLink(expired=signed is not None and signed <= now) from None
    except BadSignature:
        raise BadLink(expired=False) from None
    item, visit, transport, recipient = told
    return Grant(
        item=int(item),
        visit=int(visit),
        recipient=str(recipient),
        transport=str(transport),
        made_at=at.astimezone(UTC),
    )


def open_link(database: Database, keys: Sequence[str], token: str, now: datetime) -> LinkPage:
    """What GET shows. Reads only."""
    try:
        grant = read_token(keys, token, now)
    except BadLink as error:
        return _bad(error)
    with database.read() as connection:
        return _page(connection, grant)


def acknowledge(
    database: Database,
    keys: Sequence[str],
    token: str,
    now: datetime,
    *,
    settings: Settings,
    duty: Keeper | None = None,
) -> LinkPage:
    """What POST does: 签收 of this stage, once, and the page that says so.

    Reminders of the stage stop; its limit stands. Where the item waits for an office to receive
    it and the link was sent to that office, it has now been received.
    """
    try:
        grant = read_token(keys, token, now)
    except BadLink as error:
        return _bad(error)
    with database.write() as connection:
        take_turn(connection)
        page = _page(connection, grant)
        if page.standing is not Standing.READY:
            return page
        item = find_item(connection, grant.item)
        by = f"链接（发给 {grant.recipient}）"
        acknowledge_stage(connection, item.id, item.version, now)
        append(
            connection,
            item=item.id,
            at=now,
            kind="acknowledged",
            by=by,
            via="link",
            before=item.state.value,
            after=item.state.value,
            note="经邮件链接签收；未登录，不作身份证明",
            detail={
                "visit": grant.visit,
                "recipient": grant.recipient,
                "transport": grant.transport,
                "link_made_at": grant.made_at.isoformat(),
            },
        )
        received = item.state is State.TO_RECEIVE and _is_office(settings, item, grant)
        if received:
            move_within(
                connection, item.id, State.HANDLING, by=by, via="link", note="经邮件链接签收",
                now=now, expected_version=grant.visit, duty=duty,
            )  # fmt: skip
        return _done(item, grant, now, received=received)


_RECEIVABLE = {State.TO_ASSESS, State.TO_REPORT, State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW}


def _page(connection: sa.Connection, grant: Grant) -> LinkPage:
    try:
        item = find_item(connection, grant.item)
    except LookupError:
        return _bad(BadLink(expired=False))
    used = _used(connection, grant)
    if used is not None:
        by, at = used
        return LinkPage(
            standing=Standing.USED,
            status=200,
            title=f"{item.number} 本环节已签收",
            lines=(f"已由 {by} 于 {shown(at)} 签收。", f"条目现为“{item.state.label}”。"),
            number=item.number,
        )
    if not item.state.is_open:
        return LinkPage(
            standing=Standing.CLOSED,
            status=200,
            title=f"{item.number} {item.state.label}",
            lines=(
                f"本条目已于 {shown(item.closed_at or item.changed_at)} 转为“{item.state.label}”，"
                "无需签收。",
            ),
            number=item.number,
        )
    if item.version != grant.visit or item.state not in _RECEIVABLE:
        return LinkPage(
            standing=Standing.MOVED,
            status=200,
            title=f"{item.number} 已进入下一环节",
            lines=(
                f"本链接所指的环节已于 {shown(item.changed_at)} 结束，"
                f"条目现为“{item.state.label}”。",
                "请使用最新一封邮件中的链接，或登录值班台办理。",
            ),
            number=item.number,
        )
    return LinkPage(
        standing=Standing.READY,
        status=200,
        title=f"请签收 {item.number}",
        facts=(
            ("等级", f"{item.level.numeral}级 {item.level.label}"),
            ("类别", topic_label(item.topic)),
            ("现状", item.state.label),
            ("发现", shown(item.discovered_at)),
        ),
        lines=(
            f"本链接发给 {grant.recipient}；由他人打开的，签收仍记为“经由发给该地址的链接”。",
            "签收后停止本环节的催办，不改变时限；研判、办结、调整等级须登录值班台。",
        ),
        button="签收",
        number=item.number,
    )


def _used(connection: sa.Connection, grant: Grant) -> tuple[str, datetime] | None:
    """Who received this stage by the same person's link, and when."""
    rows = connection.execute(
        sa.select(events.c.by, events.c.at, events.c.detail)
        .where(events.c.item == grant.item, events.c.kind == "acknowledged")
        .order_by(events.c.id)
    )
    for row in rows:
        detail: dict[str, Any] = row.detail or {}
        if detail.get("visit") == grant.visit and detail.get("recipient") == grant.recipient:
            return str(row.by), row.at
    return None


def _done(item: Item, grant: Grant, now: datetime, *, received: bool) -> LinkPage:
    more = "条目已转为“处置中”。" if received else "本环节的催办已停止，时限不变。"
    return LinkPage(
        standing=Standing.DONE,
        status=200,
        title=f"{item.number} 已签收",
        lines=(f"{shown(now)} 经由发给 {grant.recipient} 的链接签收。", more),
        number=item.number,
    )


def _bad(error: BadLink) -> LinkPage:
    if error.expired:
        return LinkPage(
            standing=Standing.EXPIRED,
            status=410,
            title="链接已过期",
            lines=("签收链接72小时内有效。请登录值班台办理。",),
        )
    return LinkPage(
        standing=Standing.INVALID,
        status=404,
        title="链接无效",
        lines=("链接不完整或已失效。请从邮件中重新打开，或登录值班台办理。",),
    )


def _is_office(settings: Settings, item: Item, grant: Grant) -> bool:
    office = next((one for one in settings.offices if one.id == item.office), None)
    if office is None:
        return False
    return (grant.transport, grant.recipient) in map(split_recipient, office.addresses)


def _serializer(keys: Sequence[str], now: datetime) -> URLSafeTimedSerializer:
    """Reads its time from `now`: the machine's clock is nobody's business here."""

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(now.timestamp())

    return URLSafeTimedSerializer(list(keys), salt=_SALT, signer=Signer)
