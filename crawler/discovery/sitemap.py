"""sitemap.xml and its index, also gzipped: addresses and when they last changed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from crawler import xmlsafe
from crawler.discovery import limits
from crawler.discovery.broken import SitemapBroken
from crawler.discovery.instants import instant
from crawler.discovery.links import absolute, canonical, hosts_of, on_site
from crawler.extraction.charset import decode

_GZIP = b"\x1f\x8b"
_MEMBERS = 20  #: gzip allows any number; each costs a copy of what follows


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """One address of a sitemap."""

    url: str  #: canonical
    lastmod: datetime | None  #: UTC
    lastmod_raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """A sitemap document."""

    kind: str  #: urlset, or index: then the entries are sitemaps themselves
    entries: tuple[SitemapEntry, ...]
    offsite: int = 0  #: addresses on hosts that are not configured
    refused: int = 0  #: addresses we would never open, and entries without one
    truncated: bool = False


def read_sitemap(
    body: bytes,
    *,
    url: str,
    content_type: str = "",
    now: datetime,
    hosts: Iterable[str] = (),
) -> Sitemap:
    """Reads a sitemap fetched from `url`. Raises `SitemapBroken` and nothing else."""
    address = canonical(url)
    if address is None:
        raise SitemapBroken("站点地图地址不是有效的 http/https 地址")
    if body.startswith(_GZIP):
        body = inflated(body, limits.SITEMAP_BYTES)
    elif len(body) > limits.SITEMAP_BYTES:
        raise SitemapBroken(f"站点地图超过 {limits.SITEMAP_BYTES // 1024 // 1024} MiB，未解析")
    try:
        root = xmlsafe.parse(decode(body, content_type).text)
    except xmlsafe.NotXml as broken:
        raise SitemapBroken(broken.reason) from None
    kind = {"urlset": "urlset", "sitemapindex": "index"}.get(_name(root))
    if kind is None:
        raise SitemapBroken(f"不是站点地图，根元素为 <{_name(root)[:40]}>")
    return _read(root, kind, address, now, hosts_of(hosts, address))


def inflated(body: bytes, most: int) -> bytes:
    """A gzip body unpacked, never holding more than `most` bytes of it."""
    pieces: list[bytes] = []
    size = 0
    while body.startswith(_GZIP):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            piece = unpacker.decompress(body, most - size + 1)
        except zlib.error:
            raise SitemapBroken("站点地图的 gzip 压缩数据已损坏") from None
        size += len(piece)
        if size > most:
            raise SitemapBroken(f"站点地图解压后超过 {most // 1024 // 1024} MiB，未解析")
        if not unpacker.eof:
            raise SitemapBroken("站点地图的 gzip 压缩数据不完整")
        pieces.append(piece)
        if len(pieces) > _MEMBERS:
            raise SitemapBroken("站点地图的 gzip 压缩数据由过多的小段拼成")
        body = unpacker.unused_data
    return b"".join(pieces)


def _read(
    root: xmlsafe.Element, kind: str, address: str, now: datetime, hosts: frozenset[str]
) -> Sitemap:
    entries: dict[str, SitemapEntry] = {}
    offsite = refused = 0
    truncated = False
    wanted = "url" if kind == "urlset" else "sitemap"
    for count, place in enumerate(root):
        if count >= limits.SITEMAP_ENTRIES:
            truncated = True
            break
        if _name(place) != wanted:
            continue
        fields = {_name(field): (field.text or "").strip() for field in islice(place, 20)}
        url = absolute(fields.get("loc", ""), address)
        if url is None:
            refused += 1
        elif not on_site(url, hosts):
            offsite += 1
        elif url != address:
            raw = fields.get("lastmod", "")[: limits.DATE]
            told = instant(raw, now) if raw else None
            entries.setdefault(url, SitemapEntry(url, told.at if told else None, raw))
    return Sitemap(
        kind=kind,
        entries=tuple(entries.values()),
        offsite=offsite,
        refused=refused,
        truncated=truncated,
    )


def _name(element: xmlsafe.Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
