"""One request to the bad site, the ways to answer it, and the names that answers go by."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.badsite.server import BadSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in."""

    at: float  #: time.monotonic()
    method: str
    path: str
    headers: dict[str, str]  #: names in lower case
    port: int

    @property
    def name(self) -> str:
        """The first part of the path: which row was asked for."""
        return self.path.partition("?")[0].strip("/").partition("/")[0]


@dataclass(slots=True)
class Call:
    """A request that waits for its answer."""

    site: BadSite
    asked: Asked
    writer: asyncio.StreamWriter

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()

    async def answer(
        self,
        body: bytes | str = b"",
        *,
        status: str = "200 OK",
        kind: str = "text/html; charset=utf-8",
        headers: Iterable[tuple[str, str]] = (),
        length: int | None = None,
    ) -> None:
        """A whole response; `length` lets the Content-Length lie."""
        raw = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(raw) if length is None else length}", "Connection: close"]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), raw)

    async def begin(self, kind: str = "text/html; charset=utf-8") -> None:
        """Only the head of a 200 without a length: the body lasts until the line is cut."""
        await self.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
        )

    async def redirect(self, to: str) -> None:
        await self.answer(status="302 Found", headers=[("Location", to)])

    def reset(self) -> None:
        """Cuts the line with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Row = Callable[[Call], Awaitable[None]]
ROWS: dict[str, Row] = {}


def row(*names: str) -> Callable[[Row], Row]:
    """What is served below these names."""

    def note(answer: Row) -> Row:
        ROWS.update(dict.fromkeys(names, answer))
        return answer

    return note


def page(
    title: str, text: str, *, charset: str = "utf-8", published: str = "2026-01-05 09:30"
) -> str:
    """A page as an agency's own system makes it."""
    declared = f'<meta charset="{charset}">' if charset else ""
    date = f'<meta name="PubDate" content="{published}">' if published else ""
    shown = f"发布时间：{published}" if published else ""
    return (
        f"<!DOCTYPE html><html><head>{declared}{date}"
        f'<meta name="ArticleTitle" content="{title}"><title>{title}</title></head><body>'
        f'<h1>{title}</h1><div class="info">{shown}</div>'
        f'<div class="TRS_Editor"><p>{text}</p></div></body></html>'
    )
