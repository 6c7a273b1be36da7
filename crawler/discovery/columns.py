"""One page of a column: its articles, and the page after it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from crawler.discovery import jpage, limits
from crawler.discovery.broken import ListBroken
from crawler.discovery.page import Page, cut_short, open_page, text_from
from crawler.discovery.paging import NextPage, next_page, selected_next
from crawler.discovery.rows import (
    Reading,
    Row,
    Selectors,
    read_rows,
    rows_of,
    select_rows,
)

STYLES = ("auto", "trs", "jpage", "vsb", "ucap", "webplus", "plain")

_MARKS = {
    "vsb": r"/system/resource/|/info/\d+/\d+\.htm|vsb_content|_newscontent_|p_next p_fun|vsbscreen",
    "webplus": r"wp_article_list|wp_paging|wp_news_w\d|/_css/_system/|/c\d+a\d+/page\.",
    "ucap": r"UCAP-CONTENT|ucapcontent|/ucap/|column-index-\d|content_\d+\.s?html?",
    "trs": r"createPageHTML\s*\(|/?t\d{8}_\d+\.s?html?|trs_(?:editor|web|columns)",
}
_KNOWN = {name: re.compile(mark, re.I) for name, mark in _MARKS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """An article as its list names it."""

    url: str  #: canonical
    title: str
    date_raw: str  #: as it stands in the list; "" where the list tells none


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """What one page of a column holds."""

    entries: tuple[Entry, ...]
    next: NextPage | None
    total_pages: int | None
    style: str  #: the one that was used, never "auto"
    by: str = "density"  #: selectors, pattern or density; "fallback" where selectors found nothing
    offsite: tuple[Entry, ...] = ()  #: in the list, but on a host that is not configured
    refused: int = 0  #: links that lead nowhere safe
    truncated: bool = False  #: too long, too deep or too many links: the rest was not read


def read_list(
    source: str | bytes,
    *,
    url: str,
    style: str = "auto",
    page: int = 1,
    selectors: Selectors | None = None,
    content_type: str = "",
    hosts: Iterable[str] = (),
    seen: Collection[str] = (),
    form: Iterable[tuple[str, str]] = (),
) -> ListPage:
    """Reads one list page. Raises `ListBroken` and nothing else.

    `url` is where the page was found, `page` its number counted from 1, `form` what was posted
    to get it. `hosts` are those configured; without them the page's own. `seen` holds the
    `NextPage.key` of what was asked before: `next` is never one of these, nor this very page.
    """
    if style not in STYLES:
        raise ListBroken(f"未知的栏目样式：{style[:40]}，可用：{'、'.join(STYLES)}")
    text = text_from(source, content_type)
    if jpage.is_answer(text) or (style == "jpage" and "<record" in text):
        return _records(text, url, number=page, hosts=hosts, seen=seen, form=tuple(form))
    opened = open_page(text, url, hosts)
    used = recognise(text) if style == "auto" else style
    if used == "jpage":
        if jpage.read_records(text).markup:
            return _records(text, url, number=page, hosts=hosts, seen=seen, form=tuple(form))
        return _proxied(opened, page, selectors, seen)
    reading = _read(opened, used, selectors)
    if cut_short(opened):
        reading.truncated = True
        if not reading.rows:
            raise ListBroken("页面嵌套过深，解析中断，没有读到任何条目")
    reading.truncated |= len(source) > limits.PAGE
    following, total = next_page(opened, style=used, number=page, seen=seen)
    if selectors is not None and selectors.next:
        following = selected_next(opened, selectors.next, seen) or following
    return _made(reading, following, total, used)


def recognise(text: str) -> str:
    """Which system made a page, by the marks it leaves; "plain" where none is known."""
    text = text[: limits.MARKS]
    if jpage.is_column(text):
        return "jpage"
    for name, mark in _KNOWN.items():
        if mark.search(text):
            return name
    return "plain"


def _read(opened: Page, style: str, selectors: Selectors | None) -> Reading:
    if selectors is None or not (selectors.row or selectors.link):
        return read_rows(opened, style)
    reading = select_rows(opened, selectors)
    if reading.rows:
        return reading
    # a redesign of the site must not read as silence of the column
    reading = read_rows(opened, style)
    reading.by = "fallback"
    return reading


def _records(
    text: str,
    url: str,
    *,
    number: int,
    hosts: Iterable[str],
    seen: Collection[str],
    form: tuple[tuple[str, str], ...],
) -> ListPage:
    records = jpage.read_records(text)
    if not records.markup and not jpage.is_answer(text):
        raise ListBroken("页面中没有 jpage 数据记录")
    opened = open_page(jpage.sheet(records), url, hosts)
    reading = rows_of(opened, opened.root.iter("section"))
    whole = Page(opened.root, text, opened.url, opened.base, opened.hosts)
    following = jpage.next_request(
        whole, records, read=len(records.markup), number=number, form=form, seen=seen
    )
    return _made(reading, following, _pages(records), "jpage")


def _proxied(
    opened: Page, number: int, selectors: Selectors | None, seen: Collection[str]
) -> ListPage:
    """A first page whose list is drawn already, or left to the script altogether."""
    records = jpage.read_records(opened.text)
    reading = _read(opened, "jpage", selectors)
    drawn = len(reading.rows) if reading.by != "density" else 0
    following = jpage.next_request(opened, records, read=drawn, number=number, form=(), seen=seen)
    total = _pages(records)
    if following is None:
        following, told = next_page(opened, style="jpage", number=number, seen=seen)
        total = total or told
    return _made(reading, following, total, "jpage")


def _pages(records: jpage.Records) -> int | None:
    if records.pages:
        return records.pages
    if records.total is None or not records.size:
        return None
    return max(1, -(-records.total // records.size))


def _made(reading: Reading, following: NextPage | None, total: int | None, style: str) -> ListPage:
    return ListPage(
        entries=tuple(_entry(row) for row in reading.rows if row.own),
        offsite=tuple(_entry(row) for row in reading.rows if not row.own),
        next=following,
        total_pages=total,
        style=style,
        by=reading.by,
        refused=reading.refused,
        truncated=reading.truncated,
    )


def _entry(row: Row) -> Entry:
    return Entry(row.url, row.title[: limits.TITLE], row.date_raw)
