"""What stands on a page and is not shown, as those hide it who break into pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lxml import etree

from crawler.extraction.outline import Element

_CONCEALS = re.compile(
    r"(?:^|[;{\s])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|opacity\s*:\s*0(?:\.0\d*)?\s*(?:;|!|$)|font-size\s*:\s*[01](?:px|pt|em|%)?\s*(?:;|!|$)"
    r"|(?:left|top|right|bottom|margin(?:-left|-top)?|text-indent)\s*:\s*-\d{3,}(?:\.\d+)?(?:px|pt|em)"
    r"|text-indent\s*:\s*-\d{2,}em|clip\s*:\s*rect\(\s*0|transform\s*:\s*scale\(\s*0\s*\))",
    re.I,
)
_FLAT = re.compile(
    r"(?:^|[;\s])(?:max-)?(?:height|width)\s*:\s*[01](?:px|pt|em|%)?\s*(?:;|!|$)", re.I
)
_CLIPPED = re.compile(r"overflow(?:-[xy])?\s*:\s*hidden", re.I)
_RULE = re.compile(r"([^{}]{1,300})\{([^{}]{0,600})\}")
_NAMED = re.compile(r"^\s*([.#])([\w-]{1,60})\s*$")
_HID_BY_SCRIPT = re.compile(
    r"""getElementById\(\s*["']([\w-]{1,60})["']\s*\)\s*\.style\s*\.\s*(?:display|visibility)\s*=\s*["'](?:none|hidden)"""
)
_STYLED = etree.XPath("//*[@style or @hidden] | //marquee")
_MARKED = etree.XPath("//*[@style or @hidden or @class or @id] | //marquee")


def concealed(root: Element, code: Iterable[str]) -> Iterator[Element]:
    """The elements that are hidden, outermost only; `code` are the scripts in the page."""
    names = _names(root, code)
    skip: set[Element] = set()
    for node in (_MARKED if names else _STYLED)(root):
        if node in skip or not _conceals(node, names):
            continue
        skip.update(node.iter())
        yield node


def tiny(node: Element) -> bool:
    """Whether a frame is there to be overlooked."""
    style = node.get("style") or ""
    if _CONCEALS.search(style) or _FLAT.search(style) or node.get("hidden") is not None:
        return True
    sizes = [(node.get(name) or "").strip().removesuffix("px") for name in ("width", "height")]
    return any(size in {"0", "1", "2"} for size in sizes)


def loud_text(node: Element) -> str:
    """All text of an element, whether shown or not, without its machinery."""
    texts = node.xpath(".//text()[not(parent::script) and not(parent::style)]")
    return "\n".join(str(text) for text in texts if text.strip())[:400_000]


def _names(root: Element, code: Iterable[str]) -> set[tuple[str, str]]:
    """Classes and ids that the page itself hides: by its own style element or a script."""
    found = {
        (mark[1], mark[2])
        for node in root.iter("style")
        for selectors, rules in _RULE.findall((node.text or "")[:100_000])
        if _CONCEALS.search(rules)
        for one in selectors.split(",")
        if (mark := _NAMED.match(one))
    }
    found |= {("#", name) for text in code for name in _HID_BY_SCRIPT.findall(text)}
    return found - {("#", "js_content"), ("#", "img-content"), ("#", "page-content")}


def _conceals(node: Element, names: set[tuple[str, str]]) -> bool:
    if node.tag in {"script", "style", "noscript", "head", "title", "meta", "link", "input", "body",
                    "html", "template", "option"}:  # fmt: skip
        return False
    style = (node.get("style") or "")[:1000]
    if style and (
        _CONCEALS.search(style)
        or (_FLAT.search(style) and _CLIPPED.search(style))
        or _same_colour(style)
    ):
        return node.get("id") not in {"js_content", "img-content", "page-content"}
    if node.get("hidden") is not None or (node.tag == "marquee" and tiny(node)):
        return True
    if not names:
        return False
    marks = {(".", name) for name in (node.get("class") or "").split()}
    marks.add(("#", node.get("id") or ""))
    return bool(marks & names)


def _same_colour(style: str) -> bool:
    said = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (one.partition(":") for one in style.split(";"))
    }
    back = said.get("background-color") or said.get("background") or ""
    return bool(back) and said.get("color") == back
