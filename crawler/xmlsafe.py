"""The one door by which foreign XML comes in: no entity, no network, no file, no huge tree."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Any

from lxml import etree
from lxml import html as lxml_html

Element = Any  #: an lxml element; lxml ships no types

#: More attributes than any page gives one tag. libxml2 needs quadratic time from here on:
#: 40,000 attributes took 1.7 s, a megabyte of them minutes.
ATTRIBUTES = 1_000

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BLANK = re.compile(r"\s*+")
_DECLARATION = re.compile(r"<\?xml(?=\s)[^>]{0,500}\?>", re.I)
_DOCTYPE = re.compile(r"<!DOCTYPE(?:[^>\[\"']++|\"[^\"]*+\"|'[^']*+')*+(\[)?", re.I)
_LOOSE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});)(?:([A-Za-z][A-Za-z0-9]{1,31});)?"
)
_MENDS = 200_000  #: stray & that are mended; the parser skips what is left


class NotXml(ValueError):
    """The text is no XML we would read; `reason` is Chinese and fit to be shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(text: str, *, repair: bool = False) -> Element:
    """The root element of decoded XML. Raises `NotXml` and nothing else.

    A DOCTYPE with an internal subset is refused: entities are born there. One that only names
    a public DTD is let through, and the DTD is not loaded. Characters XML forbids become
    spaces. `repair` mends stray & and HTML's own entities and lets the parser skip the rest.
    """
    body = _ILLEGAL.sub(" ", text.removeprefix("\ufeff")).strip()
    declaration = _DECLARATION.match(body)
    if declaration:  # the text is decoded already; what it says of bytes is no longer true
        body = body[declaration.end() :].lstrip()
    if not body.startswith("<"):
        raise NotXml("内容为空或不是 XML")
    _refuse_subset(body)
    if repair:
        body = _mended(body)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        recover=repair,
    )
    try:
        root = etree.fromstring(body.encode("utf-8"), parser)
    except (etree.LxmlError, ValueError) as error:
        raise NotXml(f"XML 不完整或有误：{_where(error)}") from None
    if root is None:
        raise NotXml("XML 中没有任何元素")
    subset = root.getroottree().docinfo.internalDTD
    if subset is not None and any(True for _ in subset.iterentities()):
        raise NotXml("XML 中含有实体声明，已拒绝")
    return root


def attribute_flood(markup: bytes) -> bool:
    """Whether some tag of UTF-8 HTML carries more than `ATTRIBUTES`. Linear; builds no tree."""
    if len(markup) < 4 * ATTRIBUTES:
        return False
    parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True, target=_Counter())
    try:
        etree.fromstring(markup, parser)
    except _Flood:
        return True
    except (etree.LxmlError, ValueError, AssertionError):
        return False
    return False


class _Flood(Exception):
    pass


class _Counter:
    def start(self, _tag: str, attributes: dict[str, str]) -> None:
        if len(attributes) > ATTRIBUTES:
            raise _Flood

    def close(self) -> None:
        return None


def _refuse_subset(body: str) -> None:
    """Looks at the prolog only: a DOCTYPE quoted inside a post is text."""
    at = 0
    while True:
        blank = _BLANK.match(body, at)
        at = blank.end() if blank else at
        for start, end in (("<!--", "-->"), ("<?", "?>")):
            if body.startswith(start, at):
                close = body.find(end, at + len(start))
                if close < 0:
                    return
                at = close + len(end)
                break
        else:
            doctype = _DOCTYPE.match(body, at)
            if doctype and doctype[1]:
                raise NotXml("XML 带有 DOCTYPE 内部定义（可能含实体炸弹或外部引用），已拒绝")
            return


def _mended(body: str) -> str:
    """Stray & and &nbsp; made legal, outside CDATA, where they are plain text."""
    pieces: list[str] = []
    at, left = 0, _MENDS
    while True:
        start = body.find("<![CDATA[", at)
        end = body.find("]]>", start) if start >= 0 else -1
        piece = body[at : start if end >= 0 else len(body)]
        if left and "&" in piece:
            piece, mends = _LOOSE.subn(_entity, piece, count=left)
            left -= mends
        pieces.append(piece)
        if end < 0:
            return "".join(pieces)
        pieces.append(body[start : end + 3])
        at = end + 3


def _entity(match: re.Match[str]) -> str:
    name = match[1]
    meant = html5.get(f"{name};") if name else None
    if meant is not None:
        return meant.replace("&", "&amp;").replace("<", "&lt;")
    return f"&amp;{match[0][1:]}"


def _where(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return f"第 {line} 行" if line else type(error).__name__
