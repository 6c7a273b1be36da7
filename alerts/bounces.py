"""退信: a letter that a server took and later sent back is no longer delivered, and is passed on.

A report (RFC 3464) names the letter by its Message-ID, which is the notice's. Some providers
write their own kind of letter instead; it counts where a mail system sent it, and it repeats
that Message-ID. Whoever forges one can make a notice go another way as well, never silence it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, message_from_string
from email.message import Message
from email.utils import parseaddr
from typing import Any

import sqlalchemy as sa

from alerts.aftermath import bounced
from alerts.cases import raise_alarm
from alerts.dossier import BUNDLED
from alerts.headers import clean_header
from alerts.letters import NotDelivered, Trouble
from alerts.notices import Notice, notice_of
from alerts.outcomes import End, judge
from alerts.second import owe_another, ways
from alerts.turns import take_turn
from config.settings import Settings
from store.engine import Database
from store.ledger import append
from store.records import Level, NoticeState
from store.tables import events, notices

log = logging.getLogger(__name__)

_ID = r"([0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})@"
_SYSTEMS = {"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon"}
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")
_LATE = re.compile(r"delay|will be retried|仍在尝试|延迟|稍后重试", re.IGNORECASE)
_READ = 200_000  #: characters of a letter that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a returned letter says of one notice."""

    notice: str
    late: bool  #: not delivered yet; False: never will be
    reply: str  #: of the other side, cleaned


def read_bounce(raw: bytes, domain: str) -> Bounce | None:
    """The bounce in a letter; None where it is none of ours. Never raises for what it holds."""
    try:
        letter = message_from_bytes(raw)
        report = _report(letter)
        if report is None:
            return _home_made(letter, domain)
        notice = _returned(letter, domain)
        action = str(report.get("Action", "")).strip().lower()
        if not notice or action not in {"failed", "delayed"}:
            return None
        said = " ".join(str(report.get(name, "")) for name in ("Status", "Diagnostic-Code"))
        return Bounce(notice=notice, late=action == "delayed", reply=clean_header(said, 200))
    except Exception:  # whatever a stranger may put into a letter
        log.exception("bounce.unreadable")
        return None


def note_bounces(
    database: Database, settings: Settings, found: Iterable[Bounce], now: datetime
) -> int:
    """Marks each notice and goes another way; answers how many were news. Safe to repeat."""
    news = 0
    for one in found:
        with database.write() as connection:
            take_turn(connection)
            notice = _notice(connection, one.notice)
            if notice is None:
                continue
            deal = _late if one.late else _returned_for_good
            news += deal(connection, settings, notice, one, now)
    return news


# --- what a letter says -------------------------------------------------------------------------


def _report(letter: Message) -> Message | None:
    """The part of a delivery report that speaks of the recipient; the first that failed."""
    blocks = [
        block
        for part in letter.walk()
        if part.get_content_type() == "message/delivery-status"
        for block in _blocks(part)
        if block.get("Action")
    ]
    failed = [one for one in blocks if str(one["Action"]).strip().lower() == "failed"]
    return next(iter([*failed, *blocks]), None)


def _blocks(part: Message) -> list[Message]:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        return payload
    text = _text(part)
    return [message_from_string(block) for block in re.split(r"\r?\n\r?\n", text) if block.strip()]


def _returned(letter: Message, domain: str) -> str:
    """The notice whose letter came back, by the Message-ID of what was returned."""
    for part in letter.walk():
        kind = part.get_content_type()
        payload: Any = part.get_payload()
        if kind == "message/rfc822" and isinstance(payload, list) and payload:
            original = payload[0]
        elif kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            original = message_from_string(_text(part))
        else:
            continue
        found = re.search(_ID + re.escape(domain), str(original.get("Message-ID", "")).lower())
        if found:
            return found[1]
    replied = str(letter.get("In-Reply-To", "")).lower()
    found = re.search(_ID + re.escape(domain), replied)
    return found[1] if found else ""


