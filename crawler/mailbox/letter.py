"""From the bytes of a mail to a letter: what it says, not what is attached. Pure."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parseaddr, parsedate_to_datetime

from config.clock import SHANGHAI
from crawler.extraction.charset import decode
from crawler.extraction.hygiene import lines, one_line, parse_html
from crawler.extraction.outline import plain
from store.records import Capture, Kind, Precision, Role

_PARTS = 200
_NAMES = 20
_HEADER = 10_000  #: characters of one header; decoding a megabyte of them takes seconds
_NO_SUBJECT = "（无主题）"
_CHINESE = {"gb2312", "gbk", "x-gbk", "cp936", "gb_2312-80", "euc-cn", "gb18030", "hz-gb-2312"}
_MACHINES = re.compile(r"(?:mailer-daemon|postmaster|no-?reply-bounce|bounce[s+\-])", re.I)
_REPORTED = re.compile(r"report-type=\"?(?:delivery-status|disposition-notification)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail as read; `machine` says in Chinese why it is none of a person's."""

    sender: str  #: address, lower case; intake makes the pseudonym
    subject: str
    text: str
    attachments: tuple[str, ...]
    sent_at: datetime | None
    sent_raw: str
    mark: str  #: steady over folders and renumbering
    machine: str = ""
    broken: str = ""  #: Chinese: what could not be read


def read_letter(raw: bytes) -> Letter:
    """A letter from the bytes of a mail, cut or odd as they may be. Never raises."""
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
        return _read(message, raw)
    except (
        MessageError,
        ValueError,
        LookupError,
        RecursionError,
        TypeError,
        AttributeError,
    ) as error:
        body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2] or raw
        return Letter(
            sender="",
            subject="（无法解析的来信）",
            text="\n".join(lines(decode(body[:20_000]).text))[:2_000],
            attachments=(),
            sent_at=None,
            sent_raw="",
            mark=hashlib.sha256(raw).hexdigest()[:32],
            broken=f"邮件格式有误（{type(error).__name__}），按原文收下",
        )


def capture(letter: Letter, *, channel: str, column: str, received_at: datetime | None) -> Capture:
    """What goes to intake: names of attachments are told in the text, nothing of them is kept."""
    text = letter.text
    if letter.attachments:
        told = "、".join(letter.attachments)
        text = f"{text}\n［附件：{told}；附件未保存，请到信箱查看］".strip()
    at = letter.sent_at or received_at
    return Capture(
        channel=channel,
        key=f"letter/{letter.mark}",
        kind=Kind.LETTER,
        role=Role.PUBLIC,
        title=letter.subject or _NO_SUBJECT,
        text=text,
        column=column,
        author_id=letter.sender,
        published_at=at,
        published_raw=letter.sent_raw,
        precision=Precision.SECOND if at else None,
        notes={"broken": letter.broken} if letter.broken else {},
    )


def header(message: Message, name: str) -> str:
    """A header as one line of text: encoded words, raw bytes and wrong labels included."""
    # Message.get wraps raw bytes in a Header that has lost them.
    for key, value in message.raw_items():
        if key.lower() == name.lower():
            return one_line(_decoded(str(value)[:_HEADER]))
    return ""


def _read(message: Message, raw: bytes) -> Letter:
    texts, htmls, names = _parts(message)
    text = "\n".join(part for part in texts if part)
    if not text:
        text = "\n".join(part for part in htmls if part)
    subject, sent_raw = header(message, "Subject"), header(message, "Date")
    sender = parseaddr(header(message, "From"))[1].lower()
    identity = (header(message, "Message-ID"), sender, sent_raw, subject, text)
    joined = "\x1f".join(identity).encode("utf-8", "replace")
    return Letter(
        sender=sender,
        subject=subject,
        text=text,
        attachments=tuple(names[:_NAMES]),
        sent_at=_moment(sent_raw),
        sent_raw=sent_raw,
        mark=hashlib.sha256(joined).hexdigest()[:32],
        machine=_machine(message, sender),
    )


def _parts(message: Message) -> tuple[list[str], list[str], list[str]]:
    """(plain texts, HTML texts, names of attachments)."""
    texts: list[str] = []
    htmls: list[str] = []
    names: list[str] = []
    for count, part in enumerate(_walk(message)):
        if count >= _PARTS:
            break
        kind = part.get_content_type()
        disposition = str(part.get("Content-Disposition", "")).strip().lower()
        named = _file_name(part)
        if disposition.startswith("attachment") or (named and not kind.startswith("text/")):
            names.append(named or "未命名附件")
        elif kind == "message/rfc822":
            names.append("转来的邮件")
        elif kind == "text/plain":
            texts.append("\n".join(lines(_text(part))))
        elif kind == "text/html":
            root = parse_html(_text(part))
            htmls.append(plain(root) if root is not None else "")
    return texts, htmls, names


def _walk(message: Message) -> Iterator[Message]:
    """Like Message.walk, but not into mails within the mail."""
    pending = [message]
    while pending:
        part = pending.pop(0)
        held = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(held, list):
            pending[:0] = [one for one in held if isinstance(one, Message)][:_PARTS]
        else:
            yield part


def _text(part: Message) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    return decode(body, f"text/plain; charset={part.get_content_charset('') or ''}").text


def _file_name(part: Message) -> str:
    name = part.get_filename()
    return one_line(_decoded(name)).replace("/", "_").replace("\\", "_")[:100] if name else ""


def _decoded(value: str) -> str:
    """Encoded words by their charset, Chinese labels widely; raw bytes by the one charset rule."""
    if "=?" not in value:
        return _raw(value)
    try:
        pieces = decode_header(value)
    except (HeaderParseError, binascii.Error, ValueError):
        return _raw(value)
    return "".join(_piece(text, name) for text, name in pieces)


def _piece(text: str | bytes, name: str | None) -> str:
    if isinstance(text, str):
        return _raw(text)
    label = (name or "").lower()
    if label in _CHINESE - {"hz-gb-2312"}:
        return text.decode("gb18030", "replace")
    if not label or label in {"unknown-8bit", "us-ascii"}:
        return decode(text).text
    try:
        return text.decode(label)
    except (LookupError, UnicodeDecodeError):
        return decode(text).text


def _raw(value: str) -> str:
    """A header that was sent as bare bytes, which the parser keeps as surrogates."""
    if value.isascii():
        return value
    try:
        return decode(value.encode("ascii", "surrogateescape")).text
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")


def _moment(raw: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(raw)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _machine(message: Message, sender: str) -> str:
    kind = header(message, "Content-Type")
    if message.get_content_type() == "multipart/report" and _REPORTED.search(kind):
        return "退信或回执"
    if header(message, "Return-Path") == "<>" or _MACHINES.match(sender):
        return "退信或回执"
    if header(message, "Auto-Submitted").lower() not in {"", "no"}:
        return "自动回复"
    return ""
