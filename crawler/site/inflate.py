"""Undoes Content-Encoding within bounds."""

from __future__ import annotations

import zlib
from typing import Final

_CHUNK: Final = 64 * 1024


class TooLarge(ValueError):
    """The answer grows beyond the cap."""


class Broken(ValueError):
    """The compressed stream is damaged, cut short, or of a kind we did not offer to take."""


def inflate(body: bytes, encodings: str, cap: int) -> bytes:
    """The plain body. Raises TooLarge or Broken; never holds more than `cap` bytes of it."""
    applied = [one.strip().lower() for one in encodings.split(",") if one.strip()]
    if len(applied) > 2:
        raise Broken("压缩层数过多")
    for encoding in reversed(applied):
        if encoding in {"gzip", "x-gzip"}:
            body = _stream(body, cap, 31)
        elif encoding == "deflate":
            body = _deflate(body, cap)
        elif encoding != "identity":
            raise Broken(f"不支持的压缩方式 {encoding[:20]}")
    return body


def _deflate(body: bytes, cap: int) -> bytes:
    try:
        return _stream(body, cap, 15)
    except Broken:
        return _stream(body, cap, -15)  # some servers send it without the zlib wrapper


def _stream(body: bytes, cap: int, bits: int) -> bytes:
    if not body:
        return b""
    plain = bytearray()
    engine = zlib.decompressobj(bits)
    rest = body
    try:
        while not engine.eof:
            piece = engine.decompress(rest, _CHUNK)
            plain += piece
            if len(plain) > cap:
                raise TooLarge
            rest = engine.unconsumed_tail
            if not rest and not piece:
                raise Broken("压缩数据不完整")
    except zlib.error:
        raise Broken("压缩数据损坏") from None
    return bytes(plain)
