"""A simulated day of the agency's accounts on the stand-ins, read at "every 5m".

What the day costs in calls against each quota, whether a post was found late or never, and how
long a citizen's words take to be stored: by push, and by poll. Peer: the interval asked for.
`tinglan bench day` plays one day of a flood: a burst of comments, replies, late edits.
"""

from __future__ import annotations

import base64
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette

from analysis.watching import Tools as Eyes
from analysis.watching import build_watches, watch
from benchmarks import Figure
from config.clock import ManualClock
from config.loading import check
from config.plugins import Catalogue
from config.settings import Settings
from crawler.callbacks import path_of, routes
from crawler.catalogue import Tools, channel_options
from crawler.command import crawl
from demo.app import TOKEN as APP_TOKEN
from demo.app import DemoApp
from demo.imap import PASSWORD, USER, DemoImap
from demo.serving import serve
from demo.wechat import APP_ID, SECRET, Article, Comment, WechatStandIn
from demo.wechatpush import Pusher
from demo.weibo import TOKEN, DemoWeibo
from store.engine import Database
from store.schema import upgrade
from store.tables import findings, posts

TITLE = "渠道一天：额度花费、漏报迟报、从发布到入库的时间（对照：设置的采集间隔）"

MIDNIGHT = datetime(2026, 7, 14, 16, 0, tzinfo=UTC)  # 00:00 of the 15th in Beijing
DAY = timedelta(days=1)
EVERY = timedelta(minutes=5)
KINDS = ("wechat", "weibo", "app", "mailbox")
#: A post counts as late from here on. Weibo's 100 calls a day are shared by four lists: one
#: call about every 16 minutes, so each list about hourly, and the own timeline half as often.
LATE = {
    "wechat": timedelta(hours=1),
    "weibo": timedelta(hours=3),
    "app": 2 * EVERY,
    "mailbox": 2 * EVERY,
}


@dataclass(frozen=True, slots=True)
class _Push:
    """Something that a platform sends us at its moment."""

    at: datetime
    channel: str
    text: str
    body: Any


@dataclass(slots=True)
class _Day:
    """The stand-ins, what happens on them, and when each text was published."""

    clock: ManualClock
    chance: random.Random
    wechat: WechatStandIn
    weibo: DemoWeibo
    app: DemoApp
    imap: DemoImap
    pusher: Pusher
    published: dict[tuple[str, str], datetime] = field(default_factory=dict)
    pushes: list[_Push] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  #: what runs said that could not read

    def moment(self, low: float = 0.0, high: float = 23.0) -> datetime:
        return MIDNIGHT + timedelta(hours=self.chance.uniform(low, high))

    def tell(self) -> None:
        """A day of heavy rain; what stood there before counts as nothing."""
        self._wechat_day()
        lists = {"comments": 60, "mentions": 25, "comment_mentions": 15, "timeline": 12}
        for name, count in lists.items():
            self.weibo.put(name, f"旧 {name}", at=MIDNIGHT - DAY)  # type: ignore[arg-type]
            for at in sorted(self.moment() for _ in range(count)):
                self._note("weibo", f"{name} {at:%H:%M:%S.%f}", at)
        for at in sorted(self.moment(14, 15) for _ in range(240)):  # the flood
            self._note("weibo", f"comments 洪峰 {at:%H:%M:%S.%f}", at)
        told = sorted((at, text) for (kind, text), at in self.published.items() if kind == "weibo")
        for at, text in told:
            self.weibo.put(text.split()[0], text, at=at)  # type: ignore[arg-type]
        self.app.put("feedback", "旧意见", at=MIDNIGHT - DAY)
        for at in sorted(self.moment() for _ in range(60)):
            self.app.put("feedback", self._note("app", f"意见 {at:%H:%M:%S.%f}", at), at=at)
        for number in range(40):
            at = self.moment()
            text = f"推送意见 {number}"
            row = {"id": f"p{number}", "text": text}
            self.pushes.append(_Push(at, "app", text, row))
        for at in sorted(self.moment() for _ in range(30)):
            self.imap.write(self._note("mailbox", f"来信 {at:%H:%M:%S.%f}", at), "内容", at=at)
        self.pushes.sort(key=lambda push: push.at)

    def _wechat_day(self) -> None:
        self.wechat.articles += [
            Article(mid=100 + n, title=f"旧文{n}", at=MIDNIGHT - timedelta(days=40, hours=n))
            for n in range(60)
        ]
        for n in range(22):
            at = self.moment(high=20)
            article = Article(mid=1000 + n, title=self._note("wechat", f"雨情通报 {n}", at), at=at)
            for k in range(12):
                said = min(at + timedelta(minutes=self.chance.uniform(1, 180)), self.moment(23, 23))
                text = self._note("wechat", f"通报 {n} 的评论 {k}", said)
                article.comments.append(Comment(id=k + 1, text=text, at=said, openid=f"o{k}"))
            self.wechat.articles.append(article)
            if n % 2:  # half of the publications are announced
                xml = self.pusher.published(article.article_id, [article.url], at=at)
                self.pushes.append(_Push(at, "wechat", "", xml))
        for number in range(80):
            at, text = self.moment(), f"群众留言 {number}"
            xml = self.pusher.text(text, openid=f"o{number}", msgid=2**54 + number, at=at)
            self.pushes.append(_Push(at, "wechat", text, xml))

    def _note(self, channel: str, text: str, at: datetime) -> str:
        self.published[channel, text] = at
        return text


