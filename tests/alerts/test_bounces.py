"""What was taken and then sent back is no longer called delivered, and somebody else is told."""

from __future__ import annotations

import uuid
from datetime import timedelta
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from alerts.bounces import Bounce, note_bounces, read_bounce
from alerts.items import list_items
from alerts.opening import open_items
from alerts.outbox import resend
from store.ledger import verify
from store.records import Topic
from store.tables import events, notices

DOMAIN = "example.gov.cn"
NOTICE = "0a1b2c3d-4e5f-5a6b-8c7d-0123456789ab"
PARENT = str(uuid.uuid5(uuid.NAMESPACE_DNS, "parent"))
DUTY = "duty@example.gov.cn"


def report(notice=NOTICE, *, action="failed", status="5.1.1", said="550 5.1.1 user unknown",
           headers_only=False, domain=DOMAIN, machine="multipart"):  # fmt: skip
    """A delivery report as mail servers write it."""
    outer = MIMEMultipart("report", report_type="delivery-status")
    outer["From"] = "MAILER-DAEMON@mx.example.net"
    outer["To"] = "tinglan@example.gov.cn"
    outer["Subject"] = "Undelivered Mail Returned to Sender"
    outer.attach(MIMEText("Your message could not be delivered."))
    status_part = (
        "Reporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {DUTY}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {said}\r\n"
    )
    part = BytesParser().parsebytes(
        f"Content-Type: message/delivery-status\r\n\r\n{status_part}".encode()
    )
    outer.attach(part)
    original = EmailMessage()
    original["Message-ID"] = f"<{notice}@{domain}>"
    original["References"] = f"<{PARENT}@{domain}>"
    original["Subject"] = "【舆情预警】"
    if headers_only:
        held = MIMENonMultipart("text", "rfc822-headers")
        held.set_payload(original.as_string())
        outer.attach(held)
    else:
        original.set_content("正文")
        outer.attach(MIMEMessage(original))
    return outer.as_bytes()


def home_made(body, *, sender="postmaster@qq.example", subject="退信通知", charset="gb18030"):
    letter = EmailMessage()
    letter["From"] = sender
    letter["Subject"] = subject
    letter.set_content(body, subtype="html", charset=charset)
    return letter.as_bytes()


READ = [
    (report(), (False, "5.1.1")),
    (report(headers_only=True), (False, "user unknown")),
    (report(action="delayed", status="4.4.1", said="421 try again"), (True, "4.4.1")),
    (report(action="Failed ", said="554 5.7.1 spam"), (False, "spam")),
    (
        home_made(f"<p>退信原因：550 用户不存在</p>Message-ID: &lt;{NOTICE}@{DOMAIN}"),
        (False, "用户不存在"),
    ),
    (home_made(f"450 稍后重试 {NOTICE}@{DOMAIN}", subject="延迟通知"), (True, "稍后重试")),
]
OTHERS = [
    report(action="delivered", status="2.0.0"),
    report(action="relayed"),
    report(domain="elsewhere.example"),
    report(notice="not-ours"),
    home_made(f"550 {NOTICE}@{DOMAIN}", sender="someone@example.com"),  # a person quotes it
    home_made(f"550 {NOTICE}@{DOMAIN} {PARENT}@{DOMAIN}"),  # which of the two?
    home_made("退信，没有说是哪一封"),
    b"", b"\x00\xff", b"Content-Type: multipart/report\r\n\r\n", b"Content-Type: text/plain; charset=nope\r\nFrom: postmaster@x\r\n\r\nx",
]  # fmt: skip


@pytest.mark.parametrize(("raw", "told"), READ, ids=range(len(READ)))
def test_a_report_names_the_notice_and_says_why(raw, told):
    found = read_bounce(raw, DOMAIN)

    assert (found.notice, found.late) == (NOTICE, told[0])
    assert told[1] in found.reply


@pytest.mark.parametrize("raw", OTHERS, ids=range(len(OTHERS)))
def test_whatever_else_lies_in_the_mailbox_is_no_bounce(raw):
    assert read_bounce(raw, DOMAIN) is None


@tried(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 900), st.binary(max_size=40))
def test_a_damaged_report_never_raises(cut, noise):
    raw = report()
    read_bounce(raw[:cut] + noise + raw[cut + len(noise) :], DOMAIN)


