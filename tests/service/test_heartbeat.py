"""The outside watcher's address is a secret: no failure to reach it writes it down."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from config.house import House
from config.loading import check
from config.logs import JsonLines
from config.plugins import Catalogue
from config.section import Section
from demo.serving import serve
from scheduler import _pinging


class NoOptions(Section):
    pass


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    written, log = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    yield written
    log.removeHandler(handler)


def house(url, database, clock):
    raw = {
        "agency": {"name": "示例局", "contact": "http://www.example.gov.cn/"},
        "channels": [{"id": "a", "name": "甲", "kind": "toy"}],
        "offices": [{"id": "duty", "name": "值班室", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["boss@example.gov.cn"]},
        "mail": {"host": "localhost", "security": "none", "from": "t@example.gov.cn"},
        "service": {"heartbeat_url": url},
    }
    settings = check(raw, "t", Catalogue(channels={"toy": NoOptions}))
    return House(settings, database, Path("t"), {}, clock)


def test_nobody_there_is_logged_without_the_address(sqlite_database, clock, told):
    turn = _pinging(house("http://127.0.0.1:1/ping/geheim", sqlite_database, clock))

    assert turn() is False

    assert "heartbeat.unheard" in told.getvalue()
    assert "geheim" not in told.getvalue()


def test_a_refusal_is_logged_without_the_address(sqlite_database, clock, told):
    with serve(Starlette()) as url:
        turn = _pinging(house(f"{url}/ping/geheim", sqlite_database, clock))

        assert turn() is False

    assert "status 404" in told.getvalue()
    assert "geheim" not in told.getvalue()