def run(argv: Sequence[str]) -> Iterable[Figure]:
    """`argv`: a seed, if wanted."""
    began = time.process_time()
    with _opened(int(argv[0]) if argv else 1) as (day, settings, database, desk, environ):
        day.tell()
        pushed = _lived(day, settings, database, desk, environ)
        yield from _quotas(day)
        yield from _posts(day, database, pushed)
        told = _told(database)
    for line in [*day.failed[:5], *dict.fromkeys(told)]:
        print(line, file=sys.stderr)
    yield Figure(
        stage="day", candidate="runs that could not read", rate=len(day.failed), unit="runs",
        goal="0", met=not day.failed,
    )  # fmt: skip
    cpu = time.process_time() - began
    yield Figure(
        stage="day", candidate="false alarms: unread, broken, missed", rate=len(told),
        unit="alarms", goal="0", met=not told, cpu_s=cpu,
    )  # fmt: skip


def _lived(
    day: _Day, settings: Settings, database: Database, desk: str, environ: dict[str, str]
) -> list[float]:
    """Lives the day and the morning after; answers the seconds each push took, by the clock
    on the wall, from being sent to its 200."""
    eyes = build_watches(settings.watches, Eyes(started=MIDNIGHT))
    took, pending, next_run = [], list(day.pushes), MIDNIGHT
    while day.clock.now() < MIDNIGHT + DAY + timedelta(hours=2):
        while pending and pending[0].at <= next_run:
            push = pending.pop(0)
            day.clock.advance(max(timedelta(), push.at - day.clock.now()))
            sent = time.perf_counter()
            if push.channel == "wechat":
                status = day.pusher.send(desk + path_of("wechat"), day.pusher.letter(push.body))
            else:
                secret = environ["APP_HOOK"]
                status = day.app.push(desk + path_of("app"), secret, [push.body])
            if status != 200:
                raise RuntimeError(f"a push was answered {status}")
            took.append(time.perf_counter() - sent)
            if not push.text:  # a publication: the service reads at once
                _read(day, settings, database, environ, ["wechat"])
        day.clock.advance(max(timedelta(), next_run - day.clock.now()))
        _read(day, settings, database, environ, KINDS)
        watch(database, eyes, settings, day.clock.now())
        next_run += EVERY
    return took


def _read(
    day: _Day,
    settings: Settings,
    database: Database,
    environ: dict[str, str],
    channels: Sequence[str],
) -> None:
    day.clock.advance(0.001)  # two runs are never planned for one moment
    now = day.clock.now()
    for result in crawl(settings, database, day.clock, channels, environ=environ, planned_at=now):
        if result.state != "done":
            day.failed.append(f"{now:%H:%M} {result.channel}: {result.why}")


def _quotas(day: _Day) -> Iterator[Figure]:
    """Calls of the simulated day against what the platforms allow."""
    today = "2026-07-15"
    names = {
        "/cgi-bin/freepublish/batchget": "wechat published list",
        "/cgi-bin/freepublish/getarticle": "wechat single article",
        "/cgi-bin/comment/list": "wechat comments",
        "/datacube/getarticletotaldetail": "wechat statistics",
    }
    for path, name in names.items():
        yield _quota(name, day.wechat.used[path, today], day.wechat.quotas[path])
    yield _quota("wechat tokens", day.wechat.used["/cgi-bin/stable_token", today], 2000)
    yield _quota("weibo, all calls", day.weibo._used.get(today, 0), day.weibo.per_day)
    logins = sum(one.startswith("LOGIN") for one in day.imap.commands)
    yield _quota("mailbox logins (26 h)", logins, 1000)


def _quota(name: str, calls: int, allowed: int) -> Figure:
    return Figure(
        stage="day", candidate=f"{name}: calls", rate=calls, unit="calls",
        ratio=calls / allowed, peer=f"the quota of {allowed}", goal="≤ quota", met=calls <= allowed,
    )  # fmt: skip


