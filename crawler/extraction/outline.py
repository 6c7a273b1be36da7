"""A page as a flat list of text blocks in reading order; every element is a span of it.

One pass over the tree, no recursion, nothing changed in it: containers, the generic pass,
the lines above the body and letters all read from the same outline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from lxml import etree

from crawler.extraction.hygiene import lines, one_line

Element: TypeAlias = Any  #: an lxml element; lxml ships no types

_INLINE = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn",
        "em", "font", "i", "ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small",
        "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "ruby", "rb",
        "rt", "rp", "img", "map", "area",
    }
)  # fmt: skip
#: Never read: machinery, and what a form asks for.
_SKIPPED = frozenset(
    {
        "script", "style", "noscript", "template", "iframe", "frame", "frameset", "object",
        "embed", "applet", "svg", "math", "canvas", "button", "select", "textarea", "input",
        "datalist", "option", "audio", "video", "source", "track", "head", "link", "meta", "base",
        "dialog", "menu", "progress", "meter",
    }
)  # fmt: skip
_HIDDEN = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em)?\s*(?:;|$|!))",
    re.I,
)
#: WeChat hides the body until its script runs.
_SHOWN_BY_SCRIPT = frozenset({"js_content", "img-content", "page-content", "js_article"})
_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+")
_BROKEN_LINE = re.compile(
    r"(?<=[\u2e80-\u9fff\uff00-\uffef])[ \t\r]*\n\s*(?=[\u2e80-\u9fff\uff00-\uffef])"
)
_BLANKS = re.compile(r"\s+")
_MARKING = ("class", "id", "role", "itemprop", "data-testid")
_MARKS = 300  #: characters of each of them that are looked at
_OFTEN = 60  #: characters up to which a text is remembered as one that comes again
_BR = "\x1e"
_NONE: dict[str, str] = {}


@dataclass(slots=True)
class Block:
    """A run of text between two block boundaries."""

    text: str  #: one line for each <br>
    size: int  #: characters, a Chinese one counted twice
    linked: int  #: of these, inside links
    owner: Element
    index: int

    @property
    def density(self) -> float:
        return self.linked / self.size if self.size else 0.0


@dataclass(slots=True)
class Span:
    """An element as the range of blocks it covers."""

    element: Element
    tag: str
    marks: str  #: class and id, lower case
    first: int
    last: int = 0  #: exclusive
    parent: Span | None = None
    depth: int = 0
    hidden: bool = False


@dataclass(slots=True)
class Outline:
    """Blocks and spans, both in document order."""

    blocks: list[Block] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    by_element: dict[Element, Span] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)  #: worked out before, kept by its readers

    def of(self, element: Element) -> Span | None:
        return self.by_element.get(element)

    def text(self, span: Span) -> str:
        return "\n".join(block.text for block in self.blocks[span.first : span.last])


def marks_of(attributes: Mapping[str, str]) -> str:
    """Class, id, role and itemprop of an element in one lower-case string."""
    marks = [attributes[name][:_MARKS] for name in _MARKING if attributes.get(name)]
    return " ".join(marks).lower() if marks else ""


def is_hidden(element: Element) -> bool:
    """By its own attributes; stylesheets are not read."""
    return _hidden(element.attrib)


def _hidden(attributes: Mapping[str, str]) -> bool:
    style = attributes.get("style")
    if style and _HIDDEN.search(style[:1000]):
        return attributes.get("id") not in _SHOWN_BY_SCRIPT
    return "hidden" in attributes


def _sets_apart(attributes: Mapping[str, str]) -> bool:
    """A span used as a box: named by an id, or a caption."""
    return "id" in attributes or "caption" in attributes.get("class", "").lower()


def weigh(text: str) -> int:
    """Characters, a Chinese one counted twice."""
    return len(text) if text.isascii() else 2 * len(text) - len(_WIDE.sub("", text))


def _shown(raw: str) -> tuple[str, int]:
    """Raw text as it is shown, one line for each <br>, and its weight."""
    if _BR in raw:
        text = "\n".join(filter(None, (one_line(part) for part in raw.split(_BR))))
    else:
        text = one_line(raw)
    return text, weigh(text)


def _link_weight(raw: str) -> int:
    return weigh(" ".join(raw.split()))


# Menus, labels and foots stand on every page of a site; longer texts would only fill the memory.
_shown_often = lru_cache(maxsize=8192)(_shown)
_link_weight_often = lru_cache(maxsize=8192)(_link_weight)


def outline(root: Element) -> Outline:
    """The blocks below `root`. Linear in the size of the page."""
    walk = _Walk()
    enter, leave = walk.enter, walk.leave
    steps = etree.iterwalk(root, events=("start", "end"))
    for event, node in steps:
        if event == "end":
            leave(node)
        elif not enter(node):
            steps.skip_subtree()
    walk.flush()
    return walk.result


class _Walk:
    """Called twice for each element of each page: looks at every thing once."""

    def __init__(self) -> None:
        self.result = Outline()
        self._open: list[Span] = []
        self._inner: Element | None = None  #: the element of the innermost open span
        self._pieces: list[str] = []
        self._linked = 0
        self._links: list[Element] = []  #: that are open
        self._pre = 0

    def enter(self, node: Element) -> bool:
        """Whether to go into it."""
        tag = node.tag
        if tag in _SKIPPED:
            return False
        items = node.items()
        attributes = dict(items) if items else _NONE
        if items and ("style" in attributes or "hidden" in attributes) and _hidden(attributes):
            return False
        if tag == "a":
            self._links.append(node)
        elif tag == "br":
            self._pieces.append(_BR)
            return False
        elif tag not in _INLINE or (tag == "span" and items and _sets_apart(attributes)):
            if self._pieces:
                self.flush()
            self._begin(node, tag, marks_of(attributes) if items else "")
        text = node.text
        if text:
            self._say(text)
        return True

    def _begin(self, node: Element, tag: str, marks: str) -> None:
        result, opened = self.result, self._open
        parent = opened[-1] if opened else None
        span = Span(node, tag, marks, len(result.blocks), 0, parent, len(opened))
        opened.append(span)
        result.spans.append(span)
        result.by_element[node] = span
        self._inner = node
        if tag == "pre":
            self._pre += 1

    def leave(self, node: Element) -> None:
        if node is self._inner:
            if self._pieces:
                self.flush()
            opened = self._open
            span = opened.pop()
            span.last = len(self.result.blocks)
            self._inner = opened[-1].element if opened else None
            if span.tag == "pre":
                self._pre -= 1
        elif self._links and node is self._links[-1]:
            self._links.pop()
        if self._inner is not None:
            tail = node.tail
            if tail:
                self._say(tail)

    def _say(self, text: str) -> None:
        if self._pre:
            text = text.replace("\n", _BR)
        elif "\n" in text:
            text = _BROKEN_LINE.sub("", text)
        self._pieces.append(text)
        if self._links and not text.isspace():
            short = len(text) <= _OFTEN
            self._linked += _link_weight_often(text) if short else _link_weight(text)

    def flush(self) -> None:
        pieces = self._pieces
        raw = pieces[0] if len(pieces) == 1 else "".join(pieces)
        linked = self._linked
        self._pieces, self._linked = [], 0
        if not raw or raw.isspace() or self._inner is None:
            return
        text, size = _shown_often(raw) if len(raw) <= _OFTEN else _shown(raw)
        if text:
            blocks = self.result.blocks
            blocks.append(Block(text, size, min(linked, size), self._inner, len(blocks)))


def plain(element: Element) -> str:
    """All visible text of an element as lines; scripts and hidden parts left out."""
    return "\n".join(line for block in outline(element).blocks for line in lines(block.text))
