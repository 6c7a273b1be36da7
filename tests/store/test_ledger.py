"""The ledger tells when it was touched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from store import ledger
from store.engine import Database

NOW = datetime(2026, 7, 15, 4, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def five_lines(database: Database) -> Database:
    for number in range(5):
        with database.write() as connection:
            ledger.append(
                connection,
                item=None,
                at=NOW,
                kind="noted",
                by="值班员",
                note=f"第{number}条",
                detail={"级别": "II", "n": number},
            )
    return database


def test_an_untouched_ledger_holds(five_lines: Database) -> None:
    assert ledger.verify(five_lines) == (5, [])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET note = '改' WHERE id = 3",
        "UPDATE events SET hash = previous WHERE id = 3",
        "DELETE FROM events WHERE id = 3",
    ],
)
def test_a_change_in_the_middle_is_named(five_lines: Database, change: str) -> None:
    with five_lines.write() as connection:
        connection.exec_driver_sql(change)

    _, flaws = ledger.verify(five_lines)

    assert {flaw.event for flaw in flaws} & {3, 4}


def test_a_missing_end_is_found(five_lines: Database) -> None:
    with five_lines.write() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE id = 5")

    assert ledger.verify(five_lines)[1]
