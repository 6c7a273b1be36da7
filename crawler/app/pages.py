"""From the bytes of an answer to posts and the address of the next page. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from crawler.app.options import Feed, JsonList, Paging
from crawler.discovery.broken import FeedBroken
from crawler.discovery.feeds import read_feed
from crawler.discovery.instants import instant
from crawler.extraction import softfail
from crawler.extraction.charset import decode
from crawler.extraction.hygiene import lines, parse_html
from crawler.extraction.outline import plain
from crawler.site.hosts import BadAddress, absolute
from store.records import Capture, Outcome, Precision

_ROWS = 1_000
_INDEX = re.compile(r"\[(\d{1,4})\]")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")
_WORDLESS = "（没有文字）"
_MISSING: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page says."""

    captures: tuple[Capture, ...]
    next: str | None = None
    expired: bool = False  #: the publisher says: ask no more
    skipped: tuple[str, ...] = ()  #: Chinese


class Unreadable(Exception):
    """An answer that is no page of this list: its outcome, and why in Chinese."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


def feed_page(
    source: Feed,
    body: bytes,
    *,
    url: str,
    content_type: str,
    now: datetime,
    hosts: Sequence[str],
    channel: str,
) -> Page:
    """Raises Unreadable."""
    try:
        feed = read_feed(body, url=url, content_type=content_type, now=now, hosts=hosts)
    except FeedBroken as error:
        soft = _soft(body, content_type)
        raise Unreadable(
            Outcome.SOFT_FAILURE if soft else Outcome.PARSE_BROKEN, soft or error.reason
        ) from None
    if feed.skipped and not feed.entries:
        raise Unreadable(Outcome.PARSE_BROKEN, feed.skipped[0])
    captures = tuple(
        Capture(
            channel=channel,
            key=e.key if "://" in e.key else f"{source.url}#{e.key}",
            kind=source.kind,
            role=source.role,
            title=e.title,
            text=e.text,
            url=e.url or url,
            column=source.name,
            author_id=e.author_id,
            published_at=e.published_at,
            published_raw=e.published_raw,
            precision=e.precision,
        )
        for e in feed.entries
    )
    return Page(captures=captures, next=feed.next_url, expired=feed.expired, skipped=feed.skipped)


def json_page(
    source: JsonList, body: bytes, *, url: str, content_type: str, now: datetime, channel: str
) -> Page:
    """Raises Unreadable."""
    text = decode(body, content_type).text.lstrip("\ufeff")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        cut = text.lstrip()[:1] in {"{", "[", '"'}  # JSON as far as it goes
        soft = "" if cut else _soft(body, content_type)
        raise Unreadable(
            Outcome.SOFT_FAILURE if soft else Outcome.WRONG_TYPE,
            soft or "应答不是 JSON，或没有收完整",
        ) from None
    rows = pick(found, source.list)
    if rows is None and isinstance(found, dict):
        rows = []
    if not isinstance(rows, list):
        soft = _soft(body, content_type) if isinstance(found, dict) else ""
        where = source.list or "（顶层）"
        raise Unreadable(
            Outcome.SOFT_FAILURE if soft else Outcome.PARSE_BROKEN,
            soft or f"按路径 {where} 没有找到列表",
        )
    captures: list[Capture] = []
    skipped: list[str] = []
    for position, row in enumerate(rows[:_ROWS], 1):
        capture = _capture(source, row, channel=channel, url=url, now=now)
        if capture is None:
            skipped.append(f"第 {position} 条：没有编号，也没有正文")
        else:
            captures.append(capture)
    if rows and not any(one.title or one.text != _WORDLESS for one in captures):
        raise Unreadable(
            Outcome.PARSE_BROKEN, f"{len(rows)} 条里按路径 {source.body} 都没有读到正文"
        )
    following = _next(source.paging, url, found) if rows else None
    return Page(captures=tuple(captures), next=following, skipped=tuple(skipped[:20]))


def pick(found: Any, path: str) -> Any:
    """What lies at a path; a private mark that equals nothing where there is no such place."""
    at = found
    steps = _INDEX.sub(r".\1", path.removeprefix("$")).strip(".")
    for step in steps.split(".") if steps else ():
        if isinstance(at, Mapping) and step in at:
            at = at[step]
        elif isinstance(at, list) and step.isdigit() and int(step) < len(at):
            at = at[int(step)]
        else:
            return _MISSING
    return at


def back(paging: Paging, url: str) -> str:
    """One page before, where pages are counted: rows that were deleted meanwhile moved others."""
    if paging.style not in {"page", "offset"}:
        return url
    number = _number(url, paging)
    return _with(url, paging.param, str(max(paging.start, number - paging.step)))


def moment(raw: str, now: datetime) -> tuple[datetime, Precision] | None:
    """A time as interfaces write it: seconds or milliseconds since 1970, or a date in words."""
    if _EPOCH.fullmatch(raw):
        at = datetime.fromtimestamp(int(raw[:10]), UTC)
        return (at, Precision.SECOND) if at.year >= 2000 else None
    told = instant(raw, now)
    return (told.at, told.precision) if told else None


def words(value: Any) -> str:
    """Text of a value: markup read as a page would be, lists as lines, tables as nothing."""
    if value is _MISSING or value is None or isinstance(value, Mapping | bool):
        return ""
    if isinstance(value, list):
        return "\n".join(part for part in map(words, value[:50]) if part)
    text = str(value)
    if _MARKUP.search(text):
        root = parse_html(f"<div>{text}</div>")
        if root is not None:
            return plain(root)
    return "\n".join(lines(text))


def _capture(
    source: JsonList, row: Any, *, channel: str, url: str, now: datetime
) -> Capture | None:
    if not isinstance(row, Mapping):
        return None
    read = {name: words(pick(row, path)) for name, path in source.reads.items()}
    title, text, raw = read.get("title", ""), read.get("body", ""), read.get("time", "")
    number = read.get("id", "")
    if not (number or title or text):
        return None
    told = moment(raw, now)
    key = number or f"sha256:{_hash(title, text, raw)}"
    return Capture(
        channel=channel,
        key=f"{source.url}#{key}",
        kind=source.kind,
        role=source.role,
        title=title,
        text=text or ("" if title else _WORDLESS),
        url=_link(read.get("link", ""), url),
        column=source.name,
        author_id=read.get("author", ""),
        parent=f"{source.url}#{read['parent']}" if read.get("parent") else "",
        state=read.get("state", ""),
        reply=read.get("reply", ""),
        published_at=told[0] if told else None,
        published_raw=raw,
        precision=told[1] if told else None,
    )


def _next(paging: Paging, url: str, found: Any) -> str | None:
    if paging.style == "none":
        return None
    if paging.style in {"page", "offset"}:
        return _with(url, paging.param, str(_number(url, paging) + paging.step))
    told = pick(found, paging.at)
    if told is _MISSING or told in (None, "", False, 0, "0") or isinstance(told, list | Mapping):
        return None
    if paging.style == "cursor":
        return _with(url, paging.param, str(told))
    return _link(str(told), url) or None


def _number(url: str, paging: Paging) -> int:
    given = dict(parse_qsl(urlsplit(url).query)).get(paging.param, "")
    return int(given) if given.isdigit() else paging.start


def _with(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != name]
    return parts._replace(query=urlencode([*query, (name, value)])).geturl()


def _link(target: str, url: str) -> str:
    try:
        return absolute(url, target) if target else ""
    except BadAddress:
        return ""


def _soft(body: bytes, content_type: str) -> str:
    """Why an answer is a maintenance, login or error page; "" where it is not known to be one."""
    markup = decode(body, content_type).text
    root = parse_html(markup)
    text = plain(root) if root is not None else ""
    why = softfail.not_a_page(body) or softfail.reason(markup, text, "")
    return "" if "JSON" in why else why


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


Read = Callable[[bytes, str, str], Page]
