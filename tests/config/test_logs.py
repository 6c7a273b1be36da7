"""A log line is one JSON object whose event is a name, whatever library or post had a say in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from config.logs import set_up


@pytest.fixture
def lines() -> Iterator[Any]:
    """Logging as at the edge; answers a function that gives what was logged."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    told = io.StringIO()
    set_up(stream=told)
    yield lambda: [json.loads(line) for line in told.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_values_stand_beside_the_event_not_in_it(lines: Any) -> None:
    logging.getLogger("alerts").info("notice.sent notice=%s attempts=%d", "n1", 2)
    logging.getLogger("alerts").info("notice.%s notice=%s attempts=%d", "sent", "n1", 2)

    for line in lines():
        assert line["event"] == "notice.sent"
        assert (line["notice"], line["attempts"]) == ("n1", 2)


def test_a_post_forges_neither_a_line_nor_a_field(lines: Any) -> None:
    logging.getLogger("x").info("post.odd title=%s", 'a\n{"event": "forged"} level=%s \x1b[31m')

    (line,) = lines()
    assert line["event"] == "post.odd"
    assert line["level"] == "info"


def test_a_message_of_another_kind_stays_as_it_is(lines: Any) -> None:
    logging.getLogger("x").info("%s of %d", "one", 2)
    logging.getLogger("x").warning("Took %s: a=%s", "it", "b")

    assert [line["event"] for line in lines()] == ["one of 2", "Took it: a=b"]


@pytest.mark.parametrize("name", ["scrapy.utils.log", "uvicorn.error", "twisted", "httpx"])
def test_of_libraries_only_troubles_are_told(lines: Any, name: str) -> None:
    log = logging.getLogger(name)
    log.setLevel(logging.DEBUG)  # as Scrapy does when it starts
    log.info("Versions: many")
    log.error("trouble")

    assert [line["event"] for line in lines()] == ["trouble"]
