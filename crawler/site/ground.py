"""What both walks of a reading stand on: asking, parsing and writing, each in its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from crawler import limits
from crawler.catalogue import Tools
from crawler.extraction.markup import Markup
from crawler.intake import Counts, intake_each
from crawler.runs import RunLog
from crawler.site import frontier
from crawler.site.batch import FAULTS, GivenUp
from crawler.site.fetcher import Answer, Fetcher
from crawler.site.frontier import Known
from crawler.site.hosts import Hosts, split
from crawler.site.options import Options
from crawler.site.reading import Page, Unreadable
from store.records import Capture, Outcome

log = logging.getLogger("crawler.site")

T = TypeVar("T")
_SMALL = 64 * 1024  #: bytes of a page that takes a few milliseconds to parse


@dataclass(frozen=True, slots=True)
class Threads:
    """Where parsing and writing happen, so that no host waits for either."""

    parse: ThreadPoolExecutor
    write: ThreadPoolExecutor


async def seen_through(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Done on another thread; once begun it is not cut short, also when we are told to stop."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One channel and one run, with the tools to read it."""

    channel: str
    options: Options
    hosts: Hosts
    tools: Tools
    run: RunLog
    threads: Threads
    fetcher: Fetcher
    stop_at: datetime  #: from then on nothing new is begun

    def late(self) -> bool:
        return self.tools.clock.now() >= self.stop_at

    async def in_lanes(self, work: Iterable[tuple[str, Callable[[], Awaitable[None]]]]) -> None:
        """One thing after the other on each host, hosts side by side: one that is slow, or
        that asked us to wait, holds up no other."""
        lanes: dict[str, list[Callable[[], Awaitable[None]]]] = {}
        for url, do in work:
            lanes.setdefault(split(url).host, []).append(do)

        async def lane(jobs: list[Callable[[], Awaitable[None]]]) -> None:
            failed = 0
            for do in jobs:
                if self.late():
                    return
                try:
                    await do()
                    failed = 0
                except GivenUp:
                    raise
                except Exception:  # a fault of ours at one page must not cost the others
                    log.exception("site.visit_failed", extra={"channel": self.channel})
                    failed += 1
                    if failed == FAULTS:
                        raise

        async with asyncio.TaskGroup() as group:
            for jobs in lanes.values():
                group.create_task(lane(jobs))

    async def parsed(self, work: Callable[..., T], *given: Any, **named: Any) -> T:
        """Parses beside the event loop, for a while. Raises Unreadable."""
        do = partial(work, *given, **named)
        page = next(one for one in given if isinstance(one, Page))
        try:
            if len(page.body) <= _SMALL:  # read sooner than handed to a thread
                return do()
            loop = asyncio.get_running_loop()
            return await asyncio.wait_for(
                loop.run_in_executor(self.threads.parse, do), limits.PARSE_SECONDS
            )
        except TimeoutError:
            raise Unreadable(Outcome.PARSE_BROKEN, "页面解析超时") from None
        except Unreadable:
            raise
        except Exception as error:  # a page must not end the run, whatever is in it
            log.exception("site.page_failed", extra={"channel": self.channel})
            raise Unreadable(Outcome.PARSE_BROKEN, f"解析出错（{type(error).__name__}）") from None

    async def write(self, work: Callable[[], T]) -> T:
        return await seen_through(self.threads.write, work)

    def page_of(self, url: str, answer: Answer) -> Page:
        return Page(
            channel=self.channel,
            url=url,
            at=answer.url,
            markup=Markup(body=answer.body, content_type=answer.headers.get("content-type", "")),
            hosts=self.hosts,
            now=self.tools.clock.now(),
        )

    async def planned(self, url: str) -> Known | None:
        """Plans a fetch; None where this run has planned it before."""

        def plan() -> Known | None:
            with self.run.write() as connection:
                if not self.run.plan([url], connection):
                    return None
                return frontier.get(connection, self.channel, url)

        return await self.write(plan)

    def settle(
        self, connection: sa.Connection, url: str, answer: Answer, outcome: Outcome, why: str
    ) -> None:
        self.run.settle(
            url,
            outcome,
            status=answer.status,
            bytes=answer.size,
            ms=answer.ms,
            why=why,
            connection=connection,
        )

    def taken(self, connection: sa.Connection, captures: Iterable[Capture]) -> list[Counts]:
        """What came of each; all of it is counted."""
        told = intake_each(
            connection,
            captures,
            now=self.tools.clock.now(),
            author_key=self.tools.author_key,
        )
        self.run.count(sum(told, Counts()), connection)
        return told


def conditions(page: Known) -> dict[str, str]:
    if page.last_at is None or not page.digest:
        return {}
    asked = {"If-None-Match": page.etag, "If-Modified-Since": page.modified}
    return {name: value for name, value in asked.items() if value and value.isascii()}


def as_read(page: Known, answer: Answer, digest: str, now: datetime, *, kind: str) -> Known:
    return replace(
        page,
        kind=kind,
        etag=answer.headers.get("etag", ""),
        modified=answer.headers.get("last-modified", ""),
        digest=digest,
        last_at=now,
        next_at=None,
        failures=0,
    )
