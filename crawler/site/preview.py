"""What a pass over the site would ask for, and three of its pages; nothing is stored.

Asks with the polite HTTP client of the other channels, not with Scrapy: a reactor runs once in
a process, and a preview of several sites must not be the last thing a process can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from config.duration import spoken
from crawler import limits
from crawler.asking import Answer, Asker, Unanswered, unfit
from crawler.catalogue import PlannedCall, Preview, Tools
from crawler.discovery.paging import NextPage
from crawler.extraction.markup import Markup
from crawler.site import frontier, reading, robots
from crawler.site.hosts import BadAddress, absolute, split
from crawler.site.options import Column, Options
from crawler.site.reading import Page, Unreadable
from store.records import Capture, Outcome

SAMPLES = 3
_TRIES = 6  #: pages asked for to get them


class _Denied(Exception):
    """robots.txt does not let us; the text is Chinese."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The lists that settings name, and how to ask for them."""

    channel: str
    options: Options
    tools: Tools

    def lists(self) -> Iterator[tuple[str, str, Column | None]]:
        """(address, what it is called, its column) in the order of a pass."""
        for column in self.options.columns:
            yield column.url, f"栏目“{column.name or column.url}”", column
        for url in self.options.feeds:
            yield url, f"订阅源 {url}", None
        if self.options.sitemap:
            yield self.options.sitemap, "站点地图", None

    def page(self, url: str, answer: Answer) -> Page:
        return Page(
            channel=self.channel,
            url=url,
            at=answer.url,
            markup=Markup(body=answer.body, content_type=answer.headers.get("content-type", "")),
            hosts=self.options.allowed(),
            now=self.tools.clock.now(),
        )

    def listed(self, answer: Answer, url: str, column: Column | None) -> reading.Listed:
        """Raises Unreadable."""
        page = self.page(url, answer)
        if column is not None:
            return reading.read_column(
                page, column, number=1, asked=NextPage(url), seen=frozenset()
            )
        if url == self.options.sitemap:
            return reading.read_sitemap(page, self.options)
        return reading.read_feed(page, self.options)


def preview(channel: str, options: Options, tools: Tools) -> Preview:
    """Asks for robots.txt, one list and three pages of it."""
    look = _Look(channel, options, tools)
    with Asker(
        options.allowed(),
        user_agent=tools.user_agent,
        seconds=options.timeout.total_seconds(),
        delay=options.delay.total_seconds(),
    ) as asker:
        samples, why = _samples(look, _Polite(asker, tools.clock.now()))
    return Preview(calls=tuple(_calls(look)), samples=tuple(samples), why=why, unread=not samples)


def _calls(look: _Look) -> Iterator[PlannedCall]:
    options = look.options
    pace = spoken(options.delay) if options.delay else "0秒"
    for number, (_, what, column) in enumerate(look.lists()):
        note = f"有新内容时最多往后翻到第 {column.pages} 页" if column and column.pages > 1 else ""
        if not number:
            note = "；".join(filter(None, [f"同一主机每次至少间隔{pace}", note]))
        yield PlannedCall(what=what, calls=1, note=note)
    now = look.tools.clock.now()
    with look.tools.database.read() as connection:
        due = frontier.due(connection, look.channel, now, options.max_fetches)
    fresh = sum(one.last_at is None for one in due)
    yield PlannedCall(
        what="到期的网页", calls=len(due),
        note=f"未读过的 {fresh}，回看的 {len(due) - fresh}；列表里新出现的另计，"
        f"一轮最多 {options.max_fetches} 页",
    )  # fmt: skip


def _samples(look: _Look, polite: _Polite) -> tuple[list[Capture], str]:
    """Three pages of the first list that can be read, or why there are fewer."""
    whys = []
    for url, what, column in look.lists():
        try:
            listed = look.listed(polite.ask(url), url, column)
        except (_Denied, Unanswered, Unreadable) as error:
            whys.append(f"{what}：{error}")
            continue
        samples = list(listed.captures[:SAMPLES])
        for found in listed.found[:_TRIES]:
            if len(samples) >= SAMPLES:
                break
            try:
                page = look.page(found.url, polite.ask(found.url))
                samples.append(
                    reading.read_post(
                        page, found.kind, column, look.options.selectors, listed=found.title
                    ).capture
                )
            except (_Denied, Unanswered, Unreadable) as error:
                whys.append(f"{found.title or found.url}：{error}")
        if samples:
            return samples, "；".join(whys)
        whys.append(f"{what}里没有读到文章")
    return [], "；".join(whys)


class _Polite:
    """Asks for pages that robots.txt allows, at the pace that it wants."""

    def __init__(self, asker: Asker, now: datetime) -> None:
        self._asker = asker
        self._now = now
        self._rules: dict[str, robots.Rules] = {}

    def ask(self, url: str) -> Answer:
        """Raises _Denied, Unanswered."""
        origin = split(url).origin
        if origin not in self._rules:
            self._rules[origin] = self._read(url)
        rules = self._rules[origin]
        if not rules.allows(url):
            raise _Denied("robots.txt 不允许抓取")
        self._asker.delay = max(self._asker.delay, rules.delay)
        answer = self._asker.ask(url, redirects=limits.REDIRECTS)
        trouble = unfit(answer, self._now)
        if trouble is not None:
            raise trouble
        if not answer.body.strip():
            raise Unanswered(Outcome.OK_EMPTY, "页面为空", status=answer.status)
        return answer

    def _read(self, url: str) -> robots.Rules:
        """Absent means yes, unreadable means no. Raises _Denied."""
        try:
            answer = self._asker.ask(absolute(url, "/robots.txt"), redirects=limits.REDIRECTS)
        except (Unanswered, BadAddress) as error:
            raise _Denied(f"robots.txt 读不到，按不允许处理：{error}") from None
        if 400 <= answer.status < 500 and answer.status not in {408, 429}:
            return robots.Rules("", self._now)
        if unfit(answer, self._now) is not None:
            raise _Denied(f"robots.txt 读不到，按不允许处理：状态 {answer.status}")
        return robots.read(answer.body, self._now)
