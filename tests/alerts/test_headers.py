"""Any text becomes a header that every mail program reads back as it was meant."""

from __future__ import annotations

import email
import unicodedata
from email import policy
from email.header import decode_header, make_header

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alerts.headers import clean_header, clean_text, encoded, mailbox
from alerts.letters import Letter
from alerts.mail import compose
from config.settings import Mail
from store.records import Level

HOSTILE = [
    "断行\r\nBcc: all@example.gov.cn\r\n\r\n正文",
    "空\x00字符\x07铃",
    "\u202e倒着写的\u202c字",
    "零\u200b宽\u200d字\ufeff符\u2060",
    "半个\ud83d代理\udc00",
    "🌊🔥👨\u200d👩\u200d👧 表情",
    "长" * 10_000,
    "a" * 10_000,
    "=?utf-8?B?5Lit5paH?= 装作已编码",
    "=?utf-8?Q?=0D=0ABcc:_x?=",
    "<script>alert(1)</script>",
    "{{7*7}} {% raw %} ${7*7}",
    "行\u2028段\u2029页\x0b\x0c\x85完",
    "",
    " ",
    "e\u0301 组合",
]
MAIL = Mail.model_validate({"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"})


def parsed(raw):
    return email.message_from_bytes(raw, policy=policy.default)


def mail_with(clock_now, subject, text="正文", html="<p>正文</p>"):
    return compose(
        Letter(
            id="n1", recipient="duty@example.gov.cn", subject=subject, text=text, html=html,
            date=clock_now, level=Level.I,
        ),
        MAIL,
    )  # fmt: skip


def assert_well_formed(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        assert len(line) <= 78, line
        assert line.isascii()
    for word in head.replace(b"\r\n", b" ").split():
        if word.startswith(b"=?"):
            assert len(word) <= 75
    assert all(len(line) <= 78 for line in body.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


def assert_reads_back(raw, subject):
    wanted = clean_header(subject, 2000)
    message = email.message_from_bytes(raw)
    assert str(make_header(decode_header(message["Subject"]))) == wanted
    assert str(parsed(raw)["Subject"]) == wanted
    assert parsed(raw)["Bcc"] is None
    assert len(parsed(raw).get_all("Subject")) == 1


@pytest.mark.parametrize("subject", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_subject_is_one_harmless_line(clock, subject):
    raw = mail_with(clock.now(), subject)

    assert_well_formed(raw)
    assert_reads_back(raw, subject)


@settings(max_examples=1500, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=120))
@example("=?utf-8?B?5Lit?=")
@example("a" * 69 + "中")
def test_fifteen_hundred_subjects_read_back_equal(clock, subject):
    raw = mail_with(clock.now(), subject, html="")

    assert_well_formed(raw)
    assert_reads_back(raw, subject)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80))
def test_a_display_name_never_becomes_an_address(display):
    line = mailbox("From", display, "tinglan@example.gov.cn")
    message = email.message_from_bytes(f"{line}\r\n\r\n".encode("ascii"), policy=policy.default)

    (address,) = message["From"].addresses
    assert address.addr_spec == "tinglan@example.gov.cn"
    # Read by hand: the library's address parser leaves a blank between two encoded words.
    shown = str(make_header(decode_header(line.partition(": ")[2])))
    name = shown.replace("<tinglan@example.gov.cn>", "").removesuffix("tinglan@example.gov.cn")
    assert name.strip() == clean_header(display, 60)
    assert all(len(part) <= 78 for part in line.split("\r\n"))


@settings(max_examples=300)
@given(st.text(max_size=300))
def test_clean_text_is_clean_however_often_it_is_cleaned(text):
    once = clean_header(text)

    assert clean_header(once) == once
    assert len(once) <= 120
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in once)
    kept = clean_text(text).replace("\n", "")
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in kept)


def test_short_ascii_stays_readable_in_the_source():
    assert encoded("Subject", "plain text") == "Subject: plain text"


def test_the_headers_of_an_alert(clock):
    message = parsed(mail_with(clock.now(), "标题"))

    assert message["Message-ID"] == "<n1@example.gov.cn>"
    assert message["Date"] == "Wed, 15 Jul 2026 12:00:00 +0800"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["List-Id"] == "<alert.tinglan.example.gov.cn>"
    assert (message["Importance"], message["X-Priority"]) == ("high", "1")
    assert message["Precedence"] is None
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert all(part["Content-Transfer-Encoding"] == "base64" for part in message.iter_parts())
    assert message.defects == []


def test_the_same_letter_gives_the_same_bytes(clock):
    assert mail_with(clock.now(), "标题") == mail_with(clock.now(), "标题")
