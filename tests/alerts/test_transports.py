"""A new way to reach people is one file and one table; a trial letter takes the real way."""

from __future__ import annotations

import sys
from random import Random

import pytest

from alerts import transports
from alerts.catalogue import build_transports, transport_options
from alerts.items import counts, list_items, list_notices
from alerts.opening import open_items
from alerts.trial import try_mail
from config.loading import SettingsWrong, check
from config.plugins import Catalogue
from demo.smtpscript import ScriptedSmtp

TOY = '''
"""Writes letters on a blackboard."""

from datetime import timedelta

from alerts.letters import Receipt
from config.settings import Section

BOARD = []


class Options(Section):
    colour: str = "white"


class Toy:
    deadline = timedelta(seconds=1)
    rate = 0

    def __init__(self, colour):
        self.colour = colour

    def send(self, letter):
        BOARD.append((self.colour, letter.recipient, letter.subject))
        return Receipt("written")


def build(options, settings, environ):
    return Toy(options.colour)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(transports, "__path__", [*transports.__path__, str(tmp_path)])
    yield
    sys.modules.pop("alerts.transports.toy", None)
    if hasattr(transports, "toy"):
        del transports.toy


def raw(**more):
    return {
        "agency": {"name": "示例", "contact": "https://www.example.gov.cn/"},
        "channels": [{"id": "site", "name": "官网", "kind": "site"}],
        "offices": [{"id": "a", "name": "值守科", "addresses": ["toy:room"]}],
        "roster": {"fallback": ["chief@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
    } | more


def catalogue():
    from config.settings import Section

    class Nothing(Section):
        pass

    return Catalogue(channels={"site": Nothing}, transports=transport_options())


def test_a_toy_transport_is_one_file_and_one_table(sqlite_database, clock, assess, deliver, toy):
    settings = check(raw(transports={"toy": {"colour": "green"}}), "tinglan.toml", catalogue())
    assess(sqlite_database, title="路灯不亮")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database, build_transports(settings, {}), using=settings)

    assert sys.modules["alerts.transports.toy"].BOARD == [
        ("green", "room", "【舆情预警·较大】官网：路灯不亮（TL-2026-0001）")
    ]


def test_a_mistake_in_its_table_is_named(toy):
    with pytest.raises(SettingsWrong, match=r"transports\.toy\.color: found an unknown key"):
        check(raw(transports={"toy": {"color": "green"}}), "tinglan.toml", catalogue())


def test_mail_is_always_there_and_others_only_when_asked_for(settings):
    assert set(build_transports(settings, {})) == {"smtp"}
    assert {"smtp", "memory"} <= set(transport_options())


def test_a_trial_takes_the_real_way_and_tells_the_time_of_each_part(
    sqlite_database, make_settings, clock
):
    with ScriptedSmtp(done="250 2.0.0 queued as 42") as server:
        settings = make_settings(mail={"port": server.port})
        trial = try_mail(
            sqlite_database, settings, build_transports(settings, {}), "duty@example.gov.cn",
            clock=clock, random=Random(1),
        )  # fmt: skip

    assert trial.ok
    assert trial.reply == "2.0.0 queued as 42"
    assert [name for name, _ in trial.parts][:3] == ["启动投递", "连接", "服务器应答"]
    (mail,) = server.accepted
    assert mail.message["Subject"] == "【测试】示例市应急管理局舆情预警通道"
    assert mail.message["Message-ID"] == f"<{trial.notice}@example.gov.cn>"
    (row,) = list_notices(sqlite_database)
    assert (row["stage"], row["state"]) == ("test", "sent")


def test_a_refused_trial_is_told_and_then_forgotten(sqlite_database, make_settings, clock, deliver):
    with ScriptedSmtp(rcpt="550 5.1.1 no such user") as server:
        settings = make_settings(mail={"port": server.port})
        transports = build_transports(settings, {})
        trial = try_mail(
            sqlite_database, settings, transports, "nobody@example.gov.cn",
            clock=clock, random=Random(1),
        )  # fmt: skip
        deliver(sqlite_database, transports, using=settings)

    assert not trial.ok
    assert "550 5.1.1 no such user" in trial.reply
    assert server.sessions == 1
    assert list_items(sqlite_database) == []
    assert counts(sqlite_database, clock.now()).owed == 0


def test_a_trial_by_a_way_that_is_not_configured_says_so(sqlite_database, settings, clock):
    trial = try_mail(sqlite_database, settings, {}, "pager:7", clock=clock, random=Random(1))

    assert (trial.ok, trial.reply) == (False, "没有配置这个通知通道")
