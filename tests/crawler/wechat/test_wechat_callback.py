"""Pushes over real HTTP: what is genuine is stored once before the answer, the rest refused."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from crawler.callbacks import BODY, path_of, routes
from crawler.wechat.sealing import Unsealed, aes_key, seal, signature, unseal
from demo.serving import serve
from demo.wechatpush import Letter, Pusher
from store.tables import posts
from tests.patience import at_most

XXE = (
    '<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY leak SYSTEM "file://{path}">]>'
    "<xml><FromUserName>o-1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType>"
    "<Content>&leak;</Content><MsgId>1</MsgId></xml>"
)
BOMB = (
    '<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><xml><MsgType>text</MsgType><Content>&j;</Content><MsgId>2</MsgId></xml>"
)
OUTER = '<!DOCTYPE xml SYSTEM "http://127.0.0.1/x.dtd"><xml><MsgType>text</MsgType></xml>'

#: One request made with openssl and sha1sum, not with our own code. Stamp 1784088000 is noon
#: of 2026-07-15 in Beijing.
VECTOR_KEY = "Zm9yLXRoZS10ZXN0cy1vbmx5LW5vdC1hLWtleS0xMjM"
VECTOR_QUERY = {
    "signature": "925e25343e4cdec2d2865c59ac4b4e30c7e74138",
    "timestamp": "1784088000",
    "nonce": "20260715",
}
VECTOR_MSG_SIGNATURE = "24865c19068ed6ceed3caabbfe2871ed9eaf255e"
VECTOR_XML = (
    "<xml><ToUserName><![CDATA[gh_v]]></ToUserName><FromUserName><![CDATA[oVector]]>"
    "</FromUserName><CreateTime>1784088000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[望江路积水过膝了 🌧]]></Content><MsgId>24000000000000099</MsgId></xml>"
)
VECTOR_CIPHER = (
    "QeO6i1YxDeG9rtUbVzu5idUtXioiIBnJ+Ppb4h2O/gxtzB4uIHdnmMbnE3tz28xjTf8lcktcIbPmbCjODwR1"
    "nTkYRYkbAwSuFBl9p19cMW2RQVnmJBOafBOtKvRn8zcZWxm6+KEmB/FAPTwiOV7PVeN6Xx1bRuvCvqwJ9HP0"
    "EwPc4ri17KphuER2GKefMU093N3J42aVl2LBE1ReDMWeEzvp49uoWMeC5or4mMdjlFxK6w/jxh0m4x9z53P8"
    "/O3MjR4qjA1Df2lHNN+ZiU+4Cng1n57Nc7EpfjbwfGt2TJ2qSfU4fgGIzD+tKRu2rv6gmkTZytstfckkpN+h"
    "DCb/R5WnKFde2Nm9k7mJxfendOn579buyPlheZmmx+Gnaov0IDfLkNKEIMsGsqyTr50nEzqg8sEyNf396LF1"
    "QtaXcZc="
)


@pytest.fixture
def mount(desk):
    """Serves the callback of the account; answers its address and what it woke."""
    with ExitStack() as stack:

        def mount(**options):
            desk.options = options
            woken = []
            app = Starlette(routes=routes(desk.settings, desk.tools, wake=woken.append))
            return stack.enter_context(serve(app)) + path_of("wx"), woken

        yield mount


@pytest.fixture
def plain(mount):
    return mount()[0]


@pytest.fixture
def sealed(mount):
    return mount(aes_key_env="WX_AES")[0]


@pytest.fixture
def clear_pusher(desk):
    return Pusher(desk.clock, token=desk.environ["WX_TOKEN"])


@pytest.fixture
def pusher(desk):
    return Pusher(
        desk.clock, token=desk.environ["WX_TOKEN"], encoding_aes_key=desk.environ["WX_AES"]
    )


def post(url, letter):
    return httpx.post(url, params=dict(letter.query), content=letter.body)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_request_made_by_other_tools_is_understood(desk, mount, is_sealed):
    desk.environ |= {"WX_TOKEN": "vector-token", "WX_AES": VECTOR_KEY}
    options = {"app_id": "wxvector00000001", "plain_pushes": True, "aes_key_env": "WX_AES"}
    url, _ = mount(**options)
    query, body = VECTOR_QUERY, VECTOR_XML
    if is_sealed:
        query = {**query, "encrypt_type": "aes", "msg_signature": VECTOR_MSG_SIGNATURE}
        body = f"<xml><Encrypt><![CDATA[{VECTOR_CIPHER}]]></Encrypt></xml>"

    answer = post(url, Letter(query=query, body=body.encode()))

    assert (answer.status_code, answer.content) == (200, b"")
    assert [(p.key, p.text) for p in desk.posts()] == [
        ("msg:24000000000000099", "望江路积水过膝了 🌧")
    ]


def test_the_address_is_proved_by_its_raw_echo(plain, clear_pusher):
    answer = httpx.get(plain, params=clear_pusher.url_check("842997429087990681"))

    assert (answer.status_code, answer.text) == (200, "842997429087990681")
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_second_try_that_is_sealed_anew_is_taken_and_stored_once(desk, sealed, pusher):
    words = pusher.text("望江路积水", openid="o-1", msgid=7)
    first = pusher.letter(words)
    key, token = aes_key(desk.environ["WX_AES"]), desk.environ["WX_TOKEN"]
    stamp, nonce = first.query["timestamp"], first.query["nonce"]
    anew = seal(key, desk.channel.options.app_id, words.encode())
    query = {**first.query, "msg_signature": signature(token, stamp, nonce, anew)}
    second = Letter(query=query, body=f"<xml><Encrypt>{anew}</Encrypt></xml>".encode())

    answers = [post(sealed, letter).status_code for letter in (first, second, second)]

    assert answers == [200, 200, 200]
    assert [p.key for p in desk.posts()] == ["msg:7"]


@pytest.mark.parametrize(
    "spoil",
    [
        {"signature": "0" * 40},
        {"signature": ""},
        {"signature": "签名"},
        {"nonce": ""},
        {"timestamp": "soon"},
        {"timestamp": "9" * 30},
        {"timestamp": "-5"},
    ],
)
def test_an_address_check_by_a_stranger_is_refused_without_a_word(plain, clear_pusher, spoil):
    answer = httpx.get(plain, params={**clear_pusher.url_check("echo"), **spoil})

    assert (answer.status_code, answer.content) == (403, b"")


def test_a_message_in_clear_is_stored_before_the_empty_answer(desk, plain, clear_pusher):
    xml = clear_pusher.text("热线一直占线怎么办 😡 <b>&amp;</b>", openid="o-1", msgid=2**63 - 1)
    answer = post(plain, clear_pusher.letter(xml))

    (post_,) = desk.posts()
    assert (answer.status_code, answer.content) == (200, b"")
    assert (post_.kind, post_.role, post_.key) == ("message", "public", "msg:9223372036854775807")
    assert post_.text == "热线一直占线怎么办 😡 <b>&amp;</b>"
    assert post_.published_at == desk.clock.now()
    assert "o-1" not in desk.everything()


def test_a_sealed_message_is_opened(desk, sealed, pusher):
    answer = post(sealed, pusher.letter(pusher.text("听说要停水三天？", openid="o-1", msgid=5)))

    assert answer.status_code == 200
    assert [p.text for p in desk.posts()] == ["听说要停水三天？"]


def test_the_same_message_three_times_is_stored_once(desk, sealed, pusher):
    xml = pusher.text("水进屋了", openid="o-1", msgid=77)
    letter = pusher.letter(xml)
    answers = [post(sealed, letter), post(sealed, letter), post(sealed, pusher.letter(xml))]

    assert [a.status_code for a in answers] == [200, 200, 200]
    assert [(p.text, p.version) for p in desk.posts()] == [("水进屋了", 1)]


def test_an_event_three_times_wakes_and_counts_once(desk, mount, pusher, publish):
    url, woken = mount(aes_key_env="WX_AES")
    (article,) = publish(1)
    xml = pusher.published(article.article_id, [article.url])
    for _ in range(3):
        assert post(url, pusher.letter(xml)).status_code == 200

    assert woken == ["wx"]
    assert desk.read().new == 1
    assert len(desk.api.asked("getarticle")) == 1
    assert desk.read().planned <= 2  # worked off


def test_a_publication_is_read_at_once_although_the_list_is_thinned_out(
    desk, mount, pusher, publish
):
    url, _ = mount(aes_key_env="WX_AES", statistics=False)
    publish(3)
    while "摊匀" not in desk.read().why:
        desk.clock.advance(60)
    (article,) = publish(1, start=2247490000)
    article.at = desk.clock.now()
    post(url, pusher.letter(pusher.published(article.article_id, [article.url])))

    result = desk.read()

    assert result.new == 1
    assert desk.posts(key=article.msgid)[0].text.startswith("第2247490000号通知")


def test_what_was_sent_to_followers_is_known_by_push_before_the_statistics(
    desk, mount, pusher, publish, comment
):
    url, _ = mount(aes_key_env="WX_AES")
    (article,) = publish(1, sent=True)
    comment(article, 2)
    desk.read()
    post(url, pusher.letter(pusher.sent([article.url])))

    same_day = desk.read()
    early = desk.posts(key=article.msgid)[0]
    desk.clock.advance(timedelta(days=1))
    desk.read()
    late = desk.posts(key=article.msgid)[0]

    assert same_day.new == 3
    assert early.title == "群发消息（标题待平台统计接口返回）"
    assert (late.title, late.version) == (article.title, 2)
    assert len(desk.posts(kind="post")) == 1


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: p.sent([], status="err(20013)"), "群发未成功：err(20013)"),
        (lambda p: p.published("a1", [], status=4), "发布未成功：平台审核未通过"),
    ],
)
def test_a_publication_that_failed_is_said(desk, mount, pusher, make, why):
    url, _ = mount(aes_key_env="WX_AES")
    post(url, pusher.letter(make(pusher)))

    assert why in desk.read().why


def test_pictures_voices_and_places_are_kept_with_what_they_say(desk, sealed, pusher):
    for n, (kind, more) in enumerate(
        [
            ("image", {"PicUrl": "http://mmbiz.example/1"}),
            ("voice", {"Recognition": "我家进水了"}),
            ("location", {"Label": "望江路12号"}),
            ("link", {"Title": "网传通知", "Description": "停课", "Url": "http://a.example/"}),
        ]
    ):
        post(sealed, pusher.letter(pusher.media(kind, openid="o-1", msgid=n + 1, more=more)))

    assert [p.text for p in desk.posts()] == [
        "［图片］",
        "［语音］ 我家进水了",
        "［位置］ 望江路12号",
        "［链接］ 网传通知 停课 http://a.example/",
    ]


def test_taps_on_the_menu_are_taken_and_not_kept(desk, sealed, pusher):
    xml = pusher.media("event", openid="o-1", msgid=1, more={"Event": "subscribe"})

    assert post(sealed, pusher.letter(xml)).status_code == 200
    assert desk.posts() == []


def test_a_message_that_quotes_a_doctype_is_only_text(desk, sealed, pusher):
    words = "你们网站源码里 <!DOCTYPE html> <!ENTITY x> ]]> 是什么意思"
    post(sealed, pusher.letter(pusher.text(words, openid="o-1", msgid=9)))

    assert [p.text for p in desk.posts()] == [words]


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_an_old_or_early_push_is_refused(desk, sealed, pusher, seconds):
    at = desk.clock.now() + timedelta(seconds=seconds)
    letter = pusher.letter(pusher.text("重放", openid="o-1", msgid=1), at=at)

    assert post(sealed, letter).status_code == 403
    assert desk.posts() == []


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_push_within_five_minutes_is_taken(desk, sealed, pusher, seconds):
    at = desk.clock.now() + timedelta(seconds=seconds)

    letter = pusher.letter(pusher.text("准时", openid="o-1", msgid=1), at=at)
    assert post(sealed, letter).status_code == 200


def test_a_forged_text_under_a_seen_signature_is_refused(desk, plain, clear_pusher):
    letter = clear_pusher.letter(clear_pusher.text("真的", openid="o-1", msgid=1))
    forged = Letter(
        query=letter.query, body=clear_pusher.text("假的", openid="o-2", msgid=2).encode()
    )

    assert post(plain, letter).status_code == 200
    assert post(plain, forged).status_code == 403
    assert [p.text for p in desk.posts()] == ["真的"]


def test_clear_text_is_refused_where_sealing_was_agreed(desk, sealed, pusher):
    letter = pusher.letter(pusher.text("明文", openid="o-1", msgid=1), sealed=False)

    assert post(sealed, letter).status_code == 403


def test_both_modes_are_taken_where_settings_say_so(desk, mount, pusher):
    url, _ = mount(aes_key_env="WX_AES", plain_pushes=True)
    for n in (True, False):
        letter = pusher.letter(pusher.text("兼容模式", openid="o-1", msgid=1 + n), sealed=n)
        assert post(url, letter).status_code == 200

    assert len(desk.posts()) == 2


def test_sealed_pushes_that_are_not_ours_are_refused(desk, sealed, pusher):
    xml = pusher.text("伪造", openid="o-1", msgid=1)
    good = pusher.letter(xml)
    other = Pusher(
        desk.clock,
        token=desk.environ["WX_TOKEN"],
        app_id="wxsomebodyelse",
        encoding_aes_key=desk.environ["WX_AES"],
    )
    wrong_key = Pusher(
        desk.clock, token=desk.environ["WX_TOKEN"], encoding_aes_key=desk.environ["WX_AES"][::-1]
    )
    letters = {
        "bad msg_signature": Letter(
            query={**good.query, "msg_signature": "0" * 40}, body=good.body
        ),
        "no msg_signature": Letter(
            query={k: v for k, v in good.query.items() if k != "msg_signature"}, body=good.body
        ),
        "other appid": other.letter(xml),
        "other key": wrong_key.letter(xml),
        "truncated": Letter(query=pusher.letter(xml).query, body=good.body[:-60]),
        "no cipher": Letter(query=pusher.letter(xml).query, body=b"<xml><Encrypt></Encrypt></xml>"),
    }
    for why, letter in letters.items():
        answer = post(sealed, letter)
        assert (answer.status_code in {400, 403}, answer.content) == (True, b""), why
    assert desk.posts() == []


@pytest.mark.parametrize("cut", [1, 16, 31, 32, 100])
def test_a_truncated_cipher_says_nothing_about_why(cut):
    import base64

    key = aes_key("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ")
    whole = base64.b64decode(seal(key, "wx", b"<xml/>" * 40))
    short = base64.b64encode(whole[:-cut]).decode()

    with pytest.raises(Unsealed) as caught:
        unseal(key, "wx", short)
    assert str(caught.value) == ""


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 27, 28, 29, 5000])
def test_padding_goes_to_thirty_two(length):
    key = aes_key("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ")

    assert unseal(key, "wx", seal(key, "wx", b"x" * length)) == b"x" * length


def test_no_entity_is_ever_resolved_and_no_file_read(desk, plain, clear_pusher, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("file-canary", encoding="ascii")
    for body in (XXE.replace("{path}", str(secret)), BOMB, OUTER, "<xml>", "", "不是 XML"):
        letter = clear_pusher.letter(body)
        with at_most(1):
            answer = post(plain, letter)
        assert (answer.status_code, answer.content) == (400, b"")

    assert "file-canary" not in desk.everything()
    assert desk.posts() == []


def test_a_body_of_five_megabytes_is_not_even_read(desk, plain, clear_pusher):
    letter = clear_pusher.letter("x" * 5_000_000)
    with suppress(httpx.TransportError):  # the door may be shut while we still talk
        assert post(plain, letter).status_code == 413

    assert post(plain, clear_pusher.letter("x" * (BODY + 1))).status_code == 413
    assert desk.posts() == []


def test_a_body_that_never_comes_is_given_up(plain, clear_pusher):
    place = urlsplit(plain)
    query = "&".join(f"{k}={v}" for k, v in clear_pusher.letter("").query.items())
    with socket.create_connection((place.hostname, place.port), 10) as link:
        link.sendall(
            f"POST {place.path}?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n<xml>".encode()
        )
        answer = link.recv(4096)

    assert answer.startswith(b"HTTP/1.1 408")


def test_a_hundred_at_once_are_all_stored(desk, sealed, pusher):
    letters = [
        pusher.letter(pusher.text(f"第{n}封", openid=f"o-{n}", msgid=1000 + n)) for n in range(100)
    ]
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda letter: pusher.send(sealed, letter), letters))

    assert statuses == [200] * 100
    assert len(desk.posts()) == 100


def test_a_database_that_cannot_store_is_no_two_hundred(desk, sealed, pusher):
    with desk.database.write() as connection:
        connection.exec_driver_sql("alter table posts rename to gone")

    letter = pusher.letter(pusher.text("存不下", openid="o-1", msgid=1))
    answer = post(sealed, letter)
    with desk.database.write() as connection:
        connection.exec_driver_sql("alter table gone rename to posts")

    assert (answer.status_code, answer.content) == (500, b"")
    with desk.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(posts)).scalar() == 0


def test_refusals_are_logged_without_secrets_or_names(desk, sealed, pusher, caplog):
    caplog.set_level(logging.DEBUG)
    good = pusher.letter(pusher.text("正文暗号", openid="o-canary", msgid=3))
    post(sealed, good)
    post(sealed, Letter(query={**good.query, "signature": "0" * 40}, body=good.body))

    ours = [r for r in caplog.records if r.name.startswith("crawler")]
    logged = "\n".join(f"{r.getMessage()} {vars(r)}" for r in ours)
    assert "push.refused" in logged
    for secret in ("o-canary", "正文暗号", desk.environ["WX_TOKEN"], desk.environ["WX_AES"]):
        assert secret not in logged


def test_a_channel_without_a_push_token_has_no_door(desk):
    settings = desk.settings
    channel = settings.channels[0]
    closed = channel.model_copy(
        update={"options": channel.options.model_copy(update={"token_env": None})}
    )

    assert routes(settings.model_copy(update={"channels": (closed,)}), desk.tools) == []
