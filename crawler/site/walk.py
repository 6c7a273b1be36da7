"""One reading of one site: its lists first, then the pages that are due, each accounted for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from crawler import limits
from crawler.catalogue import Reading, Tools
from crawler.runs import RunLog
from crawler.site import frontier
from crawler.site.fetcher import Fetcher
from crawler.site.ground import Ground, Threads, seen_through
from crawler.site.lists import Lists, Told
from crawler.site.memory import Memory
from crawler.site.options import Options
from crawler.site.visits import Visits
from store.records import RunState

log = logging.getLogger("crawler.site")


class Walk:
    """Reads one site channel once."""

    def __init__(
        self, *, channel: str, options: Options, tools: Tools, run: RunLog, threads: Threads
    ) -> None:
        self.channel = channel
        self.options = options
        self.hosts = options.allowed()
        self.reading: Reading | None = None
        self.error: Exception | None = None
        self.begun = False
        self._tools = tools
        self._run = run
        self._threads = threads
        self._started = tools.clock.now()
        span = run.deadline - self._started
        self._stop_at = run.deadline - max(span / 10, timedelta(seconds=2))

    async def go(self, fetcher: Callable[..., Fetcher]) -> None:
        """Leaves its Reading, or the error that ended it. Cancelled, it leaves neither."""
        self.begun = True
        now, memory = self._tools.clock.now, Memory(self.channel)
        try:
            robots_kept, resting = await seen_through(
                self._threads.write, partial(memory.recall, self._tools.database, now())
            )
            ground = self._ground(
                fetcher(
                    hosts=self.hosts,
                    now=now,
                    delay=self.options.delay.total_seconds(),
                    timeout=self.options.timeout.total_seconds(),
                    robots_kept=robots_kept,
                    resting=resting,
                    ledger=self._run,
                )
            )
            lists, visits = Lists(ground), Visits(ground)
            try:
                await lists.walk()
                await visits.walk()
            finally:
                memory.keep(ground.fetcher, self._run, now())
            self.reading = _summed(lists.told, await ground.write(self._backlog))
        except Exception as error:
            log.exception("site.failed", extra={"channel": self.channel})
            self.error = error

    def _ground(self, fetcher: Fetcher) -> Ground:
        return Ground(
            channel=self.channel,
            options=self.options,
            hosts=self.hosts,
            tools=self._tools,
            run=self._run,
            threads=self._threads,
            fetcher=fetcher,
            stop_at=self._stop_at,
        )

    def _backlog(self) -> int:
        with self._tools.database.read() as connection:
            return frontier.backlog(connection, self.channel, self._started)


def _summed(told: Told, backlog: int) -> Reading:
    failed = told.broken or (told.lists > 0 and told.read == 0)
    return Reading(
        state=RunState.FAILED if failed else RunState.DONE,
        why="；".join(told.troubles)[: limits.WHY],
        backlog=backlog,
    )
