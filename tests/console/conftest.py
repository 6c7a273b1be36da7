"""A duty desk on real parts: a database, a clock turned by hand, a real HTTP server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from alerts.opening import open_items
from alerts.transports.memory import Memory
from config.clock import ManualClock
from config.house import House
from config.settings import Settings
from console.accounts import add_user
from console.app import build_app
from console.passwords import Passwords
from console.roles import Role
from demo.serving import serve
from store import tables
from store.engine import Database

PASSWORD = "Guan-Chao-2026"
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
RAW: dict[str, Any] = {
    "agency": {"name": "示例市气象局", "contact": "https://www.example.gov.cn/contact"},
    "channels": [
        {"id": "site", "name": "官方网站", "kind": "site"},
        {"id": "weibo", "name": "官方微博", "kind": "weibo"},
    ],
    "offices": [
        {
            "id": "duty",
            "name": "总值班室",
            "addresses": ["duty@example.gov.cn"],
            "topics": ["fire"],
        },
        {"id": "forecast", "name": "市气象台", "addresses": ["forecast@example.gov.cn"]},
    ],
    "roster": {"fallback": ["chief@example.gov.cn"]},
    "mail": {
        "host": "127.0.0.1",
        "port": 2525,
        "security": "none",
        "from": "tinglan@example.gov.cn",
    },
}


@pytest.fixture
def make_house(tmp_path: Path, clock: ManualClock) -> Callable[..., House]:
    def make(database: Database, **sections: Any) -> House:
        settings = Settings.model_validate({**RAW, **sections})
        return House(settings, database, tmp_path / "tinglan.toml", {}, clock)

    return make


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(FAST)


@dataclass
class Desk:
    """A running desk, and hands to use it with."""

    url: str
    house: House
    passwords: Passwords
    memory: Memory

    def enrol(self, name: str, role: Role, office: str = "", shown: str = "") -> None:
        add_user(
            self.house.database,
            self.house.settings,
            self.passwords,
            name=name,
            shown=shown or f"{role.label}{name}",
            role=role,
            office=office,
            password=PASSWORD,
            now=self.house.clock.now(),
            by="测试",
            via="cli",
        )

    @contextmanager
    def visit(self, name: str = "") -> Iterator[Visitor]:
        with httpx.Client(base_url=self.url, timeout=20) as client:
            visitor = Visitor(client)
            if name:
                visitor.log_in(name)
            yield visitor


class Visitor:
    """A browser that follows forms: what is on the page is what can be sent."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        page = self.client.get("/login")
        return self.client.post(
            "/login",
            data={"name": name, "password": password, "csrf": token(page.text), "goal": "/"},
        )

    def send(self, path: str, on: str, **fields: Any) -> httpx.Response:
        """Posts to `path` the form found on page `on`: its hidden fields and those given."""
        page = self.client.get(on)
        form = re.search(rf'<form[^>]*action="{re.escape(path)}".*?</form>', page.text, re.S)
        assert form is not None, f"no form for {path} on {on}"
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        return self.client.post(path, data={**hidden, **fields})


def token(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found is not None
    return found[1]


@pytest.fixture
def start(make_house: Callable[..., House], passwords: Passwords) -> Iterator[Callable[..., Desk]]:
    """Starts a desk on a database; the accounts zhiban, daiban, chushi, guanli, shenji, kan."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def begin(database: Database, **sections: Any) -> Desk:
            house = make_house(database, **sections)
            memory = Memory()
            app = build_app(house, passwords=passwords, transports=lambda: {"smtp": memory})
            desk = Desk(stack.enter_context(serve(app)), house, passwords, memory)
            for name, role, office, shown in (
                ("zhiban", Role.OFFICER, "", "张值班"),
                ("daiban", Role.LEADER, "", "李带班"),
                ("chushi", Role.OFFICE, "forecast", "王处室"),
                ("guanli", Role.ADMIN, "", "赵管理"),
                ("shenji", Role.AUDITOR, "", "钱审计"),
                ("kan", Role.VIEWER, "", "孙领导"),
            ):
                desk.enrol(name, role, office, shown)
            return desk

        yield begin


@pytest.fixture
def desk(start: Callable[..., Desk], sqlite_database: Database) -> Desk:
    return start(sqlite_database)


@pytest.fixture
def flag(make_post: Callable[..., int]) -> Callable[..., str]:
    """A post that was flagged, as an item; answers its number."""

    def make(
        desk: Desk,
        *,
        title: str = "路灯不亮",
        text: str = "小区门口路灯坏了一周没人修。",
        level: str = "III",
        topic: str = "complaint",
        hit: str = "没人修",
        ago: timedelta = timedelta(),
        **fields: Any,
    ) -> str:
        database, now = desk.house.database, desk.house.clock.now() - ago
        post = make_post(
            database, title=title, text=text, captured_at=now, changed_at=now, assessed=1, **fields
        )
        body = f"{title}\n{text}"
        start = body.find(hit)
        with database.write() as connection:
            assessment = connection.execute(
                tables.assessments.insert().values(
                    post=post,
                    version=1,
                    at=now,
                    tone="negative",
                    topics=[topic],
                    level=level,
                    flagged=True,
                )
            ).inserted_primary_key[0]
            connection.execute(
                tables.findings.insert().values(
                    assessment=assessment,
                    post=post,
                    at=now,
                    stage="rules",
                    rule="r1",
                    topic=topic,
                    level=level,
                    reason="投诉无人处理",
                    text=hit,
                    start=start,
                    end=start + len(hit),
                )
            )
        open_items(database, desk.house.settings, now)
        with database.read() as connection:
            from sqlalchemy import select

            return str(
                connection.execute(
                    select(tables.items.c.number).where(tables.items.c.post == post)
                ).scalar_one()
            )

    return make
