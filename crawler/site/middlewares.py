"""The last look at a request before it goes out: only hosts the channel is configured for.

The fetcher checks every hop already; this holds whatever else may ever send a request.
"""

from __future__ import annotations

from typing import Any

from scrapy.exceptions import IgnoreRequest


class HostGuard:
    def __init__(self, crawler: Any) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Any) -> HostGuard:
        return cls(crawler)

    def process_request(self, request: Any) -> None:
        """Raises IgnoreRequest."""
        why = self._crawler.spider.hosts.refuse(request.url)
        if why:
            raise IgnoreRequest(why)
