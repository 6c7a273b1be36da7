"""What crawling costs us, beside a stock Scrapy spider on the same local site.

Ours is the command as the service runs it, `tinglan crawl`, on a database that is in place: it
also reads its settings and robots.txt and every field of the page, looks for tampering, masks,
versions and stores the post, and books the fetch. The stock spider is a script that yields
title, date and text by three selectors and stores nothing; it logs warnings only, which is
less than Scrapy does unasked. Neither waits between two pages. It asks for eight pages at a
time, ours for one, as manners want.

Two figures, both of processor time: a page once a crawl is under way (the slope between a
small and a big site), and the whole run, start and all, divided by its pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import Figure

TITLE = "网站采集：每页处理器时间，对照原装 Scrapy"
GOAL = 2.0
_FEW = 20
_NAMES = {"stock": "Scrapy as shipped", "ours": "tinglan"}
_SETTINGS = """
[agency]
name = "示例市气象局"
contact = "http://example.gov.cn/contact"

[database]
url = "sqlite:///bench.db"

[mail]
host = "127.0.0.1"
security = "none"
from = "t@example.gov.cn"

[roster]
fallback = ["l@example.gov.cn"]

[[offices]]
id = "duty"
name = "值班室"
addresses = ["d@example.gov.cn"]

[[channels]]
id = "site"
name = "网站"
kind = "site"
delay = 0
max_fetches = {pages}
columns = [{{ url = "{url}/list/{pages}", name = "通知公告" }}]
"""


@dataclass(frozen=True, slots=True)
class _Spent:
    """What one run took, in seconds, and what it brought."""

    cpu: float
    wall: float
    mb: float
    titles: frozenset[str]


def run(argv: list[str]) -> Iterator[Figure]:
    """Figures for both spiders, medians of interleaved rounds."""
    options = argparse.ArgumentParser("crawl")
    options.add_argument("--pages", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args(argv)
    small: dict[str, list[_Spent]] = {"stock": [], "ours": []}
    big: dict[str, list[_Spent]] = {"stock": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder, _site() as url:
        empty = Path(folder, "empty.db")
        _prepare(empty)
        for _ in range(asked.rounds):
            for name in _NAMES:
                small[name].append(_spider(name, url, _FEW, empty))
                big[name].append(_spider(name, url, asked.pages, empty))
    pages: int = asked.pages

    def slope(name: str, what: Callable[[_Spent], float]) -> float:
        pairs = zip(small[name], big[name], strict=True)
        steps = [what(b) - what(s) for s, b in pairs]
        return statistics.median(steps) / (pages - _FEW) * 1000

    def whole(name: str, what: Callable[[_Spent], float]) -> float:
        return statistics.median([what(one) for one in big[name]]) / pages * 1000

    def cpu(one: _Spent) -> float:
        return one.cpu

    wanted = big["stock"][0].titles
    met = min(len(wanted & one.titles) for one in big["ours"]) / len(wanted)
    for of, unit in ((slope, "ms CPU a page"), (whole, f"ms CPU a page, start and all {pages}")):
        for name, candidate in _NAMES.items():
            ratio = of(name, cpu) / of("stock", cpu)
            ours = name == "ours"
            yield Figure(
                stage="crawl",
                candidate=candidate,
                rate=of(name, cpu),
                unit=unit,
                ratio=round(ratio, 3) if ours else None,
                peer=_NAMES["stock"] if ours else "",
                agreement=met if ours else None,
                cpu_s=round(of(name, cpu) * pages / 1000, 3),
                peak_mb=max(one.mb for one in big[name]),
                goal=f"≤ {GOAL:g} ×" if ours else "",
                met=ratio <= GOAL if ours else None,
            )
    for name, candidate in _NAMES.items():
        yield Figure(
            stage="crawl",
            candidate=f"{candidate}, elapsed",
            rate=slope(name, lambda one: one.wall),
            unit="ms a page",
        )


# What only one of the two needs is not imported above: the other would pay for it.


def _prepare(database: Path) -> None:
    from store.engine import Database
    from store.schema import upgrade

    made = Database(f"sqlite:///{database}")
    upgrade(made)
    made.close()


def _spider(name: str, url: str, pages: int, empty: Path) -> _Spent:
    """One run, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(shutil.copy(empty, Path(folder, "bench.db")))
        settings = Path(folder, "tinglan.toml")
        settings.write_text(_SETTINGS.format(url=url, pages=pages), encoding="utf-8")
        plain = {k: v for k, v in os.environ.items() if not k.startswith("TINGLAN_")}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.crawl", name, url, str(pages), str(settings)],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
            env=plain | {"TINGLAN_AUTHOR_KEY": "b" * 32},
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        titles = answer["titles"] if name == "stock" else _stored(database)
        return _Spent(answer["cpu"], answer["wall"], answer["mb"], frozenset(titles))


