"""What robots.txt allows, by RFC 9309: unreadable means no, absent means yes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from protego import Protego

from crawler import limits

AGENT = "tinglan"
_STARS = 8  # wildcards of one rule that are kept


@dataclass(frozen=True)
class Rules:
    """One reading of robots.txt."""

    text: str  #: empty: everything is allowed
    at: datetime

    def age(self, now: datetime) -> float:
        """Seconds; a clock that was set back makes a copy old, not eternally fresh."""
        seconds = (now - self.at).total_seconds()
        return seconds if seconds >= 0 else limits.ROBOTS_STALE

    @cached_property
    def _parsed(self) -> Any:
        return Protego.parse(_tamed(self.text))

    def allows(self, url: str) -> bool:
        return bool(self._parsed.can_fetch(url, AGENT))

    @property
    def delay(self) -> float:
        """Crawl-delay in seconds, 0 where there is none."""
        asked = self._parsed.crawl_delay(AGENT)
        return min(max(float(asked or 0), 0.0), limits.CRAWL_DELAY)


def read(body: bytes, now: datetime) -> Rules:
    """From the body of a 200."""
    return Rules(body[: limits.ROBOTS].decode("utf-8-sig", "replace").replace("\x00", ""), now)


def _tamed(text: str) -> str:
    """Without rules whose many wildcards would take for ever to match: a rule is cut at its
    eighth, so it covers more, not less."""
    lines = []
    for line in text.splitlines():
        parts = line.split("*", _STARS + 1)
        lines.append(line if len(parts) <= _STARS + 1 else "*".join(parts[:-1]) + "*")
    return "\n".join(lines)
