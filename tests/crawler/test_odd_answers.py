"""Whatever an interface answers has its outcome over real HTTP, on every client that asks one.

The app's client has its own table (test_app_bad_answers), as the site has (test_site_bad_answers).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from config.clock import SystemClock
from crawler.command import crawl
from crawler.wechat.errors import Failed
from crawler.wechat.wire import Wire
from demo.badsite import BadSite
from demo.imap import DemoImap
from demo.serving import serve
from store.tables import posts
from tests.crawler.standins import ENVIRON, StandIn, settings_of

HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[2]
WEIBO = {
    "404": "removed",
    "410": "removed",
    "429": "quota",
    "500": "http-error",
    "503": "http-error",
    "bad-status": "http-error",
    "big-header": "http-error",
    "challenge-403": "blocked",
    "challenge-412": "blocked",
    "drip": "timeout",
    "drip-head": "timeout",
    "empty": "ok-empty",
    "endless": "too-large",
    "gzip-bomb": "too-large",
    "gzip-broken": "decode-error",
    "gzip-false": "decode-error",
    "hang-up": "http-error",
    "jpeg": "wrong-type",
    "login": "wrong-type",
    "maintenance": "wrong-type",
    "redirect-data": "redirected-off",
    "redirect-file": "redirected-off",
    "redirect-host": "redirected-off",
    "redirect-loop": "redirected-off",
    "reset": "http-error",
    "reset-midway": "truncated",
    "short": "truncated",
    "silent": "timeout",
    "waf": "wrong-type",
}
#: The client of WeChat takes any other status for what it is: no answer of the interface.
WECHAT = {
    **WEIBO,
    "404": "http-error",
    "410": "http-error",
    "empty": "soft-failure",
    "jpeg": "parse-broken",
    "reset-midway": "http-error",
}


@pytest.fixture(scope="module")
def bad():
    with BadSite(retry_after=120) as site:
        yield site


def patience(outcome: str) -> float:
    """Seconds: short only where nothing comes, since a loaded machine may be slow to answer."""
    return 0.6 if outcome == "timeout" else 30


@pytest.mark.parametrize("name", sorted(WEIBO))
def test_what_weibo_may_answer_has_its_outcome(name, bad, sqlite_database, clock):
    channel = {
        "id": "weibo",
        "name": "官方微博",
        "kind": "weibo",
        "token_env": "WEIBO_TOKEN",
        "uid": "1",
        "base_url": bad.url(""),
        "oauth_url": bad.url("404") + "/",
        "suffix": "",
        "calls": {"comments": name, "limits": "404"},
        "lists": ["comments"],
        "delay": 0,
        "timeout": patience(WEIBO[name]),
    }

    (result,) = crawl(settings_of(channel), sqlite_database, clock, environ=ENVIRON)

    assert result.state == "failed" or name == "empty"
    assert result.outcomes.get(WEIBO[name], 0) >= 1, (result.outcomes, result.why)
    assert result.new == 0
    assert result.why


@pytest.mark.parametrize("name", sorted(WECHAT))
def test_what_wechat_may_answer_has_its_outcome(name, bad):
    seconds = patience(WECHAT[name])
    wire = Wire(bad.url("").rstrip("/"), user_agent="tinglan/test", seconds=seconds)

    with closing(wire), pytest.raises(Failed) as caught:
        wire.post(f"/{name}", {"offset": 0})

    assert caught.value.outcome == WECHAT[name], caught.value.why
    assert caught.value.why


# --- rows that are not as documented ------------------------------------------------------------


@pytest.fixture
def scripted():
    """A server that answers what it is told to, whatever it is asked."""
    told = SimpleNamespace(body=b"", status=200, kind="application/json", headers={}, asked=0)

    async def answer(_request):
        told.asked += 1
        return Response(told.body, told.status, headers=told.headers, media_type=told.kind)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    with serve(app) as url:
        told.url = url
        yield told


def app_of(url, **more):
    row = {"url": f"{url}/list", "name": "反馈", "list": "items", "body": "text", "time": "at"}
    return {
        "id": "app",
        "name": "客户端",
        "kind": "app",
        "delay": 0,
        "timeout": 20,
        **({"lists": [{**row, "author": "user.id"}]} | more),
    }


def weibo_of(url):
    return {
        "id": "weibo",
        "name": "官方微博",
        "kind": "weibo",
        "token_env": "WEIBO_TOKEN",
        "uid": "1",
        "base_url": f"{url}/2/",
        "oauth_url": f"{url}/oauth2/",
        "lists": ["comments"],
        "delay": 0,
        "timeout": 20,
    }


BIG = 9_223_372_036_854_775_807  # 2**63 - 1
ROWS = [
    {"id": BIG, "text": "大数编号", "user": {"id": 1}, "at": 1784000000},
    {"id": str(BIG - 1), "text": "字符串编号", "user": {"id": "2"}, "at": "1784000000"},
    {"id": 5, "text": "没有用户", "user": None, "at": None},
    {"id": 6, "text": None, "user": {"id": 3}, "at": "昨天"},
    {"id": 7, "text": "同一编号"},
    {"id": 7, "text": "同一编号"},
    {"id": None, "text": "没有编号"},
    {"id": 8, "text": "坏代理\\ud800对"},
    "不是对象",
    None,
    {},
    {"id": {"a": 1}, "text": ["x"]},
]


@pytest.mark.parametrize("kind", ["app", "weibo"])
def test_odd_rows_are_kept_with_what_is_there_and_cost_no_others(
    kind, scripted, sqlite_database, clock
):
    key = "items" if kind == "app" else "comments"
    scripted.body = json.dumps({key: ROWS, "total_number": -5}).encode().replace(b"\\\\u", b"\\u")
    channel = app_of(scripted.url) if kind == "app" else weibo_of(scripted.url)

    (result,) = crawl(settings_of(channel), sqlite_database, clock, environ=ENVIRON)

    with sqlite_database.read() as connection:
        texts = connection.execute(sa.select(posts.c.text)).scalars().all()
        keys = connection.execute(sa.select(posts.c.key)).scalars().all()
    assert result.state == "done", result.why
    for text in ("大数编号", "字符串编号", "没有用户", "同一编号", "没有编号"):
        assert texts.count(text) == 1, texts
    assert any("坏代理" in text for text in texts)
    assert any(str(BIG) in one for one in keys)
    assert any(str(BIG - 1) in one for one in keys)


@pytest.mark.parametrize("kind", ["app", "weibo"])
@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        (b"<html><body>" + "系统维护中，请稍后再试".encode() + b"</body></html>",
         {"soft-failure", "wrong-type"}),
        (b'{"items": [', {"parse-broken", "wrong-type"}),
        (b"[" * 100_000, {"parse-broken", "wrong-type"}),
        (b'"just a string"', {"parse-broken"}),
        (b"{}", {"parse-broken"}),
        (b'{"items": {}, "comments": {}}', {"parse-broken"}),
        (b'{"error_code": "10023", "error": "limit", "code": 10023, "message": "limit"}',
         {"quota", "soft-failure"}),
    ],
    ids=["maintenance", "cut", "deep", "string", "no list", "no array", "error as 200"],
)  # fmt: skip
def test_an_answer_that_is_no_list_is_an_outcome_and_no_item(
    kind, body, outcomes, scripted, sqlite_database, clock
):
    scripted.body = body
    channel = app_of(scripted.url) if kind == "app" else weibo_of(scripted.url)

    (result,) = crawl(
        settings_of(channel), sqlite_database, clock, environ=ENVIRON, planned_at=clock.now()
    )

    assert (result.state, result.new) == ("failed", 0)
    assert outcomes & set(result.outcomes), (result.outcomes, result.why)


def test_who_asks_to_be_left_alone_is_left_alone_and_others_are_read(
    scripted, sqlite_database, clock
):
    scripted.status, scripted.headers = 503, {"Retry-After": "1800"}
    with ExitStack() as stack:
        other = StandIn("app", clock, stack)
        other.publish("照常读到")
        wanted = other.channel
        busy = {"url": f"{scripted.url}/list".replace("127.0.0.1", "localhost"), "body": "text"}
        channel = {**wanted, "lists": [busy, *wanted["lists"]]}

        def read():
            clock.advance(300)
            (result,) = crawl(
                settings_of(channel),
                sqlite_database,
                clock,
                environ=ENVIRON,
                planned_at=clock.now(),
            )
            return result

        first, *soon = [read() for _ in range(5)]
        asked = scripted.asked
        clock.advance(HOUR)
        read()

    assert (first.state, first.new, first.outcomes["http-error"]) == ("done", 1, 1)
    assert asked == 1
    assert all("对方要求稍后再来" in one.why for one in soon)
    assert scripted.asked == 2


# --- feeds over HTTP ----------------------------------------------------------------------------

FEED = """<?xml version="1.0" encoding="UTF-8"?>{doctype}
<rss version="2.0"><channel><title>示例</title>
<item><title>相对链接</title><link>/news/1.html</link><description>一</description></item>
<item><title>没有编号</title><description>{text}</description></item>
<item><guid>g-1</guid><title>同一编号</title><description>{text}</description></item>
<item><guid>g-2</guid><title>没有日期</title><description>二</description></item>
<item><guid>g-3</guid><title>日期是字</title><pubDate>昨天下午</pubDate></item>
</channel></rss>"""


def test_feeds_with_gaps_are_kept_and_entities_refused(scripted, sqlite_database, clock):
    scripted.kind = "application/rss+xml"
    settings = settings_of(app_of(scripted.url, lists=[], feeds=[{"url": f"{scripted.url}/rss"}]))

    def read(text, doctype=""):
        clock.advance(HOUR)
        scripted.body = FEED.format(text=text, doctype=doctype).encode()
        (result,) = crawl(settings, sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())
        return result

    first = read("原来的话")
    edited = read("改过的话")
    bomb = read("&a;", '<!DOCTYPE rss [<!ENTITY a "xxxxxxxxxx">]>')

    assert (first.state, first.new) == ("done", 5)
    assert edited.changed >= 1
    assert (bomb.state, set(bomb.outcomes)) == ("failed", {"parse-broken"})
    with sqlite_database.read() as connection:
        rows = {row.title: row for row in connection.execute(sa.select(posts))}
    assert rows["相对链接"].url == f"{scripted.url}/news/1.html"
    assert rows["同一编号"].version == 2
    assert rows["没有日期"].published_at is None
    assert rows["日期是字"].published_raw == "昨天下午"


# --- a long absence, and clocks that are not set as ours ----------------------------------------


def test_ten_thousand_that_piled_up_are_drained_in_order_within_caps(sqlite_database, clock):
    with ExitStack() as stack:
        channel = StandIn("weibo", clock, stack, {"count": 200, "max_calls": 20})
        channel.publish("之前")
        channel.read(sqlite_database)
        for number in range(10_000):
            channel.publish(f"第 {number} 条")

        results = [channel.read(sqlite_database)]
        with sqlite_database.read() as connection:
            newest = sa.select(posts.c.text).order_by(posts.c.id.desc()).limit(1)
            reached = connection.execute(newest).scalar_one()
            second = connection.execute(
                sa.select(posts.c.text).order_by(posts.c.id).offset(1).limit(1)
            ).scalar_one()
        while results[-1].backlog and len(results) < 10:
            results.append(channel.read(sqlite_database))

    assert second == "第 9999 条"
    assert 3_000 < results[0].new < 4_000
    assert reached == f"第 {10_000 - results[0].new} 条"  # down from the newest, without a hole
    assert all(one.planned <= 21 for one in results)
    assert sum(one.new for one in results) == 10_000
    assert results[-1].backlog == 0


CHILD = "from tests.crawler.test_odd_answers import elsewhere; elsewhere()"


def elsewhere():
    """Run in a process of its own, in another time zone: reads one mailbox."""
    from store.engine import Database

    told = json.loads(sys.argv[1])
    (result,) = crawl(
        settings_of(told["channel"]), Database(told["database"]), SystemClock(), environ=ENVIRON
    )
    print(result.state, result.new)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_times_are_right_wherever_the_machine_thinks_it_is(zone, sqlite_database):
    now = datetime.now(UTC).replace(microsecond=0)
    moments = [now - HOUR * hours for hours in (1, 25, 700)]
    moments.append(datetime(now.year - 1, 11, 1, 6, 30, tzinfo=UTC))  # told twice in New York
    with DemoImap(SystemClock()) as server:
        for number, at in enumerate(moments):
            server.put(f"Subject: {number}\r\n\r\nx".encode(), at=at)  # only the server's date
        channel = {
            "id": "mailbox",
            "name": "公开信箱",
            "kind": "mailbox",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "username": "letters@example.gov.cn",
            "password_env": "MAIL_PASSWORD",
            "history": "900d",
        }
        url = sqlite_database.url.render_as_string(hide_password=False)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps({"channel": channel, "database": url})],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": zone},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.stdout.strip() == "done 4", done.stderr
    with sqlite_database.read() as connection:
        rows = connection.execute(sa.select(posts.c.title, posts.c.published_at))
        kept = {row.title: row.published_at for row in rows}
    assert kept == {str(number): at for number, at in enumerate(moments)}
