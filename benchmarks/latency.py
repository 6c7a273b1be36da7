"""From publishing on a site to the mail server's yes, on the real service.

A board grows by one flagged letter at a time; the channel is read every second, so half the
figure is waiting for the next reading. Peer: that interval itself (the least a poll can do).
"""

from __future__ import annotations

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

from benchmarks import Figure
from demo.board import Board, settings
from demo.mailbox import Mailbox
from demo.serving import serve

TITLE = "时延：网站发布到发信服务器收下（对照：采集间隔）"

LETTERS = 25
EVERY = 1.0  #: seconds between two readings
_TEXT = "桥下积水有人被困，水还在涨，快来救人。"


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
    board, chance = Board(), random.Random(1)
    with Mailbox() as box, serve(board.app) as site, tempfile.TemporaryDirectory() as folder:
        Path(folder, "tinglan.toml").write_text(settings(site, box.port), encoding="utf-8")
        service = subprocess.Popen(
            [sys.executable, "-m", "tinglan", "run"],
            cwd=folder,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            board.publish("第0号桥下积水有人被困", _TEXT)
            if not box.wait(1, 60):
                raise RuntimeError("no mail within a minute: is the service broken?")
            found = []
            for number in range(1, letters + 1):
                threading.Event().wait(chance.uniform(0, EVERY))
                began = time.monotonic()
                board.publish(f"第{number}号桥下积水有人被困", f"第{number}号{_TEXT}")
                if not box.wait(number + 1, 60):
                    raise RuntimeError(f"letter {number} was not mailed within a minute")
                found.append(time.monotonic() - began)
            return found
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(20)
