"""演示收件箱: a local mail server that keeps what it gets, and a page that shows it."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from config.clock import Clock, SystemClock, shown
from demo.serving import LoopThread, Started

PAGES = Path(__file__).with_name("pages")
COMING = (
    "服务启动约半分钟后，示例市气象局的“局长信箱”会出现一封求助来信；"
    "系统发现、研判后发出的第一封预警邮件，一分钟内会出现在这里。"
)

_BIGGEST = 32 * 1024 * 1024
_CID = re.compile(r"""cid:([^"'\s>)]+)""", re.IGNORECASE)
_TAG = re.compile(r"^\s*((?:【[^】]{1,30}】)+)\s*")
_NUMBER = re.compile(r"（(TL-[0-9-]+)）\s*$")
_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message as the server got it."""

    id: int  #: counts from 1
    at: datetime
    sender: str  #: of the envelope
    recipients: tuple[str, ...]  #: of the envelope
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.raw)

    @property
    def subject(self) -> str:
        return self.header("Subject")

    @property
    def text(self) -> str:
        """The plain part; empty where there is none."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part as sent; empty where there is none."""
        return self._part("html")

    def header(self, name: str) -> str:
        """A decoded header; a broken one comes as it stands rather than not at all."""
        return next((text for key, text in self.headers() if key.lower() == name.lower()), "")

    def headers(self) -> list[tuple[str, str]]:
        """All headers in their order, decoded where they can be."""
        try:
            return [(key, str(text)) for key, text in self.message.items()]
        except (ValueError, IndexError, AttributeError):  # what the stdlib throws at broken ones
            return [(key, str(text)) for key, text in self._parts().items()]

    def _parts(self) -> Message:
        """The message by the lenient rules, which never trip over a header."""
        return BytesParser(policy=policy.compat32).parsebytes(self.raw)

    def _part(self, kind: str) -> str:
        for part in self._parts().walk():
            attached = str(part.get("Content-Disposition", "")).lower().startswith("attachment")
            if part.get_content_type() == f"text/{kind}" and not attached:
                return _decoded(part)
        return ""

    def html_with_pictures(self) -> str:
        """The HTML part with its cid: pictures put in as data: addresses."""
        pictures: dict[str, str] = {}
        for part in self._parts().walk():
            name = str(part.get("Content-ID", "")).strip().strip("<>")
            body = part.get_payload(decode=True)
            if name and part.get_content_type() in _PICTURES and isinstance(body, bytes):
                encoded = base64.b64encode(body).decode()
                pictures[name] = f"data:{part.get_content_type()};base64,{encoded}"
        return _CID.sub(lambda match: pictures.get(match[1], match[0]), self.html)

    def attachments(self) -> list[tuple[str, int]]:
        """File name and size of each attachment."""
        out = []
        for part in self._parts().walk():
            body = part.get_payload(decode=True)
            if part.get_content_disposition() == "attachment" and isinstance(body, bytes):
                out.append((str(part.get_filename() or "未命名"), len(body)))
        return out


class Mailbox(Started):
    """An SMTP sink in a thread; `messages` are what came, `app` is the page that shows them.

    Takes everything for everybody, over plain SMTP, so it listens on the loopback only unless
    told otherwise. With `directory` each message is also written there as an .eml file.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
        clock: Clock | None = None,
        keep: int = 1000,
        coming: str = COMING,
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.host = host
        self.port = port
        self.directory = directory
        self._clock = clock or SystemClock()
        self.coming = coming  #: what the empty page says will come, and when
        self.links = links  #: label and address of pages to go to from the inbox
        self._mails: deque[Mail] = deque(maxlen=keep)
        self._count = 0
        self._arrival = threading.Condition()
        self._thread = LoopThread("demo-mailbox")
        self._server: asyncio.Server | None = None
        self.app = _page(self)

    @property
    def messages(self) -> list[Mail]:
        """What came, oldest first."""
        with self._arrival:
            return list(self._mails)

    def start(self) -> Self:
        """Opens the port; raises OSError where it is taken."""
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        try:
            self._server = self._thread.call(self._listen())
        except OSError:
            self._thread.stop()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        self._thread.stop(self._server)
        self._server = None

    def wait(self, count: int, timeout: float = 10.0) -> bool:
        """Until so many messages came; False where they did not come in time."""
        with self._arrival:
            return self._arrival.wait_for(lambda: self._count >= count, timeout)

    def take(self, sender: str, recipients: Iterable[str], raw: bytes) -> Mail:
        """Keeps one message."""
        with self._arrival:
            self._count += 1
            mail = Mail(
                id=self._count,
                at=self._clock.now(),
                sender=sender,
                recipients=tuple(recipients),
                raw=raw,
            )
            if self.directory is not None:
                (self.directory / f"{mail.id:05d}.eml").write_bytes(raw)
            self._mails.append(mail)
            self._arrival.notify_all()
        return mail

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._speak, self.host, self.port)

    def _speak(self) -> asyncio.Protocol:
        session = SMTP(
            _Handler(self),
            data_size_limit=_BIGGEST,
            enable_SMTPUTF8=True,
            hostname="demo.invalid",
            ident="tinglan demo",
            loop=self._thread.loop,
        )
        return cast(asyncio.Protocol, session)


class _Handler:
    """What aiosmtpd calls when a message is complete."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        mail = self._mailbox.take(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return f"250 2.0.0 kept as {mail.id}"


# ------------------------------------------------------------------ the page


def _page(mailbox: Mailbox) -> Starlette:
    templates = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(shown=shown, parts=_parts, urgency=_urgency)

    def html(name: str, status: int = 200, **values: Any) -> Response:
        return Response(
            templates.get_template(name).render(links=mailbox.links, **values),
            status_code=status,
            media_type="text/html; charset=utf-8",
            headers={
                "Content-Security-Policy": _CSP,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    def find(request: Request) -> Mail | None:
        wanted = request.path_params["id"]
        return next((mail for mail in mailbox.messages if mail.id == wanted), None)

    async def inbox(request: Request) -> Response:
        mails = mailbox.messages[::-1]
        return html("mailbox.html", mails=mails, coming=mailbox.coming)

    async def one(request: Request) -> Response:
        mail = find(request)
        if mail is None:
            return html("mail_missing.html", status=404)
        document = mail.html_with_pictures()
        return html("mail.html", mail=mail, document=_framed(document) if document else "")

    async def raw(request: Request) -> Response:
        mail = find(request)
        if mail is None:
            return html("mail_missing.html", status=404)
        name = f'attachment; filename="mail-{mail.id}.eml"'
        return Response(
            mail.raw,
            media_type="message/rfc822",
            headers={"Content-Disposition": name, "X-Content-Type-Options": "nosniff"},
        )

    return Starlette(
        routes=[
            Route("/", inbox),
            Route("/mail/{id:int}", one),
            Route("/mail/{id:int}.eml", raw),
        ]
    )


def _framed(document: str) -> str:
    """The mail's HTML for srcdoc: its own policy first, links open in a new tab."""
    policy_tag = f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">'
    return f'<!DOCTYPE html>{policy_tag}<base target="_blank">{document}'


def _parts(subject: str) -> tuple[list[str], str, str]:
    """Splits a subject into its 【…】 marks, its words and the number of the item."""
    marks: list[str] = []
    if match := _TAG.match(subject):
        marks, subject = match[1].strip("【】").split("】【"), subject[match.end() :]
    if match := _NUMBER.search(subject):
        return marks, subject[: match.start()], match[1]
    return marks, subject, ""


def _urgency(subject: str) -> str:
    """A class for the tag, after the four colours of the levels."""
    head = " ".join(_parts(subject)[0])
    for word, name in (
        ("特别重大", "red"),
        ("重大", "orange"),
        ("较大", "yellow"),
        ("一般", "blue"),
    ):
        if word in head:
            return name
    return "plain"


def _decoded(part: Message) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
