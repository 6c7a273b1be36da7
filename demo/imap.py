"""A stand-in for a mail provider's IMAP server: one account, its folders, and odd habits."""

from __future__ import annotations

import asyncio
import re
import ssl
import tomllib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Self

from config.clock import SHANGHAI, Clock
from demo.serving import LoopThread, Started

USER, PASSWORD = "letters@example.gov.cn", "demo-mail-password"
SCENARIO = Path(__file__).with_name("imap.toml")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PARTIAL = re.compile(r"BODY(?:\.PEEK)?\[\]<0\.(\d+)>", re.I)


@dataclass(slots=True, kw_only=True)
class Habits:
    """What servers are known to do, each to be switched on."""

    wants_id: bool = False  #: opens a folder only to clients that say who they are
    mute_after: int = 0  #: says nothing any more after so many letters
    cut_after: int = 0  #: hangs up after so many letters
    refuses: frozenset[int] = frozenset()  #: numbers of letters that cannot be had
    huge: bool = False  #: announces a letter of a gigabyte
    validity: bool = True  #: False: names no UIDVALIDITY
    latency: float = 0.0  #: seconds before each letter


@dataclass(frozen=True, slots=True)
class _Held:
    uid: int
    at: datetime
    raw: bytes


@dataclass(slots=True)
class DemoImap(Started):
    """Serves while entered; `commands` is what it was told, without passwords."""

    clock: Clock
    folder: str = "INBOX"
    habits: Habits = field(default_factory=Habits)
    uidvalidity: int = 1
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    commands: deque[str] = field(default_factory=lambda: deque(maxlen=20_000))
    _letters: list[_Held] = field(default_factory=list)
    _thread: LoopThread = field(default_factory=lambda: LoopThread("demo-imap"))
    _server: asyncio.Server | None = None
    _next: int = 1
    _given: int = 0

    def start(self) -> Self:
        self._thread.start()
        self._server = self._thread.call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        self._thread.stop(self._server)

    # --- what happens there -------------------------------------------------------------------

    def load(self, path: Path = SCENARIO, *, speed: float = 1.0) -> None:
        """Puts in what a scenario file says; `at` counts seconds from now."""
        start = self.clock.now()
        for story in tomllib.loads(path.read_text(encoding="utf-8"))["stories"]:
            at = start + timedelta(seconds=float(story["at"]) / speed)
            self.write(story["subject"], story["text"], sender=story["from"], at=at)

    def write(
        self,
        subject: str,
        text: str,
        *,
        sender: str = "someone@example.com",
        at: datetime | None = None,
    ) -> int:
        """An ordinary letter arrives; answers its number."""
        moment = at or self.clock.now()
        message = EmailMessage()
        message["From"] = sender
        message["To"] = USER
        message["Subject"] = subject
        message["Date"] = format_datetime(moment.astimezone(SHANGHAI))
        message["Message-ID"] = f"<{self._next}.{int(moment.timestamp())}@example.com>"
        message.set_content(text)
        return self.put(message.as_bytes(), at=moment)

    def put(self, raw: bytes, *, at: datetime | None = None) -> int:
        """Any bytes arrive; answers their number."""
        number = self._next
        self._letters.append(_Held(number, at or self.clock.now(), raw))
        self._next += 1
        return number

    def renumber(self) -> None:
        """What a restored or moved folder looks like: same letters, new numbers."""
        self.uidvalidity += 1
        self._letters = [_Held(5_000 + n, one.at, one.raw) for n, one in enumerate(self._letters)]
        self._next = 5_000 + len(self._letters)

    def delete(self, uid: int) -> None:
        self._letters = [one for one in self._letters if one.uid != uid]

    # --- the protocol -------------------------------------------------------------------------

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._session, self.host, self.port, ssl=self.context)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, writer)
        writer.write(b"* OK demo ready\r\n")
        try:
            while not session.over:
                line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
                if not line:
                    break
                tag, _, rest = line.partition(" ")
                name, _, given = rest.partition(" ")
                shown = rest if name.upper() != "LOGIN" else "LOGIN …"
                self.commands.append(shown)
                await session.answer(tag, name.upper(), given, reader)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _live(self) -> list[_Held]:
        now = self.clock.now()
        return [one for one in self._letters if one.at <= now]


