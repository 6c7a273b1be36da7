"""The feed formats, each read into the same raw fields; what they mean is decided in feeds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol
from urllib.parse import urljoin

from lxml import etree

from crawler.discovery import limits
from crawler.discovery.broken import FeedBroken

ATOM = "http://www.w3.org/2005/Atom"
_DC = "http://purl.org/dc/elements/1.1/"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_RSS = frozenset({"", "http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/",
                  "http://channel.netscape.com/rdf/simple/0.9/"})  # fmt: skip
_PREFIXED = {"dc": _DC, "content": _CONTENT, "atom": ATOM}
_VERSION = ("jsonfeed.org/version/1",)

Element = Any  #: an lxml element; lxml ships no types


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Fields of an entry as they stood in the feed."""

    id: str = ""
    permalink: bool = False  #: the id claims to be an address
    link: str = ""
    base: str = ""
    title: str = ""
    title_markup: bool = False
    markup: str = ""
    text: str = ""
    published: str = ""
    updated: str = ""
    author: str = ""


class Source(Protocol):
    """A feed document of some format. An entry that cannot be read comes as its reason."""

    kind: str
    title: str
    next_url: str
    expired: bool

    def entries(self) -> Iterator[Raw | str]: ...


class XML:
    """RSS 0.9x, 1.0, 2.0 and Atom 1.0; Atom 0.3 has other names and is refused."""

    expired = False

    def __init__(self, root: Element, address: str) -> None:
        self._root = root
        self._base = _based(root, address)
        space, name = _split(root)
        if name == "feed" and space in {ATOM, ""}:
            self.kind = "atom"
            self._head = root
            self.title = _text(root, ATOM, "title")
        elif name.lower() == "rss":
            self.kind = "rss"
            self._head = next((c for c in root if _split(c)[1] == "channel"), root)
            self.title = _text(self._head, "rss", "title")
        elif name == "RDF" and space == _RDF:
            self.kind = "rdf"
            self._head = next((c for c in root if _split(c)[1] == "channel"), root)
            self.title = _text(self._head, "rss", "title")
        else:
            raise FeedBroken(f"不是 RSS 或 Atom，根元素为 <{name[:40]}>")
        following = _link(self._head, {"next"})
        self.next_url = urljoin_or_empty(self._base, following)

    def entries(self) -> Iterator[Raw | str]:
        if self.kind == "atom":
            for entry in self._root:
                if _split(entry)[1] == "entry":
                    yield self._atom(entry)
            return
        # RSS 1.0 puts the items beside the channel, some RSS 2.0 generators too
        for place in dict.fromkeys((self._head, self._root)):
            for item in place:
                if _split(item)[1] == "item":
                    yield self._rss(item)

    def _rss(self, item: Element) -> Raw:
        guid = next((c for c in item if _split(c) in {(space, "guid") for space in _RSS}), None)
        base = _based(item, self._base)
        named = _inner(guid) if guid is not None else (item.get(f"{{{_RDF}}}about") or "")
        return Raw(
            id=named,
            permalink=guid is None or (guid.get("isPermaLink") or "true").strip().lower() == "true",
            link=_text(item, "rss", "link") or _link(item, {"alternate", ""}),
            base=base,
            title=_text(item, "rss", "title") or _text(item, _DC, "title"),
            title_markup=True,
            markup=_text(item, _CONTENT, "encoded") or _text(item, "rss", "description"),
            published=_text(item, "rss", "pubDate") or _text(item, _DC, "date")
            or _text(item, ATOM, "published"),
            updated=_text(item, ATOM, "updated"),
            author=_text(item, _DC, "creator") or _text(item, "rss", "author"),
        )  # fmt: skip

    def _atom(self, entry: Element) -> Raw:
        base = _based(entry, self._base)
        content = _child(entry, ATOM, "content")
        if content is None or not (_inner(content).strip() or len(content)):
            content = _child(entry, ATOM, "summary")
        title = _child(entry, ATOM, "title")
        markup, text = _construct(content)
        author = _child(entry, ATOM, "author")
        if author is None:
            author = _child(self._root, ATOM, "author")
        updated = _text(entry, ATOM, "updated")
        title_markup, title_text = _construct(title)
        return Raw(
            id=_text(entry, ATOM, "id"),
            link=_link(entry, {"alternate", ""}),
            base=base,
            title=title_markup or title_text,
            title_markup=bool(title_markup),
            markup=markup,
            text=text,
            published=_text(entry, ATOM, "published") or updated,
            updated=updated,
            author=(_text(author, ATOM, "uri") or _text(author, ATOM, "name"))
            if author is not None
            else "",
        )


