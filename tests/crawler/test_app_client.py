"""The agency's app over real HTTP: feeds, lists however they page, signed pushes, tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from config.loading import check
from config.plugins import Catalogue
from config.secrets import SecretMissing
from crawler import callbacks
from crawler.app.hook import SIGNATURE, STAMP, signature
from crawler.app.pages import moment, pick, words
from crawler.catalogue import Tools, channel_options
from crawler.channels import app
from crawler.command import crawl
from demo.app import TOKEN, DemoApp, Habits
from demo.serving import serve
from store.tables import fetches, findings, posts

CHILD = Path(__file__).with_name("child_reader.py")
ROOT = CHILD.parents[2]
SECRET = "s" * 32
ENVIRON = {"TINGLAN_AUTHOR_KEY": "k" * 32, "APP_TOKEN": TOKEN, "APP_HOOK": SECRET}
HOUR = timedelta(hours=1)


@pytest.fixture
def backend(clock):
    return DemoApp(clock)


@pytest.fixture
def base(backend):
    with serve(backend.app) as url:
        yield url


def feedback(base, style="page", **more):
    paging = {
        "page": {"style": "page", "param": "page"},
        "offset": {"style": "offset", "param": "offset", "start": 0, "step": 20},
        "cursor": {"style": "cursor", "param": "cursor", "at": "data.cursor"},
        "next": {"style": "next", "at": "data.next"},
    }[style]
    return {
        "url": f"{base}/api/feedback",
        "name": "意见反馈",
        "list": "data.items",
        "title": "title",
        "body": "content",
        "time": "created",
        "author": "user.id",
        "paging": paging,
        **more,
    }


def raw_settings(**channel):
    return {
        "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
        "channels": [
            {
                "id": "app",
                "name": "气象客户端",
                "kind": "app",
                "delay": "0s",
                "timeout": 20,
                "token_env": "APP_TOKEN",
                **channel,
            }
        ],
        "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["leader@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
    }


def settings_of(**channel):
    return check(raw_settings(**channel), "tinglan.toml", Catalogue(channels=channel_options()))


@pytest.fixture
def read(sqlite_database, clock):
    def read(**channel):
        clock.advance(HOUR)
        wanted = settings_of(**channel)
        return crawl(wanted, sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())[0]

    return read


def kept(database):
    with database.read() as connection:
        return connection.execute(sa.select(posts).order_by(posts.c.id)).mappings().all()


def test_a_json_list_becomes_messages(backend, base, read, sqlite_database):
    backend.put("feedback", "<b>定位</b>不准，我电话13812345678", title="反馈")

    result = read(lists=[feedback(base)])

    (post,) = kept(sqlite_database)
    assert (result.state, result.new) == ("done", 1)
    assert (post["kind"], post["role"], post["column"]) == ("message", "public", "意见反馈")
    assert (post["title"], post["text"]) == ("反馈", "定位不准，我电话138****5678")
    assert len(post["author"]) == 16
    assert post["published_at"] is not None


@pytest.mark.parametrize("style", ["page", "offset", "cursor", "next"])
@pytest.mark.parametrize(
    "habits",
    [{}, {"lying_total": True, "strings": True}, {"repeat_after": 4}],
    ids=["as written", "wrong totals, string ids", "a page twice"],
)
def test_five_hundred_are_five_hundred_however_it_pages(
    backend, base, read, sqlite_database, clock, style, habits
):
    backend.habits = Habits(**habits)
    for number in range(500):
        backend.put("feedback", f"第 {number} 条", id=9_007_199_254_740_993 + number)
        clock.advance(1)

    results = [read(lists=[feedback(base, style)]) for _ in range(3)]

    assert {result.state for result in results} == {"done"}
    assert len(kept(sqlite_database)) == 500
    assert (results[-1].new, results[-1].changed, results[-1].backlog) == (0, 0, 0)
    assert results[-1].planned == 2  # the known page and one more


def test_short_pages_are_not_the_end(backend, base, read, sqlite_database):
    backend.habits = Habits(short=6)
    for number in range(100):
        backend.put("feedback", f"第 {number} 条")

    read(lists=[feedback(base, "cursor")])

    assert len(kept(sqlite_database)) == 100


def test_a_cap_leaves_the_rest_to_later_runs_newest_first(backend, base, read, sqlite_database):
    for number in range(200):
        backend.put("feedback", f"第 {number} 条")

    first = read(lists=[feedback(base)], pages=3)
    backend.put("feedback", "刚来的")
    second = read(lists=[feedback(base)], pages=3)
    texts = [post["text"] for post in kept(sqlite_database)]
    while second.backlog:
        second = read(lists=[feedback(base)], pages=3)

    assert (first.new, first.backlog) == (60, 1)
    assert "刚来的" in texts
    assert len(kept(sqlite_database)) == 201


def test_killed_in_the_middle_it_loses_and_repeats_nothing(
    backend, base, read, sqlite_database, tmp_path
):
    for number in range(500):
        backend.put("feedback", f"第 {number} 条")
    backend.habits.latency = 0.05
    wanted = tmp_path / "settings.json"
    wanted.write_text(json.dumps(raw_settings(lists=[feedback(base)])), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(wanted), str(sqlite_database.url)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ENVIRON, "PYTHONPATH": str(ROOT)},
    )
    for _ in range(4):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    half = len(kept(sqlite_database))
    backend.habits.latency = 0.0

    result = read(lists=[feedback(base)])

    assert 0 < half < 500
    assert half + result.new == len(kept(sqlite_database)) == 500
    assert result.changed == 0


@pytest.mark.parametrize(
    ("set_up", "outcome", "says"),
    [
        ({"html": True}, "soft-failure", "维护"),
        ({"error_as_200": True}, "soft-failure", "接口报错"),
    ],
)
def test_answers_that_are_no_list_are_failures(backend, base, read, set_up, outcome, says):
    backend.habits = Habits(**set_up)

    result = read(lists=[feedback(base)])

    assert (result.state, result.outcomes) == ("failed", {outcome: 1})
    assert says in result.why


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(401, "auth"), (403, "blocked"), (404, "removed"), (429, "quota"), (503, "http-error")],
)
def test_statuses_have_their_outcomes(backend, base, read, status, outcome):
    backend.fail = [status]

    assert read(lists=[feedback(base)]).outcomes == {outcome: 1}


def test_an_authority_that_is_none_is_named(base, read, tmp_path):
    result = read(lists=[feedback(base)], ca_file=str(tmp_path / "none.pem"))

    assert (result.state, result.planned) == ("failed", 0)
    assert "ca_file" in result.why


def test_paths_that_lead_nowhere_are_named(backend, base, read):
    backend.put("feedback", "一")

    lost = read(lists=[feedback(base, list="data.rows")])
    blank = read(lists=[feedback(base, body="nothing", title="")])

    assert "data.rows" in lost.why
    assert "nothing" in blank.why
    assert blank.outcomes == {"parse-broken": 1}


def test_success_without_rows_is_broken_after_the_third_time(backend, base, read):
    backend.put("feedback", "一")
    read(lists=[feedback(base)])
    backend.habits.hollow = True

    states = [read(lists=[feedback(base)]) for _ in range(3)]

    assert [one.state for one in states] == ["done", "done", "failed"]
    assert "以前一直有内容" in states[-1].why


def test_feeds_are_read_and_asked_only_for_what_changed(backend, base, read, sqlite_database):
    for number in range(45):
        backend.put("news", f"正文 {number}", title=f"标题 {number}")
    feeds = [{"url": f"{base}/feed.json", "name": "要闻"}, {"url": f"{base}/feed.rss"}]

    first = read(feeds=feeds)
    again = read(feeds=feeds)

    assert (first.state, first.new) == ("done", 90)
    assert again.new == 0
    assert {post["role"] for post in kept(sqlite_database)} == {"own"}
    with sqlite_database.read() as connection:
        rows = connection.execute(sa.select(fetches).order_by(fetches.c.id)).mappings().all()
    assert (rows[-1]["status"], rows[-1]["outcome"]) == (304, "ok-unchanged")


def test_a_feed_that_has_ended_is_told_once_and_asked_no_more(backend, base, read, sqlite_database):
    backend.put("news", "再见", title="停止更新")
    backend.habits.expired = True
    feeds = [{"url": f"{base}/feed.json", "name": "要闻"}]

    first, second = read(feeds=feeds), read(feeds=feeds)

    assert (first.new, second.planned) == (1, 0)
    assert second.state == "failed"
    assert "已声明停止更新" in second.why
    with sqlite_database.read() as connection:
        reasons = connection.execute(sa.select(findings.c.reason)).scalars().all()
    assert len(reasons) == 1
    assert "expired" in reasons[0]


# --- pushes -------------------------------------------------------------------------------------


@pytest.fixture
def tools(sqlite_database, clock):
    return Tools(
        database=sqlite_database,
        clock=clock,
        settings=settings_of(webhook={"secret_env": "APP_HOOK"}),
        author_key=b"k" * 32,
        user_agent="tinglan/test",
        environ=ENVIRON,
    )


@pytest.fixture
def hook(tools):
    routes = callbacks.routes(tools.settings, tools)
    with serve(Starlette(routes=routes)) as url:
        yield f"{url}{callbacks.path_of('app')}"


def test_a_signed_push_is_stored_before_it_is_answered(backend, hook, sqlite_database):
    rows = [{"id": 7, "text": "桥洞积水", "author": "u1", "time": "2026-07-15 11:00"}]

    first = backend.push(hook, SECRET, rows)
    again = backend.push(hook, SECRET, rows)

    (post,) = kept(sqlite_database)
    assert (first, again) == (200, 200)
    assert (post["kind"], post["key"], post["text"]) == ("message", "push/7", "桥洞积水")


def test_an_older_text_replayed_does_not_come_over_the_newer(backend, hook, sqlite_database, clock):
    backend.push(hook, SECRET, [{"id": 7, "text": "第一版"}])
    clock.advance(5)
    backend.push(hook, SECRET, [{"id": 7, "text": "第二版"}])
    clock.advance(-5)

    replayed = backend.push(hook, SECRET, [{"id": 7, "text": "第一版"}])

    assert replayed == 200
    assert kept(sqlite_database)[0]["text"] == "第二版"


def post_raw(hook, body, *, stamp, secret=SECRET, given=None):
    headers = {STAMP: stamp, SIGNATURE: given or signature(secret, stamp, body)}
    return httpx.post(hook, content=body, headers=headers, timeout=10)


def test_what_is_forged_late_or_unreadable_is_refused_without_a_word(hook, sqlite_database, clock):
    body = json.dumps({"id": 1, "text": "x"}).encode()
    now = int(clock.now().timestamp())

    answers = [
        post_raw(hook, body, stamp=str(now), secret="w" * 32),
        post_raw(hook, body, stamp=str(now), given="sha256=ü".encode()),
        post_raw(hook, body, stamp=str(now - 301)),
        post_raw(hook, body, stamp=str(now + 301)),
        post_raw(hook, body, stamp="soon"),
        post_raw(hook, b"{", stamp=str(now)),
        post_raw(hook, b"[" * 50_000, stamp=str(now)),
        post_raw(hook, b'{"items": [1, null, {}]}', stamp=str(now)),
        post_raw(hook, b"x" * (64 * 1024 + 1), stamp=str(now)),
        httpx.get(hook, timeout=10),
    ]

    assert [one.status_code for one in answers] == [403] * 5 + [400] * 3 + [413, 403]
    assert all(one.content == b"" for one in answers)
    assert kept(sqlite_database) == []


def test_one_bad_item_costs_no_other(backend, hook, sqlite_database):
    assert backend.push(hook, SECRET, [{"id": 1}, {"id": 2, "content": "好的"}, "x"]) == 200
    assert [post["key"] for post in kept(sqlite_database)] == ["push/2"]


def test_a_weak_secret_is_refused_at_the_start(tools):
    from dataclasses import replace

    weak = replace(tools, environ={**ENVIRON, "APP_HOOK": "short"})

    with pytest.raises(SecretMissing, match="16 characters"):
        app.receiver(tools.settings.channels[0], weak)


# --- tables -------------------------------------------------------------------------------------

TABLE = (
    "编号,内容,时间,用户\n"
    "1,井盖丢了,2026-07-15 08:30,u1\n"
    "2,只有三列,2026-07-15 08:31\n"
    '3,"停电，\n一整天",2026/7/15,u3\n'
    "4,,2026-07-15 09:00,u4\n"
    "5,镕堃的反馈,,u5\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_exported_tables_are_read_once_in_any_encoding(read, sqlite_database, tmp_path, encoding):
    (tmp_path / "七月.csv").write_bytes(TABLE.encode(encoding))
    exports = [{"folder": str(tmp_path), "author": "用户"}]

    first = read(exports=exports)
    again = read(exports=exports)

    assert (first.state, first.new, again.planned) == ("done", 3, 0)
    assert "第 3 行：有 3 列，应为 4 列" in first.why
    assert [post["text"] for post in kept(sqlite_database)] == [
        "井盖丢了",
        "停电，\n一整天",
        "镕堃的反馈",
    ]
    assert kept(sqlite_database)[0]["published_at"] is not None


def test_a_table_without_its_columns_says_which(read, tmp_path):
    (tmp_path / "bad.csv").write_text("id,text\n1,x\n", encoding="utf-8")

    result = read(exports=[{"folder": str(tmp_path)}])

    assert result.outcomes == {"parse-broken": 1}
    assert "缺少列“内容”“编号”" in result.why


# --- pieces -------------------------------------------------------------------------------------


def test_paths_and_values():
    found = {"a": [{"b": "x"}, {"b": {"c": 3}}]}

    assert pick(found, "a[1].b.c") == pick(found, "$.a.1.b.c") == 3
    assert pick(found, "") is found
    assert words(pick(found, "a[9]")) == words(None) == words({"x": 1}) == ""
    assert words("1 < 2 & 3") == "1 < 2 & 3"
    assert words(["甲", None, "乙"]) == "甲\n乙"


@pytest.mark.parametrize("raw", ["1752552000", "1752552000000", "2025-07-15T12:00:00+08:00"])
def test_times_of_interfaces(raw, clock):
    told = moment(raw, clock.now())

    assert told[0].isoformat() == "2025-07-15T04:00:00+00:00"


def test_a_preview_shows_three(backend, base, tools):
    from dataclasses import replace

    for number in range(5):
        backend.put("feedback", f"第 {number} 条")
    wanted = settings_of(lists=[feedback(base)], webhook={"secret_env": "APP_HOOK"})

    preview = app.preview(wanted.channels[0], replace(tools, settings=wanted))

    assert [call.calls for call in preview.calls] == [1, 0]
    assert len(preview.samples) == 3