class _Session:
    def __init__(self, server: DemoImap, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.over = False
        self._writer = writer
        self._in = False
        self._named = False
        self._open = False

    async def answer(self, tag: str, name: str, given: str, reader: asyncio.StreamReader) -> None:
        steps: dict[str, Callable[[str], str]] = {
            "CAPABILITY": lambda _: self._say("* CAPABILITY IMAP4rev1 ID AUTH=PLAIN", "OK"),
            "NOOP": lambda _: "OK",
            "ID": self._id,
            "LOGIN": self._login,
            "EXAMINE": self._examine,
            "SELECT": self._examine,
            "LOGOUT": self._logout,
        }
        if name == "AUTHENTICATE":
            self._line("+ ")
            await self._writer.drain()
            said = (await reader.readline()).strip()
            self._in = bool(said)
            self._line(f"{tag} OK in" if said else f"{tag} NO no")
            return
        if name == "UID":
            verb, _, rest = given.partition(" ")
            if not self._open:
                self._line(f"{tag} BAD nothing is open")
            elif verb.upper() == "SEARCH":
                self._line(f"{tag} {self._search(rest)} done")
            elif verb.upper() == "FETCH":
                await self._fetch(tag, rest)
            else:
                self._line(f"{tag} BAD what")
            return
        step = steps.get(name)
        self._line(f"{tag} {step(given) if step else 'BAD what'} done")

    def _line(self, text: str) -> None:
        self._writer.write(text.encode() + b"\r\n")

    def _say(self, text: str, state: str) -> str:
        self._line(text)
        return state

    def _id(self, _given: str) -> str:
        self._named = True
        return self._say('* ID ("name" "demo")', "OK")

    def _login(self, given: str) -> str:
        user, _, password = given.partition(" ")
        self._in = user.strip('"') == USER and password.strip('"') == PASSWORD
        return "OK" if self._in else "NO"

    def _examine(self, given: str) -> str:
        server = self.server
        if not self._in or (server.habits.wants_id and not self._named):
            return "NO Unsafe Login"
        if given.strip('"') != server.folder:
            return "NO"
        self._open = True
        self._line(f"* {len(server._live())} EXISTS")
        self._line("* FLAGS (\\Seen)")
        if server.habits.validity:
            self._line(f"* OK [UIDVALIDITY {server.uidvalidity}] valid")
        return "OK [READ-ONLY]"

    def _logout(self, _given: str) -> str:
        self.over = True
        return self._say("* BYE", "OK")

    def _search(self, what: str) -> str:
        letters = self.server._live()
        kind, _, value = what.partition(" ")
        if kind.upper() == "SINCE":
            day, month, year = value.split("-")
            since = datetime(int(year), _MONTHS.index(month) + 1, int(day), tzinfo=SHANGHAI)
            found = [one.uid for one in letters if one.at >= since]
        else:
            low, _, high = value.partition(":")
            last = max((one.uid for one in letters), default=0)
            top = last if high == "*" else int(high)
            first, top = sorted((int(low), top))  # n:* names the last one even below n
            found = [one.uid for one in letters if first <= one.uid <= top]
        return self._say(" ".join(["* SEARCH", *map(str, found)]), "OK")

    async def _fetch(self, tag: str, given: str) -> None:
        habits = self.server.habits
        number, _, items = given.partition(" ")
        if habits.latency:
            await asyncio.sleep(habits.latency)
        self.server._given += 1
        if habits.mute_after and self.server._given > habits.mute_after:
            await asyncio.sleep(60)
        if habits.cut_after and self.server._given > habits.cut_after:
            self.over = True
            return
        if int(number) in habits.refuses:
            self._line(f"{tag} NO cannot")
            return
        letters = self.server._live()
        for position, one in enumerate(letters, 1):
            if one.uid != int(number):
                continue
            cap = _PARTIAL.search(items)
            body = one.raw[: int(cap[1])] if cap else one.raw
            at = one.at.astimezone(SHANGHAI)
            date = f"{at.day:2d}-{_MONTHS[at.month - 1]}-{at:%Y %H:%M:%S} +0800"
            size = 2**30 if habits.huge else len(body)
            self._line(
                f'* {position} FETCH (UID {one.uid} INTERNALDATE "{date}" '
                f"RFC822.SIZE {len(one.raw)} BODY[]<0> {{{size}}}"
            )
            self._writer.write(body + b")\r\n")
        self._line(f"{tag} OK done")
