"""The invented agency's channels beside its site: WeChat, Weibo, the app, the public mailbox."""

from __future__ import annotations

import base64
import logging
import secrets
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from config.clock import Clock
from crawler.callbacks import path_of
from demo import app, imap, wechat, wechatday, weibo
from demo.app import DemoApp
from demo.imap import DemoImap
from demo.serving import serve
from demo.wechat import WechatStandIn
from demo.wechatday import WechatDay
from demo.wechatpush import Pusher
from demo.weibo import DemoWeibo

#: Calls a day, far beyond the real ones: here a day passes in two minutes.
PLENTY = 100_000
SECOND = 0.5  #: seconds between two looks at what is to be pushed

TABLES = """\
[[channels]]
id = "wechat"
name = "微信公众号"
kind = "wechat"
every = "{every}"
base_url = "{wechat}"
app_id = "{app_id}"
app_secret_env = "DEMO_WECHAT_SECRET"
token_env = "DEMO_WECHAT_TOKEN"        # 推送：平台发来的消息由值班台的 /push/wechat 收下
aes_key_env = "DEMO_WECHAT_AES"
# 演示把一天压成两分钟，额度也随之放大；真实的新号每天 100 次，见 docs/channels/wechat.md。
quotas = {{ published = {plenty}, article = {plenty}, comments = {plenty} }}

[[channels]]
id = "weibo"
name = "官方微博"
kind = "weibo"
every = "{every}"
base_url = "{weibo}/2/"
oauth_url = "{weibo}/oauth2/"
token_env = "DEMO_WEIBO_TOKEN"
calls_per_day = {plenty}
delay = "0s"

[[channels]]
id = "app"
name = "气象客户端"
kind = "app"
every = "{every}"
delay = "0s"
token_env = "DEMO_APP_TOKEN"
feeds = [{{ url = "{app}/feed.json", name = "要闻" }}]
webhook = {{ secret_env = "DEMO_APP_HOOK", name = "客户端反馈" }}

[[channels.lists]]
url = "{app}/api/feedback"
name = "意见反馈"
list = "data.items"
title = "title"
body = "content"
time = "created"
author = "user.id"
paging = {{ style = "page", param = "page" }}

[[channels]]
id = "mailbox"
name = "公开信箱"
kind = "mailbox"
every = "{every}"
host = "127.0.0.1"
port = {imap}
security = "none"
username = "{user}"
password_env = "DEMO_MAILBOX_PASSWORD"
logins_per_day = {plenty}
"""

#: Whose scenario file it is, as duty staff call the channel.
SCENARIOS: Mapping[str, Path] = {
    "微信公众号": wechatday.SCENARIO,
    "官方微博": weibo.SCENARIO,
    "气象客户端": app.SCENARIO,
    "公开信箱": imap.SCENARIO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something worth watching for."""

    after: float  #: seconds from the start
    channel: str
    text: str  #: Chinese


@dataclass(slots=True, kw_only=True)
class Platforms:
    """The four stand-ins at work, and what the service needs to read them."""

    wechat: WechatStandIn
    day: WechatDay
    pusher: Pusher
    weibo: DemoWeibo
    app: DemoApp
    imap: DemoImap
    urls: Mapping[str, str]
    environ: Mapping[str, str]  #: the secrets that the tables name
    clock: Clock

    def tables(self, *, every: str = "10s") -> str:
        """The [[channels]] tables of the settings."""
        return TABLES.format(
            every=every,
            app_id=wechat.APP_ID,
            plenty=PLENTY,
            imap=self.imap.port,
            user=imap.USER,
            **self.urls,
        )

    def answers(self, desk: str) -> bool:
        """Whether the callback proves itself, as WeChat asks when the address is entered."""
        echo = secrets.token_hex(8)
        try:
            answer = httpx.get(
                desk + path_of("wechat"), params=self.pusher.url_check(echo), timeout=5
            )
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.text == echo

    def push(self, desk: str) -> int:
        """Delivers what has come due since the last time; answers how many were taken."""
        taken = self.day.deliver(desk + path_of("wechat"), self.clock.now())
        hook = self.environ["DEMO_APP_HOOK"]
        return taken + self.app.deliver(desk + path_of("app"), hook)

    @contextmanager
    def pushing(self, desk: str) -> Iterator[None]:
        """Pushes for as long as it is entered, once the callback answers."""
        over = threading.Event()
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of every push

        def work() -> None:
            ready = False
            while not over.wait(SECOND):
                if ready:
                    self.push(desk)
                else:
                    ready = self.answers(desk)

        thread = threading.Thread(target=work, name="demo-push", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(10)


@contextmanager
def platforms(clock: Clock, *, speed: float = 1.0) -> Iterator[Platforms]:
    """All four, with their stories tied to now, on free ports of this machine."""
    environ = {
        "DEMO_WECHAT_SECRET": wechat.SECRET,
        "DEMO_WECHAT_TOKEN": secrets.token_hex(12),
        "DEMO_WECHAT_AES": base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        "DEMO_WEIBO_TOKEN": weibo.TOKEN,
        "DEMO_APP_TOKEN": app.TOKEN,
        "DEMO_APP_HOOK": secrets.token_hex(16),
        "DEMO_MAILBOX_PASSWORD": imap.PASSWORD,
    }
    pusher = Pusher(
        clock,
        token=environ["DEMO_WECHAT_TOKEN"],
        app_id=wechat.APP_ID,
        encoding_aes_key=environ["DEMO_WECHAT_AES"],
    )
    day = WechatDay.load(pusher, start=clock.now(), speed=speed)
    quotas = dict.fromkeys(wechat.QUOTAS, PLENTY)
    account = WechatStandIn(clock, articles=day.articles, quotas=quotas)
    blog = DemoWeibo(clock, per_day=PLENTY)
    blog.load(speed=speed)
    client = DemoApp(clock)
    client.load(speed=speed)
    with ExitStack() as stack:
        letters = stack.enter_context(DemoImap(clock))
        letters.load(speed=speed)
        urls = {
            name: stack.enter_context(serve(one))
            for name, one in {"wechat": account.app, "weibo": blog.app, "app": client.app}.items()
        }
        yield Platforms(
            wechat=account,
            day=day,
            pusher=pusher,
            weibo=blog,
            app=client,
            imap=letters,
            urls=urls,
            environ=environ,
            clock=clock,
        )


def moments(*, speed: float = 1.0) -> list[Moment]:
    """What a newcomer should watch for, from the scenario files, in order."""
    found = []
    for channel, path in SCENARIOS.items():
        for story in tomllib.loads(path.read_text(encoding="utf-8"))["stories"]:
            if "watch" in story:
                said = story.get("subject") or str(story["text"]).strip()
                text = f"{story['watch']}：“{said[:24]}{'…' if len(said) > 24 else ''}”"
                found.append(Moment(after=story["at"] / speed, channel=channel, text=text))
    return sorted(found, key=lambda one: one.after)
