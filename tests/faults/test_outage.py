"""The mail server is away for two hours while forty posts are flagged: nothing is lost."""

from __future__ import annotations

import re
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from alerts.catalogue import build_transports
from alerts.items import counts, list_items
from alerts.opening import open_items
from alerts.outbox import deliver_one
from config.settings import Settings
from demo.smtpscript import ScriptedSmtp
from store import tables
from store.records import Level

LEVELS = [level.value for level in (Level.IV, Level.III, Level.II, Level.I)]


def settings_for(port: int, *, calm: dict | None = None, **alerts: int) -> Settings:
    return Settings.model_validate(
        {
            "agency": {"name": "示例市气象局", "contact": "https://www.example.gov.cn/contact"},
            "channels": [{"id": "site", "name": "官网", "kind": "site"}],
            "offices": [{"id": "duty", "name": "值守科", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["chief@example.gov.cn"]},
            "mail": {
                "host": "127.0.0.1", "port": port, "security": "none", "rate": 600,
                "from": "tinglan@example.gov.cn",
            },
            "alerts": alerts,
            "calm": calm or {},
        }
    )  # fmt: skip


@pytest.fixture
def flag(sqlite_database, clock, make_post):
    def make(title: str, level: str) -> None:
        now = clock.now()
        post = make_post(sqlite_database, title=title, captured_at=now, changed_at=now)
        with sqlite_database.write() as connection:
            connection.execute(
                tables.assessments.insert().values(
                    post=post, version=1, at=now, tone="negative", topics=["complaint"],
                    level=level, flagged=True,
                )
            )  # fmt: skip

    return make


@pytest.fixture
def tick(sqlite_database, clock):
    """What the service does: open what was flagged, deliver until nothing is due."""

    def run(settings: Settings, transports) -> int:
        open_items(sqlite_database, settings, clock.now())
        tried = 0
        while deliver_one(sqlite_database, transports, settings, clock=clock, random=Random(tried)):
            tried += 1
        return tried

    return run


def test_forty_of_forty_arrive_after_two_hours_the_severest_first(
    sqlite_database, clock, flag, tick
):
    server = ScriptedSmtp().start()
    singly = {"group": 1000, "III": "0s", "IV": "0s", "storm": 100, "each": 600}
    settings = settings_for(server.port, backlog=1000, calm=singly)
    transports = build_transports(settings, {})
    server.stop()

    tried = 0
    for minute in range(120):
        if minute % 3 == 0:
            flag(f"第{minute // 3}件事", LEVELS[minute // 3 % 4])
        tried += tick(settings, transports)
        clock.advance(timedelta(minutes=1))
    assert tried <= 121, "one probe a minute, whatever waits"
    assert counts(sqlite_database, clock.now()).undelivered >= 38

    server.start()
    back_at = clock.now()
    while counts(sqlite_database, clock.now()).owed:
        tick(settings, transports)
        clock.advance(10)
    server.stop()

    assert clock.now() - back_at <= timedelta(minutes=2)
    mails = [mail for mail in server.accepted if mail.recipients == ("duty@example.gov.cn",)]
    subjects = [str(mail.message["Subject"]) for mail in mails]
    assert {int(n) for s in subjects for n in re.findall(r"第(\d+)件事", s)} == set(range(40))
    assert len(mails) == 40
    labels = [re.match(r"【舆情预警·(.+?)】", s)[1] for s in subjects]
    assert labels == ["特别重大"] * 10 + ["重大"] * 10 + ["较大"] * 10 + ["一般"] * 10
    body = mails[0].message.get_body(("plain",)).get_content()
    assert "晚到约1小时" in body, "found two hours ago, and says so"
    alarm = [mail for mail in server.accepted if mail.recipients == ("chief@example.gov.cn",)]
    assert len(alarm) == 1
    assert "通知通道 smtp 不通" in str(alarm[0].message["Subject"])


def test_after_the_outage_the_grave_come_singly_and_the_rest_in_one(
    sqlite_database, clock, flag, tick
):
    server = ScriptedSmtp().start()
    settings = settings_for(server.port)
    transports = build_transports(settings, {})
    server.stop()
    for number in range(40):
        flag(f"第{number}件事", LEVELS[number % 4])
        tick(settings, transports)
        clock.advance(timedelta(minutes=3))

    server.start()
    for _ in range(30):
        tick(settings, transports)
        clock.advance(10)
    server.stop()

    mails = [mail for mail in server.accepted if mail.recipients == ("duty@example.gov.cn",)]
    subjects = [str(mail.message["Subject"]) for mail in mails]
    assert [s[:10] for s in subjects[:20]] == ["【舆情预警·特别重大"] * 10 + [
        "【舆情预警·重大】官"
    ] * 10
    assert len(subjects) == 21
    assert subjects[20].startswith("【舆情预警·较大】积压 20 条（较大10条、一般10条）")
    told = "\n".join(subjects) + mails[20].message.get_body(("plain",)).get_content()
    assert {int(n) for n in re.findall(r"第(\d+)件事", told)} == set(range(40))
    assert counts(sqlite_database, clock.now()).owed == 0


def test_killed_at_random_every_letter_arrives_and_copies_are_copies(
    sqlite_database, clock, flag, tick
):
    class Killed(BaseException):
        pass

    random = Random(7)
    kills = 0
    with ScriptedSmtp() as server:
        settings = settings_for(server.port)
        real = build_transports(settings, {})["smtp"]

        class Mortal:
            deadline, rate = real.deadline, 0

            def send(self, letter):
                nonlocal kills
                before, after = random.random() < 0.2, random.random() < 0.2
                kills += before or after
                if before:
                    raise Killed
                receipt = real.send(letter)
                if after:
                    raise Killed
                return receipt

        for number in range(25):
            flag(f"第{number}件事", "I")
        while True:
            try:
                tick(settings, {"smtp": Mortal()})
            except Killed:
                clock.advance(1)
                continue
            if not counts(sqlite_database, clock.now()).owed:
                break
            clock.advance(timedelta(minutes=5))

    ids = [str(mail.message["Message-ID"]) for mail in server.accepted]
    subjects = "\n".join(str(mail.message["Subject"]) for mail in server.accepted)
    assert {int(n) for n in re.findall(r"第(\d+)件事", subjects)} == set(range(25))
    assert kills > 5
    assert len(ids) - len(set(ids)) <= kills
    assert len(list_items(sqlite_database)) in {25, 26}


def test_the_end_of_an_outage_is_on_record(sqlite_database, clock, flag, tick):
    server = ScriptedSmtp().start()
    settings = settings_for(server.port)
    transports = build_transports(settings, {})
    server.stop()
    flag("甲", "I")
    tick(settings, transports)
    clock.advance(timedelta(minutes=30))
    tick(settings, transports)
    server.start()
    clock.advance(timedelta(minutes=2))
    tick(settings, transports)
    server.stop()

    with sqlite_database.read() as connection:
        notes = connection.execute(
            sa.select(tables.events.c.note).where(tables.events.c.kind == "transport-back")
        ).scalars()
        assert ["恢复，中断约32分钟" in note for note in notes] == [True]