@pytest.fixture
def second(make_settings):
    return make_settings(alerts={"second": {DUTY: ["spare@example.gov.cn"]}})


@pytest.fixture
def sent(sqlite_database, second, clock, assess, deliver):
    """An alert that the server has taken; answers its notice."""
    assess(sqlite_database, level="II", topics=("accident",))
    open_items(sqlite_database, second, clock.now())
    deliver(sqlite_database, using=second)
    return rows(sqlite_database)[0].id


def rows(database):
    with database.read() as connection:
        return connection.execute(sa.select(notices).order_by(notices.c.created_at)).all()


def kinds(database):
    with database.read() as connection:
        return list(connection.execute(sa.select(events.c.kind).order_by(events.c.id)).scalars())


def failed(notice, late=False):
    return Bounce(notice=notice, late=late, reply="5.1.1 user unknown")


def test_a_bounced_notice_goes_to_the_second_address_with_one_alarm(
    sqlite_database, second, clock, sent, deliver, memory
):
    clock.advance(60)
    assert note_bounces(sqlite_database, second, [failed(sent)] * 3, clock.now()) == 1
    deliver(sqlite_database, using=second)

    row = next(one for one in rows(sqlite_database) if one.id == sent)
    assert (row.state, row.reply) == ("bounced", "退信：5.1.1 user unknown")
    [again] = memory.to("spare@example.gov.cn")
    assert "未能送达" in again.text
    alarms = [one for one in list_items(sqlite_database) if one.topic is Topic.SYSTEM]
    assert [one.title for one in alarms] == [f"通知无法送达 {DUTY}：投递后被退回"]
    assert kinds(sqlite_database).count("bounced") == 1
    assert verify(sqlite_database)[1] == []


def test_a_late_one_stays_and_what_is_grave_goes_another_way_once(
    sqlite_database, second, clock, sent, deliver, memory
):
    assert note_bounces(sqlite_database, second, [failed(sent, late=True)] * 2, clock.now()) == 1
    deliver(sqlite_database, using=second)

    assert next(one for one in rows(sqlite_database) if one.id == sent).state == "sent"
    assert len(memory.to("spare@example.gov.cn")) == 1
    clock.advance(timedelta(hours=4))
    assert note_bounces(sqlite_database, second, [failed(sent)], clock.now()) == 1
    deliver(sqlite_database, using=second)
    # The second address has it already; the last resort is not needed.
    assert len(memory.to("spare@example.gov.cn")) == 1


def test_where_the_second_bounces_as_well_the_last_resort_is_told(
    sqlite_database, second, clock, sent, deliver, memory
):
    note_bounces(sqlite_database, second, [failed(sent)], clock.now())
    deliver(sqlite_database, using=second)
    spare = next(one for one in rows(sqlite_database) if one.recipient == "spare@example.gov.cn")
    note_bounces(sqlite_database, second, [failed(spare.id)], clock.now())
    deliver(sqlite_database, using=second)

    assert any(letter.subject.startswith("【转送") for letter in memory.to("chief@example.gov.cn"))


def test_every_item_of_a_bounced_bundle_is_passed_on(
    sqlite_database, second, clock, assess, deliver, memory
):
    for title in ("甲", "乙", "丙"):
        assess(sqlite_database, title=title, level="III")
    open_items(sqlite_database, second, clock.now())
    deliver(sqlite_database, using=second)
    [bundle] = [one for one in rows(sqlite_database) if one.stage == "bundle"]
    note_bounces(sqlite_database, second, [failed(bundle.id)], clock.now())
    clock.advance(timedelta(minutes=15))
    deliver(sqlite_database, using=second)

    text = "".join(letter.text for letter in memory.to("spare@example.gov.cn"))
    assert all(f"】{title}" in text or f"事由：{title}" in text for title in ("甲", "乙", "丙"))
    states = {one.state for one in rows(sqlite_database) if one.recipient == DUTY}
    assert states == {"bounced"}


def test_an_unknown_notice_is_nobody_s_and_a_bounced_one_can_be_sent_again(
    sqlite_database, second, clock, sent
):
    assert note_bounces(sqlite_database, second, [failed(NOTICE)], clock.now()) == 0
    note_bounces(sqlite_database, second, [failed(sent)], clock.now())
    again = resend(sqlite_database, sent, by="王值班", now=clock.now())

    assert again != sent
