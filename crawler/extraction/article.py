"""One page in, one article out: every field, where it was found, and how far to trust it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree
from parsel import Selector

from crawler.extraction import body as bodies
from crawler.extraction import (
    byline,
    containers,
    dates,
    files,
    furniture,
    hygiene,
    publication,
    softfail,
    titles,
)
from crawler.extraction import meta as metas
from crawler.extraction.files import Attachment
from crawler.extraction.markup import Markup
from crawler.extraction.meta import Meta
from crawler.extraction.outline import Block, Element, Outline, Span
from crawler.extraction.publication import Publication
from store.records import Precision

_log = logging.getLogger(__name__)

_WECHAT_TITLE = re.compile(r"""\bvar\s+msg_title\s*=\s*["'](.{1,200}?)["']\s*[.;]""")
_PAGE_TEXT_LIMIT = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """Where a configured column keeps its fields: CSS, or XPath 1.0 where it starts with / or (."""

    title: str = ""
    body: str = ""
    published: str = ""
    source: str = ""
    remove: tuple[str, ...] = ()  #: parts to leave out, CSS or XPath

    @property
    def changes(self) -> bool:
        """Whether reading by them leaves the tree another than it was."""
        return bool(self.remove or self.body)

    def problems(self) -> list[str]:
        """A Chinese sentence for each expression that cannot be read."""
        probe = Selector(text="<html><body></body></html>")
        named = {name: getattr(self, name) for name in ("title", "body", "published", "source")}
        named |= {f"remove[{n}]": expression for n, expression in enumerate(self.remove)}
        return [
            f"{name}：选择器写法有误：{expression}"
            for name, expression in named.items()
            if expression and _select(probe, expression) is None
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """What one page says. `soft_failure` is "" or the Chinese reason why it is no
    article; what was read is kept beside it, should the suspicion be wrong."""

    title: str = ""
    text: str = ""  #: one paragraph a line
    published_at: datetime | None = None  #: aware, Asia/Shanghai
    precision: Precision | None = None
    published_raw: str = ""
    source: str = ""
    column: str = ""
    site: str = ""
    url: str = ""
    attachments: tuple[Attachment, ...] = ()
    images: tuple[str, ...] = ()
    how: Mapping[str, str] = field(default_factory=dict)  #: field → what it was read from
    confidence: float = 0.0  #: 0 … 1; falls with every field that had to be guessed
    charset_used: str = ""
    charset_declared: str = ""
    soft_failure: str = ""


def read_article(
    page: bytes | Markup,
    *,
    content_type: str = "",
    url: str = "",
    fetched_at: datetime,
    selectors: Selectors | None = None,
) -> Article:
    """The article in the bytes of a page; never raises, whatever the bytes are.

    `content_type` counts where bytes are given: a Markup has its own.
    Sources of each field, in this order: configured selectors, prescribed meta tags (checked
    against what is visible), the body containers of known content systems, the generic pass.
    """
    markup = Markup.of(page, content_type)
    decoded = markup.decoded
    blank = Article(url=url, charset_used=decoded.used, charset_declared=decoded.declared)
    impossible = softfail.not_a_page(markup.body)
    if impossible:
        return _failed(blank, impossible)
    try:
        return _read(markup, blank, fetched_at, selectors or Selectors())
    except Exception:  # one page of a hostile site must not end the run
        _log.exception("extraction.failed")
        return _failed(blank, "页面解析失败")


def _failed(blank: Article, why: str) -> Article:
    return Article(
        url=blank.url,
        charset_used=blank.charset_used,
        charset_declared=blank.charset_declared,
        soft_failure=why,
    )


def _read(page: Markup, blank: Article, now: datetime, selectors: Selectors) -> Article:
    if selectors.changes:
        page = page.copy()
    markup, root = page.text, page.root
    if root is None:
        return _failed(blank, softfail.reason(markup, hygiene.one_line(markup), "") or "不是网页")
    chosen = _Chosen(root, selectors)
    meta = metas.read(root)
    boxes = chosen.boxes(selectors.body)
    shape = page.outline
    title = titles.find(root, shape, meta)
    how: dict[str, str] = {}
    headline = chosen.text(selectors.title) or _wechat_title(markup, title.text) or title.text
    how["title"] = "selector" if chosen.text(selectors.title) else title.how
    body, how["text"] = _body(shape, boxes)
    text = "\n".join(_paragraphs(shape, body, headline, how["text"]))
    everything = "\n".join(block.text for block in shape.blocks)[:_PAGE_TEXT_LIMIT]
    failure = softfail.reason(markup, everything, text, headline)
    seen = byline.when(shape, title.index, body, now)
    published = _published(chosen.text(selectors.published), now) or (
        publication.of(meta, seen, now) or publication.between_the_lines(markup, blank.url, now)
    )
    how["published_at"] = published.how if published else ""
    source, how["source"] = _source(chosen.text(selectors.source), meta, shape, title.index, body)
    moment = published.trusted if published else None
    scope = body.element if body is not None else root
    return Article(
        title=headline,
        text=text,
        published_at=moment.at if moment else None,
        precision=moment.precision if moment else None,
        published_raw=published.raw if published else "",
        source=source,
        column=meta.column or _column(shape, headline),
        site=_site(meta, root, everything),
        url=blank.url or meta.url,
        attachments=tuple(files.attachments(root, blank.url)),
        images=tuple(files.images(scope, blank.url)),
        how={name: value for name, value in how.items() if value},
        confidence=0.0 if failure else _confidence(how, text, title.doubted, moment is not None),
        soft_failure=failure,
        charset_used=blank.charset_used,
        charset_declared=blank.charset_declared,
    )


class _Chosen:
    """What the configured selectors hit; `remove` has been taken out of the tree."""

    def __init__(self, root: Element, selectors: Selectors) -> None:
        self._selector = Selector(root=root)
        for expression in selectors.remove:
            for hit in _select(self._selector, expression) or []:
                element = hit.root
                if isinstance(element, etree._Element) and element.getparent() is not None:
                    _drop(element)

    def boxes(self, expression: str) -> list[Element]:
        """What was chosen, each made a box of its own where it is a mere <span>."""
        found = self.elements(expression)
        for element in found:
            if element.tag in {"span", "font", "b", "strong", "em", "i", "a", "u", "label"}:
                element.tag = "div"
        return found

    def elements(self, expression: str) -> list[Element]:
        hits = _select(self._selector, expression) or []
        return [hit.root for hit in hits if isinstance(hit.root, etree._Element)]

    def text(self, expression: str) -> str:
        for hit in _select(self._selector, expression) or []:
            found = hit.root
            value = found if isinstance(found, str) else "".join(found.itertext())
            cleaned = hygiene.one_line(value[:2000])
            if cleaned:
                return cleaned
        return ""


def _drop(element: Element) -> None:
    """Takes an element out of its tree; what stands behind it stays."""
    parent, before = element.getparent(), element.getprevious()
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def _select(selector: Selector, expression: str) -> list[Selector] | None:
    """Hits, none for an empty expression, None for one that cannot be read."""
    if not expression:
        return []
    try:
        if expression.startswith(("/", "(", "./")):
            return list(selector.xpath(expression))
        return list(selector.css(expression))
    except Exception:  # cssselect, lxml and parsel each have their own family of errors
        return None


def _body(page: Outline, boxes: Iterable[Element]) -> tuple[Span | None, str]:
    for element in boxes:
        span = page.of(element)
        if span is not None and span.last > span.first:
            return span, "selector"
    for system, span in containers.known(page):
        if _has_text(page, span):
            return bodies.widened(page, span), f"container:{system}"
    if containers.empty_known(page) is not None or containers.known(page):
        kept = containers.known(page)
        return (kept[0][1] if kept else containers.empty_known(page)), "container:empty"
    root = bodies.main_span(page)
    for span in containers.common(page) if root is not None and _chinese(page, root) else ():
        if root is not None and _overlaps(span, root) and _holds(page, span, root):
            return span, "container:common"
    return root, "generic" if root is not None else ""


def _has_text(page: Outline, span: Span) -> bool:
    return sum(len(line) for line in _paragraphs(page, span, "", "container")) >= 8


def _chinese(page: Outline, root: Span) -> bool:
    """Whether the customary names mean what they mean on Chinese templates."""
    inside = page.blocks[root.first : root.last]
    return sum(block.size for block in inside) > 1.5 * sum(len(block.text) for block in inside)


def _overlaps(span: Span, root: Span) -> bool:
    return span.first < root.last and root.first < span.last


def _holds(page: Outline, span: Span, root: Span) -> bool:
    """A customary name is believed where it holds the prose of the generic answer, no less."""
    whole = sum(block.size for block in bodies.kept(page, root))
    part = sum(block.size for block in bodies.kept(page, span))
    return whole * 0.8 <= part <= max(whole * 1.25, whole + 200)


def _paragraphs(page: Outline, body: Span | None, title: str, how: str) -> list[str]:
    if body is None:
        return []
    known: list[str] | None = page.known.get(("lines", id(body)))
    if known is None:
        rows = _rows(page, bodies.kept(page, body))
        known = [line for text in rows for line in hygiene.lines(text)]
        page.known["lines", id(body)] = known
    return furniture.without(known, title)


def _rows(page: Outline, blocks: Iterable[Block]) -> Iterable[str]:
    """Texts of blocks; the cells of a table's row on one line."""
    row: object = None
    cells: list[str] = []
    for block in blocks:
        cell = block.owner if block.owner.tag in {"td", "th"} else block.owner.getparent()
        parent = cell.getparent() if cell is not None and cell.tag in {"td", "th"} else None
        simple = parent is not None and block.size <= 120 and len(parent) > 1
        if simple and parent is row:
            cells.append(block.text.replace("\n", " "))
            continue
        if cells:
            yield " ".join(cells)
        cells = []
        row = parent if simple else None
        if simple:
            cells = [block.text.replace("\n", " ")]
        else:
            yield block.text
    if cells:
        yield " ".join(cells)


def _published(selected: str, now: datetime) -> Publication | None:
    if not selected:
        return None
    return Publication(moment=dates.parse(selected, now), raw=selected[:200], how="selector")


def _wechat_title(markup: str, found: str) -> str:
    """WeChat leaves <title> empty and names the article in a script."""
    if found or "js_content" not in markup:
        return ""
    match = _WECHAT_TITLE.search(markup)
    return hygiene.one_line(match[1]) if match else ""


def _source(
    selected: str, meta: Meta, page: Outline, title: int, body: Span | None
) -> tuple[str, str]:
    if selected:
        return re.sub(r"^\S{0,4}来\s*源\s*[:：]\s*", "", selected), "selector"
    seen = byline.source(page, title, body)
    if seen and meta.source and seen != meta.source:
        if seen.startswith(meta.source) or meta.source.startswith(seen):
            return meta.source, "meta"
        return seen, "visible, meta disagrees"
    if meta.source:
        return meta.source, "meta"
    return seen, "visible" if seen else ""


def _site(meta: Meta, root: Element, everything: str) -> str:
    """SiteName, unless the page never says it and <title> ends with another name."""
    head = titles.head_title(root)
    if meta.site and (meta.site in head or meta.site in everything):
        return meta.site
    ending = re.search(
        r"[-–—_|]\s*([\u4e00-\u9fff]{3,20}(?:局|政府|委员会|办公室|中心|厅|台|网))\s*$", head
    )
    return ending[1] if ending else meta.site


_CRUMBS = re.compile(
    r"(?:当前|[您你](?:现在|当前)?(?:所?在)?|所在)的?位置\s*(?:是|为)?\s*[:：]?(.{1,200})"
)


def _column(page: Outline, title: str) -> str:
    """The last step of the bread crumbs that is not the article itself."""
    for block in page.blocks[:200]:
        if "位置" not in block.text.replace("\n", " "):
            continue
        match = _CRUMBS.search(block.text.replace("\n", " "))
        if match:
            steps = [s.strip(" ：:") for s in re.split(r"[>»›/＞→]+|-{1,2}>", match[1])]
            names = [s for s in steps if s and s not in {"首页", "正文", "网站首页", "详情"}]
            names = [s for s in names if not title or s not in title]
            return names[-1][:40] if names else ""
    return ""


def _confidence(how: Mapping[str, str], text: str, doubted: bool, dated: bool) -> float:
    by_title = {"selector": 1.0, "meta": 1.0, "heading": 0.95, "title": 0.8}
    by_text = {"selector": 1.0, "container": 0.95, "generic": 0.65}
    value = by_title.get(how.get("title", ""), 0.3)
    value *= by_text.get(how.get("text", "").split(":")[0], 0.2)
    value *= 1.0 if dated else 0.8
    value *= 0.9 if doubted or "disagrees" in how.get("published_at", "") else 1.0
    return round(value if text else min(value, 0.3), 2)
