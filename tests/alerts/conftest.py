"""An agency with two offices, and posts that were assessed: what most stories here begin with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from alerts.letters import Transport
from alerts.outbox import deliver_one
from alerts.transports.memory import Memory
from config.clock import ManualClock
from config.settings import Settings
from store import tables
from store.engine import Database

DEFAULTS: dict[str, Any] = {
    "agency": {"name": "示例市应急管理局", "contact": "https://www.example.gov.cn/contact"},
    "channels": [
        {"id": "site", "name": "官网", "kind": "site"},
        {"id": "weibo", "name": "官方微博", "kind": "weibo"},
    ],
    "offices": [
        {"id": "duty", "name": "应急值守科", "addresses": ["duty@example.gov.cn"]},
        {
            "id": "fire",
            "name": "防火科",
            "addresses": ["fire@example.gov.cn", "duty@example.gov.cn"],
            "topics": ["fire"],
        },
    ],
    "roster": {"fallback": ["chief@example.gov.cn"]},
    "mail": {
        "host": "127.0.0.1",
        "port": 2525,
        "security": "none",
        "from": "tinglan@example.gov.cn",
        "rate": 600,
    },
}


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Settings; a section given replaces the default one, `mail` is merged into it."""

    def make(**sections: Any) -> Settings:
        raw = {**DEFAULTS, **sections}
        raw["mail"] = DEFAULTS["mail"] | sections.get("mail", {})
        return Settings.model_validate(raw)

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def assess(clock: ManualClock, make_post: Callable[..., int]) -> Callable[..., int]:
    """Stores a post and what was thought of it; answers the post's id."""

    def make(
        database: Database,
        *,
        post: int | None = None,
        version: int = 1,
        level: str | None = "III",
        topics: tuple[str, ...] = ("complaint",),
        flagged: bool = True,
        tone: str = "negative",
        hits: tuple[str, ...] = ("没人修",),
        reason: str = "投诉无人处理",
        **fields: Any,
    ) -> int:
        now = clock.now()
        made = post or make_post(database, **{"captured_at": now, "changed_at": now} | fields)
        with database.write() as connection:
            if post:
                connection.execute(
                    tables.posts.update()
                    .where(tables.posts.c.id == post)
                    .values(version=version, changed_at=now, **fields)
                )
            assessment = connection.execute(
                tables.assessments.insert().values(
                    post=made,
                    version=version,
                    at=now,
                    tone=tone,
                    topics=list(topics),
                    level=level,
                    flagged=flagged,
                )
            ).inserted_primary_key
            connection.execute(
                tables.posts.update().where(tables.posts.c.id == made).values(assessed=version)
            )
            for hit in hits if flagged else ():
                connection.execute(
                    tables.findings.insert().values(
                        assessment=assessment[0],
                        post=made,
                        at=now,
                        stage="rules",
                        rule="r1",
                        topic=topics[0] if topics else None,
                        level=level,
                        reason=reason,
                        text=hit,
                    )
                )
        return made

    return make


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def deliver(settings: Settings, clock: ManualClock, memory: Memory) -> Callable[..., int]:
    """Delivers until nothing is due; answers how many attempts that took."""

    def run(
        database: Database,
        transports: dict[str, Transport] | None = None,
        *,
        using: Settings | None = None,
        most: int = 500,
    ) -> int:
        tried = 0
        while tried < most and deliver_one(
            database,
            transports if transports is not None else {"smtp": memory},
            using or settings,
            clock=clock,
            random=Random(tried),
        ):
            tried += 1
        return tried

    return run
