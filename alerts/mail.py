"""Wraps a letter as a mail: own headers, text part first, base64, nothing that could raise."""

from __future__ import annotations

import base64
import hashlib
import re
from email.utils import format_datetime

from alerts.headers import encoded, mailbox
from alerts.letters import Attached, Letter
from config.clock import SHANGHAI
from config.settings import Mail
from store.records import Level


def compose(letter: Letter, mail: Mail) -> bytes:
    """The whole mail with CRLF line ends; the same letter always gives the same bytes.

    Written by hand because the standard library folds headers its own way and draws a random
    boundary. Every body is base64: no line above 76, no dot at a line's start, no 8-bit.
    """
    content = _part("text/plain", letter.text)
    if letter.html:
        content = _many("alternative", letter, content, _part("text/html", letter.html))
        pictures = [_file(one) for one in letter.beside if one.cid]
        if pictures:
            content = _many("related", letter, content, *pictures)
    files = [_file(one) for one in letter.beside if not one.cid]
    if files:
        content = _many("mixed", letter, content, *files)
    return "\r\n".join([*_headers(letter, mail), "MIME-Version: 1.0", content]).encode("ascii")


def message_id(notice: str, mail: Mail) -> str:
    """The same for every attempt at one notice, so that a copy is recognised as one."""
    return f"<{notice}@{domain_of(mail)}>"


def domain_of(mail: Mail) -> str:
    return mail.domain or mail.sender.rpartition("@")[2]


def _headers(letter: Letter, mail: Mail) -> list[str]:
    made = [
        mailbox("From", mail.sender_name, mail.sender),
        f"To: {letter.recipient}",
        encoded("Subject", letter.subject),
        f"Date: {format_datetime(letter.date.astimezone(SHANGHAI))}",
        f"Message-ID: {message_id(letter.id, mail)}",
    ]
    if letter.parent:
        made += [
            f"{name}: {message_id(letter.parent, mail)}" for name in ("In-Reply-To", "References")
        ]
    made += [
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"List-Id: <{'digest' if letter.bulk else 'alert'}.tinglan.{domain_of(mail)}>",
    ]
    if letter.bulk:
        made.append("Precedence: bulk")
    elif letter.level in {Level.I, Level.II}:
        made += ["Importance: high", "X-Priority: 1"]
    return made


def _many(kind: str, letter: Letter, *parts: str) -> str:
    """Parts in one; the boundary follows from the letter and the kind alone."""
    seed = letter.id if kind == "alternative" else f"{letter.id}|{kind}"
    boundary = "=_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
    body = "".join(f"--{boundary}\r\n{part}" for part in parts)
    return (
        f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n{body}--{boundary}--\r\n'
    )


def _file(one: Attached) -> str:
    """A file under a name of plain ASCII: everything else arrives garbled somewhere."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", one.name)[:80]
    place = (
        f"Content-ID: <{one.cid}>\r\nContent-Disposition: inline"
        if one.cid
        else "Content-Disposition: attachment"
    )
    lines = base64.encodebytes(one.content).decode().replace("\n", "\r\n")
    return (
        f'Content-Type: {one.kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'{place}; filename="{name}"\r\n\r\n{lines}'
    )


def _part(kind: str, text: str) -> str:
    # Lone surrogates cannot be encoded; whoever wrote the letter should have dropped them.
    octets = text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    lines = base64.encodebytes(octets).decode().replace("\n", "\r\n")
    return (
        f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}'
    )
