"""Walks the lists of a site: columns from head to what is known, feeds, sitemaps."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from crawler import limits
from crawler.discovery.paging import NextPage
from crawler.intake import Counts
from crawler.site import frontier, reading
from crawler.site.fetcher import Answer
from crawler.site.frontier import Known
from crawler.site.ground import Ground, as_read, conditions
from crawler.site.options import Column
from crawler.site.reading import Listed, Page, Unreadable
from store.records import Outcome

_LEFT_OFF = 5  #: places of one list at which earlier runs left off


@dataclass(slots=True)
class Told:
    """What the reading says of itself at the end."""

    lists: int = 0
    read: int = 0  #: lists that could be read
    troubles: list[str] = field(default_factory=list)
    broken: bool = False


@dataclass(slots=True)
class _Step:
    """One request of a walk along a list."""

    ask: NextPage
    number: int = 1

    @property
    def kept(self) -> dict[str, Any]:
        return {
            "url": self.ask.url,
            "method": self.ask.method,
            "form": [list(pair) for pair in self.ask.form],
            "number": self.number,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> _Step:
        form = tuple((str(name), str(value)) for name, value in kept["form"])
        return cls(NextPage(kept["url"], kept["method"], form), int(kept["number"]))


@dataclass(frozen=True, slots=True)
class _Paged:
    """What came of one page of a list: nothing where it is unchanged or could not be read."""

    listed: Listed | None = None
    fresh: int = 0
    gone: bool = False  #: a further page that need not be tried again


class Lists:
    """The lists of one channel, each read once; `told` is what came of them."""

    def __init__(self, ground: Ground) -> None:
        self.told = Told()
        self._ground = ground

    async def walk(self) -> None:
        work: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (column.url, partial(self._column, column)) for column in self._ground.options.columns
        ]
        work += [(url, partial(self._feed, url)) for url in self._ground.options.feeds]
        if self._ground.options.sitemap:
            work.append((self._ground.options.sitemap, self._sitemap))
        await self._ground.in_lanes(work)

    async def _column(self, column: Column) -> None:
        """Walks a list from its head to what is known and one page more; then on from where
        earlier runs left off."""
        left = await self._ground.write(partial(self._left_off, column.url))
        seen: set[str] = set()
        budget = column.pages
        for start in [_Step(NextPage(column.url)), *left]:
            step: _Step | None = start
            known_pages, spread = 0, 0
            while step is not None and budget > 0 and not self._ground.late():
                parse = partial(
                    reading.read_column,
                    column=column,
                    number=step.number,
                    asked=step.ask,
                    seen=frozenset(seen),
                )
                paged = await self._list_page(step, column.name or column.url, parse, spread)
                budget -= 1
                seen.add(step.ask.key)
                following = None
                if paged.listed is not None:
                    spread += len(paged.listed.found)
                    known_pages = 0 if paged.fresh else known_pages + 1
                    if known_pages < 2 and step.number < column.depth:
                        following = paged.listed.next
                elif not paged.gone:
                    break
                went, step = step, _Step(following, step.number + 1) if following else None
                await self._ground.write(partial(self._move_on, column.url, left, went, step))

    async def _feed(self, url: str) -> None:
        """A feed and its further pages, as far as they are new."""
        ask: NextPage | None = NextPage(url)
        for number in range(1, limits.FEED_PAGES + 1):
            if ask is None or self._ground.late():
                return
            paged = await self._list_page(
                _Step(ask, number),
                url,
                partial(reading.read_feed, options=self._ground.options),
                0,
                "feed",
            )
            ask = paged.listed.next if paged.listed is not None and paged.fresh else None

    async def _sitemap(self) -> None:
        read = partial(reading.read_sitemap, options=self._ground.options)
        step = _Step(NextPage(self._ground.options.sitemap))
        paged = await self._list_page(step, "站点地图", read, 0, "sitemap")
        for url in paged.listed.more if paged.listed is not None else ():
            await self._list_page(_Step(NextPage(url)), "站点地图", read, 0, "sitemap")

    async def _list_page(
        self,
        step: _Step,
        label: str,
        parse: Callable[[Page], Listed],
        spread: int,
        kind: str = "list",
    ) -> _Paged:
        """One page of a list. Its first page is asked for on condition that it changed."""
        url = step.ask.url
        page = await self._ground.planned(url)
        if page is None:
            return _Paged()
        first = step.number == 1
        self.told.lists += first
        answer = await self._ground.fetcher.get(
            url,
            headers=conditions(page) if first else {},
            form=dict(step.ask.form) if step.ask.method == "POST" else None,
        )
        digest = hashlib.sha256(answer.body).hexdigest()
        same = answer.outcome is None and first and page.digest == digest
        if same or answer.outcome is Outcome.OK_UNCHANGED:
            self.told.read += first
            await self._ground.write(partial(self._unchanged, page, answer))
            return _Paged()
        try:
            if answer.outcome is not None:
                raise Unreadable(answer.outcome, answer.why)
            listed = await self._ground.parsed(parse, self._ground.page_of(url, answer))
            if kind == "list" and first and not listed.found:
                raise Unreadable(Outcome.OK_EMPTY, "栏目中没有文章")
        except Unreadable as failure:
            if failure.outcome is Outcome.BLOCKED and answer.outcome is None:
                self._ground.fetcher.challenged(answer.url)
            await self._not_read(
                page=page, answer=answer, failure=failure, kind=kind, label=label, first=first
            )
            return _Paged(gone=not first and failure.outcome is not Outcome.DROPPED)
        fresh = await self._ground.write(
            partial(
                self._stored,
                page=page,
                answer=answer,
                listed=listed,
                digest=digest,
                kind=kind,
                spread=spread,
            )
        )
        self.told.read += first
        if fresh:
            self._ground.tools.progress(f"{label}：第 {step.number} 页新发现 {fresh} 条")
        return _Paged(listed, fresh)

    def _left_off(self, url: str) -> list[_Step]:
        with self._ground.tools.database.read() as connection:
            kept = frontier.position(connection, self._ground.channel, f"list:{url}")
        return [_Step.of(one) for one in kept.get("left", [])][:_LEFT_OFF]

    def _move_on(self, url: str, left: list[_Step], went: _Step, step: _Step | None) -> None:
        """Keeps where this list is to be read on, in case this run does not come to it."""
        before = [one.ask.key for one in left]
        left[:] = [one for one in left if one.ask.key != went.ask.key]
        if step is not None and all(one.ask.key != step.ask.key for one in left):
            left.insert(0, step)
        if before == [one.ask.key for one in left]:
            return
        with self._ground.run.write() as connection:
            frontier.leave(
                connection,
                self._ground.channel,
                f"list:{url}",
                {"left": [one.kept for one in left[:_LEFT_OFF]]} if left else None,
                self._ground.tools.clock.now(),
            )

    async def _not_read(
        self,
        *,
        page: Known,
        answer: Answer,
        failure: Unreadable,
        kind: str,
        label: str,
        first: bool,
    ) -> None:
        outcome, why = failure.outcome, failure.why
        failures = await self._ground.write(
            partial(self._troubled, page, answer, outcome, why, kind)
        )
        if outcome is Outcome.DROPPED and not first:
            return
        if outcome is Outcome.OK_EMPTY and failures < limits.EMPTY_IN_A_ROW:
            self.told.read += first
            self.told.troubles.append(f"「{label}」为空")
            return
        if outcome is Outcome.OK_EMPTY:
            self.told.broken = True
            why = f"连续 {failures} 次为空，疑似改版或失效"
        self.told.troubles.append(f"「{label}」{why or outcome.value}")

    def _troubled(self, page: Known, answer: Answer, outcome: Outcome, why: str, kind: str) -> int:
        now = self._ground.tools.clock.now()
        failures = page.failures + (0 if outcome is Outcome.DROPPED else 1)
        with self._ground.run.write() as connection:
            # Its validators are forgotten: a list that was empty must not hide behind a 304.
            frontier.record(
                connection,
                self._ground.channel,
                replace(
                    page,
                    kind=kind,
                    etag="",
                    modified="",
                    digest="",
                    last_at=now,
                    failures=failures,
                ),
            )
            self._ground.settle(connection, page.url, answer, outcome, why)
        return failures

    def _stored(
        self, *, page: Known, answer: Answer, listed: Listed, digest: str, kind: str, spread: int
    ) -> int:
        """Stores a page of a list; answers how many new things it named."""
        now = self._ground.tools.clock.now()
        with self._ground.run.write() as connection:
            news = frontier.discover(
                connection, self._ground.channel, listed.found, now, spread=spread
            )
            counts = sum(self._ground.taken(connection, listed.captures), Counts())
            frontier.record(
                connection,
                self._ground.channel,
                as_read(page, answer, digest, now, kind=kind),
            )
            fresh = news.fresh + counts.new + counts.changed
            notes = [f"站外链接 {listed.offsite} 条"] if listed.offsite else []
            notes += [f"跳过 {listed.skipped} 条"] if listed.skipped else []
            self._ground.settle(
                connection,
                page.url,
                answer,
                Outcome.OK_NEW if fresh else Outcome.OK_UNCHANGED,
                "，".join(notes),
            )
        return fresh

    def _unchanged(self, page: Known, answer: Answer) -> None:
        now = self._ground.tools.clock.now()
        with self._ground.run.write() as connection:
            frontier.record(
                connection,
                self._ground.channel,
                replace(page, last_at=now, failures=0),
            )
            self._ground.settle(connection, page.url, answer, Outcome.OK_UNCHANGED, "")
