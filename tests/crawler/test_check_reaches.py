"""`tinglan check` asks every kind of channel, by its real interface, and believes no setting."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from console.checking import check
from tests.crawler.standins import ENVIRON, NAMES, StandIn

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
WRONG = "wrong-secret-geheim"


@pytest.fixture
def open_channel(clock):
    with ExitStack() as stack:
        yield lambda kind: StandIn(kind, clock, stack)


@pytest.fixture
def told(tmp_path):
    """What `check` says of a stand-in's channel: its last line, after those of secrets."""

    def look(channel, environ=ENVIRON):
        results = check(channel.settings, tmp_path, environ, now=NOW)
        return [one for one in results if one.what == f"渠道 {NAMES[channel.kind]}"][-1]

    return look


@pytest.mark.parametrize("kind", NAMES)
def test_a_channel_that_works_is_said_to(kind, open_channel, told):
    channel = open_channel(kind)
    channel.publish("路灯不亮")

    assert told(channel).state == "ok"


@pytest.mark.parametrize("kind", NAMES)
def test_a_channel_that_cannot_be_reached_is_bad(kind, open_channel, told):
    channel = open_channel(kind)
    channel.die()

    assert told(channel).state == "bad"


@pytest.mark.parametrize("kind", NAMES)
def test_a_wrong_secret_is_bad_and_not_repeated(kind, open_channel, told):
    channel = open_channel(kind)
    channel.publish("路灯不亮")
    wrong = {name: value if "AUTHOR" in name else WRONG for name, value in ENVIRON.items()}

    said = told(channel, wrong)

    assert said.state == "bad"
    assert "geheim" not in said.text
