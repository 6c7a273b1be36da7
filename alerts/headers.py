"""Makes any text fit for a mail header or a line of a letter; nothing here can raise on text."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterator

_DROPPED = {"Cc", "Cf", "Cs"}  #: controls, bidi and zero-width marks, lone surrogates
_BREAKS = {"Zl", "Zp"}
_LINE = 78  #: RFC 5322, without CRLF
_WORD = 75  #: RFC 2047
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


def clean_header(text: str, limit: int = 120) -> str:
    """One line of visible text in NFC, at most `limit` characters, cut with an ellipsis."""
    kept = "".join(_visible(text, breaks=" "))
    return cut(re.sub(r"\s+", " ", unicodedata.normalize("NFC", kept)).strip(), limit)


def clean_text(text: str, limit: int = 0) -> str:
    """Visible text that keeps its lines; `limit` 0 means all of it."""
    kept = "".join(_visible(text.replace("\r\n", "\n").replace("\r", "\n"), breaks="\n"))
    lines = [
        re.sub(r"[^\S\n]+", " ", line).strip()
        for line in unicodedata.normalize("NFC", kept).split("\n")
    ]
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return cut(joined, limit) if limit else joined


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last an ellipsis where something was left out."""
    if len(text) <= limit:
        return text
    end = max(0, limit - 1)
    while end and unicodedata.combining(text[end]):
        end -= 1  # never tear a mark off its letter
    return text[:end].rstrip() + "…"


def encoded(name: str, text: str) -> str:
    """`Name: value`, folded; anything but short plain ASCII becomes RFC 2047 words.

    Whole characters only, words of at most 75, lines of at most 78: what the standard library
    folds by itself breaks these in corner cases. Text that looks like an encoded word is
    encoded, so that it arrives as it was written.
    """
    text = clean_header(text, limit=2000)
    plain = f"{name}: {text}"
    if _PRINTABLE.fullmatch(text) and "=?" not in text and len(plain) <= _LINE:
        return plain
    return f"{name}: " + "\r\n ".join(_words(text, first=_LINE - len(name) - 2))


def mailbox(name: str, display: str, address: str) -> str:
    """`From: display <address>`, folded and encoded."""
    display = clean_header(display, limit=60)
    if not display:
        return f"{name}: {address}"
    words = "\r\n ".join(_words(display, first=_LINE - len(name) - 2))
    last = words.rpartition("\r\n")[2]
    room = len(last) + len(address) + 3 + (0 if "\r\n" in words else len(name) + 2)
    return f"{name}: {words}{' ' if room <= _LINE else chr(13) + chr(10) + ' '}<{address}>"


def _visible(text: str, *, breaks: str) -> Iterator[str]:
    for character in text:
        kind = unicodedata.category(character)
        if character in "\n\t\r\v\f\x85":
            yield breaks if character in "\n\v\f\x85" else " "
        elif kind in _BREAKS:
            yield breaks
        elif kind not in _DROPPED:
            yield character


def _words(text: str, *, first: int) -> Iterator[str]:
    room = min(_WORD, first)
    chunk = b""
    for character in text:
        more = character.encode()
        if chunk and _size(len(chunk) + len(more)) > room:
            yield _word(chunk)
            chunk, room = b"", _WORD
        chunk += more
    yield _word(chunk)


def _size(octets: int) -> int:
    return len("=?utf-8?B??=") + (octets + 2) // 3 * 4


def _word(chunk: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(chunk).decode()}?="