class JSON:
    """JSON Feed 1.0 and 1.1."""

    kind = "json"

    def __init__(self, text: str) -> None:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise FeedBroken("JSON 不完整或有误") from None
        if not isinstance(document, dict):
            raise FeedBroken("不是 JSON Feed：最外层不是对象")
        version = document.get("version")
        known = isinstance(version, str) and any(mark in version for mark in _VERSION)
        items = document.get("items")
        if not isinstance(items, list):
            code = document.get("errcode", document.get("error"))
            told = f"（对方返回错误 {str(code)[:60]}）" if code is not None else ""
            raise FeedBroken(f"不是 JSON Feed：没有 items 列表{told}")
        if not known and not any(isinstance(item, dict) and "id" in item for item in items[:5]):
            raise FeedBroken("不是 JSON Feed：没有 version，条目也没有 id")
        self._items = items
        self._author = _person(document)
        self.title = _word(document.get("title"))
        self.next_url = _word(document.get("next_url"))
        self.expired = document.get("expired") is True

    def entries(self) -> Iterator[Raw | str]:
        for item in self._items:
            if not isinstance(item, dict):
                yield "不是对象"
                continue
            yield Raw(
                id=_word(item.get("id")),
                link=_word(item.get("url")) or _word(item.get("external_url")),
                title=_word(item.get("title")),
                markup=_word(item.get("content_html")),
                text=_word(item.get("content_text")) or _word(item.get("summary")),
                published=_word(item.get("date_published")) or _word(item.get("date_modified")),
                updated=_word(item.get("date_modified")),
                author=_person(item) or self._author,
            )


def urljoin_or_empty(base: str, href: str) -> str:
    """The joined address, "" where there is nothing to join or it cannot be."""
    if not href:
        return ""
    try:
        return urljoin(base, href.strip()[: limits.URL])
    except ValueError:
        return ""


def _split(element: Element) -> tuple[str, str]:
    """Namespace and local name; a prefix nobody declared is read as the usual one."""
    tag = element.tag
    if not isinstance(tag, str):
        return "", ""
    if tag.startswith("{"):
        space, _, name = tag[1:].partition("}")
        return space, name
    prefix, colon, name = tag.partition(":")
    return (_PREFIXED.get(prefix, prefix), name) if colon else ("", tag)


def _child(element: Element, space: str, name: str) -> Element | None:
    spaces = _RSS if space == "rss" else {space, ""} if space == ATOM else {space}
    for child in islice(element, 200):
        if _split(child)[1] == name and _split(child)[0] in spaces:
            return child
    return None


def _text(element: Element, space: str, name: str) -> str:
    child = _child(element, space, name)
    return _inner(child) if child is not None else ""


def _inner(element: Element) -> str:
    """Text of a field; where markup was left unescaped in it, that markup as text."""
    if len(element):
        return _markup(element)
    return element.text or ""


def _markup(element: Element) -> str:
    try:
        whole: str = etree.tostring(element, encoding="unicode", with_tail=False)
    except (etree.LxmlError, ValueError):
        return "".join(islice(element.itertext(), 10_000))
    return whole[whole.find(">") + 1 : whole.rfind("</")][: limits.HTML]


def _construct(element: Element | None) -> tuple[str, str]:
    """Markup and plain text of an Atom text construct; one of them is empty."""
    if element is None:
        return "", ""
    kind = (element.get("type") or "text").strip().lower()
    if kind in {"text", "text/plain"} and not len(element):
        return "", element.text or ""
    return _inner(element), ""


def _link(element: Element, relations: set[str]) -> str:
    for child in islice(element, 200):
        space, name = _split(child)
        if name != "link" or space not in {ATOM, ""}:
            continue
        if child.get("href") and (child.get("rel") or "").strip().lower() in relations:
            return str(child.get("href"))
    return ""


def _based(element: Element, address: str) -> str:
    own = element.get(_BASE)
    return urljoin_or_empty(address, own) or address if own else address


def _person(item: dict[str, Any]) -> str:
    listed = item.get("authors")
    candidates = [*(listed[:3] if isinstance(listed, list) else ()), item.get("author")]
    for person in candidates:
        if isinstance(person, dict):
            told = _word(person.get("url")) or _word(person.get("name"))
            if told:
                return told
        elif isinstance(person, str) and person:
            return person
    return ""


def _word(value: object) -> str:
    """A string, or a number as its digits: ids beyond 2^53 are kept whole."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError:  # more digits than Python turns into text
            return ""
    return ""
