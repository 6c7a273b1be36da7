"""How long the desk takes to answer: list, search and item at 10⁴ and 10⁵ posts (others asked for).

`tinglan bench desk [POSTS…]`. Server time over real HTTP on this machine, one visitor; one post
in a hundred is an item. Peer of the search: LIKE over the same posts. CPU seconds are the
ninety-fifth percentile of one request, the asking client included: on a machine that others use
they say more than the clock. Weights are of the bare page, and of the files that come once.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa
from argon2 import PasswordHasher

from benchmarks import Figure
from config.clock import SystemClock
from config.house import House
from config.settings import Settings
from console.accounts import add_user, log_in
from console.app import build_app
from console.passwords import Passwords
from console.roles import Role
from console.search import index_pending
from demo.serving import serve
from store.engine import Database
from store.schema import upgrade
from store.tables import events, item_posts, items, posts

TITLE = "值班台：列表、查找、详情的服务端用时（对照：LIKE）"

SIZES = (10_000, 100_000)
TIMES = 40
_FILES = ("desk.css", "desk.js", "tinglan.svg")
ITEMS = 100  #: one post in so many is an item
_PASSWORD = "Guan-Chao-2026"
_SYLLABLES = "积水路灯停电预警短信暴雨公交小区门口没人修电话投诉谢谢请问何时恢复道路桥下车辆被困"
_SETTINGS = {
    "agency": {"name": "示例局", "contact": "http://127.0.0.1/"},
    "channels": [{"id": "site", "name": "官网", "kind": "site"}],
    "offices": [{"id": "duty", "name": "值班室", "addresses": ["duty@example.gov.cn"]}],
    "roster": {"fallback": ["leader@example.gov.cn"]},
    "mail": {"host": "127.0.0.1", "security": "none", "from": "tinglan@example.gov.cn"},
}


def run(argv: Sequence[str]) -> Iterable[Figure]:
    for size in [int(one) for one in argv] or SIZES:
        with tempfile.TemporaryDirectory() as folder, _house(Path(folder)) as house:
            indexed = _fill(house, size)
            yield Figure(stage="desk", candidate=f"index {size:,}", rate=indexed, unit="posts/s")
            yield from _measure(house, size)


@contextmanager
def _house(folder: Path) -> Iterator[House]:
    database = Database(f"sqlite:///{folder}/desk.db")
    try:
        upgrade(database)
        settings = Settings.model_validate(_SETTINGS)
        yield House(settings, database, folder / "tinglan.toml", {}, SystemClock())
    finally:
        database.close()


def _fill(house: House, size: int) -> float:
    """Posts of invented words, one in a hundred an item; answers posts indexed a second."""
    rnd, now = random.Random(11), house.clock.now()
    for first in range(0, size, 5_000):
        rows, made = [], []
        for number in range(first + 1, min(first + 5_000, size) + 1):
            at = now - timedelta(seconds=(size - number) * 30)
            text = "".join(rnd.choices(_SYLLABLES, k=60)) + ("溃坝" if number % 997 == 0 else "")
            rows.append(
                {
                    "id": number, "channel": "site", "key": str(number), "kind": "comment",
                    "role": "public", "title": text[:12], "text": text, "captured_at": at,
                    "changed_at": at, "digest": uuid.UUID(int=number).hex, "notes": {},
                    "assessed": 1,
                }
            )  # fmt: skip
            if number % ITEMS == 0:
                made.append(
                    {
                        "id": number // ITEMS, "number": f"TL-2026-{number // ITEMS:04d}",
                        "key": f"post:{number}", "level": rnd.choice(["I", "II", "III", "IV"]),
                        "state": "to_assess" if rnd.random() < 0.1 else "closed",
                        "topics": ["complaint"], "topic": "complaint", "title": text[:12],
                        "channel": "site", "post": number, "office": "duty", "discovered_at": at,
                        "changed_at": at, "closed_at": at,
                    }
                )  # fmt: skip
        with house.database.write() as connection:
            connection.execute(posts.insert(), rows)
            if made:
                connection.execute(items.insert(), made)
                connection.execute(
                    item_posts.insert(),
                    [{"item": one["id"], "post": one["post"], "at": now} for one in made],
                )
    with house.database.write() as connection:
        connection.execute(
            events.insert(),
            [
                {
                    "item": 1, "at": now, "kind": "noted", "by": "张值班", "detail": {},
                    "previous": "", "hash": "",
                }
                for _ in range(20)
            ],
        )  # fmt: skip
    began = time.perf_counter()
    while index_pending(house.database, 5_000):
        pass
    return size / (time.perf_counter() - began)


def _measure(house: House, size: int) -> Iterator[Figure]:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    now = house.clock.now()
    add_user(
        house.database, house.settings, passwords, name="bench", shown="测试", role=Role.LEADER,
        password=_PASSWORD, now=now, by="bench", via="cli",
    )  # fmt: skip
    token, _ = log_in(
        house.database, passwords, name="bench", password=_PASSWORD, address="", now=now
    )
    last = size // ITEMS
    asked = {
        "home": "/", "list": "/items?state=all", "list, by time left": "/items?order=due",
        "item": f"/items/{last}", "search items, rare": "/items?state=all&q=溃坝",
        "search items, common": "/items?state=all&q=积水", "search posts, rare": "/posts?q=溃坝",
        "search posts, common": "/posts?q=积水",
    }  # fmt: skip
    like, _ = _p95(lambda: _like(house))
    with (
        serve(build_app(house, passwords=passwords)) as url,
        httpx.Client(base_url=url, cookies={"tinglan": token}, timeout=120) as client,
    ):
        for name, path in asked.items():
            ms, cpu = _p95(lambda path=path: client.get(path).raise_for_status())  # type: ignore[misc]
            limit = 200 if "search" in name else 50
            goal = name != "home" and not name.startswith("list,")
            yield Figure(
                stage="desk",
                candidate=f"{name}, {size:,} posts, p95",
                rate=ms,
                unit="ms",
                ratio=ms / like if "posts, rare" in name else None,
                cpu_s=cpu,
                peer="LIKE, the query alone" if "posts, rare" in name else "",
                goal=f"≤ {limit} ms" if goal else "",
                met=ms <= limit if goal else None,
            )

        for name in ("home", "list", "item"):
            yield Figure(
                stage="desk",
                candidate=f"weight of {name}, {size:,} posts",
                rate=len(client.get(asked[name]).content),
                unit="bytes",
            )
        once = sum(len(client.get(f"/static/{name}").content) for name in _FILES)
        yield Figure(
            stage="desk", candidate=f"weight of {len(_FILES)} files that come once", rate=once,
            unit="bytes",
        )  # fmt: skip


def _like(house: House) -> None:
    with house.database.read() as connection:
        connection.execute(
            sa.select(posts.c.id).where(posts.c.text.like("%溃坝%")).order_by(posts.c.id.desc())
        ).all()


def _p95(act: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, seconds of CPU; the first two are warm-up."""
    times, worked = [], []
    for number in range(TIMES + 2):
        began, cpu = time.perf_counter(), time.process_time()
        act()
        if number >= 2:
            times.append(1000 * (time.perf_counter() - began))
            worked.append(time.process_time() - cpu)
    at = round(0.95 * (TIMES - 1))
    return sorted(times)[at], sorted(worked)[at]
