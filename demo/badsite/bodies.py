"""Answers that are broken on the wire: too long, too slow, cut short, not what they say."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from functools import cache

from demo.badsite.calls import Call, page, row
from demo.badsite.plain import article

BOMB = 300 * 1024 * 1024  #: bytes that the gzip bomb inflates to


@row("gzip-bomb")
async def _gzip_bomb(call: Call) -> None:
    await call.answer(_bomb(), headers=[("Content-Encoding", "gzip")])


@row("gzip-broken")
async def _gzip_broken(call: Call) -> None:
    whole = gzip.compress(page("压缩", "正文" * 500).encode())
    await call.answer(whole[: len(whole) // 2], headers=[("Content-Encoding", "gzip")])


@row("gzip-false")
async def _gzip_false(call: Call) -> None:
    """Says gzip, sends plain text."""
    await call.answer(page("没有压缩", "正文"), headers=[("Content-Encoding", "gzip")])


@row("endless")
async def _endless(call: Call) -> None:
    await call.begin()
    while True:
        await call.send(b"<p>" + "没完没了".encode() * 4096 + b"</p>\n")


@row("drip")
async def _drip(call: Call) -> None:
    """One byte every half second."""
    await call.begin()
    while True:
        await call.send(b"x")
        await asyncio.sleep(0.5)


@row("drip-head")
async def _drip_head(call: Call) -> None:
    """Not even the headers come in time."""
    await call.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await call.send(b"x")
        await asyncio.sleep(0.5)


@row("short")
async def _short(call: Call) -> None:
    body = page("没发完", "正文到这里就断了").encode()
    await call.answer(body, length=len(body) + 5000)


@row("flaky-short")
async def _flaky_short(call: Call) -> None:
    """Short the first time, whole the second."""
    if len(call.site.asked("flaky-short")) > 1:
        await article(call)
    else:
        await _short(call)


@row("reset")
async def _reset(call: Call) -> None:
    call.reset()


@row("reset-midway")
async def _reset_midway(call: Call) -> None:
    await call.begin()
    await call.send(b"<html><body><p>half a page")
    await asyncio.sleep(0.05)
    call.reset()


@row("hang-up")
async def _hang_up(call: Call) -> None:
    """Closes politely without a word."""


@row("bad-status")
async def _bad_status(call: Call) -> None:
    await call.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n<h1>?</h1>")


@row("big-header")
async def _big_header(call: Call) -> None:
    await call.answer(page("头太大", "正文"), headers=[("X-Big", "x" * 200_000)])


@row("many-headers")
async def _many_headers(call: Call) -> None:
    extra = [(f"X-{n}", "x" * 40) for n in range(4000)]
    await call.answer(page("头太多", "正文"), headers=extra)


@row("empty")
async def _empty(call: Call) -> None:
    await call.answer()


@row("jpeg")
async def _jpeg(call: Call) -> None:
    """A picture that claims to be a page."""
    await call.answer(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 64)


@row("nested")
async def _nested(call: Call) -> None:
    depth = 50_000
    await call.answer("<html><body>" + "<div>" * depth + "深处" + "</div>" * depth)


@row("huge")
async def _huge(call: Call) -> None:
    """12 MiB of plain, honest text."""
    await call.begin()
    for _ in range(12):
        await call.send(b"<p>" + b"a" * (1024 * 1024 - 7) + b"</p>")


@cache
def _bomb() -> bytes:
    """About 300 kB of gzip that inflate to 300 MB; one compressed block, many times over."""
    block = bytes(1024 * 1024)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    squeeze.compress(block)  # the first block may not lean on a window that the others have not
    squeeze.flush(zlib.Z_FULL_FLUSH)
    piece = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(BOMB // len(block)):
        check = zlib.crc32(block, check)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    tail = b"\x03\x00" + struct.pack("<II", check, BOMB)
    return head + piece * (BOMB // len(block)) + tail
