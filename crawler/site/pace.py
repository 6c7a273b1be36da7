"""How often a host is asked: one at a time, with a rest in between; and what Retry-After says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic


class Pace:
    """One for the whole process, so that two channels on one host share its patience."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._last: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, host: str, delay: float) -> AsyncIterator[None]:
        """Waits until `host` may be asked again, and holds that turn while it is asked.

        The rest is counted from the answer: however long a request takes to leave or to be
        answered, the host never sees two closer than this.
        """
        async with self._locks.setdefault(host, asyncio.Lock()):
            wait = self._last.get(host, -1e9) + delay - monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            try:
                yield
            finally:
                self._last[host] = monotonic()


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None where it says neither."""
    text = value.strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
