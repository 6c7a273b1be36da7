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


def test_one_byte_anywhere_in_a_line_is_found_and_the_line_named(
    sqlite_database: Database,
) -> None:
    with sqlite_database.write() as connection:
        for number in range(5):
            ledger.append(
                connection, item=None, at=NOW, kind="noted", by="值班员", note=f"第{number}条",
                detail={"级别": "II"},
            )  # fmt: skip
    for column in ("at", "kind", "by", "via", "note", "detail", "previous", "hash"):
        kept = _read(sqlite_database, column)
        changed = kept.replace("56", "57") if column == "at" else _one_byte_less(kept)
        assert changed != kept
        _write(sqlite_database, column, changed)

        _, flaws = ledger.verify(sqlite_database)

        assert 3 in {flaw.event for flaw in flaws}, column
        _write(sqlite_database, column, kept)
        assert ledger.verify(sqlite_database)[1] == []


def _one_byte_less(text: str) -> str:
    place = max(text.rfind("I"), 0)
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


def _read(database: Database, column: str) -> str:
    with database.read() as connection:
        return str(
            connection.exec_driver_sql(f'SELECT "{column}" FROM events WHERE id = 3').scalar()
        )


def _write(database: Database, column: str, value: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f'UPDATE events SET "{column}" = ? WHERE id = 3', (value,))
