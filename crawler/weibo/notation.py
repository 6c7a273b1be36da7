"""From Weibo's JSON to what a post says. Pure; one bad row never costs the others."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crawler.discovery.instants import instant
from store.records import Capture, Kind, Role

LIST_KEYS = ("statuses", "comments", "reposts", "mentions")
WORDLESS = "（原文没有文字）"

_TAG = re.compile(r"<[^<>]{0,500}>")
_WHOLE = re.compile(r"\d{1,19}")
_GONE = re.compile(
    r"(?:微博|评论|内容|博文)[^。]{0,8}(?:已被|被)[^。]{0,8}(?:删除|屏蔽)"
    r"|(?:该|此)(?:微博|评论)不存在"
)
_CUT = re.compile(r"(?:\.{3}|…)?\s*全文\s*(?:[:：]?\s*https?://\S+)?\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One status or comment of a list."""

    id: int | None  #: None where it has none that could be read
    capture: Capture
    long: bool = False  #: its text is cut here; the rest takes a call of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page of a list, in the platform's order."""

    rows: tuple[Row, ...]
    bad: int = 0  #: entries that are no posts at all
    cursor: int = 0  #: next_cursor, where there is one
    shaped: bool = True  #: False: no list where one must be

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(row.id for row in self.rows if row.id is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whose list it is, and what is known while reading it."""

    channel: str
    column: str
    comments: bool
    own: bool  #: every row is the agency's
    uid: str  #: the agency's account; "" while not known
    now: datetime

    def read(self, found: Any) -> Listed:
        entries = _entries(found)
        if entries is None:
            return Listed(rows=(), shaped=False)
        rows: list[Row] = []
        for entry in entries:
            row = self._row(entry) if isinstance(entry, dict) else None
            if row is not None:
                rows.append(row)
        cursor = whole(found.get("next_cursor")) if isinstance(found, dict) else None
        return Listed(rows=tuple(rows), bad=len(entries) - len(rows), cursor=cursor or 0)

    def status(self, found: Any) -> Row | None:
        """One status asked for by itself; None where the answer holds none."""
        return self._row(found) if isinstance(found, dict) else None

    def _row(self, entry: Mapping[str, Any]) -> Row | None:
        number = id_of(entry)
        raw = _said(entry.get("created_at"))
        text, long = _text(entry)
        if number is None and not text:
            return None
        told = instant(raw, self.now)
        author = user_of(entry)
        own = self.own or (bool(self.uid) and author == self.uid)
        gone = _is_gone(entry, text)
        notes = {
            "client": _client(entry),
            "retweeted": _retweeted(entry),
            "deleted": "yes" if gone else "",
        }
        key = str(number) if number is not None else f"sha256:{_hash(raw, text)}"
        return Row(
            id=number,
            long=long and not gone,
            capture=Capture(
                channel=self.channel,
                key=f"comment/{key}" if self.comments else f"status/{key}",
                kind=Kind.COMMENT if self.comments else Kind.POST,
                role=Role.OWN if own else Role.PUBLIC,
                text=_with_original(entry, text, self.uid) or WORDLESS,
                url=self._url(entry, number),
                column=self.column,
                author_id=author,
                parent=_parent(entry),
                state="已删除" if gone else "",
                published_at=told.at if told else None,
                published_raw=raw,
                precision=told.precision if told else None,
                notes={name: value for name, value in notes.items() if value},
            ),
        )

    def _url(self, entry: Mapping[str, Any], number: int | None) -> str:
        shown = entry.get("status") if self.comments else entry
        at = id_of(shown) if self.comments and isinstance(shown, dict) else number
        return f"https://m.weibo.cn/status/{at}" if at is not None else ""


def id_of(entry: Mapping[str, Any]) -> int | None:
    """An id, from the strings first: as a number it may have lost its last digits on the way."""
    for name in ("idstr", "id", "mid"):
        number = whole(entry.get(name))
        if number:
            return number
    return None


def whole(value: Any) -> int | None:
    """A number written as such or as a string; a float only where it is still exact."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**19:
        return value
    return None


def user_of(entry: Mapping[str, Any]) -> str:
    """The raw id of who wrote it; "" where the user is missing. Intake makes the pseudonym."""
    user = entry.get("user")
    if isinstance(user, dict):
        number = id_of(user)
        return str(number) if number is not None else ""
    number = whole(entry.get("uid"))
    return str(number) if number else ""


def _entries(found: Any) -> list[Any] | None:
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        for name in LIST_KEYS:
            if isinstance(found.get(name), list):
                return list(found[name])
        if any(name in found and found[name] is None for name in LIST_KEYS):
            return []
    return None


def _text(entry: Mapping[str, Any]) -> tuple[str, bool]:
    """(text, whether it is cut)."""
    whole_text = entry.get("longText")
    if isinstance(whole_text, dict):
        text = _said(whole_text.get("longTextContent") or whole_text.get("content"))
        if text:
            return text, False
    text = _said(entry.get("text"))
    long = entry.get("isLongText") in (True, 1, "1", "true") or entry.get("truncated") in (
        True,
        "true",
    )
    return (_CUT.sub("…", text) if long else text), long


def _said(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return html.unescape(str(value)).strip()


def _client(entry: Mapping[str, Any]) -> str:
    """What it was sent from; the platform wraps it in an anchor."""
    return _TAG.sub("", _said(entry.get("source"))).strip()[:60]


def _is_gone(entry: Mapping[str, Any], text: str) -> bool:
    if entry.get("deleted") in (True, 1, "1", "true"):
        return True
    return not isinstance(entry.get("user"), dict) and len(text) < 60 and bool(_GONE.search(text))


def _original(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    original = entry.get("retweeted_status")
    return original if isinstance(original, dict) else None


def _retweeted(entry: Mapping[str, Any]) -> str:
    original = _original(entry)
    if original is None:
        return ""
    if _is_gone(original, _said(original.get("text"))):
        return "原微博已删除"
    number = id_of(original)
    return f"status/{number}" if number is not None else "有"


def _with_original(entry: Mapping[str, Any], text: str, uid: str) -> str:
    """A retweet of somebody else says little without what it retweets; our own we have."""
    original = _original(entry)
    if original is None:
        return text
    said = _text(original)[0]
    if not said or (uid and user_of(original) == uid) or _is_gone(original, said):
        return text
    return f"{text}\n//转发原文：{said}"


def _parent(entry: Mapping[str, Any]) -> str:
    for name, prefix in (
        ("reply_comment", "comment"),
        ("status", "status"),
        ("retweeted_status", "status"),
    ):
        above = entry.get(name)
        number = id_of(above) if isinstance(above, dict) else None
        if number is not None:
            return f"{prefix}/{number}"
    return ""


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
