"""What a site's hosts told us that outlives a run: their robots.txt, and how long to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crawler.runs import RunLog
from crawler.site import frontier, robots
from crawler.site.fetcher import Fetcher, Rest
from store.engine import Database

_ROBOTS, _RESTS = "robots", "rests"


class Memory:
    """Of one channel; read before its run and written at the end of it."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._before: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    def recall(
        self, database: Database, now: datetime
    ) -> tuple[dict[str, robots.Rules], dict[str, Rest]]:
        with database.read() as connection:
            kept = frontier.position(connection, self._channel, _ROBOTS)
            rests = frontier.position(connection, self._channel, _RESTS)
        self._before = (kept, rests)
        return (
            {
                o: robots.Rules(one["text"], datetime.fromisoformat(one["at"]))
                for o, one in kept.items()
            },
            {
                host: Rest(until, one["why"])
                for host, one in rests.items()
                if now < (until := datetime.fromisoformat(one["until"])) <= now + timedelta(days=1)
            },
        )

    def keep(self, fetcher: Fetcher, run: RunLog, now: datetime) -> None:
        """Also at the very end of a cancelled run, so it writes by itself."""
        kept = {
            origin: {"text": rules.text, "at": rules.at.isoformat()}
            for origin, rules in fetcher.robots_kept.items()
        }
        rests = {
            host: {"until": rest.until.isoformat(), "why": rest.why}
            for host, rest in fetcher.resting.items()
            if rest.until > now
        }
        if (kept, rests) == self._before:
            return
        with run.write() as connection:
            for name, value in ((_ROBOTS, kept), (_RESTS, rests)):
                frontier.leave(connection, self._channel, name, value, now)
