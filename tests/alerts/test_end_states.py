"""A real server answers each code at each step: the row ends where the table says, nobody untold."""

from __future__ import annotations

import itertools
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from alerts import pace
from alerts.items import list_items
from alerts.opening import open_items
from alerts.outbox import deliver_one
from alerts.transports.memory import Memory
from alerts.transports.smtp import Smtp
from config.settings import Settings
from demo.smtpscript import ScriptedSmtp, drop, garbage, mute
from store.engine import Database
from store.records import Topic
from store.schema import upgrade
from store.tables import attempts, notices

STEPS = ("banner", "ehlo", "auth", "mail", "rcpt", "data", "done")
CODES = (421, 450, 451, 452, 535, 550, 552, 554)
ODD = {"timeout": mute(), "garbage": garbage(), "hangs up": drop()}

#: (step, answer) → where the row ends; "away": the transport waits and the row is kept as it is.
#: This is facts/mail §2.2 written out: 4xx waits, 5xx on an address or a letter is refused, what
#: our own door or sender meets is the system's, and no answer after the text is unsure.
DOOR = {"banner", "ehlo", "auth"}


def expected(step: str, answer: int | str) -> str:
    if step in DOOR:
        return "away"
    if isinstance(answer, str):
        return "unsure" if step == "done" else "deferred"
    if answer == 535:
        return "away"
    if answer < 500:
        return "deferred"
    if answer == 552 and step != "rcpt":
        return "too large"
    if step == "mail":
        return "away"
    return "refused"


CASES = list(itertools.product(STEPS, (*CODES, *ODD)))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('ends')}/tinglan.db")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def fresh(house):
    """An empty outbox in a database that is made once."""
    yield house
    with house.write() as connection:
        connection.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        for table in ("attempts", "notices", "promises", "item_posts", "events", "items"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
        connection.execute(sa.text("DELETE FROM facts"))
        for table in ("findings", "assessments", "posts"):
            connection.execute(sa.text(f"DELETE FROM {table}"))


def settings_for(port: int, patience: str) -> Settings:
    return Settings.model_validate(
        {
            "agency": {"name": "示例局", "contact": "https://www.example.gov.cn/contact"},
            "channels": [{"id": "site", "name": "官网", "kind": "site"}],
            "offices": [{"id": "duty", "name": "值守科", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["memory:last"]},
            "mail": {
                "host": "127.0.0.1", "port": port, "security": "none", "rate": 600,
                "from": "tinglan@example.gov.cn", "deadline": "60s",
                "connect_timeout": patience, "data_timeout": patience,
                "username": "tinglan", "password_env": "SMTP_PASSWORD",
            },
        }
    )  # fmt: skip


def row_of(database):
    with database.read() as connection:
        return connection.execute(
            sa.select(notices).where(notices.c.recipient == "duty@example.gov.cn")
        ).one()


@pytest.mark.parametrize(("step", "answer"), CASES, ids=[f"{s}-{a}" for s, a in CASES])
def test_each_answer_at_each_step_ends_as_the_table_says(fresh, clock, assess, step, answer):
    does = ODD[answer] if isinstance(answer, str) else f"{answer} so it is"
    with ScriptedSmtp(**{step: does}, users={"tinglan": "secret"}) as server:
        # Short only where nothing comes: a busy machine may be slow to answer.
        settings = settings_for(server.port, "1s" if answer == "timeout" else "30s")
        last = Memory()
        transports = {"smtp": Smtp(settings.mail, {"SMTP_PASSWORD": "secret"}), "memory": last}
        assess(fresh, level="II", topics=("accident",))
        open_items(fresh, settings, clock.now())
        deliver_one(fresh, transports, settings, clock=clock, random=Random(1))
        row = row_of(fresh)
        with fresh.read() as connection:
            away = pace.outages(connection)
            tried = connection.execute(sa.select(sa.func.count()).select_from(attempts)).scalar()
        while (
            deliver_one(fresh, {"memory": last}, settings, clock=clock, random=Random(1))
            and len(last.letters) < 3
        ):
            pass

    wanted = expected(step, answer)
    assert tried == 1
    assert row.reply
    assert ("smtp" in away) == (wanted == "away")
    state = {"away": "deferred", "too large": "deferred"}.get(wanted, wanted)
    assert row.state == state
    assert bool(row.detail.get("small")) == (wanted == "too large")
    alarms = [item for item in list_items(fresh) if item.topic is Topic.SYSTEM]
    if wanted == "refused":
        # The last resort has the alert itself, and one alarm names the address.
        assert sum("duty@example.gov.cn" in item.title for item in alarms) == 1
        assert any(letter.subject.startswith("【转送") for letter in last.letters)
    else:
        assert row.settled_at is None
        assert row.next_at <= clock.now() + timedelta(minutes=20)
        assert all("无法送达" not in item.title for item in alarms)
