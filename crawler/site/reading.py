"""From the bytes of an answer to what they say: entries of a list, or a post. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crawler import limits
from crawler.discovery import boards, columns, feeds, sitemap
from crawler.discovery.broken import Broken
from crawler.discovery.paging import NextPage
from crawler.discovery.rows import Selectors as RowSelectors
from crawler.extraction import article, dates, letters, softfail
from crawler.extraction.markup import Markup
from crawler.site.frontier import Found
from crawler.site.hosts import BadAddress, Hosts, absolute
from crawler.site.options import Column, Fields, Options
from store.records import Capture, Kind, Outcome, Precision, Role

_REFRESH = re.compile(
    rb"<meta[^>]{0,200}http-equiv\s*=\s*[\"']?refresh[\"']?[^>]{0,300}?url\s*=\s*[\"']?([^\"'>\s;]{1,500})",
    re.I,
)
_MORE_THAN_EMPTY = 3_000  #: bytes
_RECENT = timedelta(days=30)
_SITEMAPS = 5  #: of one index that are read


class Unreadable(Exception):
    """An answer that is no page of ours: its outcome, and why in Chinese."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What one page of a list, a feed or a sitemap says."""

    found: tuple[Found, ...] = ()
    captures: tuple[Capture, ...] = ()  #: entries of a feed that have no page of their own
    next: NextPage | None = None
    more: tuple[str, ...] = ()  #: further sitemaps
    offsite: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one page says."""

    capture: Capture
    closed: bool = False  #: a letter that needs no further look
    article: article.Article | None = None  #: where it was read without selectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer with what is needed to read it."""

    channel: str
    url: str  #: as planned; the post's key
    at: str  #: address that answered, after redirects; links are relative to it
    markup: Markup
    hosts: Hosts
    now: datetime

    @property
    def body(self) -> bytes:
        return self.markup.body

    @property
    def content_type(self) -> str:
        return self.markup.content_type


def read_column(
    page: Page, column: Column, *, number: int, asked: NextPage, seen: Collection[str]
) -> Listed:
    """Raises Unreadable."""
    _fit(page)
    rows = column.rows
    chosen = RowSelectors(
        row=rows.row, link=rows.link, title=rows.title, date=rows.date, next=rows.next
    )
    hosts = _netlocs(page.hosts)
    try:
        if column.kind == "letters" and column.style in {"auto", "plain"}:
            board = boards.read_board(
                page.body, url=page.at, page=number, selectors=chosen, state=rows.state,
                content_type=page.content_type, hosts=hosts, seen=seen,
            )  # fmt: skip
            entries = [(e.url, e.title, e.date_raw, e.state) for e in board.entries]
            following, offsite = board.next, len(board.offsite)
        else:
            listed = columns.read_list(
                page.body, url=page.at, style=column.style, page=number, selectors=chosen,
                content_type=page.content_type, hosts=hosts, seen=seen, form=asked.form,
            )  # fmt: skip
            entries = [(e.url, e.title, e.date_raw, "") for e in listed.entries]
            following, offsite = listed.next, len(listed.offsite)
    except Broken as error:
        raise _why_empty(page) or Unreadable(Outcome.PARSE_BROKEN, error.reason) from None
    if not entries:
        failed = _why_empty(page)
        if failed is not None:
            raise failed
    kind = {"letters": "letter", "comments": "comment"}.get(column.kind, "article")
    found = [
        Found(
            url=url,
            kind=kind,
            column=column.url,
            title=title,
            state=state,
            at=_moment(raw, page.now),
        )
        for url, title, raw, state in entries
        if not page.hosts.refuse(url) and url != page.at
    ]
    if following is not None and page.hosts.refuse(following.url):
        following = None
    return Listed(
        found=tuple(found), next=following, offsite=offsite, skipped=len(entries) - len(found)
    )


