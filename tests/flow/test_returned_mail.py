"""From the mail server's yes to the letter that came back: read by IMAP, passed on, told once."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from alerts.opening import open_items
from alerts.outbox import deliver_one
from alerts.transports.memory import Memory
from config.house import House
from config.settings import Bounces, Settings
from demo.imap import PASSWORD, USER, DemoImap
from service.returned import read_returned, reader
from store.tables import assessments, facts, items, notices

DUTY, SPARE = "duty@example.gov.cn", "spare@example.gov.cn"


@pytest.fixture
def imap(clock):
    with DemoImap(clock) as server:
        yield server


@pytest.fixture
def house(sqlite_database, tmp_path, clock, imap):
    settings = Settings.model_validate(
        {
            "agency": {"name": "示例局", "contact": "https://www.example.gov.cn/contact"},
            "channels": [{"id": "site", "name": "官网", "kind": "site"}],
            "offices": [{"id": "duty", "name": "值守科", "addresses": [DUTY]}],
            "roster": {"fallback": ["chief@example.gov.cn"]},
            "alerts": {"second": {DUTY: [SPARE]}},
            "mail": {
                "host": "127.0.0.1",
                "security": "none",
                "from": "tinglan@example.gov.cn",
                "bounces": {
                    "host": "127.0.0.1",
                    "port": imap.port,
                    "security": "none",
                    "username": USER,
                    "password_env": "IMAP_PASSWORD",
                },
            },
        }
    )
    environ = {"IMAP_PASSWORD": PASSWORD}
    return House(settings, sqlite_database, tmp_path / "tinglan.toml", environ, clock)


@pytest.fixture
def send(house):
    memory = Memory()

    def run():
        while deliver_one(
            house.database, {"smtp": memory}, house.settings, clock=house.clock, random=Random(1)
        ):
            pass
        return memory

    return run


@pytest.fixture
def alert(house, make_post):
    post = make_post(house.database, assessed=1)
    with house.database.write() as connection:
        connection.execute(
            assessments.insert().values(
                post=post, version=1, at=house.clock.now(), tone="negative",
                topics=["accident"], level="II", flagged=True,
            )
        )  # fmt: skip
    open_items(house.database, house.settings, house.clock.now())


def report(notice: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example.net\r\nTo: tinglan@example.gov.cn\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {DUTY}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: <{notice}@example.gov.cn>\r\nSubject: x\r\n\r\n--b--\r\n"
    ).encode()


def test_a_returned_alert_reaches_the_second_address_and_raises_one_alarm(house, imap, alert, send):
    first = send().to(DUTY)[0]
    imap.write("会议通知", "与退信无关")
    imap.put(report(first.id))
    imap.put(report(first.id))

    assert read_returned(house, house.settings.mail.bounces) == 1
    assert read_returned(house, house.settings.mail.bounces) == 0
    memory = send()

    with house.database.read() as connection:
        row = connection.execute(sa.select(notices).where(notices.c.id == first.id)).one()
        titles = list(connection.execute(sa.select(items.c.title)).scalars())
    assert (row.state, "no such user" in row.reply) == ("bounced", True)
    assert len(memory.to(SPARE)) == 1
    assert sum(DUTY in title for title in titles) == 1
    # The mailbox is somebody's: nothing in it may change.
    said = " ".join(imap.commands).upper()
    assert "EXAMINE" in said
    assert not any(word in said for word in ("STORE", "EXPUNGE", "SELECT ", "DELETE", "BODY["))


def test_a_folder_that_was_renumbered_is_read_again_and_told_nothing_twice(
    house, imap, alert, send
):
    first = send().to(DUTY)[0]
    imap.put(report(first.id))
    read_returned(house, house.settings.mail.bounces)
    imap.renumber()

    assert read_returned(house, house.settings.mail.bounces) == 0


def test_a_wrong_password_is_told_once_and_asked_rarely(house, imap):
    wrong = house.environ | {"IMAP_PASSWORD": "wrong"}
    broken = House(house.settings, house.database, house.path, wrong, house.clock)
    turn = reader(broken, house.settings.mail.bounces)
    for _ in range(60):
        assert turn() is False
        house.clock.advance(timedelta(minutes=1))

    with house.database.read() as connection:
        titles = list(connection.execute(sa.select(items.c.title)).scalars())
    assert titles == ["退信信箱读不到，被退回的通知可能无人知道"]
    assert sum(command.startswith("LOGIN") for command in imap.commands) == 1
    assert "wrong" not in str(titles)


def test_a_server_that_is_away_is_told_after_the_third_time(house, imap, clock):
    box = house.settings.mail.bounces.model_copy(update={"port": 9})
    turn = reader(house, box)
    for count in range(5):
        turn()
        clock.advance(timedelta(minutes=3))
        with house.database.read() as connection:
            told = len(connection.execute(sa.select(items)).all())
        assert told == (1 if count >= 2 else 0)
    with house.database.read() as connection:
        assert connection.execute(sa.select(facts).where(facts.c.name == "bounces")).all() == []


def test_the_box_is_refused_in_clear_but_on_this_machine():
    with pytest.raises(ValueError, match="in clear"):
        Bounces(host="imap.example.gov.cn", security="none", username="a", password_env="NAME")
