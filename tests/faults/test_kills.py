"""kill -9 at any instant: every post stored once, every flagged post mailed, at most one more copy a kill."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.mailbox import Mailbox

KILLS = int(os.environ.get("TINGLAN_KILLS", "8"))  # `make faults` asks for 200
SEED = 20260715


def test_kills_lose_nothing(
    board: Any, mailbox: Mailbox, start: Callable[[], Any], command: Callable[..., Any], place: Path
) -> None:
    chance = random.Random(SEED)
    flagged = {
        board.publish(f"第{n}号桥下积水有人被困", f"第{n}号桥下积水，有人被困在车里，快来救人。")
        for n in range(1, 6)
    }
    for kill in range(KILLS):
        service = start()
        threading.Event().wait(chance.uniform(0.2, 4.0))
        number = len(flagged) + 1
        flagged.add(
            board.publish(
                f"第{number}号桥下积水有人被困", f"第{number}号桥下积水，有人被困在车里，快来救人。"
            )
        )
        service.kill()
        assert len(flagged) == 6 + kill

    last = start()
    waited = threading.Event()
    for _ in range(240):
        if len({mail.header("Message-ID") for mail in mailbox.messages}) >= len(flagged):
            break
        waited.wait(0.5)
    assert last.stop() == 0

    keys = [row[0] for row in _rows(place, "SELECT key FROM posts")]
    assert len(keys) == len(set(keys)) == len(flagged)
    copies = Counter(mail.header("Message-ID") for mail in mailbox.messages)
    told = {row[0] for row in _rows(place, "SELECT post FROM items")}
    assert len(told) == len(flagged)
    assert len(copies) >= len(flagged)
    assert sum(copies.values()) - len(copies) <= KILLS
    assert _rows(
        place, "SELECT count(*) FROM notices WHERE state NOT IN ('sent', 'superseded')"
    ) == [(0,)]
    unbalanced = _rows(
        place,
        "SELECT r.id FROM runs r WHERE r.state <> 'running' AND r.planned <> "
        "(SELECT count(*) FROM fetches f WHERE f.run = r.id AND f.outcome IS NOT NULL)",
    )
    assert unbalanced == []
    assert command("ledger", "verify")["flaws"] == []


def _rows(place: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(place / "tinglan.db") as connection:
        return connection.execute(query).fetchall()
