"""RSS, Atom and JSON Feed read into one shape; one bad entry never costs the others."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crawler import xmlsafe
from crawler.discovery import limits
from crawler.discovery.broken import FeedBroken
from crawler.discovery.instants import instant
from crawler.discovery.links import absolute, canonical, hosts_of, on_site
from crawler.discovery.notation import JSON, XML, Raw, Source
from crawler.extraction.charset import decode
from crawler.extraction.hygiene import lines, one_line, parse_html
from crawler.extraction.outline import plain
from store.records import Precision

_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_ROOT = re.compile(
    r"\s*(?:<\?xml|<!--|<!DOCTYPE\s+(?!html)|<(?:rss|feed|rdf:RDF|\w+:feed)\b)", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry. `key` is the feed's own id, else the address, else a hash of title and date."""

    key: str
    url: str  #: canonical; "" where there is none that we would open
    title: str
    text: str  #: as lines, without markup
    html: str  #: as it came, for evidence; never to be shown unescaped
    published_at: datetime | None  #: aware, UTC; None where missing, unreadable or not credible
    published_raw: str
    updated_raw: str
    author_id: str  #: raw; intake makes the pseudonym
    precision: Precision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed document."""

    title: str
    entries: tuple[FeedEntry, ...]  #: in the feed's order
    next_url: str | None  #: on the configured hosts, never the feed itself
    expired: bool  #: the publisher says: ask no more
    kind: str  #: rss, rdf, atom or json
    skipped: tuple[str, ...] = ()  #: why entries were left out, one Chinese sentence each
    repaired: bool = False  #: the XML was broken and had to be mended; the end may be missing


def read_feed(
    body: bytes,
    *,
    url: str,
    content_type: str = "",
    now: datetime,
    hosts: Iterable[str] = (),
) -> Feed:
    """Reads a feed fetched from `url`. `now` is aware. Raises `FeedBroken` and nothing else.

    The kind is told from the body, not from the label. The text is decoded by the one charset
    rule, so a feed that declares gb2312 and holds GB18030 is read whole.
    """
    if len(body) > limits.FEED_BYTES:
        raise FeedBroken(f"订阅源超过 {limits.FEED_BYTES // 1024 // 1024} MiB，未解析")
    text = decode(body, content_type).text.lstrip("\ufeff \t\r\n\x00")
    if not text:
        raise FeedBroken("订阅源内容为空")
    address = canonical(url)
    if address is None:
        raise FeedBroken("订阅源地址不是有效的 http/https 地址")
    source, repaired = _source(text, address)
    maker = _Maker(address, now)
    for count, raw in enumerate(source.entries()):
        if count >= limits.FEED_ENTRIES:
            maker.skip(f"订阅源超过 {limits.FEED_ENTRIES} 条，其余未读")
            break
        maker.take(raw, count + 1)
    if repaired and not maker.entries and not source.title:
        raise FeedBroken("XML 不完整或有误，没有读到任何内容")
    return Feed(
        title=_line(source.title),
        entries=tuple(maker.entries.values()),
        next_url=_following(source.next_url, address, hosts),
        expired=source.expired,
        kind=source.kind,
        skipped=tuple(maker.skipped),
        repaired=repaired,
    )


def _source(text: str, address: str) -> tuple[Source, bool]:
    if text[0] in "{[":
        return JSON(text), False
    if not _ROOT.match(text[:2_000]):
        raise FeedBroken("不是 RSS、Atom 或 JSON Feed（可能是网页或错误提示页）")
    try:
        return XML(xmlsafe.parse(text), address), False
    except xmlsafe.NotXml as broken:
        if "已拒绝" in broken.reason:
            raise FeedBroken(broken.reason) from None
    try:
        return XML(xmlsafe.parse(text, repair=True), address), True
    except xmlsafe.NotXml as broken:
        raise FeedBroken(broken.reason) from None


def _following(href: str, address: str, hosts: Iterable[str]) -> str | None:
    url = absolute(href, address) if href else None
    if url is None or url == address or not on_site(url, hosts_of(hosts, address)):
        return None
    return url


class _Maker:
    """Turns what a notation found into entries, and keeps what it could not."""

    def __init__(self, address: str, now: datetime) -> None:
        self.address, self.now = address, now
        self.entries: dict[str, FeedEntry] = {}
        self.skipped: list[str] = []
        self._readable = limits.HTML_TOTAL

    def skip(self, reason: str) -> None:
        if len(self.skipped) < limits.REASONS:
            self.skipped.append(reason)

    def take(self, raw: Raw | str, position: int) -> None:
        if isinstance(raw, str):
            self.skip(f"第 {position} 条：{raw}")
            return
        entry = self._made(raw)
        if entry is None:
            self.skip(f"第 {position} 条：没有标识、链接、标题和正文")
            return
        held = self.entries.get(entry.key)
        if held is not None:
            if (held.url, held.title, held.text) == (entry.url, entry.title, entry.text):
                self.skip(f"第 {position} 条：与前面一条重复")
                return
            # one id worn by several posts: a broken feed must not cost us all but the first
            other = entry.url if entry.url and entry.url != held.url else ""
            key = other or f"{entry.key}#{_hash(entry.title, entry.published_raw, entry.text)}"
            if key in self.entries:
                self.skip(f"第 {position} 条：与前面一条重复")
                return
            entry = _renamed(entry, key)
        self.entries[entry.key] = entry

    def _made(self, raw: Raw) -> FeedEntry | None:
        url = absolute(raw.link, raw.base or self.address) or ""
        if not url and raw.permalink:
            url = canonical(raw.id) or ""
        markup = _clean(raw.markup)[: limits.HTML]
        title = _line(self._text(raw.title) if raw.title_markup else raw.title)
        text = self._text(markup) if markup else "\n".join(lines(_clean(raw.text)))
        published_raw = _line(raw.published)[: limits.DATE]
        told = instant(published_raw, self.now)
        if not (raw.id.strip() or url or title or text):
            return None
        return FeedEntry(
            key=_key(raw, url, title, published_raw, text),
            url=url,
            title=title,
            text=text[: limits.TEXT],
            html=markup,
            published_at=told.at if told else None,
            published_raw=published_raw,
            updated_raw=_line(raw.updated)[: limits.DATE],
            author_id=_line(raw.author)[: limits.AUTHOR],
            precision=told.precision if told else None,
        )

    def _text(self, markup: str) -> str:
        """Visible text of markup; what would cost too much is stripped by pattern instead."""
        if "<" not in markup:
            return "\n".join(lines(html.unescape(markup)))
        self._readable -= len(markup)
        if self._readable >= 0 and not xmlsafe.attribute_flood(markup.encode("utf-8")):
            root = parse_html(f"<div>{markup}</div>")
            if root is not None:
                return plain(root)
        return "\n".join(lines(html.unescape(_TAG.sub("\n", markup))))


def _key(raw: Raw, url: str, title: str, published: str, text: str) -> str:
    named = one_line(_clean(raw.id))
    if named and raw.permalink:
        named = canonical(named) or named
    if not named:
        named = url or f"sha256:{_hash(title or text, published)}"
    return named if len(named) <= limits.KEY else f"sha256:{_hash(named)}"


def _renamed(entry: FeedEntry, key: str) -> FeedEntry:
    values = {name: getattr(entry, name) for name in FeedEntry.__slots__}
    return FeedEntry(**{**values, "key": key})


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _clean(text: str) -> str:
    return _UNSAYABLE.sub("", text)


def _line(text: str) -> str:
    return one_line(html.unescape(text[: 4 * limits.TITLE]))[: limits.TITLE]