def read_feed(page: Page, options: Options) -> Listed:
    """Entries of RSS, Atom or JSON Feed. Raises Unreadable."""
    try:
        feed = feeds.read_feed(
            page.body,
            url=page.at,
            content_type=page.content_type,
            now=page.now,
            hosts=_netlocs(page.hosts),
        )
    except Broken as error:
        raise _why_empty(page) or Unreadable(Outcome.PARSE_BROKEN, error.reason) from None
    found, captures, offsite = [], [], 0
    for entry in feed.entries:
        if not entry.url:
            captures.append(_entry(page, entry))
        elif page.hosts.refuse(entry.url):
            offsite += 1
        else:
            touched = _moment(entry.updated_raw, page.now)
            found.append(
                _named(
                    options, entry.url, title=entry.title, at=entry.published_at, touched=touched
                )
            )
    following = None
    if feed.next_url and not feed.expired and not page.hosts.refuse(feed.next_url):
        following = NextPage(feed.next_url)
    return Listed(
        found=tuple(found),
        captures=tuple(captures),
        next=following,
        offsite=offsite,
        skipped=len(feed.skipped),
    )


def read_sitemap(page: Page, options: Options) -> Listed:
    """Addresses that changed of late, or that lie in a column's folder. Raises Unreadable."""
    try:
        read = sitemap.read_sitemap(
            page.body,
            url=page.at,
            content_type=page.content_type,
            now=page.now,
            hosts=_netlocs(page.hosts),
        )
    except Broken as error:
        raise _why_empty(page) or Unreadable(Outcome.PARSE_BROKEN, error.reason) from None
    usable = [one for one in read.entries if not page.hosts.refuse(one.url)]
    if read.kind == "index":
        newest = sorted(usable, key=lambda one: one.lastmod or page.now, reverse=True)
        return Listed(more=tuple(one.url for one in newest[:_SITEMAPS]))
    lists = {options.url, *(column.url for column in options.columns), *options.feeds}
    found = [
        _named(options, one.url, at=one.lastmod, touched=one.lastmod)
        for one in usable
        if one.url not in lists and _lately(one.lastmod, one.url, page.now, options)
    ]
    return Listed(found=tuple(found[: limits.LIST_ENTRIES]), offsite=read.offsite)


def _lately(at: datetime | None, url: str, now: datetime, options: Options) -> bool:
    if at is None:
        return options.column_of(url) is not None
    return at >= now - _RECENT


def _named(options: Options, url: str, **what: Any) -> Found:
    column = options.column_of(url)
    kind = {"letters": "letter", "comments": "comment"}.get(
        column.kind if column else "", "article"
    )
    return Found(url=url, kind=kind, column=column.url if column else "", **what)


def _entry(page: Page, entry: feeds.FeedEntry) -> Capture:
    """An entry without a page of its own is kept as the feed tells it."""
    return Capture(
        channel=page.channel,
        key=f"{page.url}#{entry.key}",
        kind=Kind.POST,
        role=Role.OWN,
        title=entry.title,
        text=entry.text,
        url=page.url,
        author_id=entry.author_id,
        published_at=entry.published_at,
        published_raw=entry.published_raw,
        precision=entry.precision,
    )


def read_post(
    page: Page, kind: str, column: Column | None, fields: Fields, *, listed: str = ""
) -> Reading:
    """Raises Unreadable. `listed` is how the list words the page: better than nothing."""
    _fit(page)
    if kind == "letter" or (column is None and letters.is_letter(page.markup)):
        letter = letters.read_letter(page.markup, url=page.at, fetched_at=page.now)
        if letter.soft_failure:
            raise _soft(letter.soft_failure, page)
        if letter.text or letter.reply:
            return _letter(page, letter, column)
    return _article(page, kind, column, fields, listed)


def _letter(page: Page, letter: letters.Letter, column: Column | None) -> Reading:
    capture = Capture(
        channel=page.channel,
        key=page.url,
        kind=Kind.LETTER,
        role=column.speaker if column else Role.PUBLIC,
        title=letter.title,
        text=letter.text,
        url=page.url,
        column=column.name if column else "",
        source=letter.replying_unit,
        state=letter.state,
        reply=letter.reply,
        published_at=letter.sent_at,
        published_raw=letter.sent_raw,
        precision=_precision(letter.sent_raw, page.now),
        replied_at=letter.replied_at,
        notes=dict(letter.notes)
        | {k: v for k, v in (("number", letter.number), ("category", letter.category)) if v},
    )
    return Reading(capture=capture, closed=letter.closed)


