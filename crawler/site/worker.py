"""Runs the site channels of one call together in one Scrapy process, on one reactor."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings

from crawler.catalogue import Reading, Tools
from crawler.runs import STOPPED, RunLog
from crawler.site.ground import Threads
from crawler.site.hardened import hardened
from crawler.site.options import Options
from crawler.site.pace import Pace
from crawler.site.spider import SiteSpider
from crawler.site.walk import Walk
from store.records import RunState


class NeverStarted(Exception):
    """Scrapy ended before the walk began; its log says why."""


def read_sites(
    sites: Sequence[tuple[str, Options, Tools, RunLog]],
) -> list[Reading | BaseException]:
    """One answer a site, in order. A process can do this once: a reactor does not restart."""
    threads = Threads(
        parse=ThreadPoolExecutor(2, thread_name_prefix="parse"),
        write=ThreadPoolExecutor(1, thread_name_prefix="write"),
    )
    walks = [
        Walk(channel=channel, options=options, tools=tools, run=run, threads=threads)
        for channel, options, tools, run in sites
    ]
    private = sorted({host for walk in walks for host in walk.hosts.private})
    agent = sites[0][2].user_agent
    _hush("scrapy.utils.log", "scrapy.crawler")
    process = AsyncCrawlerProcess(
        Settings(hardened(user_agent=agent, delay=1.0, private_hosts=private))
    )
    _hush("scrapy", "twisted", "asyncio", "protego")  # after Scrapy has set its own levels
    pace = Pace()
    for walk in walks:
        delay = walk.options.delay.total_seconds()
        # At a priority above the process's own: at the same one Scrapy lets the process win.
        settings = Settings(
            hardened(user_agent=agent, delay=delay, private_hosts=private), priority="spider"
        )
        process.crawl(Crawler(SiteSpider, settings), walk=walk, pace=pace)
    try:
        with _seldom_swept():
            process.start(
                install_signal_handlers=threading.current_thread() is threading.main_thread()
            )
    finally:
        threads.parse.shutdown(wait=False, cancel_futures=True)
        threads.write.shutdown(wait=True)
    return [_answer(walk) for walk in walks]


@contextmanager
def _seldom_swept() -> Iterator[None]:
    """What was imported lives as long as we do, and a page leaves hardly a cycle behind: looking
    for garbage at Python's usual pace took a tenth of a crawl."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _hush(*names: str) -> None:
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)


def _answer(walk: Walk) -> Reading | BaseException:
    if walk.error is not None:
        return walk.error
    if walk.reading is not None:
        return walk.reading
    if walk.begun:
        return Reading(state=RunState.KILLED, why=STOPPED)
    return NeverStarted("Scrapy ended before the walk began")
