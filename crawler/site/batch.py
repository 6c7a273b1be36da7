"""Stores what was read a moment apart together: most of a small transaction is beginning and
ending it.

A page and its outcome are in one transaction as ever, so a crash loses whole pages, which are
then still due; it loses those of the last quarter of a second instead of the last one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from crawler.runs import RunLog

log = logging.getLogger("crawler.site")

T = TypeVar("T")
LINGER: Final = 0.25  #: seconds that something waits for company
MOST: Final = 16
FAULTS: Final = 3  #: of ours in a row, after which a run is given up


class GivenUp(Exception):
    """Nothing can be stored; going on would only waste what the site answers."""


class Batch(Generic[T]):
    """For one run. `store` is called in `pool`, inside a transaction; what it was given is
    stored all together, or, where that fails, each by itself."""

    def __init__(
        self,
        run: RunLog,
        pool: ThreadPoolExecutor,
        store: Callable[[sa.Connection, Sequence[T]], None],
    ) -> None:
        self._run = run
        self._pool = pool
        self._store = store
        self._waiting: list[T] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last: Future[None] | None = None
        self._faults = 0

    async def add(self, one: T) -> None:
        """It will be stored soon. Raises GivenUp where what came before could not be."""
        self._waiting.append(one)
        if len(self._waiting) >= MOST:
            await self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self.send)
        self._check()

    async def flush(self) -> None:
        """All that was added is stored. Raises GivenUp."""
        self.send()
        if self._last is not None:
            await asyncio.shield(asyncio.wrap_future(self._last))
        self._check()

    def send(self) -> None:
        """Hands on what waits, without waiting for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            ready, self._waiting = self._waiting, []
            self._last = self._pool.submit(self._stored, ready)

    def _stored(self, ready: Sequence[T]) -> None:
        if self._faults >= FAULTS:
            return
        try:
            with self._run.write() as connection:
                self._store(connection, ready)
        except Exception:  # a fault of ours at one page must not cost the others
            if len(ready) > 1:
                for one in ready:
                    self._stored([one])
                return
            log.exception("site.visit_failed", extra={"channel": self._run.channel})
            self._faults += 1
        else:
            self._faults = 0

    def _check(self) -> None:
        if self._faults >= FAULTS:
            raise GivenUp(f"{FAULTS} pages in a row could not be stored")
