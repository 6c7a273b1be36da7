"""One page in, one article out: every field, where it was found, and how far to trust it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from lxml import etree
from parsel import Selector

from crawler.extraction import body as bodies
from crawler.extraction import byline, charset, containers, dates, furniture, hygiene, softfail
from crawler.extraction import meta as metas
from crawler.extraction import titles
from crawler.extraction.byline import When
from crawler.extraction.dates import Moment
from crawler.extraction.meta import Meta
from crawler.extraction.outline import Block, Element, Outline, Span, is_hidden, outline
from store.records import Precision

_log = logging.getLogger(__name__)

_FILE = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|dps|ofd|ceb|zip|rar|7z|tar|gz|txt|csv|rtf)$", re.I
)
_DOWNLOAD = re.compile(r"downfile|download|downloadservlet|attach|/fj/|filename=", re.I)
_URL_DATE = (
    re.compile(r"/t(20\d{2})(\d{2})(\d{2})_\d+"),
    re.compile(r"/(20\d{2})[/-]?(\d{2})[/-]?(\d{2})/(?:\d|[a-z]\d|art|content|c\d)"),
    re.compile(r"/art/(20\d{2})/(\d{1,2})/(\d{1,2})/"),
    re.compile(r"/(20\d{2})-(\d{2})/(\d{2})/"),
)
_WECHAT_TIME = (
    re.compile(r"""\b(?:var\s+)?(?:ct|create_time|oriCreateTime)\s*[=:]\s*["'](\d{10})["']"""),
    re.compile(r"""\bcreateTime\s*=\s*["'](\d{4}-\d{2}-\d{2} \d{2}:\d{2})["']"""),
)
_WECHAT_TITLE = re.compile(r"""\bvar\s+msg_title\s*=\s*["'](.{1,200}?)["']\s*[.;]""")
_NOT_IMAGES = re.compile(
    r"(?:icon|logo|share|print|close|ewm|qrcode|blank|spacer|loading)[^/]*$", re.I
)
_PAGE_TEXT_LIMIT = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """Where a configured column keeps its fields: CSS, or XPath 1.0 where it starts with / or (."""

    title: str = ""
    body: str = ""
    published: str = ""
    source: str = ""
    remove: tuple[str, ...] = ()  #: parts to leave out, CSS or XPath

    def problems(self) -> list[str]:
        """A Chinese sentence for each expression that cannot be read."""
        probe = Selector(text="<html><body></body></html>")
        named = {"title": self.title, "body": self.body, "published": self.published,
                 "source": self.source} | {f"remove[{n}]": e for n, e in enumerate(self.remove)}  # fmt: skip
        return [
            f"{name}：选择器写法有误：{expression}"
            for name, expression in named.items()
            if expression and _select(probe, expression) is None
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file offered by the article; `url` is absolute where the page's own is known."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """What one page says. `soft_failure` is "" or the Chinese reason why it is no article."""

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
    body: bytes,
    *,
    content_type: str = "",
    url: str = "",
    fetched_at: datetime,
    selectors: Selectors | None = None,
) -> Article:
    """The article in the bytes of a page; never raises, whatever the bytes are.

    Sources of each field, in this order: configured selectors, prescribed meta tags (checked
    against what is visible), the body containers of known content systems, the generic pass.
    """
    decoded = charset.decode(body, content_type)
    blank = Article(url=url, charset_used=decoded.used, charset_declared=decoded.declared)
    impossible = softfail.not_a_page(body)
    if impossible:
        return _failed(blank, impossible)
    try:
        return _read(decoded.text, blank, fetched_at, selectors or Selectors())
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


