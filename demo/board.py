"""The smallest agency there can be: one message board that grows, and settings that read it.

For tests and benchmarks whose subject is the whole service.
"""

from __future__ import annotations

import threading

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PAGE = 10
_SETTINGS = """
[agency]
name = "示例局"
contact = "{site}/"
[database]
url = "sqlite:///tinglan.db"
[[channels]]
id = "board"
name = "局长信箱"
kind = "site"
every = "1s"
deadline = "60s"
delay = "0s"
{channel}
[[channels.columns]]
url = "{site}/letters/index.html"
name = "局长信箱"
kind = "letters"
style = "plain"
{column}
[service]
tick = "1s"
"""
_DUTY = """
[[offices]]
id = "duty"
name = "值班室"
addresses = ["duty@example.gov.cn"]
[roster]
fallback = ["leader@example.gov.cn"]
[mail]
host = "127.0.0.1"
port = {smtp}
security = "none"
from = "tinglan@example.gov.cn"
rate = {rate}
[console]
listen = "127.0.0.1:0"
"""


def settings(site: str, smtp: int, *, channel: str = "", column: str = "") -> str:
    """TOML for a service that reads the board at `site` every second and mails to port `smtp`;
    `channel` and `column` are further keys of those two tables."""
    return _SETTINGS.format(site=site, channel=channel, column=column) + duty(smtp)


def duty(smtp: int, *, rate: int = 600) -> str:
    """TOML for one office, its leader, `rate` letters a minute to port `smtp`, and the desk."""
    return _DUTY.format(smtp=smtp, rate=rate)


class Board:
    """A message board that grows: letter n is at /letters/n.html, the newest tops the list."""

    def __init__(self) -> None:
        self._letters: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self.app = Starlette(
            routes=[
                Route("/robots.txt", self._robots),
                Route("/letters/index.html", self._list),
                Route("/letters/{number:int}.html", self._letter),
            ]
        )

    def publish(self, title: str, text: str) -> int:
        with self._lock:
            self._letters.append((title, text))
            return len(self._letters)

    async def _robots(self, _request: Request) -> Response:
        return Response("User-agent: *\nDisallow:\n", media_type="text/plain")

    async def _list(self, request: Request) -> Response:
        page = int(request.query_params.get("page", 1))
        with self._lock:
            numbers = list(range(len(self._letters), 0, -1))
            titles = [title for title, _ in self._letters]
        shown = numbers[(page - 1) * PAGE : page * PAGE]
        rows = "".join(
            f'<li><a href="/letters/{n}.html">{titles[n - 1]}</a><span>2026-07-15</span></li>'
            for n in shown
        )
        more = (
            f'<a href="/letters/index.html?page={page + 1}">下一页</a>'
            if page * PAGE < len(numbers)
            else ""
        )
        return HTMLResponse(
            f"<html><head><title>局长信箱</title></head><body><h1>局长信箱</h1>"
            f'<ul class="list">{rows}</ul>{more}</body></html>'
        )

    async def _letter(self, request: Request) -> Response:
        number = request.path_params["number"]
        with self._lock:
            if not 0 < number <= len(self._letters):
                return HTMLResponse("<h1>404</h1>", status_code=404)
            title, text = self._letters[number - 1]
        return HTMLResponse(
            f"<html><head><title>{title}</title></head><body><h1>{title}</h1><table>"
            "<tr><th>来信时间</th><td>2026-07-15 09:00</td></tr>"
            "<tr><th>办理状态</th><td>办理中</td></tr>"
            f"<tr><th>来信内容</th><td>{text}</td></tr></table></body></html>"
        )
