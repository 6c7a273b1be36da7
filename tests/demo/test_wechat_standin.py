"""The stand-in answers as the documentation says; the channel is tested against it elsewhere."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from crawler.wechat.messages import envelope, field
from crawler.wechat.sealing import aes_key, signed, unseal
from demo.serving import serve
from demo.wechat import APP_ID, SECRET, Article, Comment, Fault, WechatStandIn
from demo.wechatday import WechatDay
from demo.wechatpush import Pusher

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AES_KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"


@pytest.fixture
def api(clock):
    now = clock.now()
    articles = [
        Article(mid=100 + n, title=f"第{n}号", at=now - n * HOUR, comments_open=True)
        for n in range(25)
    ]
    articles[0].comments = [
        Comment(id=n + 1, text=f"{n}", at=now - HOUR + timedelta(seconds=n)) for n in range(60)
    ]
    return WechatStandIn(clock, articles=articles)


@pytest.fixture
def ask(api):
    with serve(api.app) as url, httpx.Client(base_url=url, trust_env=False) as client:

        def ask(path, body=None, *, token=None, **more):
            params = {"access_token": api.tokens[-1][0] if token is None and api.tokens else token}
            params = {k: v for k, v in params.items() if v}
            return client.post(path, params=params | more, json=body or {"a": 1}).json()

        yield ask


def token(ask, **more):
    question = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
    return ask("/cgi-bin/stable_token", question | more)


def test_a_token_is_the_same_until_its_last_five_minutes_and_then_both_work(ask, clock):
    first = token(ask)
    clock.advance(HOUR)
    again = token(ask)
    clock.advance(HOUR - timedelta(minutes=4))
    second = token(ask)

    assert len(first["access_token"]) >= 512
    assert (first["expires_in"], again["expires_in"]) == (7200, 3600)
    assert first["access_token"] == again["access_token"] != second["access_token"]
    page = {"offset": 0, "count": 1}
    for one in (first, second):
        assert "item" in ask("/cgi-bin/freepublish/batchget", page, token=one["access_token"])
    clock.advance(timedelta(minutes=5))
    dead = ask("/cgi-bin/freepublish/batchget", page, token=first["access_token"])
    assert dead["errcode"] == 42001


def test_refusals_carry_the_documented_codes(ask, clock):
    today = clock.now().date().isoformat()
    assert token(ask, appid="wxother")["errcode"] == 40013
    assert token(ask, secret="other")["errcode"] == 40125
    assert ask("/cgi-bin/comment/list", {}, token="")["errcode"] == 41001
    assert ask("/cgi-bin/comment/list", {}, token="short")["errcode"] == 40014
    assert ask("/cgi-bin/comment/list", {}, token="x" * 512)["errcode"] == 40001
    token(ask)
    for path, body, code in [
        ("/cgi-bin/freepublish/batchget", {"offset": 0, "count": 21}, 40097),
        ("/cgi-bin/freepublish/getarticle", {"article_id": "none"}, 53600),
        ("/cgi-bin/comment/list", {"msg_data_id": 100, "begin": 0, "count": 50}, 88010),
        ("/cgi-bin/comment/list", {"msg_data_id": 1, "begin": 0, "count": 49}, 88001),
        ("/cgi-bin/comment/list", {"msg_data_id": 100, "index": 1, "begin": 0, "count": 9}, 88001),
        ("/cgi-bin/comment/reply/add", {"msg_data_id": 100}, 48001),
        ("/datacube/getarticletotaldetail", {"begin_date": "x", "end_date": "y"}, 61500),
        ("/datacube/getarticletotaldetail", {"begin_date": today, "end_date": today}, 61501),
    ]:
        answer = ask(path, body)
        assert answer["errcode"] == code, path
        assert "rid: " in answer["errmsg"]
    in_the_query = ask("/cgi-bin/freepublish/batchget", {"a": 1}, offset="0", count="20")
    assert in_the_query["errcode"] == 40097


def test_lists_have_no_errcode_and_comments_have_one(ask):
    token(ask)
    page = ask("/cgi-bin/freepublish/batchget", {"offset": 20, "count": 20})
    comments = ask(
        "/cgi-bin/comment/list", {"msg_data_id": 100, "index": 0, "begin": 49, "count": 49}
    )

    assert "errcode" not in page
    assert (page["total_count"], page["item_count"]) == (25, 5)
    assert (comments["errcode"], comments["total"], len(comments["comment"])) == (0, 60, 11)
    assert "openid" not in comments["comment"][0]


def test_a_quota_ends_and_begins_anew_at_midnight_in_beijing(ask, api, clock):
    token(ask)
    api.quotas["/cgi-bin/freepublish/batchget"] = 2
    page = {"offset": 0, "count": 1}
    codes = [ask("/cgi-bin/freepublish/batchget", page).get("errcode") for _ in range(3)]
    clock.advance(12 * HOUR)
    token(ask)

    assert codes == [None, None, 45009]
    assert "item" in ask("/cgi-bin/freepublish/batchget", page)


def test_faults_come_when_they_are_told_to(ask, api):
    token(ask)
    api.faults.append(Fault(what=-1, path="batchget", skip=1, times=2))
    page = {"offset": 0, "count": 1}

    codes = [ask("/cgi-bin/freepublish/batchget", page).get("errcode") for _ in range(4)]

    assert codes == [None, -1, -1, None]


def test_what_is_pushed_is_signed_and_opens_with_the_key_alone(clock):
    pusher = Pusher(clock, token="t", encoding_aes_key=AES_KEY)
    letter = pusher.letter(pusher.text("水进屋了", openid="o-1", msgid=7))
    query = letter.query
    sealed = field(envelope(letter.body), "Encrypt")

    assert signed(query["signature"], "t", query["timestamp"], query["nonce"])
    assert signed(query["msg_signature"], "t", query["timestamp"], query["nonce"], sealed)
    inner = envelope(unseal(aes_key(AES_KEY), APP_ID, sealed))
    assert (field(inner, "Content"), field(inner, "MsgId")) == ("水进屋了", "7")


@pytest.mark.parametrize(("answers", "tries"), [([200], 1), ([500, 200], 2), ([500] * 9, 3)])
def test_a_push_comes_three_times_at_most(clock, answers, tries):
    left = list(answers)
    came = []

    async def take(request):
        came.append(await request.body())
        return Response(status_code=left.pop(0))

    pusher = Pusher(clock, token="t")
    with serve(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        status = pusher.send(url, pusher.letter("<xml/>"))

    assert (len(came), status) == (tries, answers[tries - 1])
    assert len(set(came)) == 1


def test_a_day_tells_its_stories_when_they_are_due(clock):
    start = clock.now()
    pusher = Pusher(clock, token="t")
    day = WechatDay.load(pusher, start=start, speed=2)
    came = []

    async def take(request):
        came.append(field(envelope(await request.body()), "MsgType"))
        return Response()

    with serve(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        before = day.deliver(url, start)
        first = day.deliver(url, start + timedelta(seconds=8))
        rest = day.deliver(url, start + timedelta(seconds=120))

    assert (before, first, rest) == (0, 1, 3)
    assert sorted(came) == ["event", "text", "text", "text"]
    assert [article.sent for article in day.articles] == [True, False, False, False]
    assert day.articles[-1].at == start + timedelta(seconds=12.5)


def test_a_wrong_story_is_named(clock, tmp_path):
    path = tmp_path / "day.toml"
    path.write_text('[[stories]]\nin = "letters"\nat = 0\ntext = "x"\n', encoding="utf-8")

    with pytest.raises(
        ValueError, match=r"day.toml: story 1: in: expected one of .* found 'letters'"
    ):
        WechatDay.load(Pusher(clock, token="t"), start=clock.now(), path=path)