def _read(markup: str, blank: Article, now: datetime, selectors: Selectors) -> Article:
    root = hygiene.parse_html(markup)
    if root is None:
        return _failed(blank, softfail.reason(markup, hygiene.one_line(markup), "") or "不是网页")
    chosen = _Chosen(root, selectors)
    meta = metas.read(root)
    page = outline(root)
    title = titles.find(root, page, meta)
    how: dict[str, str] = {}
    headline = chosen.text(selectors.title) or _wechat_title(markup, title.text) or title.text
    how["title"] = "selector" if chosen.text(selectors.title) else title.how
    body, how["text"] = _body(page, chosen, selectors)
    text = "\n".join(_paragraphs(page, body, headline, how["text"]))
    everything = "\n".join(block.text for block in page.blocks)[:_PAGE_TEXT_LIMIT]
    failure = softfail.reason(markup, everything, text, headline)
    if failure:
        return _failed(blank, failure)
    seen = byline.when(page, title.index, body, now)
    moment, raw, how["published_at"] = _published(chosen.text(selectors.published), meta, seen,
                                                  markup, blank.url, now)  # fmt: skip
    source, how["source"] = _source(chosen.text(selectors.source), meta, page, title.index, body)
    trusted = moment is not None and not moment.suspect
    scope = body.element if body is not None else root
    return Article(
        title=headline,
        text=text,
        published_at=moment.at if moment and trusted else None,
        precision=moment.precision if moment and trusted else None,
        published_raw=raw,
        source=source,
        column=meta.column or _column(page, headline),
        site=_site(meta, root, everything),
        url=blank.url or meta.url,
        attachments=tuple(_attachments(root, blank.url)),
        images=tuple(_images(scope, blank.url)),
        how={name: value for name, value in how.items() if value},
        confidence=_confidence(how, text, title.doubted, trusted),
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
                    element.drop_tree()

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


def _body(page: Outline, chosen: _Chosen, selectors: Selectors) -> tuple[Span | None, str]:
    for element in chosen.elements(selectors.body):
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
    blocks = list(bodies.kept(page, body))
    found = [line for text in _rows(page, blocks) for line in hygiene.lines(text)]
    return furniture.without(found, title)


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


def _published(
    selected: str, meta: Meta, seen: When | None, markup: str, url: str, now: datetime
) -> tuple[Moment | None, str, str]:
    """The time to believe: what a person sees on the page corrects the tag, and the tag
    refines what is seen."""
    if selected:
        return dates.parse(selected, now), selected, "selector"
    told = _told(meta, now)
    visible = seen.moment if seen else None
    shown = f"visible:{seen.how}" if seen else ""
    if visible and told and not visible.suspect:
        if not told.suspect and _agree(told, visible):
            finer = visible if _rank(visible) >= _rank(told) else told
            best = told if _same_minute(visible, told) else finer
            return best, best.raw, "meta, visible agrees" if best is told else "visible"
        if told.suspect or shown == "visible:label" or re.search(r"\d{4}", visible.raw):
            return visible, visible.raw, f"{shown}, meta disagrees"
        return told, told.raw, "meta, visible disagrees"
    if visible and not visible.suspect:
        return visible, visible.raw, shown
    if told:
        return told, told.raw, "meta"
    if visible:
        return visible, visible.raw, "visible, not credible"
    if seen is not None:
        return None, seen.raw, "unreadable"
    scripted = _wechat_time(markup, now)
    if scripted:
        return scripted, scripted.raw, "script"
    guessed = _url_time(url, now)
    return (guessed, guessed.raw, "url") if guessed else (None, "", "")


def _told(meta: Meta, now: datetime) -> Moment | None:
    """The tag's time; exact midnight is how templates write “only the day”."""
    moment = dates.parse(meta.published, now) if meta.published else None
    if moment and moment.precision is not Precision.DAY:
        local = moment.at
        if (local.hour, local.minute, local.second) == (0, 0, 0):
            return Moment(at=local, precision=Precision.DAY, raw=moment.raw, suspect=moment.suspect)
    return moment


_ABROAD = re.compile(r"\d:\d{2}.*(?:Z|[+-](?!08:?00)\d{2}:?\d{2})$")


def _agree(told: Moment, visible: Moment) -> bool:
    """Of the same day; a tag that names another time zone may be a day off what is shown."""
    if told.at.date() == visible.at.date():
        return True
    apart = abs(told.at - visible.at)
    return bool(_ABROAD.search(told.raw)) and apart < timedelta(hours=38)


def _rank(moment: Moment) -> int:
    return {Precision.DAY: 0, Precision.MINUTE: 1, Precision.SECOND: 2}[moment.precision]


def _same_minute(a: Moment, b: Moment) -> bool:
    return a.at.replace(second=0) == b.at.replace(second=0)


def _wechat_time(markup: str, now: datetime) -> Moment | None:
    if "js_content" not in markup:
        return None
    for pattern in _WECHAT_TIME:
        match = pattern.search(markup)
        if match:
            return dates.parse(match[1], now)
    return None


def _wechat_title(markup: str, found: str) -> str:
    """WeChat leaves <title> empty and names the article in a script."""
    if found or "js_content" not in markup:
        return ""
    match = _WECHAT_TITLE.search(markup)
    return hygiene.one_line(match[1]) if match else ""


def _url_time(url: str, now: datetime) -> Moment | None:
    for pattern in _URL_DATE:
        match = pattern.search(url)
        if match:
            moment = dates.parse("-".join(match.groups()), now)
            if moment and not moment.suspect:
                return moment
    return None


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


_CRUMBS = re.compile(r"(?:当前|您(?:现在)?(?:的|所在的)?|所在)位置\s*[:：]?(.{1,200})")


def _column(page: Outline, title: str) -> str:
    """The last step of the bread crumbs that is not the article itself."""
    for block in page.blocks[:200]:
        match = _CRUMBS.search(block.text.replace("\n", " "))
        if match:
            steps = [s.strip(" ：:") for s in re.split(r"[>»›/＞→]+|-{1,2}>", match[1])]
            names = [s for s in steps if s and s not in {"首页", "正文", "网站首页", "详情"}]
            names = [s for s in names if not title or s not in title]
            return names[-1][:40] if names else ""
    return ""


def _attachments(root: Element, url: str) -> Iterable[Attachment]:
    seen: set[str] = set()
    for link in root.iter("a"):
        href = (link.get("href") or "").strip()[:2000]
        if not href or href.startswith(("#", "javascript:", "mailto:", "data:")):
            continue
        name = hygiene.one_line("".join(link.itertext())[:500])
        if not _is_file(href, name) or _in_frame(link):
            continue
        absolute = _absolute(url, href)
        if absolute not in seen:
            seen.add(absolute)
            named = name or hygiene.one_line(link.get("title") or "") or _basename(href)
            yield Attachment(name=re.sub(r"^附件\s*\d*\s*[:：.、]\s*", "", named), url=absolute)


def _is_file(href: str, name: str) -> bool:
    try:
        parts = urlsplit(href)
        values = [value for _, value in parse_qsl(parts.query, max_num_fields=50)]
    except ValueError:
        return False
    if _FILE.search(parts.path) or any(_FILE.search(value) for value in values):
        return True
    return bool(_FILE.search(name) and _DOWNLOAD.search(href)) or bool(_FILE.search(name))


def _basename(href: str) -> str:
    return unquote(href.split("?")[0].rstrip("/").rsplit("/", 1)[-1])


def _in_frame(link: Element) -> bool:
    """In the navigation or the foot of the page, or hidden."""
    for above in link.iterancestors():
        marks = f"{above.get('class') or ''} {above.get('id') or ''}"[:200].lower().split()
        if above.tag in {"nav", "footer"} or {"footer", "nav", "foot", "header"} & set(marks):
            return True
        if is_hidden(above):
            return True
    return False


def _images(scope: Element, url: str) -> Iterable[str]:
    seen: set[str] = set()
    for image in scope.iter("img"):
        src = (image.get("data-src") or image.get("src") or "").strip()[:2000]
        if src and not src.startswith("data:") and not _NOT_IMAGES.search(src):
            absolute = _absolute(url, src)
            if absolute not in seen:
                seen.add(absolute)
                yield absolute


def _absolute(url: str, href: str) -> str:
    try:
        return urljoin(url, href)
    except ValueError:
        return href


def _confidence(how: Mapping[str, str], text: str, doubted: bool, dated: bool) -> float:
    by_title = {"selector": 1.0, "meta": 1.0, "heading": 0.95, "title": 0.8}
    by_text = {"selector": 1.0, "container": 0.95, "generic": 0.65}
    value = by_title.get(how.get("title", ""), 0.3)
    value *= by_text.get(how.get("text", "").split(":")[0], 0.2)
    value *= 1.0 if dated else 0.8
    value *= 0.9 if doubted or "disagrees" in how.get("published_at", "") else 1.0
    return round(value if text else min(value, 0.3), 2)
