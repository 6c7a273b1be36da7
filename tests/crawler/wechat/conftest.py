"""An official account, its stand-in over real HTTP, and runs over it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from config.loading import check
from config.plugins import Catalogue
from crawler import runs
from crawler.catalogue import Tools, channel_options
from crawler.channels import wechat
from demo.serving import serve
from demo.wechat import APP_ID, SECRET, Article, Comment, WechatStandIn
from store.tables import fetches, positions, posts

AES_KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
PUSH_TOKEN = "push-token-canary"


def settings_of(base_url: str, **options: Any) -> Any:
    channel = {
        "id": "wx",
        "name": "公众号",
        "kind": "wechat",
        "app_id": APP_ID,
        "app_secret_env": "WX_SECRET",
        "token_env": "WX_TOKEN",
        "base_url": base_url,
        **options,
    }
    return check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": [channel],
            "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )


@dataclass
class Desk:
    """One account under observation."""

    database: Any
    clock: Any
    api: WechatStandIn
    url: str
    environ: dict[str, str] = field(
        default_factory=lambda: {"WX_SECRET": SECRET, "WX_TOKEN": PUSH_TOKEN, "WX_AES": AES_KEY}
    )
    options: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    _known: tuple[str, Any] = ("", None)

    @property
    def settings(self):
        asked = repr(self.options)
        if self._known[0] != asked:
            self._known = (asked, settings_of(self.url, **self.options))
        return self._known[1]

    @property
    def channel(self):
        return self.settings.channels[0]

    @property
    def tools(self):
        return Tools(
            database=self.database,
            clock=self.clock,
            settings=self.settings,
            author_key=b"k" * 32,
            user_agent="tinglan/test",
            environ=self.environ,
            progress=self.said.append,
        )

    def read(self, *, manual: bool = False, deadline: timedelta = timedelta(minutes=10)):
        """One run; answers its result, with every fetch settled or LedgerBroken."""
        tools = replace(self.tools, manual=manual)
        run = runs.start(
            self.database,
            "wx",
            planned_at=self.clock.now(),
            now=self.clock.now,
            deadline=deadline,
        )
        reading = wechat.build(self.channel, tools).read(run)
        result = run.finish(reading.state, why=reading.why, backlog=reading.backlog)
        self.clock.advance(1)
        return result

    def posts(self, **wanted: Any) -> list[Any]:
        asked = sa.select(posts).where(*(posts.c[k] == v for k, v in wanted.items()))
        with self.database.read() as connection:
            return list(connection.execute(asked.order_by(posts.c.id)).all())

    def fetches(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(fetches).order_by(fetches.c.id)).all())

    def place(self, name: str) -> Any:
        with self.database.read() as connection:
            asked = sa.select(positions.c.value).where(positions.c.list == name)
            return connection.execute(asked).scalar_one_or_none()

    def everything(self) -> str:
        """All that the database says, as one text."""
        with self.database.read() as connection:
            return "\n".join(
                str(connection.execute(sa.select(table)).all())
                for table in posts.metadata.sorted_tables
            )


@pytest.fixture
def make_desk(clock):
    with ExitStack() as stack:

        def make(database, **options: Any) -> Desk:
            api = WechatStandIn(clock)
            url = stack.enter_context(serve(api.app))
            return Desk(database, clock, api, url, options=options)

        yield make


@pytest.fixture
def desk(sqlite_database, make_desk):
    return make_desk(sqlite_database)


@pytest.fixture
def publish(desk):
    """Puts articles on the account, the first the newest, an hour apart."""

    def publish(number: int, *, start: int = 2247480000, **fields: Any) -> list[Article]:
        now = desk.clock.now()
        made = [
            Article(
                mid=start + n,
                title=f"第{start + n}号通知",
                at=now - timedelta(hours=number - n),
                html=f"<p>第{start + n}号通知的正文。</p><p>联系电话见官网。</p>",
                **fields,
            )
            for n in range(number)
        ]
        desk.api.articles += made
        return made

    return publish


@pytest.fixture
def comment(desk):
    """Puts comments below an article."""

    def comment(article: Article, number: int, **fields: Any) -> list[Comment]:
        first = len(article.comments) + 1
        made = [
            Comment(
                id=first + n,
                text=f"{article.mid} 的第 {first + n} 条评论",
                at=article.at + timedelta(seconds=first + n),
                openid=f"o-citizen-{first + n}",
                **fields,
            )
            for n in range(number)
        ]
        article.comments += made
        return made

    return comment


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
