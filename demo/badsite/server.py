"""The server itself: its ports and certificates, and who asked it for what."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from typing import Self

from demo.badsite.calls import ROWS, Asked, Call
from demo.badsite.plain import nothing
from demo.certificates import Authority
from demo.serving import LoopThread, Started

RETRY_AFTER = 2  #: seconds, as the 429 and 503 answers ask

ROBOTS = ("open", "closed", "delay", "503", "reset", "404", "silent")


class BadSite(Started):
    """Serves all rows; `requests` says who asked for what, and when.

    `robots` is what /robots.txt does: open, closed, delay (Crawl-delay: 1), 503, reset, 404 or
    silent. `retry_after` is what the 429 and 503 rows ask for, in seconds; a row that asks to
    come back succeeds once that time has passed since it was first asked.

    >>> with BadSite() as site:
    ...     httpx.get(site.url("redirect-loop"))
    """

    def __init__(self, *, robots: str = "open", retry_after: int = RETRY_AFTER) -> None:
        if robots not in ROBOTS:
            raise ValueError(f"robots: expected one of {', '.join(ROBOTS)}, found {robots!r}")
        self.robots = robots
        self.retry_after = retry_after
        self.requests: list[Asked] = []
        self.authority = b""  #: PEM; signs the certificates of tls_url
        self._ports: dict[str, int] = {}
        self._thread = LoopThread("bad-site")
        self._servers: list[asyncio.Server] = []
        self._lock = threading.Lock()

    @staticmethod
    def names() -> list[str]:
        """All rows."""
        return sorted(ROWS)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """The address of one row; raises KeyError where there is none of this name."""
        if name not in ROWS and name not in {"", "robots.txt"}:
            raise KeyError(name)
        return f"http://{host}:{self._ports['plain']}/{name}"

    def tls_url(self, name: str, path: str = "article") -> str:
        """The same page behind a certificate that is expired, wrong-name, untrusted or good."""
        return f"https://127.0.0.1:{self._ports[name]}/{path}"

    def asked(self, name: str) -> list[Asked]:
        """The requests for one row, in order."""
        return [one for one in self.requests if one.name == name]

    def start(self) -> Self:
        self._thread.start()
        self._thread.call(self._listen())
        return self

    def stop(self) -> None:
        self._thread.stop(*self._servers)
        self._servers.clear()

    async def _listen(self) -> None:
        trusted = Authority()
        self.authority = trusted.pem
        contexts: dict[str, ssl.SSLContext | None] = {
            "plain": None,
            "good": trusted.issue("127.0.0.1").server_context(),
            "untrusted": Authority().issue("127.0.0.1").server_context(),
            "expired": trusted.expired("127.0.0.1").server_context(),
            "wrong-name": trusted.issue("another.invalid").server_context(),
        }
        for name, context in contexts.items():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
            self._servers.append(server)
            self._ports[name] = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            call = Call(self, self._note(head, writer), writer)
            # A body left unread turns the close into a reset, and that may eat the answer.
            await reader.readexactly(int(call.asked.headers.get("content-length", 0)))
            await ROWS.get(call.asked.name, nothing)(call)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the spider hung up, as it should on some rows
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _note(self, head: bytes, writer: asyncio.StreamWriter) -> Asked:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, *_ = [*first.split(" "), "", ""]
        pairs = (line.partition(":") for line in lines if line)
        asked = Asked(
            at=time.monotonic(),
            method=method,
            path=path,
            headers={name.strip().lower(): value.strip() for name, _, value in pairs},
            port=writer.get_extra_info("sockname")[1],
        )
        with self._lock:
            self.requests.append(asked)
        return asked
