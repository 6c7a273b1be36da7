"""The whole product on real parts: a site, a mail server, and `tinglan run` as its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from demo.mailbox import Mailbox
from demo.serving import serve

ROOT = Path(__file__).parents[1]
PAGE = 10


class Board:
    """A message board that grows: letter n is at /letters/n.html, the list shows the newest first."""

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
            f"<tr><th>来信时间</th><td>2026-07-15 09:00</td></tr><tr><th>办理状态</th><td>办理中</td></tr>"
            f"<tr><th>来信内容</th><td>{text}</td></tr></table></body></html>"
        )


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


SETTINGS = """
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
columns = [{{ url = "{site}/letters/index.html", name = "局长信箱", kind = "letters", style = "plain", pages = 50, depth = 100 }}]
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
rate = 600
[service]
tick = "1s"
"""


class Running:
    """`tinglan run` in a folder, as an operator would start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = open(folder / "service.log", "ab")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tinglan", "run"],
            cwd=folder,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        self._log.close()

    def stop(self, within: float = 10) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(within)
        self._log.close()
        return status


@pytest.fixture
def place(tmp_path: Path, board: Board, mailbox: Mailbox) -> Iterator[Path]:
    """A folder with settings for the board and the mailbox."""
    with serve(board.app) as site:
        (tmp_path / "tinglan.toml").write_text(
            SETTINGS.format(site=site, smtp=mailbox.port), encoding="utf-8"
        )
        yield tmp_path


@pytest.fixture
def start(place: Path) -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def begin() -> Running:
        started.append(Running(place))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def command(place: Path) -> Callable[..., Any]:
    """Runs `tinglan … --json` in the folder; answers what it printed."""

    def run(*arguments: str, status: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tinglan", *arguments, "--json"],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run
