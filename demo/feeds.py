"""RSS 2.0, Atom, JSON Feed 1.1 and the sitemap of the invented site."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from config.clock import SHANGHAI
from demo.columns import BY_SECTION, path_of
from demo.stories import Entry

_ATOM = "http://www.w3.org/2005/Atom"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def rss(entries: Iterable[Entry], *, title: str, base: str) -> bytes:
    """All own columns; guid is the address, pubDate with its zone."""
    root = etree.Element("rss", version="2.0")
    channel = etree.SubElement(root, "channel")
    _text(channel, "title", title)
    _text(channel, "link", f"{base}/")
    _text(channel, "description", f"{title} 最新信息")
    _text(channel, "language", "zh-CN")
    for entry in entries:
        item = etree.SubElement(channel, "item")
        _text(item, "title", entry.title)
        _text(item, "link", base + path_of(entry))
        guid = _text(item, "guid", base + path_of(entry))
        guid.set("isPermaLink", "true")
        _text(item, "category", BY_SECTION[entry.story.section].name)
        _text(item, "pubDate", format_datetime(entry.at.astimezone(SHANGHAI)))
        _text(item, "description", entry.text)
    return _bytes(root)


def atom(entries: Iterable[Entry], *, title: str, base: str, updated: datetime) -> bytes:
    root = etree.Element(f"{{{_ATOM}}}feed", nsmap={None: _ATOM})
    _text(root, f"{{{_ATOM}}}title", title)
    _text(root, f"{{{_ATOM}}}id", f"{base}/")
    _text(root, f"{{{_ATOM}}}updated", _iso(updated))
    for entry in entries:
        node = etree.SubElement(root, f"{{{_ATOM}}}entry")
        _text(node, f"{{{_ATOM}}}title", entry.title)
        _text(node, f"{{{_ATOM}}}id", base + path_of(entry))
        etree.SubElement(node, f"{{{_ATOM}}}link", href=base + path_of(entry), rel="alternate")
        _text(node, f"{{{_ATOM}}}published", _iso(entry.at))
        _text(node, f"{{{_ATOM}}}updated", _iso(entry.changed_at))
        author = etree.SubElement(node, f"{{{_ATOM}}}author")
        _text(author, f"{{{_ATOM}}}name", entry.story.source)
        content = _text(node, f"{{{_ATOM}}}content", _html(entry))
        content.set("type", "html")
    return _bytes(root)


def json_feed(entries: Iterable[Entry], *, title: str, base: str, next_url: str = "") -> bytes:
    feed: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "home_page_url": f"{base}/",
        "language": "zh-CN",
        "items": [
            {
                "id": str(entry.story.id),
                "url": base + path_of(entry),
                "title": entry.title,
                "content_html": _html(entry),
                "date_published": _iso(entry.at),
                "date_modified": _iso(entry.changed_at),
                "authors": [{"name": entry.story.source}],
                "tags": [BY_SECTION[entry.story.section].name],
            }
            for entry in entries
        ],
    }
    if next_url:
        feed["next_url"] = next_url
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def sitemap(entries: Iterable[Entry], *, base: str) -> bytes:
    root = etree.Element(f"{{{_SITEMAP}}}urlset", nsmap={None: _SITEMAP})
    for entry in entries:
        url = etree.SubElement(root, f"{{{_SITEMAP}}}url")
        _text(url, f"{{{_SITEMAP}}}loc", base + path_of(entry))
        _text(url, f"{{{_SITEMAP}}}lastmod", _iso(entry.changed_at))
    return _bytes(root)


def _text(parent: etree._Element, tag: str, text: str) -> etree._Element:
    node = etree.SubElement(parent, tag)
    node.text = text
    return node


def _html(entry: Entry) -> str:
    block = etree.Element("div")
    for line in entry.paragraphs:
        _text(block, "p", line)
    return str(etree.tostring(block, encoding="unicode", method="html"))


def _iso(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _bytes(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True))