def _stored(file: Path) -> list[str]:
    import sqlalchemy as sa

    from store.engine import Database
    from store.tables import posts

    database = Database(f"sqlite:///{file}")
    with database.read() as connection:
        titles = [str(row.title) for row in connection.execute(sa.select(posts.c.title))]
    database.close()
    return titles


@contextmanager
def _site() -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crawl", "site", "-", "0", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.communicate(timeout=20)  # it ends with its stdin


# --- the three processes ---------------------------------------------------------------------


def _serve() -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from demo.serving import serve

    async def answer(request: Request) -> Response:
        path = request.url.path
        if path == "/robots.txt":
            return Response("User-agent: *\nAllow: /\n", media_type="text/plain")
        if path.startswith("/list/"):
            return Response(_list(int(path.rsplit("/", 1)[1])), media_type="text/html")
        return Response(_article(int(path[2:].removesuffix(".html"))), media_type="text/html")

    with serve(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        print(url, flush=True)
        sys.stdin.read()


def _list(count: int) -> str:
    rows = "".join(
        f'<li><a href="/t{n}.html">{_title(n)}</a><span>2026-06-{n % 28 + 1:02}</span></li>'
        for n in range(count)
    )
    return f"<html><head><title>通知公告</title></head><body><ul>{rows}</ul></body></html>"


def _title(number: int) -> str:
    return f"关于做好第{number}轮强降雨防范应对工作的通知"


def _article(number: int) -> str:
    """About 8 kB, as an agency's page is: navigation, an article, a foot."""
    menu = "".join(f'<li><a href="/lm{n}/">栏目{n}</a></li>' for n in range(60))
    text = "".join(
        f"<p>{n}、各单位要加强值班值守，密切关注第{number}轮降雨过程，及时发布预警信息，"
        "做好山洪、地质灾害和城乡内涝的防范应对，确保人员安全转移，遇有重要情况立即报告。</p>"
        for n in range(1, 13)
    )
    title, day = _title(number), f"2026-06-{number % 28 + 1:02} 09:30"
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}-示例市气象局</title>'
        f'<meta name="SiteName" content="示例市气象局"><meta name="ColumnName" content="通知公告">'
        f'<meta name="ArticleTitle" content="{title}"><meta name="PubDate" content="{day}">'
        f'<meta name="ContentSource" content="办公室"></head><body><div class="nav"><ul>{menu}</ul>'
        f'</div><h1>{title}</h1><div class="info">发布时间：{day}　来源：办公室</div>'
        f'<div class="TRS_Editor">{text}</div><div class="foot">主办：示例市气象局</div>'
        "</body></html>"
    )


def _stock(url: str, pages: int) -> list[str]:
    import logging

    import scrapy
    from scrapy.crawler import CrawlerProcess

    titles: list[str] = []

    class Stock(scrapy.Spider):
        name = "stock"
        start_urls = [f"{url}/list/{pages}"]  # noqa: RUF012

        def parse(self, response: Any) -> Any:
            yield from response.follow_all(css="li a", callback=self.article)

        def article(self, response: Any) -> Any:
            title = response.css("h1::text").get()
            titles.append(title)
            yield {
                "title": title,
                "date": response.css("meta[name=PubDate]::attr(content)").get(),
                "text": "\n".join(response.css(".TRS_Editor p::text").getall()),
            }

    process = CrawlerProcess({"LOG_LEVEL": "WARNING", "TELNETCONSOLE_ENABLED": False})
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    process.crawl(Stock)
    process.start()
    return titles


def _ours(settings: str) -> list[str]:
    from tinglan import main

    if main(["crawl", "--config", settings, "--json"]) != 0:
        raise SystemExit("the crawl failed")
    return []


def _main(name: str, url: str, pages: int, settings: str) -> None:
    if name == "site":
        _serve()
        return
    import resource

    started = time.monotonic()
    titles = _stock(url, pages) if name == "stock" else _ours(settings)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "cpu": usage.ru_utime + usage.ru_stime,
                "wall": time.monotonic() - started,
                "mb": usage.ru_maxrss / 1024,
                "titles": titles,
            }
        )
    )


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
