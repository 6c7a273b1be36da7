"""Time, injected: the real clock, and one that tests turn by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Wall time for what is stored and promised; monotonic time for intervals."""

    def now(self) -> datetime: ...  #: aware, UTC

    def monotonic(self) -> float: ...  #: seconds


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """Stands still until told: `advance` moves both hands, `step` only the wall's."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock must say its zone")
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, by: timedelta | float) -> None:
        """Lets time pass; `by` in seconds where it is a number."""
        delta = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._now += delta
        self._monotonic += delta.total_seconds()

    def step(self, by: timedelta) -> None:
        """What NTP or an operator does: the wall clock jumps, the monotonic one does not."""
        self._now += by


def shown(moment: datetime, *, seconds: bool = False) -> str:
    """As duty staff read it: 2026-07-12 16:20, Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).strftime(
        "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    )
