"""How commands speak: text to people, JSON to programs, and what they are given to read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from config.clock import SHANGHAI

DONE, FAILED, WRONG, TAKEN = 0, 1, 2, 3


class Refused(Exception):
    """What was asked could not be done; the text is for the person who asked."""


#: A page's title may hold what moves a cursor, clears a screen or changes a window's name.
_UNSPEAKABLE = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


def say(text: str) -> None:
    print(text.translate(_UNSPEAKABLE), flush=True)


def tell(text: str) -> None:
    print(text.translate(_UNSPEAKABLE), file=sys.stderr, flush=True)


def tell_each(mistakes: Iterable[object]) -> None:
    for mistake in mistakes:
        tell(str(mistake))


def put(value: Any) -> None:
    """One JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).isoformat()
    return str(value)


def lines_of(name: str) -> Iterator[str]:
    """Lines of a file, or of stdin for `-`. Raises Refused where it cannot be read."""
    if name == "-":
        yield from sys.stdin
        return
    try:
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from None


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """A file, or stdin for `-`, to be read as bytes. Raises Refused where it cannot be opened."""
    if name == "-":
        yield BytesIO() if sys.stdin is None else sys.stdin.buffer  # None: it was closed
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from None
    with file:
        yield file


def bytes_of(name: str) -> bytes:
    """A file, or stdin for `-`, as bytes. Raises Refused."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from None
