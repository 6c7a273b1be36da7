"""The only place where foreign markup meets a parser: limits on, network and entities off."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lxml import etree

from crawler.xmlsafe import attribute_flood

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
#: libxml2 stops at </html>, and includes of old templates bring their own in mid-page
_ENDS = re.compile(r"</(?:body|html)\s*>", re.I)
#: below this no tag can carry attributes enough to cost more than a blink
_FLOOD_BYTES = 100_000


def parse_html(text: str) -> etree._Element | None:
    """A tree of decoded markup, or None where there is no element in it. Never raises.

    Depth is cut by the parser at 256 levels, so nothing below needs to fear recursion.
    """
    cleaned = _ENDS.sub("", text[:LIMIT].replace("\x00", ""))
    if "<" not in cleaned:
        return None
    markup = cleaned.encode("utf-8", "replace")
    if len(markup) > _FLOOD_BYTES and attribute_flood(markup):
        return None  # thousands of attributes on one tag take the parser quadratic time
    parser = etree.HTMLParser(
        encoding="utf-8",
        recover=True,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        # Not lxml.html: its elements cost a Python call each, whenever one is looked at.
        return etree.fromstring(markup, parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None


def visible(text: str) -> str:
    """Without characters nobody sees (zero-width, bidi controls, soft hyphens, NUL)."""
    # Whatever is printable is visible; of the rest, these two stand in nearly every text.
    if text.replace("\n", "").replace("\u3000", "").isprintable():
        return text
    return text.translate(_INVISIBLE)


def one_line(text: str) -> str:
    """Visible characters with every run of white space, also 　 and nbsp, made one space."""
    line = " ".join(text.split())
    return line if line.isprintable() else " ".join(visible(text).split())


def lines(text: str) -> Iterator[str]:
    """The non-empty lines of a text, each cleaned."""
    for line in visible(text).splitlines():
        cleaned = _SPACES.sub(" ", line).strip()
        if cleaned:
            yield cleaned
