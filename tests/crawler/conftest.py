"""A site that tests furnish page by page, and crawls in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from demo.serving import serve
from store.engine import Database
from store.tables import fetches, pages, posts, runs, versions

CHILD = Path(__file__).with_name("child_crawl.py")
ROOT = CHILD.parents[2]


@dataclass
class Shelf:
    """Pages by path; a page is a body, or a function of the request that answers a Response."""

    pages: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    url: str = ""
    robots: str = "User-agent: *\nAllow: /\n"
    _more: threading.Condition = field(default_factory=threading.Condition)

    @property
    def app(self):
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    @property
    def paths(self):
        return [one.path for one in self.asked if one.path != "/robots.txt"]

    def forget(self):
        self.asked.clear()

    def wait_for(self, count, seconds=120):
        """Until so many requests have come in."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.asked) >= count, seconds)

    async def _answer(self, request):
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        with self._more:
            self.asked.append(
                SimpleNamespace(
                    path=path,
                    at=time.monotonic(),
                    headers=dict(request.headers),
                    method=request.method,
                )
            )
            self._more.notify_all()
        page = self.robots if path == "/robots.txt" else self.pages.get(path)
        if callable(page):
            return page(request)
        if page is None:
            return Response("<h1>404</h1>", 404, media_type="text/html")
        body = page.encode() if isinstance(page, str) else page
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(body, headers={"ETag": tag}, media_type="text/html; charset=utf-8")

    def article(
        self,
        path,
        title="关于开展检查的通知",
        text="各有关单位：请于本周五前完成自查。",
        at="2026-07-01 09:30",
    ):
        self.pages[path] = (
            f'<html><head><meta name="ArticleTitle" content="{title}"><meta name="PubDate" content="{at}">'
            f"<title>{title}</title></head><body><h1>{title}</h1><div>发布时间：{at}　来源：办公室</div>"
            f'<div class="TRS_Editor"><p>{text}</p></div></body></html>'
        )

    def letter(
        self, path, title="路灯不亮", text="小区门口路灯坏了一周没人修。", reply="", state=""
    ):
        answer = f"<tr><th>答复内容</th><td>{reply}</td></tr><tr><th>答复时间</th><td>2026-07-03 10:00</td></tr>"
        self.pages[path] = (
            f"<html><head><title>{title}-局长信箱</title></head><body><h1>局长信箱</h1><table>"
            f"<tr><th>信件标题</th><td>{title}</td></tr><tr><th>写信人</th><td>王**</td></tr>"
            f"<tr><th>来信时间</th><td>2026-07-01 09:30:00</td></tr>"
            f"<tr><th>办理状态</th><td>{state or ('已办结' if reply else '办理中')}</td></tr>"
            f"<tr><th>来信内容</th><td>{text}</td></tr>{answer if reply else ''}</table></body></html>"
        )

    def list(self, path, links, following=""):
        rows = "".join(
            f'<li><a href="{href}">{title}</a><span>{day}</span></li>' for href, title, day in links
        )
        more = f'<a href="{following}">下一页</a>' if following else ""
        self.pages[path] = (
            f"<html><head><title>通知公告</title></head><body><div>首页　政务公开　互动交流</div>"
            f"<ul class='list'>{rows}</ul>"
            f"<div class='page'>{more}</div></body></html>"
        )

    def column(self, count, *, folder="/tzgg", size=None):
        """A column of `count` articles, the newest first, `size` to a page."""
        size = size or count
        links = []
        for number in range(count, 0, -1):
            path, title = f"{folder}/t{number:04}.html", f"关于第{number}号工作安排的通知"
            self.article(path, title, f"第{number}号通知的正文，请各单位遵照执行。")
            links.append((path, title, f"2026-06-{number % 28 + 1:02}"))
        chunks = [links[i : i + size] for i in range(0, len(links), size)] or [[]]
        for number, chunk in enumerate(chunks):
            home = f"{folder}/index.html" if not number else f"{folder}/index_{number}.html"
            following = f"{folder}/index_{number + 1}.html" if number + 1 < len(chunks) else ""
            self.list(home, chunk, following)


@pytest.fixture
def shelf():
    made = Shelf()
    with serve(made.app) as url:
        made.url = url
        yield made


@pytest.fixture
def site(shelf):
    """The settings of a channel on the shelf."""

    def site(**more):
        return {
            "id": "site",
            "name": "官方网站",
            "kind": "site",
            "delay": 0,
            "timeout": 5,
            "columns": [{"url": f"{shelf.url}/tzgg/index.html", "name": "通知公告"}],
            **more,
        }

    return site


@pytest.fixture
def spawn(sqlite_database):
    """Starts a crawl; a crawl that is still running at the end of the test is killed."""
    children = []

    def spawn(*channels, ahead=0, only=(), database: Database = sqlite_database, environ=None):
        child = subprocess.Popen(
            [sys.executable, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        )
        url = database.url.render_as_string(hide_password=False)
        child.stdin.write(
            json.dumps({"channels": channels, "database": url, "ahead": ahead, "only": list(only)})
        )
        child.stdin.close()
        child.stdin = None
        children.append(child)
        return child

    yield spawn
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture(scope="session")
def nursery():
    """A process that has imported what a crawl needs, and forks one for each line."""
    child = subprocess.Popen(
        [sys.executable, str(CHILD), "--many"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    yield child
    child.stdin.close()
    child.wait(10)
    child.stdout.close()


@pytest.fixture
def crawl(nursery, sqlite_database, tmp_path):
    """Crawls to the end; answers the results by channel, and what it cost."""

    def crawl(*channels, ahead=0, only=(), environ=None, database=sqlite_database):
        out = tmp_path / "crawl.json"
        asked = {
            "channels": channels,
            "database": database.url.render_as_string(hide_password=False),
            "ahead": ahead,
            "only": list(only),
            "environ": environ,
            "out": str(out),
        }
        nursery.stdin.write(json.dumps(asked) + "\n")
        nursery.stdin.flush()
        status = nursery.stdout.readline().strip()
        err = Path(f"{out}.err").read_text(encoding="utf-8")
        assert status == "0", err
        told = json.loads(out.read_text(encoding="utf-8"))
        results = {r["channel"]: SimpleNamespace(**r) for r in told["results"]}
        only_one = next(iter(results.values())) if len(results) == 1 else None
        return SimpleNamespace(results=results, one=only_one, memory_mb=told["memory_mb"], err=err)

    return crawl


@pytest.fixture
def stored(sqlite_database):
    """What the database holds, as lists of rows."""

    def rows(table, **wanted):
        asked = sa.select(table).where(*(table.c[k] == v for k, v in wanted.items()))
        order = table.c.id if "id" in table.c else table.c.url
        with sqlite_database.read() as connection:
            return [
                SimpleNamespace(**r) for r in connection.execute(asked.order_by(order)).mappings()
            ]

    return SimpleNamespace(
        posts=lambda **w: rows(posts, **w),
        versions=lambda **w: rows(versions, **w),
        fetches=lambda **w: rows(fetches, **w),
        runs=lambda **w: rows(runs, **w),
        pages=lambda **w: rows(pages, **w),
        outcome=lambda url: rows(fetches, url=url)[-1].outcome,
    )