def _home_made(letter: Message, domain: str) -> Bounce | None:
    """A bounce that is no report: sent by a mail system, and it repeats our Message-ID."""
    local = parseaddr(str(letter.get("From", "")))[1].partition("@")[0].lower()
    if local not in _SYSTEMS:
        return None
    text = "\n".join(_texts(letter))[:_READ]
    named = re.findall(r"message-id\s*[:：]\s*<?" + _ID + re.escape(domain), text.lower())
    known = dict.fromkeys(named or re.findall(_ID + re.escape(domain), text.lower()))
    if len(known) != 1:
        return None
    subject = clean_header(str(letter.get("Subject", "")), 100)
    code = _CODE.search(text)
    line = next((row for row in text.splitlines() if code and code[1] in row), "")
    late = bool(_LATE.search(subject)) or (code is not None and code[1].startswith("4"))
    return Bounce(notice=next(iter(known)), late=late, reply=clean_header(line or "退信", 200))


def _texts(letter: Message) -> Iterator[str]:
    for part in letter.walk():
        if part.get_content_maintype() == "text":
            yield _text(part)
        if part.get("Message-ID") and part is not letter:
            yield f"Message-ID: {part['Message-ID']}"


def _text(part: Message) -> str:
    body: Any = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return body.decode(charset, "replace")[:_READ]
    except LookupError:
        return body.decode("utf-8", "replace")[:_READ]


# --- what follows from it -----------------------------------------------------------------------


def _notice(connection: sa.Connection, notice: str) -> Notice | None:
    row = connection.execute(sa.select(notices).where(notices.c.id == notice)).mappings()
    found = row.one_or_none()
    return notice_of(found) if found else None


def _returned_for_good(
    connection: sa.Connection, settings: Settings, notice: Notice, bounce: Bounce, now: datetime
) -> bool:
    if notice.state in {NoticeState.BOUNCED, NoticeState.REFUSED, NoticeState.SUPERSEDED}:
        return False
    values = {
        "state": NoticeState.BOUNCED.value,
        "settled_at": now,
        "reply": f"退信：{bounce.reply}",
    }
    connection.execute(
        notices.update()
        .where(notices.c.id == notice.id)
        .values(**values, lease_by="", lease_until=None)
    )
    if notice.stage == "bundle":
        members = notices.c.lease_by == f"{BUNDLED}{notice.id}"
        connection.execute(notices.update().where(members).values(values))
    bounced(connection, settings, notice, _trouble(bounce), now)
    return True


def _late(
    connection: sa.Connection, settings: Settings, notice: Notice, bounce: Bounce, now: datetime
) -> bool:
    """It may still arrive, so nothing is taken back; what is grave goes another way as well."""
    if notice.state is not NoticeState.SENT or _is_known(connection, notice):
        return False
    append(
        connection,
        item=notice.item,
        at=now,
        kind="delayed",
        by="系统",
        note=f"{notice.recipient}（{notice.transport}）：途中滞留：{bounce.reply}",
        detail={"notice": notice.id},
    )
    if notice.item is not None and notice.level in {Level.I, Level.II}:
        why = f"发给 {notice.recipient} 的通知在途中滞留，改由本地址通知"
        for way in ways(settings, notice.recipient, notice.transport):
            if owe_another(connection, notice, way, now, why=why, stage="second"):
                break
    raise_alarm(
        connection,
        settings,
        key=f"late:{notice.transport}:{notice.recipient}",
        title=f"发给 {notice.recipient} 的通知在途中滞留",
        reason=f"对方邮件系统报告尚未投递：{bounce.reply}。重大以上通知已改由其他方式发送。",
        level=Level.III,
        now=now,
        spare=[(notice.recipient, notice.transport)],
    )
    return True


def _is_known(connection: sa.Connection, notice: Notice) -> bool:
    of_item = events.c.item == notice.item if notice.item is not None else events.c.item.is_(None)
    details: Iterable[Any] = connection.execute(
        sa.select(events.c.detail).where(of_item, events.c.kind == "delayed")
    ).scalars()
    return any(detail.get("notice") == notice.id for detail in details)


def _trouble(bounce: Bounce) -> NotDelivered:
    """As if the server had said so at once: the address, or somebody's filter."""
    kind = judge(End("recipient", code=550, reply=bounce.reply)).kind
    known = kind if kind in {Trouble.RECIPIENT, Trouble.PROVIDER} else Trouble.RECIPIENT
    return NotDelivered(known, bounce.reply or "退信，未说明原因", permanent=True)
