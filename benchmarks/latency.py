"""From publishing on a site to the mail server's yes, on the real service.

A board grows by one flagged letter at a time; the channel is read every second, so half the
figure is waiting for the next reading. Peer: that interval itself (the least a poll can do).
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from benchmarks import Figure
from demo.mailbox import Mailbox
from demo.serving import serve

TITLE = "时延：网站发布到发信服务器收下（对照：采集间隔）"

LETTERS = 25
EVERY = 1.0  #: seconds between two readings
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
delay = "0s"
columns = [{{ url = "{site}/letters/index.html", kind = "letters", style = "plain" }}]
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


def run(argv: Sequence[str]) -> Iterable[Figure]:
    delays = sorted(_delays(int(argv[0]) if argv else LETTERS))
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        seconds = delays[min(len(delays) - 1, int(share * len(delays)))]
        yield Figure(
            stage="latency",
            candidate=f"publish to accepted, {name} of {len(delays)}",
            rate=seconds,
            unit="s",
            ratio=seconds / EVERY,
            peer="the interval",
            goal="≤ 60 s" if name == "p95" else "",
            met=seconds <= 60 if name == "p95" else None,
        )


def _delays(letters: int) -> list[float]:
    titles: list[str] = []
    chance = random.Random(1)
    with Mailbox() as box, serve(_board(titles)) as site, tempfile.TemporaryDirectory() as folder:
        Path(folder, "tinglan.toml").write_text(
            SETTINGS.format(site=site, smtp=box.port), encoding="utf-8"
        )
        service = subprocess.Popen(
            [sys.executable, "-m", "tinglan", "run"],
            cwd=folder,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            titles.append("第0号桥下积水有人被困")
            if not box.wait(1, 60):
                raise RuntimeError("no mail within a minute: is the service broken?")
            found = []
            for number in range(1, letters + 1):
                threading.Event().wait(chance.uniform(0, EVERY))
                began = time.monotonic()
                titles.append(f"第{number}号桥下积水有人被困")
                if not box.wait(number + 1, 60):
                    raise RuntimeError(f"letter {number} was not mailed within a minute")
                found.append(time.monotonic() - began)
            return found
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(20)


def _board(titles: list[str]) -> Starlette:
    async def listed(_request: Request) -> Response:
        numbers = itertools.islice(range(len(titles) - 1, -1, -1), 10)
        rows = "".join(f'<li><a href="/letters/{n}.html">{titles[n]}</a></li>' for n in numbers)
        return HTMLResponse(f"<html><title>局长信箱</title><ul>{rows}</ul></html>")

    async def letter(request: Request) -> Response:
        title = titles[request.path_params["number"]]
        return HTMLResponse(
            f"<html><title>{title}</title><h1>{title}</h1><table>"
            f"<tr><th>来信内容</th><td>{title}，水还在涨，快来救人。</td></tr></table></html>"
        )

    return Starlette(
        routes=[
            Route("/letters/index.html", listed),
            Route("/letters/{number:int}.html", letter),
        ]
    )
