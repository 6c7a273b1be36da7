"""A list page opened: its tree, its address, and what its links may be joined to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from crawler import xmlsafe
from crawler.discovery import limits
from crawler.discovery.broken import ListBroken
from crawler.discovery.links import absolute, canonical, hosts_of, on_site
from crawler.extraction.charset import decode
from crawler.extraction.hygiene import one_line, parse_html

Element = Any  #: an lxml element; lxml ships no types


@dataclass(frozen=True, slots=True)
class Page:
    """What the readers of rows and of paging look at."""

    root: Element
    text: str
    url: str  #: canonical
    base: str
    hosts: frozenset[str]

    def resolve(self, href: str) -> str | None:
        return absolute(href, self.base)

    def own(self, url: str) -> bool:
        return on_site(url, self.hosts)

    def scripts(self) -> str:
        """Inline scripts, one after the other."""
        pieces: list[str] = []
        size = 0
        for script in self.root.iter("script"):
            if script.text and not script.get("src"):
                pieces.append(script.text[: limits.SCRIPT - size])
                size += len(pieces[-1])
                if size >= limits.SCRIPT:
                    break
        return "\n".join(pieces)


def text_from(source: str | bytes, content_type: str = "") -> str:
    """Decoded by the one rule, cut at `limits.PAGE`."""
    if isinstance(source, bytes):
        return decode(source[: limits.PAGE], content_type).text
    return source[: limits.PAGE]


def open_page(text: str, url: str, hosts: Iterable[str] = ()) -> Page:
    """Raises `ListBroken` where there is no page in `text`.

    <base href> counts only while it stays on the site: on a tampered page it would otherwise
    turn every relative link into the tamperer's.
    """
    address = canonical(url)
    if address is None:
        raise ListBroken("栏目地址不是有效的 http/https 地址")
    if xmlsafe.attribute_flood(text.encode("utf-8", "replace")):
        raise ListBroken(
            f"页面中有标签带有 {xmlsafe.ATTRIBUTES} 个以上的属性，疑为恶意构造，未解析"
        )
    root = parse_html(text)
    if root is None:
        raise ListBroken("页面为空或不是网页")
    allowed = hosts_of(hosts, address)
    base = address
    for tag in islice(root.iter("base"), 1):
        wanted = absolute(tag.get("href") or "", address)
        if wanted and on_site(wanted, allowed):
            base = wanted
    return Page(root=root, text=text, url=address, base=base, hosts=allowed)


def cut_short(page: Page) -> bool:
    """Whether the parser gave up in the middle, at its depth limit: what follows is missing."""
    node, depth = page.root, 0
    while len(node):
        node, depth = node[-1], depth + 1
    return depth >= limits.DEPTH


def words(element: Element, most: int = limits.TITLE, between: str = "") -> str:
    """Text of an element on one line, at most `most` characters; `between` parts its pieces."""
    pieces: list[str] = []
    size = 0
    for piece in islice(element.itertext(), 400):
        pieces.append(piece[: 4 * most])
        size += len(piece.strip())
        if size >= most:
            break
    return one_line(between.join(pieces))[:most]