def _posts(day: _Day, database: Database, pushed: list[float]) -> Iterator[Figure]:
    """Whether each text was stored, and how long it took."""
    with database.read() as connection:
        rows = connection.execute(sa.select(posts.c.channel, posts.c.title, posts.c.text,
                                            posts.c.captured_at)).all()  # fmt: skip
    stored = {(row.channel, row.title): row.captured_at for row in rows}
    stored |= {(row.channel, row.text): row.captured_at for row in rows}
    kept = {(push.channel, push.text) for push in day.pushes if push.text}
    never = [one for one in {*day.published, *kept} if one not in stored]
    twice = len(rows) - len({(row.channel, row.title, row.text) for row in rows})
    for name, count in (("never stored", len(never)), ("stored twice", twice)):
        yield Figure(
            stage="day", candidate=f"posts {name}, of {len(day.published) + len(kept)}",
            rate=count, unit="posts", goal="0", met=not count,
        )  # fmt: skip
    for kind in KINDS:
        waits = sorted(
            (stored[one] - at).total_seconds()
            for one, at in day.published.items()
            if one[0] == kind and one in stored
        )
        late = sum(wait > LATE[kind].total_seconds() for wait in waits)
        yield Figure(
            stage="day", candidate=f"{kind}: posts later than {LATE[kind]}", rate=late,
            unit="posts", goal="0", met=not late,
        )  # fmt: skip
        yield from _spread(f"{kind}: published to stored, by poll", waits)
    yield from _spread("published to stored, by push", sorted(pushed))


def _spread(name: str, waits: Sequence[float]) -> Iterator[Figure]:
    for label, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
        seconds = waits[min(len(waits) - 1, int(share * len(waits)))]
        yield Figure(
            stage="day", candidate=f"{name}, {label} of {len(waits)}", rate=seconds, unit="s",
            ratio=seconds / EVERY.total_seconds(), peer="the interval of 5m",
        )  # fmt: skip


def _told(database: Database) -> list[str]:
    """What watches said of channels that were well all day; a flood of comments is no mistake."""
    wrong = findings.c.stage.in_(("unread", "broken", "missed"))
    with database.read() as connection:
        return list(connection.execute(sa.select(findings.c.reason).where(wrong)).scalars())


@contextmanager
def _opened(seed: int) -> Iterator[tuple[_Day, Settings, Database, str, dict[str, str]]]:
    clock = ManualClock(MIDNIGHT)
    key = base64.b64encode(bytes(range(32))).decode().rstrip("=")
    environ = {
        "TINGLAN_AUTHOR_KEY": "k" * 32, "WX_SECRET": SECRET, "WX_TOKEN": "bench-push-token",
        "WX_AES": key, "WEIBO_TOKEN": TOKEN, "APP_TOKEN": APP_TOKEN, "APP_HOOK": "h" * 32,
        "MAIL_PASSWORD": PASSWORD,
    }  # fmt: skip
    pusher = Pusher(clock, token="bench-push-token", app_id=APP_ID, encoding_aes_key=key)
    with ExitStack() as stack:
        day = _Day(
            clock, random.Random(seed), WechatStandIn(clock), DemoWeibo(clock, per_day=100),
            DemoApp(clock), stack.enter_context(DemoImap(clock)), pusher,
        )  # fmt: skip
        urls = [stack.enter_context(serve(one.app)) for one in (day.wechat, day.weibo, day.app)]
        settings = _settings(*urls, imap=day.imap.port)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = Database(f"sqlite:///{Path(folder, 'tinglan.db')}")
        stack.callback(database.close)
        upgrade(database)
        tools = Tools(
            database=database, clock=clock, settings=settings, author_key=b"k" * 32,
            user_agent="tinglan/bench", environ=environ,
        )  # fmt: skip
        desk = stack.enter_context(serve(Starlette(routes=routes(settings, tools))))
        yield day, settings, database, desk, environ


def _settings(wechat: str, weibo: str, app: str, *, imap: int) -> Settings:
    every = {"every": "5m"}
    channels = [
        {"id": "wechat", "name": "公众号", "kind": "wechat", **every, "base_url": wechat,
         "app_id": APP_ID, "app_secret_env": "WX_SECRET", "token_env": "WX_TOKEN",
         "aes_key_env": "WX_AES"},
        {"id": "weibo", "name": "官方微博", "kind": "weibo", **every, "delay": 0,
         "base_url": f"{weibo}/2/", "oauth_url": f"{weibo}/oauth2/", "token_env": "WEIBO_TOKEN"},
        {"id": "app", "name": "客户端", "kind": "app", **every, "delay": 0,
         "token_env": "APP_TOKEN", "webhook": {"secret_env": "APP_HOOK"},
         "lists": [{"url": f"{app}/api/feedback", "list": "data.items", "body": "content",
                    "time": "created", "paging": {"style": "page", "param": "page"}}]},
        {"id": "mailbox", "name": "公开信箱", "kind": "mailbox", **every, "host": "127.0.0.1",
         "port": imap, "security": "none", "username": USER, "password_env": "MAIL_PASSWORD"},
    ]  # fmt: skip
    return check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": channels,
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )
