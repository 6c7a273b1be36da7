"""The demo inbox takes real SMTP and shows what came, harmlessly."""

import smtplib
from email.message import EmailMessage

import httpx
import pytest

from demo.mailbox import Mailbox
from demo.serving import serve

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def letter(subject="【舆情预警·重大】局长信箱：通道积水有人被困（TL-2026-0001）", html=True):
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "听澜 <tinglan@demo.invalid>"
    message["To"] = "值班室 <duty@demo.invalid>"
    message.set_content("级别：重大\n原文：http://127.0.0.1/jzxx/letter/6101.html")
    if html:
        message.add_alternative(
            '<p>级别：<b>重大</b></p><img src="cid:map"><script>alert(1)</script>', subtype="html"
        )
        message.get_payload()[1].add_related(PIXEL, "image", "png", cid="<map>")
    return message


def send(box, message):
    with smtplib.SMTP(box.host, box.port, timeout=5) as smtp:
        smtp.send_message(message, "tinglan@demo.invalid", ["duty@demo.invalid"])


@pytest.fixture
def box(tmp_path):
    with Mailbox(directory=tmp_path / "mails") as mailbox:
        yield mailbox


@pytest.fixture
def page(box):
    with serve(box.app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def test_an_empty_inbox_says_what_will_come(page):
    text = page.get("/").text

    assert "还没有邮件" in text
    assert "局长信箱" in text
    assert '<meta http-equiv="refresh"' in text


def test_a_sent_mail_arrives_is_listed_and_kept_as_a_file(box, page, tmp_path):
    send(box, letter())

    assert box.wait(1)
    [mail] = box.messages
    assert mail.sender == "tinglan@demo.invalid"
    assert mail.recipients == ("duty@demo.invalid",)
    assert mail.subject.startswith("【舆情预警·重大】")
    assert "级别：重大" in mail.text
    assert [one.name for one in (tmp_path / "mails").iterdir()] == ["00001.eml"]
    listing = page.get("/").text
    assert "通道积水有人被困" in listing
    assert '<span class="tag orange">舆情预警·重大</span>' in listing
    assert "编号 TL-2026-0001" in listing


def test_newest_mail_stands_first(box, page):
    send(box, letter("第一封"))
    send(box, letter("第二封"))

    listing = page.get("/").text

    assert listing.index("第二封") < listing.index("第一封")


def test_the_inbox_leads_to_the_other_demo_pages(box, page):
    box.links = [("值班工作台", "http://127.0.0.1:8600/")]

    assert '<a href="http://127.0.0.1:8600/" target="_blank"' in page.get("/").text


def test_html_is_shown_in_a_sandbox_with_its_pictures(box, page):
    send(box, letter())

    answer = page.get("/mail/1")

    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in answer.text
    assert "data:image/png;base64," in answer.text
    assert "<script>" not in answer.text  # escaped inside srcdoc, and no script runs there
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_hostile_subject_is_only_text(box, page):
    send(box, letter("<script>alert(1)</script>{{7*7}}", html=False))

    for path in ("/", "/mail/1"):
        assert "<script>" not in page.get(path).text
        assert "{{7*7}}" in page.get(path).text


def test_a_broken_mail_does_not_break_the_page(box, page):
    raw = b"Subject: =?utf-8?b?!!!?=\nFrom: <<>>,,@@\nContent-Type: text/html; charset=\n\n<b>x\xff"
    box.take("a@b.invalid", ["c@d.invalid"], raw)
    box.take("", ["c@d.invalid"], b"")

    assert page.get("/").status_code == 200
    assert page.get("/mail/1").status_code == 200
    assert page.get("/mail/2").status_code == 200
    assert page.get("/mail/1.eml").content == raw
    assert page.get("/mail/99").status_code == 404


def test_stopped_mailbox_refuses_and_opens_the_same_port_again(box):
    port = box.port

    box.stop()
    with pytest.raises(OSError, match=r"refused|in use"):
        smtplib.SMTP("127.0.0.1", port, timeout=5)
    box.start()
    send(box, letter())

    assert box.port == port
    assert box.wait(1)


def test_a_taken_port_is_an_error_at_start(box):
    with pytest.raises(OSError, match=r"refused|in use"):
        Mailbox(port=box.port).start()
