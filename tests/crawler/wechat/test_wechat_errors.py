"""Each refusal gets what it asks for, and no answer, however odd, ends a run badly."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta

import pytest
from pydantic import ValidationError

from crawler.wechat.errors import TABLE, Failed, Refused, Remedy, ruling
from crawler.wechat.options import Options
from crawler.wechat.wire import Wire
from demo.badsite import BadSite
from demo.wechat import SECRET, Article, Comment, Fault
from store.records import Outcome

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

WANTED = {
    Remedy.LATER: {-1, 61503},
    Remedy.RENEW: {40001, 40014, 42001},
    Remedy.STOP: {40013, 40125, 40164, 48004, 50002, 89503},
    Remedy.ABSENT: {48001, 88000},
    Remedy.MIDNIGHT: {45009},
    Remedy.MINUTE: {45011},
    Remedy.GONE: {88001, 53600},
    Remedy.BUG: {40097, 41001, 43002, 44002, 61500, 61501, 88010, 48006},
}


def test_every_code_of_the_documentation_has_its_remedy():
    assert {remedy: {c for c in TABLE if ruling(c).remedy is remedy} for remedy in Remedy} == WANTED
    assert ruling(99999).remedy is Remedy.LATER


def test_the_number_that_support_asks_for_is_kept():
    refused = Refused(48001, "api unauthorized rid: 5f618446-0a3da5b4-3215147d")

    assert refused.rid == "5f618446-0a3da5b4-3215147d"
    assert (
        str(refused)
        == "账号没有这项接口权限（可能未认证）（48001），rid 5f618446-0a3da5b4-3215147d"
    )


@pytest.mark.parametrize("code", sorted(WANTED[Remedy.RENEW]))
def test_a_bad_token_is_renewed_once_and_the_call_repeated_once(desk, publish, code):
    publish(1)
    desk.api.faults.append(Fault(what=code, path="batchget", times=2))
    desk.options = {"comments": False, "statistics": False}

    result = desk.read()

    assert (result.state, result.outcomes) == ("failed", {"auth": 2, "ok-unchanged": 2})
    assert "新取的令牌仍被拒绝" in result.why
    assert len(desk.api.asked("batchget")) == 2
    assert len(desk.api.asked("stable_token")) == 2


@pytest.mark.parametrize("code", sorted(WANTED[Remedy.STOP]))
def test_what_only_the_administrator_can_mend_stops_the_run(desk, publish, code):
    publish(1)
    desk.api.faults.append(Fault(what=code, path="batchget"))

    result = desk.read()

    assert result.state == "failed"
    assert str(code) in result.why
    assert [c.path.rsplit("/")[-1] for c in desk.api.calls] == ["stable_token", "batchget"]


def test_an_address_off_the_whitelist_stops_token_calls_until_somebody_asks(desk, publish):
    publish(1)
    desk.api.faults.append(Fault(what=40164, path="stable_token"))

    first = desk.read()
    desk.clock.advance(5 * 60)
    second = desk.read()
    asked = len(desk.api.asked("stable_token"))
    by_hand = desk.read(manual=True)

    assert "IP 白名单" in first.why
    assert (second.state, second.planned) == ("failed", 0)
    assert asked == 1
    assert (by_hand.state, by_hand.new) == ("done", 1)


def test_the_whitelist_is_tried_again_after_half_an_hour_without_anybody(desk, publish):
    publish(1)
    desk.api.faults.append(Fault(what=40164, path="stable_token"))
    desk.read()
    desk.clock.advance(31 * 60)

    assert desk.read().new == 1


def test_a_wrong_secret_is_named_and_a_new_one_takes_effect(desk, publish):
    publish(1)
    desk.environ["WX_SECRET"] = "wrong-secret-canary"

    result = desk.read()

    assert "AppSecret 不正确" in result.why
    assert "canary" not in result.why
    desk.environ["WX_SECRET"] = SECRET
    assert desk.read(manual=True).new == 1


def test_a_missing_secret_fails_the_run_and_says_which(desk):
    del desk.environ["WX_SECRET"]

    result = desk.read()

    assert (result.state, result.planned) == ("failed", 0)
    assert "WX_SECRET" in result.why


def test_an_account_that_may_not_is_not_asked_again_for_days(desk, publish):
    publish(1)
    desk.api.faults.append(Fault(what=48001, path="batchget", times=99))

    first = desk.read()
    for _ in range(6):
        desk.clock.advance(DAY)
        desk.read()
    asked = len(desk.api.asked("batchget"))
    desk.clock.advance(DAY)
    desk.read()

    assert first.state == "done"  # the statistics could be read
    assert "已发布列表：账号没有这项接口权限" in first.why
    assert asked == 1
    assert len(desk.api.asked("batchget")) == 2


def test_without_comment_privilege_the_articles_still_come(desk, publish):
    publish(2)
    desk.api.faults.append(Fault(what=88000, path="comment/list", times=99))

    first = desk.read()
    desk.clock.advance(HOUR)
    second = desk.read()

    assert (first.state, first.new) == ("done", 2)
    assert "留言功能" in first.why
    assert "暂不读取" in second.why
    assert len(desk.api.asked("comment/list")) == 1


def test_too_often_in_a_minute_waits_for_the_next(desk, publish):
    publish(1)
    desk.options = {"comments": False, "statistics": False}
    desk.api.faults.append(Fault(what=45011, path="batchget"))

    first = desk.read()
    again = desk.read()
    desk.clock.advance(60)
    third = desk.read()

    assert first.outcomes["quota"] == 1
    assert (again.planned, again.state) == (0, "failed")
    assert third.new == 1


def test_busy_is_tried_again_by_the_next_run(desk, publish):
    publish(1)
    desk.options = {"comments": False, "statistics": False}
    desk.api.faults.append(Fault(what=-1, path="batchget"))

    first = desk.read()
    desk.clock.advance(5 * 60)

    assert (first.state, first.outcomes["soft-failure"]) == ("failed", 1)
    assert desk.read().new == 1


def test_statistics_that_are_not_ready_are_asked_for_hourly(desk, publish):
    sent = publish(1, sent=True)[0]
    desk.clock.advance(DAY)
    desk.options = {"published": False, "comments": False, "days_back": 1}
    desk.api.faults.append(Fault(what=61503, path="getarticletotaldetail", times=2))

    whys = []
    for _ in range(36):
        whys.append(desk.read().why)
        desk.clock.advance(5 * 60)

    assert desk.posts(key=sent.msgid)
    assert len(desk.api.asked("getarticletotaldetail")) == 3
    assert whys[0] == "07月15日的群发统计尚未就绪，稍后再读"


def test_statistics_said_to_be_late_are_taken_and_read_again(desk, publish):
    one, two = publish(2, sent=True)
    desk.api.articles.remove(two)
    desk.clock.advance(DAY)
    desk.options = {"published": False, "comments": False, "days_back": 1}
    desk.api.quirks.delay = True
    desk.read()
    desk.api.articles.append(two)
    desk.api.quirks.delay = False
    desk.clock.advance(HOUR)
    desk.read()

    assert [p.key for p in desk.posts()] == [one.msgid, two.msgid]


def test_an_article_whose_number_is_no_message_is_left_after_some_tries(desk, publish):
    publish(1)
    desk.options = {"statistics": False}
    desk.api.faults.append(Fault(what=88001, path="comment/list", times=99))
    for _ in range(30):
        result = desk.read()
        desk.clock.advance(HOUR)

    assert result.state == "done"
    assert len(desk.api.asked("comment/list")) == 5


@pytest.mark.parametrize(
    ("breakage", "outcome"),
    [
        ("html", "wrong-type"),
        ("empty", "soft-failure"),
        ("nonsense", "parse-broken"),
        ("list", "parse-broken"),
        ("no-list", "parse-broken"),
        ("moved", "redirected-off"),
        ("status-502", "http-error"),
        ("status-403", "blocked"),
    ],
)
def test_an_answer_that_is_none_is_an_outcome_and_not_an_item(desk, publish, breakage, outcome):
    publish(1)
    desk.options = {"comments": False, "statistics": False}
    desk.api.faults.append(Fault(what=breakage, path="batchget"))

    first = desk.read()
    desk.clock.advance(HOUR)
    second = desk.read()

    assert first.outcomes == {outcome: 1, "ok-unchanged": 1}
    assert (first.state, first.new) == ("failed", 0)
    assert (second.state, second.new) == ("done", 1)


def test_a_page_that_is_too_large_is_read_in_smaller_pieces(desk, publish):
    publish(10)
    desk.options = {"comments": False, "statistics": False}
    desk.api.faults.append(Fault(what="large", path="batchget"))

    result = desk.read()

    assert result.new == 10
    assert result.outcomes["too-large"] == 1
    assert [c.body["count"] for c in desk.api.asked("batchget")][:2] == [20, 5]


def test_an_answer_that_drips_ends_with_the_whole_time_allowed(desk, publish):
    publish(1)
    desk.options = {"comments": False, "statistics": False, "timeout": "1s"}
    desk.api.faults.append(Fault(what="drip", path="batchget"))

    result = desk.read()

    assert result.outcomes["timeout"] == 1


def test_success_with_nothing_in_it_is_not_believed(desk, publish):
    publish(5)
    desk.options = {"comments": False, "statistics": False}
    desk.read()
    desk.api.quirks.hidden = True
    results = []
    for _ in range(3):
        desk.clock.advance(HOUR)
        results.append(desk.read())

    assert [r.state for r in results] == ["failed"] * 3
    assert "突然为空，不可信" in results[0].why


@pytest.mark.parametrize(
    "quirks",
    [
        {"strings": True},
        {"longest_page": 7},
        {"total_off": -50},
        {"total_off": 50},
        {"repeat_last": True},
        {"strings": True, "longest_page": 3, "total_off": 9, "repeat_last": True},
    ],
)
def test_the_platforms_quirks_lose_and_double_nothing(desk, publish, comment, quirks):
    articles = publish(60)
    comment(articles[-1], 120)
    for name, value in quirks.items():
        setattr(desk.api.quirks, name, value)
    desk.options = {"quotas": {"comments": 2000, "published": 500}, "pages": 200}

    for _ in range(3):
        result = desk.read()
        desk.clock.advance(HOUR)

    assert result.state == "done"
    assert len(desk.posts(kind="post")) == 60
    assert len(desk.posts(kind="comment")) == 120
    assert {p.version for p in desk.posts()} == {1}


def test_odd_entries_are_kept_with_what_is_there(desk, publish):
    (article,) = publish(1)
    big = 2**63 - 1
    now = desk.clock.now()
    article.html = None
    article.comments += [
        Comment(id=big, text=None, at=now - HOUR, openid="o-1"),
        Comment(id=big - 1, text="大坝是不是裂了？？😡", at=now - HOUR),
    ]
    desk.api.articles.append(Article(mid=7, title="", html="", at=now - 2 * HOUR))

    result = desk.read()

    keys = {p.key: p.text for p in desk.posts()}
    assert keys == {
        article.msgid: "",
        f"{article.msgid}:{big}": "［评论没有文字］",
        f"{article.msgid}:{big - 1}": "大坝是不是裂了？？😡",
    }
    assert result.state == "done"
    assert "有 1 条读不出内容" in result.why


def test_no_secret_and_no_name_is_ever_logged(desk, publish, comment, caplog):
    caplog.set_level(logging.DEBUG)
    (article,) = publish(1)
    comment(article, 3)
    desk.api.faults += [Fault(what=40001, path="batchget"), Fault(what=-1, path="comment/list")]

    desk.read()
    desk.clock.advance(3 * HOUR)
    desk.read()

    logged = "\n".join(f"{r.getMessage()} {vars(r)}" for r in caplog.records)
    stored = desk.everything()
    assert "wechat.refused" in logged
    for secret in (SECRET, "o-citizen", *(token for token, _ in desk.api.tokens)):
        assert secret not in logged
        assert secret not in stored
    refused = [r for r in caplog.records if r.getMessage() == "wechat.refused"]
    assert all(r.rid for r in refused)


@pytest.mark.parametrize("certificate", ["expired", "wrong-name", "untrusted"])
def test_a_secret_is_never_sent_behind_a_bad_certificate(certificate):
    with BadSite() as site:
        base = site.tls_url(certificate, "")
        wire = Wire(base, user_agent="tinglan/test")
        with closing(wire), pytest.raises(Failed) as caught:
            wire.post("/cgi-bin/stable_token", {"secret": "canary"})

        assert caught.value.outcome is Outcome.TLS_ERROR
        assert site.requests == []


def test_settings_refuse_to_send_the_secret_in_clear():
    with pytest.raises(ValidationError, match="expected https"):
        Options(app_id="wxdemo0123456789", app_secret_env="WX_SECRET", base_url="http://a.gov.cn")
