"""The agency's Weibo account over real HTTP: nothing lost, nothing twice, nothing taken for quiet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import Tools, channel_options
from crawler.channels import weibo
from crawler.command import crawl
from demo.serving import serve
from demo.weibo import TOKEN, UID, DemoWeibo, Habits
from store.tables import fetches, findings, positions, posts, versions

CHILD = Path(__file__).with_name("child_reader.py")
ROOT = CHILD.parents[2]
ENVIRON = {"TINGLAN_AUTHOR_KEY": "k" * 32, "WEIBO_TOKEN": TOKEN}
HOUR = timedelta(hours=1)


@pytest.fixture
def platform(clock):
    return DemoWeibo(clock, per_day=100_000)


@pytest.fixture
def base(platform):
    with serve(platform.app) as url:
        yield url


def raw_settings(base, **more):
    return {
        "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
        "channels": [
            {
                "id": "weibo",
                "name": "官方微博",
                "kind": "weibo",
                "token_env": "WEIBO_TOKEN",
                "base_url": f"{base}/2/",
                "oauth_url": f"{base}/oauth2/",
                "delay": "0s",
                "timeout": 20,
                "calls_per_day": 100_000,
                **more,
            }
        ],
        "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["leader@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
    }


def settings_of(base, **more):
    return check(raw_settings(base, **more), "tinglan.toml", Catalogue(channels=channel_options()))


@pytest.fixture
def read(base, sqlite_database, clock):
    def read(environ=ENVIRON, **more):
        clock.advance(HOUR)
        return crawl(
            settings_of(base, **more),
            sqlite_database,
            clock,
            environ=environ,
            planned_at=clock.now(),
        )[0]

    return read


def kept(database, **wanted):
    with database.read() as connection:
        asked = sa.select(posts).where(*(posts.c[k] == v for k, v in wanted.items()))
        return connection.execute(asked.order_by(posts.c.id)).mappings().all()


def told(database):
    with database.read() as connection:
        return connection.execute(sa.select(findings)).mappings().all()


def outcomes(database):
    with database.read() as connection:
        rows = connection.execute(sa.select(fetches.c.outcome, fetches.c.url)).all()
    assert all(row.outcome for row in rows)
    return [row.outcome for row in rows]


def test_each_list_becomes_posts_with_who_spoke_and_what_they_answer(
    platform, read, sqlite_database
):
    own = platform.put("timeline", "今夜有雨")
    comment = platform.put("comments", "隧道里 &lt;积水&gt; 了，电话13812345678", on=own)
    mention = platform.put("mentions", "@示例市气象局 预警短信没收到")
    platform.put("comment_mentions", "@示例市气象局 是真的吗", on=mention)

    result = read()

    assert (result.state, result.new, result.backlog) == ("done", 4, 0)
    status, said, at, below = (
        kept(sqlite_database, column=name)[0]
        for name in ("本账号微博", "收到的评论", "提到本账号的微博", "提到本账号的评论")
    )
    assert (status["key"], status["kind"], status["role"]) == (f"status/{own}", "post", "own")
    assert said["key"] == f"comment/{comment}"
    assert (said["kind"], said["role"], said["parent"]) == ("comment", "public", f"status/{own}")
    assert said["text"].startswith("隧道里 <积水> 了")
    assert "13812345678" not in said["text"]
    assert said["notes"]["client"] == "微博网页版"
    assert said["published_at"] is not None
    assert (at["role"], below["parent"]) == ("public", f"status/{mention}")
    assert str(UID) not in json.dumps([dict(row) for row in kept(sqlite_database)], default=str)


def test_reading_again_asks_for_what_is_new_and_keeps_nothing_twice(
    platform, read, sqlite_database
):
    first = platform.put("comments", "第一条")
    read(lists=["comments"])
    platform.put("comments", "第二条")

    again = read(lists=["comments"])
    quiet = read(lists=["comments"])

    assert (again.new, quiet.new, len(kept(sqlite_database))) == (1, 0, 2)
    asked = [call.params for call in platform.calls if call.name == "comments/to_me"]
    assert asked[-2]["since_id"] == str(first - 1)  # exclusive: the known row comes along
    assert "max_id" not in asked[-2]


@pytest.mark.parametrize(
    "habits",
    [
        Habits(),
        Habits(short=7),
        Habits(lying_total=True, strings=True),
        Habits(repeat_after=3),
        Habits(bare=True),
    ],
    ids=["as documented", "short pages", "wrong totals, string ids", "a page twice", "bare array"],
)
def test_five_hundred_are_five_hundred_whatever_the_pages_are_like(
    platform, read, sqlite_database, habits
):
    platform.habits = habits
    for number in range(500):
        platform.put("comments", f"第 {number} 条", id=9_007_199_254_740_993 + number)

    result = read(lists=["comments"])
    later = read(lists=["comments"])

    assert (result.state, result.new, result.backlog) == ("done", 500, 0)
    assert (later.new, later.changed, len(kept(sqlite_database))) == (0, 0, 500)


def test_comments_below_own_statuses_are_read_where_the_inbox_is_not_granted(
    platform, read, sqlite_database
):
    old, own, gone = (platform.put("timeline", text) for text in ("旧的", "新的", "删了的"))
    for number in range(70):
        platform.put("comments", f"第 {number} 条", on=own)
    platform.put("comments", "旧微博下的", on=old)
    more = {"lists": ["timeline"], "posts_watched": 2}
    read(**more)  # the statuses come first
    platform.gone.add(gone)
    platform.fail["comments/show"] = [20101]

    second = read(**more)
    platform.put("comments", "后来的", on=own)
    third = read(**more)
    quiet = read(**more)

    said = kept(sqlite_database, column="微博下的评论")
    assert {(row["kind"], row["role"]) for row in said} == {("comment", "public")}
    assert {row["parent"] for row in said} == {f"status/{own}"}
    assert len(said) == 71  # the oldest status is not among the two newest
    assert (second.state, third.new, quiet.new) == ("done", 1, 0)
    asked = [call.params for call in platform.calls if call.name == "comments/show"]
    assert {one["id"] for one in asked} == {str(own), str(gone)}
    assert asked[-1]["since_id"]


def test_a_pinned_status_hides_nothing(platform, read, sqlite_database):
    pinned = platform.put("timeline", "置顶：本局联系方式")
    for number in range(20):
        platform.put("timeline", f"旧 {number}")
    read(lists=["timeline"], count=10)
    platform.habits = Habits(pinned=pinned)
    for number in range(35):
        platform.put("timeline", f"新 {number}")

    read(lists=["timeline"], count=10)

    assert len(kept(sqlite_database)) == 56


def test_killed_in_the_middle_of_a_walk_it_loses_and_repeats_nothing(
    platform, base, read, sqlite_database, tmp_path
):
    for number in range(500):
        platform.put("comments", f"第 {number} 条")
    platform.habits.latency = 0.05
    wanted = tmp_path / "settings.json"
    wanted.write_text(json.dumps(raw_settings(base, lists=["comments"])), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(wanted), str(sqlite_database.url)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ENVIRON, "PYTHONPATH": str(ROOT)},
    )
    for _ in range(3):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    half = len(kept(sqlite_database))
    platform.habits.latency = 0.0

    result = read(lists=["comments"])

    assert 0 < half < 500
    assert len(kept(sqlite_database)) == half + result.new == 500
    assert result.changed == 0


@pytest.mark.parametrize("tells_limits", [True, False])
def test_quota_in_the_middle_is_said_and_the_walk_goes_on_the_next_day(
    platform, read, sqlite_database, clock, tells_limits
):
    platform.per_day = 5
    if not tells_limits:
        platform.fail["account/rate_limit_status"] = [10001]
    for number in range(500):
        platform.put("comments", f"第 {number} 条")

    cut = read(lists=["comments"])
    platform.put("comments", "新来的")
    held = read(lists=["comments"])
    clock.advance(timedelta(days=1))
    platform.per_day = 1000
    resumed = read(lists=["comments"])

    assert (cut.state, cut.backlog) == ("done", 1)
    assert "额度" in cut.why
    assert "已用完" in cut.why
    assert cut.outcomes["quota"] == 1
    assert (held.state, held.outcomes) == ("failed", {"quota": 1})
    assert (resumed.state, resumed.backlog) == ("done", 0)
    assert len(kept(sqlite_database)) == 501


def test_a_token_that_ends_in_the_middle_is_told_and_the_walk_goes_on_with_the_next(
    platform, read, sqlite_database
):
    for number in range(200):
        platform.put("comments", f"第 {number} 条")
    platform.fail["comments/to_me"] = [0, 0, 21327]

    ended = read(lists=["comments"])
    asked = len(platform.calls)
    still = read(lists=["comments"])
    platform.tokens["2.00new"] = platform.tokens[TOKEN]
    resumed = read({**ENVIRON, "WEIBO_TOKEN": "2.00new"}, lists=["comments"])

    assert ended.state == "failed"
    assert "重新授权" in ended.why
    assert ended.outcomes["auth"] == 1
    (finding,) = told(sqlite_database)
    assert "从中断处接着读" in finding["reason"]
    assert still.state in {"failed", "done"}
    assert len(platform.calls) > asked
    assert resumed.state == "done"
    assert len(kept(sqlite_database)) == 200
    everything = json.dumps([dict(row) for row in told(sqlite_database)], default=str)
    assert TOKEN not in everything + ended.why


def test_a_refused_token_is_not_tried_over_and_over(platform, base, sqlite_database, clock):
    platform.tokens[TOKEN] = clock.now() - HOUR
    wanted = settings_of(base)

    for _ in range(6):
        clock.advance(timedelta(minutes=5))
        (result,) = crawl(wanted, sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())

    assert result.state == "failed"
    assert len(platform.calls) == 1
    assert len(told(sqlite_database)) == 1


@pytest.mark.parametrize("name", ["expire_in", "expires_in", "remind_in"])
def test_the_end_of_the_authorisation_is_told_a_week_ahead_and_once(
    platform, read, sqlite_database, clock, name
):
    platform.habits.expire_name = name
    platform.tokens[TOKEN] = clock.now() + timedelta(days=9)
    platform.put("comments", "一")
    read()
    early = told(sqlite_database)
    clock.advance(timedelta(days=3))
    read()
    read()
    soon = told(sqlite_database)
    clock.advance(timedelta(days=5))
    read()

    assert early == []
    assert len(soon) == 1
    assert "还有5天" in soon[0]["reason"]
    assert (soon[0]["topic"], soon[0]["level"], soon[0]["channel"]) == ("system", "III", "weibo")
    assert [finding["level"] for finding in told(sqlite_database)] == ["III", "II"]


def test_success_without_rows_is_broken_after_the_third_time_not_calm(platform, read):
    platform.put("comments", "一")
    platform.put("mentions", "二")
    read()
    platform.habits.hollow = True

    results = [read() for _ in range(4)]

    assert [r.state for r in results] == ["done", "done", "failed", "failed"]
    assert "以前一直有内容" in results[2].why


def test_success_without_rows_from_the_first_day_on_is_broken_too(platform, read):
    platform.habits.hollow = True

    assert [read().state for _ in range(3)] == ["done", "done", "failed"]


def test_an_answer_of_nothing_at_all_is_no_answer(platform, read):
    platform.put("comments", "一")
    read()
    platform.habits.mute = True

    result = read()

    assert result.state == "failed"
    assert "不等于没有新内容" in result.why
    assert set(result.outcomes) <= {"ok-empty", "dropped"}


def test_the_last_known_comment_may_be_deleted(platform, read, sqlite_database):
    platform.put("comments", "在的")
    last = platform.put("comments", "要删的")
    read(lists=["comments"])
    platform.gone.add(last)

    quiet = read(lists=["comments"])
    platform.put("comments", "新的")
    fresh = read(lists=["comments"])

    assert (quiet.state, fresh.state, fresh.new) == ("done", "done", 1)
    assert len(kept(sqlite_database)) == 3


def test_a_long_text_is_kept_at_once_and_completed(platform, read, sqlite_database):
    number = platform.put("mentions", "开头…全文", whole="开头，中间，结尾：桥塌了")

    read(lists=["mentions"])
    again = read(lists=["mentions"], history=10)

    (post,) = kept(sqlite_database, key=f"status/{number}")
    assert post["text"] == "开头，中间，结尾：桥塌了"
    assert again.changed == 0
    with sqlite_database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(versions)) == 2


def test_deleted_missing_and_odd_rows_are_kept_with_what_is_there(platform, read, sqlite_database):
    gone = {"id": 1, "deleted": "1", "text": "抱歉，此微博已被作者删除。"}
    platform.put("mentions", "抱歉，此微博已被作者删除", user=None, deleted="1")
    platform.put("mentions", "转发微博", retweeted_status=gone)
    platform.put("mentions", "看看", retweeted_status={"id": 7, "text": "桥上起火", "user": None})
    platform.put("mentions", None)
    no_user = platform.put("mentions", "没有作者")
    platform._lists["mentions"][-1].body.pop("user")
    platform.put("mentions", "时间不对", created_at="Xyz 99")

    result = read(lists=["mentions"])

    assert (result.state, result.new) == ("done", 6)
    rows = kept(sqlite_database)
    assert {row["state"] for row in rows} == {"", "已删除"}
    assert any(row["text"] == "看看\n//转发原文：桥上起火" for row in rows)
    assert any(row["notes"].get("retweeted") == "原微博已删除" for row in rows)
    assert kept(sqlite_database, key=f"status/{no_user}")[0]["author"] == ""
    assert kept(sqlite_database, text="时间不对")[0]["published_at"] is None


def test_rows_that_are_no_posts_cost_no_others(platform, read, sqlite_database, monkeypatch):
    good = {"id": "12", "text": "好的", "created_at": None}
    page = {"comments": [None, 7, "x", {}, {"id": True}, good], "total_number": "many"}
    monkeypatch.setattr(DemoWeibo, "_page", lambda *_: page)

    result = read(lists=["comments"])

    assert result.new == 1
    assert kept(sqlite_database)[0]["text"] == "好的"


@pytest.mark.parametrize(
    ("code", "outcome", "says"),
    [
        (10001, "http-error", "稍后自动再试"),
        (10010, "timeout", "稍后自动再试"),
        (10014, "auth", "在开放平台申请"),
        (10017, "http-error", "核对 uid"),
        (10022, "quota", "额度已用完"),
        (10023, "quota", "额度已用完"),
        (10024, "quota", "对此接口"),
        (20003, "removed", "账号不存在"),
        (21319, "auth", "重新授权"),
        (77777, "http-error", "未见过"),
    ],
)
def test_each_error_number_says_what_to_do(platform, read, code, outcome, says):
    platform.put("comments", "一")
    platform.habits.strings = True
    platform.fail["comments/to_me"] = [code]

    result = read(lists=["comments"])

    assert result.state == "failed"
    assert result.outcomes[outcome] == 1
    assert says in result.why


def test_one_list_that_was_never_granted_stops_no_other_and_rests(platform, read, sqlite_database):
    platform.put("comments", "一")
    platform.fail["statuses/mentions"] = [10014] * 5

    first, second = read(), read()

    assert (first.state, second.state) == ("done", "done")
    assert "“提到本账号的微博”未读" in second.why
    assert len([call for call in platform.calls if call.name == "statuses/mentions"]) == 1
    assert "开放平台申请" in told(sqlite_database)[0]["reason"]


def test_the_day_is_spread_and_never_overspent(platform, base, sqlite_database, clock):
    platform.per_day = 100
    wanted = settings_of(base, calls_per_day=100, every="5m")
    posted, day = 0, clock.now()

    for step in range(288):
        clock.advance(timedelta(minutes=5))
        if step % 20 == 0:
            platform.put("comments", f"第 {step} 条")
            posted += 1
        (result,) = crawl(wanted, sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())
        assert result.outcomes.get("quota", 0) == 0
    assert clock.now() - day == timedelta(days=1)
    clock.advance(3 * HOUR)
    crawl(wanted, sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())

    assert max(platform._used.values()) <= 90  # the reserve stays for people
    assert "按额度摊匀：每天 100 次" in result.why
    assert len(kept(sqlite_database)) == posted


def test_the_limits_come_from_the_platform_where_they_are_lower(platform, read, sqlite_database):
    platform.per_day = 30

    read()

    with sqlite_database.read() as connection:
        asked = sa.select(positions.c.value).where(positions.c.list == "account")
        assert connection.execute(asked).scalar_one()["per_day"] == 30


def test_the_token_is_in_no_address_and_no_log(platform, base, sqlite_database, clock, caplog):
    caplog.set_level("INFO")
    platform.put("comments", "一")
    platform.fail["comments/to_me"] = [21327]
    crawl(settings_of(base), sqlite_database, clock, environ=ENVIRON, planned_at=clock.now())

    with sqlite_database.read() as connection:
        urls = connection.execute(sa.select(fetches.c.url, fetches.c.why)).all()
    assert TOKEN not in str(urls) + caplog.text
    assert all("access_token" not in call.params for call in platform.calls)


def test_a_commercial_contract_has_its_own_address_and_names(platform, read):
    platform.put("comments", "一")

    result = read(suffix="/biz.json", sends="query", calls={"mentions": "statuses/mentions"})

    assert (result.state, result.new) == ("done", 1)


def test_settings_keep_the_token_off_the_wire_in_clear():
    with pytest.raises(Exception, match="expected https"):
        settings_of("http://api.weibo.example")


def test_an_authority_that_is_none_is_named(read, tmp_path):
    result = read(ca_file=str(tmp_path / "none.pem"))

    assert (result.state, result.planned) == ("failed", 0)
    assert "ca_file" in result.why


def test_without_a_token_the_channel_fails_and_says_which_name(read):
    result = read({"TINGLAN_AUTHOR_KEY": "k" * 32})

    assert result.state == "failed"
    assert "WEIBO_TOKEN" in result.why


def test_a_preview_says_what_it_costs_and_shows_three(platform, base, sqlite_database, clock):
    for number in range(5):
        platform.put("comments", f"第 {number} 条")
    wanted = settings_of(base, calls_per_day=100)
    tools = Tools(
        database=sqlite_database,
        clock=clock,
        settings=wanted,
        author_key=b"k" * 32,
        user_agent="tinglan/test",
        environ=ENVIRON,
    )

    preview = weibo.preview(wanted.channels[0], tools)

    assert preview.calls[0].what == "收到的评论"
    assert len(preview.samples) == 3
    assert preview.calls[0].left == 89
    assert kept(sqlite_database) == []