def _article(page: Page, kind: str, column: Column | None, fields: Fields, listed: str) -> Reading:
    chosen = article.Selectors(
        title=fields.title,
        body=fields.body,
        published=fields.published,
        source=fields.source,
        remove=fields.remove,
    )
    read = article.read_article(page.markup, url=page.at, fetched_at=page.now, selectors=chosen)
    if read.soft_failure:
        raise _soft(read.soft_failure, page)
    made = {"comment": Kind.COMMENT, "letter": Kind.LETTER}.get(kind, Kind.POST)
    # A comment's page wears the column's title; what was said stands in the list as well.
    title = "" if made is Kind.COMMENT else read.title or listed
    text = read.text or (listed if made is Kind.COMMENT else "")
    if not (text or (title and read.title)):
        raise Unreadable(Outcome.PARSE_BROKEN, "没有读出标题和正文")
    notes = {f"{name}_by": how for name, how in read.how.items()}
    notes |= {
        "charset_used": read.charset_used,
        "charset_declared": read.charset_declared,
        "confidence": f"{read.confidence:.2f}",
    }
    if read.attachments:
        notes["attachments"] = "；".join(one.name for one in read.attachments)
    if column is not None and read.column and read.column != column.name:
        notes["column_said"] = read.column
    if text and not read.text:
        notes["text_by"] = "list"
    return Reading(
        capture=Capture(
            channel=page.channel,
            key=page.url,
            kind=made,
            role=column.speaker if column else (Role.OWN if made is Kind.POST else Role.PUBLIC),
            title=title,
            text=text,
            url=page.url,
            column=(column.name if column else "") or read.column,
            source=read.source,
            published_at=read.published_at,
            published_raw=read.published_raw,
            precision=read.precision,
            notes={name: value for name, value in notes.items() if value},
        ),
        article=read if chosen == article.Selectors() else None,
    )


def _fit(page: Page) -> None:
    """Raises Unreadable where bytes are no page, or lead away from the site by themselves."""
    impossible = softfail.not_a_page(page.body)
    if impossible:
        raise _soft(impossible, page)
    head = page.body[:20_000]
    refresh = _REFRESH.search(head) if b"refresh" in head.lower() else None
    if refresh is None:
        return
    try:
        target = absolute(page.at, refresh[1].decode("utf-8", "replace"))
        why = page.hosts.refuse(target)
    except BadAddress as error:
        target, why = refresh[1].decode("utf-8", "replace"), str(error)
    if why:
        raise Unreadable(Outcome.REDIRECTED_OFF, f"页面自动跳往站外：{target[:150]}")


def _why_empty(page: Page) -> Unreadable | None:
    """A list without entries may be a maintenance page, a challenge, a login form."""
    read = article.read_article(page.markup, url=page.at, fetched_at=page.now)
    return _soft(read.soft_failure, page) if read.soft_failure else None


def _soft(why: str, page: Page) -> Unreadable:
    if why.startswith("页面为空") and len(page.body) > _MORE_THAN_EMPTY:
        return Unreadable(Outcome.PARSE_BROKEN, "页面有内容，但读不出文字")
    if why.startswith("页面为空"):
        return Unreadable(Outcome.OK_EMPTY, why)
    if why.startswith("不是网页"):
        return Unreadable(Outcome.WRONG_TYPE, why)
    if "防火墙" in why or "验证页" in why:
        return Unreadable(Outcome.BLOCKED, why)
    if why.startswith("登录页"):
        return Unreadable(Outcome.AUTH, why)
    if why.startswith("页面解析失败"):
        return Unreadable(Outcome.PARSE_BROKEN, why)
    return Unreadable(Outcome.SOFT_FAILURE, why)


def _moment(raw: str, now: datetime) -> datetime | None:
    moment = dates.parse(raw, now) if raw else None
    return moment.at if moment is not None and not moment.suspect else None


def _precision(raw: str, now: datetime) -> Precision | None:
    moment = dates.parse(raw, now) if raw else None
    return moment.precision if moment is not None else None


def _netlocs(hosts: Hosts) -> list[str]:
    """In the form the discovery parsers compare: without a scheme's default port."""
    shown = ((f"[{host}]" if ":" in host else host, port) for host, port in hosts.places)
    return [host if port in {80, 443} else f"{host}:{port}" for host, port in shown]
