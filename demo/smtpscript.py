"""An SMTP server that does as it is told: refuses, stalls, hangs up, takes mail and stays mute."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Self

from demo.serving import LoopThread, Started


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One answer: wait, say (or stay mute), then go on or hang up."""

    say: str | bytes | None = None  #: a reply line without CRLF; bytes go out as they are
    delay: float = 0.0  #: seconds before it
    close: bool = False  #: hang up afterwards

    @property
    def refuses(self) -> bool:
        """True where the client is not told 2xx or 3xx."""
        text = self.say.decode("ascii", "replace") if isinstance(self.say, bytes) else self.say
        return text is None or not text.startswith(("2", "3"))


Scripted = str | Step | Sequence[str | Step]  #: a sequence is used up one by one; its last stays


def drop(say: str | bytes | None = None, *, delay: float = 0.0) -> Step:
    """Hangs up, perhaps after a last word."""
    return Step(say=say, delay=delay, close=True)


def slow(delay: float, say: str) -> Step:
    """The right answer, too late."""
    return Step(say=say, delay=delay)


def mute() -> Step:
    """Says nothing and keeps the line open."""
    return Step()


def garbage() -> Step:
    """Not SMTP at all."""
    return Step(say=b"\x00\xff\x80HTTP/1.1 400 Bad Request\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that the server has taken, whether or not it managed to say so."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    at: float  #: time.monotonic()
    tls: bool
    user: str  #: as logged in; empty where nobody did
    confirmed: bool  #: the client was told 2xx

    @property
    def message(self) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.raw)


