"""The Scrapy spider: its start is the whole walk, through Scrapy's engine and downloader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import scrapy

from crawler.site.fetcher import Fetcher
from crawler.site.hosts import Hosts
from crawler.site.pace import Pace
from crawler.site.walk import Walk


class SiteSpider(scrapy.Spider):
    """A walk asks for pages one by one and awaits each, instead of handing requests to a
    scheduler and meeting them again in callbacks: the order is the policy (lists before pages,
    one request a host), and a fetch that is awaited cannot get lost."""

    name = "site"

    def __init__(self, walk: Walk, pace: Pace, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.walk = walk
        self.pace = pace

    @property
    def hosts(self) -> Hosts:
        return self.walk.hosts

    async def start(self) -> AsyncIterator[Any]:
        await self.walk.go(
            partial(Fetcher, download=self.crawler.engine.download_async, pace=self.pace)
        )
        nothing: tuple[Any, ...] = ()
        for request in nothing:
            yield request
