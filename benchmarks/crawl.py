"""What one page costs our site spider, beside a stock Scrapy spider on the same local site.

Ours also reads robots.txt and every field of the page, masks, versions and stores the post,
and books the fetch; the stock spider yields title, date and text by three selectors. Each run
is a process of its own; what starting it costs falls out, because the figure is the slope
between a small and a big site.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import Figure

TITLE = "网站采集：每页处理器时间，对照原装 Scrapy"
GOAL = 2.0
_FEW = 20


def run(argv: list[str]) -> Iterator[Figure]:
    """Figures for both spiders, medians of interleaved rounds."""
    options = argparse.ArgumentParser("crawl")
    options.add_argument("--pages", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args(argv)
    slopes: dict[str, list[float]] = {"stock": [], "ours": []}
    walls: dict[str, list[float]] = {"stock": [], "ours": []}
    peaks: dict[str, float] = {}
    titles: dict[str, list[str]] = {}
    with _site() as url:
        for _ in range(asked.rounds):
            for name, slope in slopes.items():
                small = _spider(name, url, _FEW)
                big = _spider(name, url, asked.pages)
                slope.append((big["cpu"] - small["cpu"]) / (asked.pages - _FEW))
                walls[name].append((big["wall"] - small["wall"]) / (asked.pages - _FEW))
                peaks[name] = max(peaks.get(name, 0.0), big["mb"])
                titles[name] = big["titles"]
    middle = {name: statistics.median(values) for name, values in slopes.items()}
    same = set(titles["ours"]) & set(titles["stock"])
    for name in ("stock", "ours"):
        ratio = middle[name] / middle["stock"]
        yield Figure(
            stage="crawl",
            candidate="Scrapy as shipped" if name == "stock" else "tinglan",
            rate=middle[name] * 1000,
            unit="ms CPU a page",
            ratio=round(ratio, 3) if name == "ours" else None,
            peer="Scrapy as shipped" if name == "ours" else "",
            agreement=len(same) / len(titles["stock"]) if name == "ours" else None,
            cpu_s=round(middle[name] * asked.pages, 3),
            peak_mb=peaks[name],
            goal=f"≤ {GOAL:g} ×" if name == "ours" else "",
            met=ratio <= GOAL if name == "ours" else None,
        )
    for name in ("stock", "ours"):
        yield Figure(
            stage="crawl",
            candidate=f"{'Scrapy as shipped' if name == 'stock' else 'tinglan'}, elapsed",
            rate=statistics.median(walls[name]) * 1000,
            unit="ms a page",
        )


def _spider(name: str, url: str, pages: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crawl", name, url, str(pages)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@contextmanager
def _site() -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crawl", "site", "-", "0"],
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


def _ours(url: str, pages: int) -> list[str]:
    import sqlalchemy as sa

    from config.clock import SystemClock
    from config.loading import check
    from config.plugins import Catalogue
    from crawler.channels.site import Options
    from crawler.command import crawl
    from store.engine import Database
    from store.schema import upgrade
    from store.tables import posts

    settings = check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": [
                {
                    "id": "site",
                    "name": "网站",
                    "kind": "site",
                    "delay": 0,
                    "max_fetches": pages,
                    "columns": [{"url": f"{url}/list/{pages}", "name": "通知公告"}],
                }
            ],
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
            "roster": {"fallback": ["l@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "bench",
        Catalogue(channels={"site": Options}),
    )
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder)}/bench.db")
        upgrade(database)
        (result,) = crawl(
            settings, database, SystemClock(), environ={"TINGLAN_AUTHOR_KEY": "b" * 32}
        )
        assert result.new == pages, result
        with database.read() as connection:
            titles = [str(row.title) for row in connection.execute(sa.select(posts.c.title))]
        database.close()
    return titles


def _main(name: str, url: str, pages: int) -> None:
    if name == "site":
        _serve()
        return
    import resource

    started = time.monotonic()
    titles = _stock(url, pages) if name == "stock" else _ours(url, pages)
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
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