class ScriptedSmtp(Started):
    """A local SMTP server whose every reply can be scripted.

    `banner`, `ehlo`, `starttls`, `auth`, `mail`, `data`, `done` (after the final dot) and `quit`
    take a reply (`"550 5.1.1 no such user"`), a Step (`drop()`, `slow(5, "250 ok")`, `mute()`,
    `garbage()`) or a sequence of them, used up one by one over all sessions. `rcpt` takes the
    same, or a mapping from address to it. What is not scripted succeeds.

    `security` is none, starttls or tls; the latter two need `tls`. `accepted` holds what was
    taken, `commands` every line of every session (passwords as ***), `sessions` their number.
    After `stop()` the port refuses connections; `start()` opens the same port again.
    """

    def __init__(
        self,
        *,
        banner: Scripted | None = None,
        ehlo: Scripted | None = None,
        starttls: Scripted | None = None,
        auth: Scripted | None = None,
        mail: Scripted | None = None,
        rcpt: Scripted | Mapping[str, Scripted] | None = None,
        data: Scripted | None = None,
        done: Scripted | None = None,
        quit: Scripted | None = None,
        security: str = "none",
        tls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        extensions: Sequence[str] = ("8BITMIME", "SMTPUTF8", "SIZE 15728640"),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if security not in {"none", "starttls", "tls"}:
            raise ValueError(f"security: expected none, starttls or tls, found {security!r}")
        if security != "none" and tls is None:
            raise ValueError(f"security {security} needs a TLS context")
        self._script: dict[str, Scripted | None] = {
            "banner": banner, "ehlo": ehlo, "starttls": starttls, "auth": auth, "mail": mail,
            "data": data, "done": done, "quit": quit,
        }  # fmt: skip
        self._rcpt = rcpt
        self._used: dict[str, int] = {}
        self.security = security
        self.tls = tls
        self.users = dict(users) if users is not None else None
        self.extensions = tuple(extensions)
        self.host = host
        self.port = port
        self.accepted: list[Accepted] = []
        self.commands: list[str] = []
        self.sessions = 0
        self._arrival = threading.Condition()
        self._thread = LoopThread("scripted-smtp")
        self._server: asyncio.Server | None = None

    # -------------------------------------------------------------- life

    def start(self) -> Self:
        self._thread.start()
        self._server = self._thread.call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        self._thread.stop(self._server)
        self._server = None

    def wait(self, count: int, timeout: float = 10.0) -> bool:
        """Until so many messages were taken; False where they did not come in time."""
        with self._arrival:
            return self._arrival.wait_for(lambda: len(self.accepted) >= count, timeout)

    async def _listen(self) -> asyncio.Server:
        context = self.tls if self.security == "tls" else None
        return await asyncio.start_server(
            self._serve, self.host, self.port, ssl=context, limit=2**25
        )

    # -------------------------------------------------------------- script

    def step(self, stage: str, usual: str, address: str = "") -> Step:
        """What is said next at this stage; uses up one answer of a sequence."""
        scripted = self._script.get(stage)
        name = stage
        if stage == "rcpt":
            scripted, name = self._for(address)
        if scripted is None:
            return Step(say=usual)
        if isinstance(scripted, str | Step):
            return _step(scripted)
        turn = self._used.get(name, 0)
        self._used[name] = turn + 1
        return _step(scripted[min(turn, len(scripted) - 1)])

    def _for(self, address: str) -> tuple[Scripted | None, str]:
        if isinstance(self._rcpt, Mapping):
            return self._rcpt.get(address), f"rcpt {address}"
        return self._rcpt, "rcpt"

    def take(self, message: Accepted) -> None:
        with self._arrival:
            self.accepted.append(message)
            self._arrival.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        try:
            await _Session(self, reader, writer).run()
        except (_HangUp, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, ValueError):
            pass  # the client left, or was thrown out as scripted
        finally:
            writer.close()


class _HangUp(Exception):
    """The script says so."""


class _Session:
    """One connection, from the banner to QUIT."""

    def __init__(
        self, server: ScriptedSmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.encrypted = server.security == "tls"
        self.user = ""
        self.sender: str | None = None
        self.recipients: list[str] = []

    async def run(self) -> None:
        await self.answer("banner", "220 demo.invalid ESMTP")
        while line := await self.line():
            verb, _, rest = line.partition(" ")
            shown = "AUTH ***" if verb.upper() == "AUTH" else line
            self.server.commands.append(shown)
            match verb.upper():
                case "EHLO":
                    await self.answer("ehlo", self.greeting())
                case "HELO":
                    await self.answer("ehlo", "250 demo.invalid")
                case "STARTTLS":
                    await self.starttls()
                case "AUTH":
                    await self.auth(rest)
                case "MAIL":
                    if await self.answer("mail", "250 2.1.0 ok"):
                        self.sender, self.recipients = _address(rest), []
                case "RCPT":
                    address = _address(rest)
                    if await self.answer("rcpt", "250 2.1.5 ok", address):
                        self.recipients.append(address)
                case "DATA":
                    await self.data()
                case "RSET":
                    self.sender, self.recipients = None, []
                    await self.say(Step(say="250 2.0.0 ok"))
                case "NOOP":
                    await self.say(Step(say="250 2.0.0 ok"))
                case "QUIT":
                    await self.answer("quit", "221 2.0.0 bye")
                    return
                case _:
                    await self.say(Step(say="502 5.5.2 not known"))

    async def line(self) -> str:
        """The next command without its line end; empty when the client has gone."""
        return (await self.reader.readline()).decode("utf-8", "replace").rstrip("\r\n")

    async def say(self, step: Step) -> None:
        if step.delay:
            await asyncio.sleep(step.delay)
        if step.say is not None:
            out = step.say if isinstance(step.say, bytes) else f"{step.say}\r\n".encode()
            self.writer.write(out)
            await self.writer.drain()
        if step.close:
            raise _HangUp

    async def answer(self, stage: str, usual: str, address: str = "") -> bool:
        """Says what is scripted; True where that lets the client go on."""
        step = self.server.step(stage, usual, address)
        await self.say(step)
        return not step.refuses

    def greeting(self) -> str:
        offers = list(self.server.extensions)
        if self.server.security == "starttls" and not self.encrypted:
            offers.append("STARTTLS")
        if self.server.users is not None and (self.encrypted or self.server.security == "none"):
            offers.append("AUTH PLAIN LOGIN")
        lines = ["demo.invalid", *offers]
        return "\r\n".join(
            f"250{' ' if n == len(lines) - 1 else '-'}{line}" for n, line in enumerate(lines)
        )

    async def starttls(self) -> None:
        if self.server.security != "starttls" or self.server.tls is None:
            await self.say(Step(say="502 5.5.1 not offered"))
        elif await self.answer("starttls", "220 2.0.0 go ahead"):
            await self.writer.start_tls(self.server.tls)
            self.encrypted = True

    async def auth(self, rest: str) -> None:
        method, _, first = rest.partition(" ")
        if method.upper() == "PLAIN":
            fields = _plain(first or await self.ask("334 ")).split("\0")
            user, password = fields[-2:] if len(fields) >= 2 else ("", "")
        else:
            user = _plain(first or await self.ask("334 VXNlcm5hbWU6"))
            password = _plain(await self.ask("334 UGFzc3dvcmQ6"))
        known = self.server.users is not None and self.server.users.get(user) == password
        usual = "235 2.7.0 welcome" if known else "535 5.7.8 wrong user or password"
        if await self.answer("auth", usual):
            self.user = user

    async def ask(self, prompt: str) -> str:
        await self.say(Step(say=prompt))
        return await self.line()

    async def data(self) -> None:
        if self.sender is None or not self.recipients:
            await self.say(Step(say="503 5.5.1 MAIL and RCPT first"))
            return
        if not await self.answer("data", "354 end with a dot"):
            return
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        body = raw[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
        message = Accepted(
            sender=self.sender,
            recipients=tuple(self.recipients),
            raw=body.removeprefix(b".") if body.startswith(b"..") else body,
            at=time.monotonic(),
            tls=self.encrypted,
            user=self.user,
            confirmed=True,
        )
        self.sender, self.recipients = None, []
        step = self.server.step("done", "250 2.0.0 queued")
        # A spoken 4xx or 5xx is a refusal; silence or a cut line after the dot leaves the
        # message with us, and the client unsure.
        spoken = step.say is not None and not isinstance(step.say, bytes)
        if not (spoken and step.refuses):
            self.server.take(replace(message, confirmed=not step.refuses))
        await self.say(step)


def _step(scripted: str | Step) -> Step:
    return Step(say=scripted) if isinstance(scripted, str) else scripted


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


def _plain(text: str) -> str:
    return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
