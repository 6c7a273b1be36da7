"""The title as the editors wrote it, without the name of the site around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crawler.extraction.hygiene import one_line
from crawler.extraction.meta import Meta
from crawler.extraction.outline import Element, Outline, Span

_TITLED = re.compile(
    r"(?:^|[\s_-])(?:title|tit|bt|biaoti|headline|subject|wzbt|arti_title|activity-name|h1"
    r"|(?:art|article|news|con|content|detail|info|pages|main|xl|wz|show)[_-]?(?:title|tit|bt))"
    r"(?:$|[\s_\-\d])"
)
_SPLIT = re.compile(r"\s+[-–—|_·»>]+\s+|[|_»>丨]+|\s{2,}|--+|——+")
_DASHED = re.compile(r"^(.*\S)\s*[-–—]\s*([^-–—]{2,24})$")
#: What the name of a site, or of a column, ends with.
_SITE = re.compile(
    r"(?:[局网台厅委办院]|政府|委员会|中心|办公室|网站|门户|平台|官网|频道|首页|在线|公众网"
    r"|信息网|政务网|详情页?|正文|内容页?|详细(?:页面?|信息)?|文章|页面)$"
)
_LONGEST = 200
_HEADINGS = frozenset({"h1", "h2", "h3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    text: str
    how: str  #: meta, heading, title, ""
    index: int = -1  #: block where it stands on the page
    doubted: bool = False  #: a prescribed tag was there but did not fit the page


def head_title(root: Element) -> str:
    """The text of <title>; white space inside kept as it separates."""
    tag = next(root.iter("title"), None)
    text = ("".join(tag.itertext()) if tag is not None else "")[: 4 * _LONGEST]
    return re.sub(r"[\r\n\t\u3000\xa0]+", "  ", text).strip()


def find(root: Element, page: Outline, meta: Meta) -> Title:
    """By the prescribed tag where the page bears it out, else a heading that <title> bears
    out, else <title> without the site's name."""
    head = head_title(root)
    headings = [(index, text) for index, text in _headings(page) if text != meta.site]
    told = meta.title
    if told and not any(_same(text, told) for _, text in headings):
        told = (_unnamed if "title" in meta.official else _unsuffixed)(told, meta)
    if told:
        place = next((i for i, text in headings if _same(text, told)), -1)
        cut = next(((i, text) for i, text in headings if _cut_short(told, text)), None)
        if cut and place < 0:
            return Title(text=cut[1], how="heading", index=cut[0])
        if place >= 0 or _squeezed(told) in _squeezed(head) or _stands(page, told):
            return Title(text=told, how="meta", index=place if place >= 0 else _at(page, told))
    doubted = bool(told) and "title" in meta.official
    proper = _squeezed(_unsuffixed(head, meta)) or _squeezed(head)
    for candidates in (headings, list(_alone(page, meta))):
        borne = [(i, t) for i, t in candidates if len(t) > 3 and _squeezed(t) in proper]
        if borne:
            index, text = max(borne, key=lambda pair: len(pair[1]))
            return Title(text=text, how="heading", index=index, doubted=doubted)
    started = [(i, t) for i, t in headings if head and _cut_short(_unsuffixed(head, meta), t)]
    first = started or [(i, t) for i, t in headings if page.blocks[i].owner.tag == "h1"]
    if len(first) == 1 or started:
        return Title(text=first[0][1], how="heading", index=first[0][0], doubted=doubted)
    text = one_line(_unsuffixed(head, meta))
    if told and (not text or _SITE.search(text)):
        return Title(text=told, how="meta", doubted=doubted)
    if text:
        return Title(text=text[:_LONGEST], how="title", index=_at(page, text), doubted=doubted)
    if headings:
        return Title(text=headings[0][1], how="heading", index=headings[0][0], doubted=doubted)
    return Title(text=told, how="meta" if told else "", doubted=doubted)


def _headings(page: Outline) -> Iterator[tuple[int, str]]:
    """Blocks that look like a title: h1–h3, or named so; broken lines joined."""
    for span in page.spans:
        count = span.last - span.first
        if not 1 <= count <= 3 or not (span.tag in _HEADINGS or _TITLED.search(span.marks)):
            continue
        if _inside_navigation(span):
            continue
        blocks = page.blocks[span.first : span.last]
        if count > 1 and span.tag not in _HEADINGS:
            blocks = blocks[:1]
        text = _joined("\n".join(block.text for block in blocks))
        if 2 <= len(text) <= _LONGEST and all(block.density < 0.9 for block in blocks):
            yield span.first, text


def _alone(page: Outline, meta: Meta) -> Iterator[tuple[int, str]]:
    """Any block of a title's length that is no link: for templates that name nothing."""
    for block in page.blocks[:300]:
        text = _joined(block.text)
        if (
            6 <= len(text) <= _LONGEST
            and block.density < 0.3
            and text not in {meta.site, meta.column}
        ):
            yield block.index, text


def _joined(text: str) -> str:
    """A title set on two lines is one title: no space between Chinese characters."""
    return re.sub(r"(?<=[\u2e80-\uffef])\n(?=[\u2e80-\uffef])", "", text).replace("\n", " ")


def _inside_navigation(span: Span) -> bool:
    above: Span | None = span
    while above is not None:
        if above.tag in {"nav", "footer", "aside"}:
            return True
        above = above.parent
    return False


def _unnamed(text: str, meta: Meta) -> str:
    """Without the names of site and column before or behind."""
    text = text.strip()
    for _ in range(2):
        for name in (meta.site, meta.column):
            if not name or name == text:
                continue
            quoted = re.escape(name)
            text = re.sub(rf"\s*(?:[-–—|_·»>:：\s])\s*{quoted}\s*$", "", text)
            text = re.sub(rf"^{quoted}(?:\s*[-–—|_·»>:：]+\s*|\s+)", "", text).strip()
    return text.strip(" -–—|_·»>")


def _unsuffixed(text: str, meta: Meta) -> str:
    """Without segments that name, or look as if they name, the site or the column."""
    text = _unnamed(text, meta)
    parts = [part.strip() for part in _SPLIT.split(text) if part and part.strip()]
    if len(parts) > 1:
        text = _without_names(parts)
    for _ in range(3):
        match = _DASHED.match(text)
        if not match or not _SITE.search(match[2]):
            break
        text = match[1]
    return text.strip(" -–—|_·»>")


def _without_names(parts: list[str]) -> str:
    proper = [part for part in parts if not (_SITE.search(part) and len(part) <= 20)]
    return max(proper or parts, key=len)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _same(a: str, b: str) -> bool:
    return _squeezed(a) == _squeezed(b)


def _cut_short(told: str, heading: str) -> bool:
    """关于开展2026年汛期安全… of the whole heading."""
    stem = _squeezed(told).rstrip(".…")
    whole = _squeezed(heading)
    return len(stem) >= 8 and len(whole) > len(stem) and whole.startswith(stem) and told != heading


def _stands(page: Outline, told: str) -> bool:
    return len(told) >= 4 and _at(page, told) >= 0


def _at(page: Outline, told: str) -> int:
    """The block that says no more than this title."""
    for block in page.blocks:
        if len(block.text) <= len(told) + 10 and _squeezed(told) in _squeezed(block.text):
            return block.index
    return -1
