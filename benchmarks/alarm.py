"""From stored to the mail server's yes, for what is grave, at 1,000 new posts a minute.

The real service, outbox and SMTP; posts are stored as intake does, evenly over each second: eight
grave ones a minute, forty complaints, the rest harmless. A storm of letters is throttled on
purpose, so the grave ones stay below `[mail] rate`. Peer: the goal of sixty seconds.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import sqlalchemy as sa

from benchmarks import Figure
from config.clock import SystemClock
from demo.board import duty
from demo.mailbox import Mailbox
from store.engine import Database
from store.tables import posts

TITLE = "时延：每分钟 1,000 条新帖，Ⅰ、Ⅱ级从入库到发信服务器收下（目标：95% 在 60 秒内）"

A_MINUTE = 1000
GRAVE, COMPLAINTS = 8, 40  #: of these
GOAL = 60.0
PATIENCE = 120.0  #: seconds for the last letter
SETTINGS = """
[agency]
name = "示例局"
contact = "http://127.0.0.1/"
[database]
url = "sqlite:///tinglan.db"
[[channels]]
id = "site"
name = "官网"
kind = "site"
disabled = true
columns = [{ url = "http://127.0.0.1:9/" }]
"""
RATE = 60  #: letters a minute
_HARMLESS = (
    "今天的天气预报很及时，出门带了伞，辛苦了。",
    "请问周末适合去公园吗？",
    "已收到，谢谢回复。",
    "收藏了，转给家里人看看。",
    "科普做得不错，孩子很爱看。",
    "办事大厅几点上班？",
)
_COMPLAINT = "第{n}号楼前的路灯坏了两周，打了三次电话都没人管，太不负责任了。"
_GRAVE = "第{n}号桥下积水有人被困，水还在涨，快来救人。"


def run(argv: Sequence[str]) -> Iterable[Figure]:
    minutes = float(argv[0]) if argv else 2.0
    delays, lost, stored = _delays(minutes)
    delays.sort()
    for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
        seconds = delays[min(len(delays) - 1, int(share * len(delays)))]
        yield Figure(
            stage="alarm",
            candidate=f"stored to accepted, {name} of {len(delays)}, {stored} posts, {lost} lost",
            rate=seconds,
            unit="s",
            ratio=seconds / GOAL,
            peer="60 s",
            goal="≤ 60 s, none lost" if name == "p95" else "",
            met=seconds <= GOAL and not lost if name == "p95" else None,
        )


def _delays(minutes: float) -> tuple[list[float], int, int]:
    """(seconds of each grave post, how many never came, posts stored)."""
    with Mailbox(clock=SystemClock()) as box, tempfile.TemporaryDirectory() as folder:
        Path(folder, "tinglan.toml").write_text(SETTINGS + duty(box.port, rate=RATE), "utf-8")
        service = subprocess.Popen(
            [sys.executable, "-m", "tinglan", "run"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            _until(Path(folder, "tinglan.db").exists)
            with closing(Database(f"sqlite:///{folder}/tinglan.db")) as database:
                _until(lambda: _ready(database))
                store = _Stream(database)
                store.put([_GRAVE.format(n=0)])
                if not box.wait(1, GOAL):
                    raise RuntimeError("no mail within a minute: is the service broken?")
                stored = store.pour(minutes)
                _until(lambda: len(_arrived(box)) > len(store.grave), PATIENCE)
            came = _arrived(box)
            found = [came[n] - at for n, at in store.grave.items() if n in came]
            return found, len(store.grave) - len(found), stored
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(20)


class _Stream:
    """Stores posts at a steady pace, and knows when each grave one was stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chance = Random(1)
        self.grave: dict[int, float] = {}  #: number → seconds since the epoch

    def pour(self, minutes: float) -> int:
        began, number, total = time.monotonic(), 0, int(A_MINUTE * minutes)
        while number < total:
            due = min(total, int((time.monotonic() - began) / 60 * A_MINUTE) + 1)
            self.put([self._text(n) for n in range(number + 1, due + 1)])
            number = due
            threading.Event().wait(0.2)
        return total

    def _text(self, number: int) -> str:
        place = number % A_MINUTE % (A_MINUTE // GRAVE)
        if place == 1:
            self.grave[number] = time.time()
            return _GRAVE.format(n=number)
        if number % (A_MINUTE // COMPLAINTS) == 2:
            return _COMPLAINT.format(n=number)
        return f"{self._chance.choice(_HARMLESS)}（{number}）"

    def put(self, texts: Sequence[str]) -> None:
        now = datetime.now(UTC)
        rows = [
            {
                "channel": "site", "key": uuid.uuid4().hex, "kind": "comment", "role": "public",
                "text": text, "published_at": now, "captured_at": now, "changed_at": now,
                "digest": uuid.uuid4().hex, "notes": {},
            }
            for text in texts
        ]  # fmt: skip
        if rows:
            with self._database.write() as connection:
                connection.execute(sa.insert(posts), rows)


def _arrived(box: Mailbox) -> dict[int, float]:
    """Number of a grave post → when its first letter came."""
    came: dict[int, float] = {}
    for mail in box.messages:
        found = re.search(r"第(\d+)号桥", mail.subject)
        if found:
            came.setdefault(int(found[1]), mail.at.timestamp())
    return came


def _ready(database: Database) -> bool:
    try:
        with database.read() as connection:
            return (
                connection.execute(sa.text("SELECT 1 FROM facts WHERE name = 'heartbeat'")).first()
                is not None
            )
    except sa.exc.OperationalError:
        return False


def _until(true: Callable[[], bool], within: float = 60.0) -> None:
    """Waits for a question to be answered yes, or for the time to run out."""
    until = time.monotonic() + within
    while not true() and time.monotonic() < until:
        threading.Event().wait(0.2)
