"""The only place where foreign markup meets a parser: limits on, network and entities off."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html

#: Characters of markup handed to the parser; what lies behind is no article.
LIMIT = 4_000_000

_TAGS = range(0xE0000, 0xE0080)
_INVISIBLE = {
    code: None
    for code in (*range(0x14000), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *_TAGS)
    if unicodedata.category(chr(code)) in {"Cf", "Cs"}
    or (unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\t\n\r\x0b\x0c\x85")
}
_SPACES = re.compile(r"[^\S\n]+")
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.I)


class NotParsed(ValueError):
    """The bytes are not what they claim to be; the message is Chinese and safe to show."""


def parse_html(text: str) -> lxml_html.HtmlElement | None:
    """A tree of decoded markup, or None where there is no element in it. Never raises.

    Depth is cut by the parser at 256 levels, so nothing below needs to fear recursion.
    """
    cleaned = text[:LIMIT].replace("\x00", "")
    if "<" not in cleaned:
        return None
    parser = lxml_html.HTMLParser(
        encoding="utf-8",
        recover=True,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = lxml_html.document_fromstring(cleaned.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    return root


def parse_xml(body: bytes) -> etree._Element:
    """A tree of XML from outside; raises `NotParsed`, also for any DOCTYPE or entity."""
    if _DOCTYPE.search(body[:4096]) or _DOCTYPE.search(body.replace(b"\x00", b"")[:4096]):
        raise NotParsed("XML 中含有 DOCTYPE 或实体声明，已拒绝")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(body, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise NotParsed(f"不是有效的 XML：{type(error).__name__}") from error


def visible(text: str) -> str:
    """Without characters nobody sees (zero-width, bidi controls, soft hyphens, NUL)."""
    return text.translate(_INVISIBLE)


def one_line(text: str) -> str:
    """Visible characters with every run of white space, also 　 and nbsp, made one space."""
    return " ".join(visible(text).split())


def lines(text: str) -> Iterator[str]:
    """The non-empty lines of a text, each cleaned."""
    for line in visible(text).splitlines():
        cleaned = _SPACES.sub(" ", line).strip()
        if cleaned:
            yield cleaned
