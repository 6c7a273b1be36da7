"""One channel of each kind on its stand-in, for stories that all of them must live through."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import channel_options
from crawler.command import crawl
from demo.app import TOKEN as APP_TOKEN
from demo.app import DemoApp
from demo.imap import PASSWORD, USER, DemoImap
from demo.serving import serve
from demo.wechat import APP_ID, SECRET, Article, WechatStandIn
from demo.weibo import TOKEN, DemoWeibo

ENVIRON = {
    "TINGLAN_AUTHOR_KEY": "k" * 32,
    "WX_SECRET": SECRET,
    "WEIBO_TOKEN": TOKEN,
    "APP_TOKEN": APP_TOKEN,
    "MAIL_PASSWORD": PASSWORD,
}
NAMES = {"wechat": "公众号", "weibo": "官方微博", "app": "气象客户端", "mailbox": "公开信箱"}


def settings_of(*channels: dict[str, Any]) -> Any:
    return check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": list(channels),
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )


@dataclass
class StandIn:
    """A platform that publishes, dies, comes back, or answers with nothing in it."""

    kind: str
    clock: Any
    stack: ExitStack
    more: dict[str, Any] = field(default_factory=dict)
    _port: int = 0
    _number: int = 0
    _server: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        makers = {
            "wechat": lambda: WechatStandIn(
                self.clock, quotas={"/cgi-bin/freepublish/batchget": 5000}
            ),
            "weibo": lambda: DemoWeibo(self.clock, per_day=100_000),
            "app": lambda: DemoApp(self.clock),
            "mailbox": lambda: DemoImap(self.clock),
        }
        self.platform: Any = makers[self.kind]()
        self.live()

    def live(self) -> None:
        self._server = self.stack.enter_context(ExitStack())
        if self.kind == "mailbox":
            self._server.enter_context(self.platform)
            return
        url = self._server.enter_context(serve(self.platform.app, port=self._port))
        self._port = int(url.rpartition(":")[2])

    def die(self) -> None:
        self._server.close()

    def publish(self, text: str) -> None:
        """One more post, now."""
        self._number += 1
        if self.kind == "wechat":
            article = Article(mid=1000 + self._number, title=text, at=self.clock.now())
            self.platform.articles.append(article)
        elif self.kind == "mailbox":
            self.platform.write(text, "内容")
        else:
            self.platform.put("comments" if self.kind == "weibo" else "feedback", text)

    def hollow(self) -> None:
        if self.kind == "wechat":
            self.platform.quirks.hidden = True
        else:
            self.platform.habits.hollow = True

    @property
    def channel(self) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self._port}"
        kinds = {
            "wechat": {
                "app_id": APP_ID,
                "app_secret_env": "WX_SECRET",
                "base_url": base,
                "timeout": "20s",
                "quotas": {"published": 5000, "comments": 5000},
                "statistics": False,
                "comments": False,
            },
            "weibo": {
                "token_env": "WEIBO_TOKEN",
                "base_url": f"{base}/2/",
                "oauth_url": f"{base}/oauth2/",
                "delay": 0,
                "timeout": 20,
                "calls_per_day": 100_000,
                "lists": ["comments"],
            },
            "app": {
                "delay": 0,
                "timeout": 20,
                "token_env": "APP_TOKEN",
                "lists": [
                    {
                        "url": f"{base}/api/feedback",
                        "name": "意见反馈",
                        "list": "data.items",
                        "body": "content",
                        "time": "created",
                        "paging": {"style": "page", "param": "page"},
                    }
                ],
            },
            "mailbox": {
                "host": "127.0.0.1",
                "port": getattr(self.platform, "port", 0) or 1,
                "security": "none",
                "username": USER,
                "password_env": "MAIL_PASSWORD",
                "timeout": 20,
            },
        }
        common = {"id": self.kind, "name": NAMES[self.kind], "kind": self.kind, "every": "1h"}
        return {**common, **kinds[self.kind], **self.more}

    @property
    def settings(self) -> Any:
        return settings_of(self.channel)

    def read(self, database: Any, **more: Any) -> Any:
        """One pass, an hour on."""
        self.clock.advance(timedelta(hours=1))
        self.more.update(more)
        (result,) = crawl(
            self.settings, database, self.clock, environ=ENVIRON, planned_at=self.clock.now()
        )
        return result
