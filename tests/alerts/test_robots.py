"""Group robots over real HTTP: delivered only when the body says so, and no key is ever told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.letters import Letter, NotDelivered, Trouble
from alerts.transports import dingtalk, feishu, wecom

KEY = "0f9e8d7c-6b5a-4321-aaaa-bbbbccccdddd"
SECRET = "SECabcdef0123456789abcdef0123456789"
PLATFORMS = {"wecom": wecom, "dingtalk": dingtalk, "feishu": feishu}
GOOD = {
    "wecom": {"errcode": 0, "errmsg": "ok"},
    "dingtalk": {"errcode": 0, "errmsg": "ok"},
    "feishu": {"code": 0, "msg": "success", "data": {}},
}
CODE = {"wecom": "errcode", "dingtalk": "errcode", "feishu": "code"}


class Platform:
    """Answers as told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.status, self.answer, self.headers = 200, b"{}", {}
        self.got: list[tuple[str, dict]] = []
        self.hang_up = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, json.loads(body)))
                if outer.hang_up:
                    self.connection.close()
                    return
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *args) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/send?key={KEY}"

    def say(self, answer, status=200) -> None:
        self.status = status
        self.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def letter() -> Letter:
    return Letter(
        id="n1",
        recipient="防汛群",
        subject="【舆情预警·重大】官网：厂房塌了（TL-2026-0001）",
        text="等级：Ⅱ级 重大\n" + "请立即核实。" * 10,
        date=datetime(2026, 7, 15, 4, 0, tzinfo=UTC),
    )


def build(name, settings, url, **robot):
    module = PLATFORMS[name]
    options = module.Options.model_validate(
        {"groups": {"防汛群": {"url_env": "ROBOT_URL", **robot}}}
    )
    return module.build(options, settings, {"ROBOT_URL": url, "ROBOT_SECRET": SECRET})


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_letter_is_delivered_when_the_body_says_so(name, platform, settings, letter):
    platform.say(GOOD[name])
    receipt = build(name, settings, platform.url).send(letter)

    [(_, body)] = platform.got
    assert "厂房塌了" in json.dumps(body, ensure_ascii=False)
    assert "0" in receipt.reply


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(
    ("answer", "status", "kind", "permanent"),
    [
        ("wrong", 200, Trouble.RECIPIENT, True),
        ("busy", 200, Trouble.MESSAGE, False),
        (b"<html>login</html>", 200, Trouble.MESSAGE, False),
        (b"", 200, Trouble.MESSAGE, False),
        ({}, 200, Trouble.MESSAGE, False),
        (b'{"errcode": "0", "code": "0"}', 200, Trouble.MESSAGE, False),
        (b'{"errcode": false, "code": false}', 200, Trouble.MESSAGE, False),
        ("good", 302, Trouble.RECIPIENT, True),
        ("good", 404, Trouble.RECIPIENT, True),
        ("good", 429, Trouble.MESSAGE, False),
        ("good", 502, Trouble.MESSAGE, False),
    ],
)
def test_anything_else_is_not_delivered(
    name, platform, settings, letter, answer, status, kind, permanent
):
    codes = {"wrong": 93000, "busy": sorted(PLATFORMS[name].build(
        PLATFORMS[name].Options.model_validate({"groups": {"g": {"url_env": "ROBOT_URL"}}}),
        settings, {}).later)[-1]}  # fmt: skip
    told = {"good": GOOD[name]} | {
        word: {CODE[name]: code, "errmsg": f"no {KEY}", "msg": f"no {KEY}"}
        for word, code in codes.items()
    }
    platform.say(told[answer] if isinstance(answer, str) else answer, status)
    platform.headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}

    with pytest.raises(NotDelivered) as caught:
        build(name, settings, platform.url).send(letter)

    assert (caught.value.kind, caught.value.permanent) == (kind, permanent)
    assert KEY not in str(caught.value)
    assert len(platform.got) == 1


def test_the_older_answer_of_feishu_counts_as_well(platform, settings, letter):
    platform.say({"StatusCode": 0, "StatusMessage": "success"})
    assert build("feishu", settings, platform.url).send(letter)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_link_that_dies_after_the_text_is_unsure_and_a_closed_port_is_not(
    name, platform, settings, letter
):
    platform.hang_up = True
    with pytest.raises(NotDelivered) as unsure:
        build(name, settings, platform.url).send(letter)
    platform.server.shutdown()
    platform.server.server_close()
    with pytest.raises(NotDelivered) as away:
        build(name, settings, platform.url).send(letter)

    assert unsure.value.kind is Trouble.UNSURE
    assert away.value.kind is Trouble.LINK
    assert KEY not in str(unsure.value) + str(away.value)


def test_dingtalk_signs_its_address(platform, settings, letter):
    platform.say(GOOD["dingtalk"])
    build("dingtalk", settings, platform.url, secret_env="ROBOT_SECRET").send(letter)

    query = parse_qs(urlsplit(platform.got[0][0]).query)
    [stamp], [sign] = query["timestamp"], query["sign"]
    wanted = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert base64.b64decode(sign) == wanted
    assert query["key"] == [KEY]


def test_feishu_signs_its_body(platform, settings, letter):
    platform.say(GOOD["feishu"])
    build("feishu", settings, platform.url, secret_env="ROBOT_SECRET").send(letter)

    body = platform.got[0][1]
    key = f"{body['timestamp']}\n{SECRET}".encode()
    assert base64.b64decode(body["sign"]) == hmac.new(key, b"", hashlib.sha256).digest()


def test_a_keyword_stands_before_the_text(platform, settings, letter):
    platform.say(GOOD["dingtalk"])
    build("dingtalk", settings, platform.url, keyword="值班").send(letter)

    assert platform.got[0][1]["text"]["content"].startswith("值班 【舆情预警")


def test_a_long_letter_is_cut_between_characters_and_says_so(platform, settings, letter):
    from dataclasses import replace

    platform.say(GOOD["wecom"])
    build("wecom", settings, platform.url).send(replace(letter, text="汛" * 5000))

    content = platform.got[0][1]["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content.endswith("全文见值班台或邮件）")
    assert "\ufffd" not in content


@pytest.mark.parametrize(
    "url", ["http://qyapi.weixin.qq.com/x", "https://evil.example/x", "ftp://127.0.0.1/", "://", ""]
)
def test_a_key_goes_nowhere_but_to_its_platform(settings, letter, url):
    with pytest.raises(NotDelivered) as caught:
        build("wecom", settings, url).send(letter)

    assert caught.value.permanent
    assert "evil" not in str(caught.value)


def test_an_unknown_group_is_refused_so_that_others_are_told(platform, settings, letter):
    from dataclasses import replace

    with pytest.raises(NotDelivered) as caught:
        build("wecom", settings, platform.url).send(replace(letter, recipient="没有的群"))
    assert caught.value.permanent
