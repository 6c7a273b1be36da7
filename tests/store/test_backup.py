"""A copy that can be trusted, and a way back that sends nothing twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.clock import ManualClock
from store.backup import backup, restore
from store.engine import Database, StoreError
from store.ledger import verify
from store.schema import upgrade
from store.tables import notices, posts


@pytest.fixture
def owing(database: Database, make_post: Callable[..., int], clock: ManualClock) -> Database:
    """One post stored, one notice owed."""
    if not database.is_sqlite and shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump on this machine")
    make_post(database)
    with database.write() as connection:
        connection.execute(
            notices.insert().values(
                id="n1",
                subject_key="item:1",
                stage="alert",
                recipient="duty@example.gov.cn",
                transport="smtp",
                created_at=clock.now(),
                next_at=clock.now(),
                detail={},
            )
        )
    return database


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_copy_brings_back_what_was_lost(
    owing: Database, make_post: Callable[..., int], clock: ManualClock, tmp_path: Path
) -> None:
    backup(owing, tmp_path / "copy")
    make_post(owing)

    restore(owing, tmp_path / "copy", clock.now())

    assert count(owing, posts) == 1
    assert verify(owing)[1] == []


def test_what_the_copy_owed_is_held_back_not_sent_again(
    owing: Database, clock: ManualClock, tmp_path: Path
) -> None:
    backup(owing, tmp_path / "copy")

    held = restore(owing, tmp_path / "copy", clock.now())

    assert held == 1
    with owing.read() as connection:
        row = connection.execute(sa.select(notices.c.state, notices.c.reply)).one()
    assert row.state == "superseded"
    assert "resend" in row.reply


def test_a_copy_is_for_its_owner_alone_and_never_overwrites(
    owing: Database, tmp_path: Path
) -> None:
    backup(owing, tmp_path / "copy")

    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="已经存在"):
        backup(owing, tmp_path / "copy")


@pytest.mark.parametrize(
    "content", [b"", b"not a database", b"SQLite format 3\x00" + b"\x00" * 200]
)
def test_what_is_no_copy_is_refused_and_nothing_is_touched(
    sqlite_database: Database,
    make_post: Callable[..., int],
    clock: ManualClock,
    tmp_path: Path,
    content: bytes,
) -> None:
    make_post(sqlite_database)
    (tmp_path / "bad").write_bytes(content)

    with pytest.raises(StoreError):
        restore(sqlite_database, tmp_path / "bad", clock.now())

    assert count(sqlite_database, posts) == 1


def test_another_programs_database_is_refused(
    sqlite_database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE x (y)")

    with pytest.raises(StoreError, match="不是听澜的备份"):
        restore(sqlite_database, tmp_path / "other", clock.now())


def test_the_replaced_file_stays(
    sqlite_database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    backup(sqlite_database, tmp_path / "copy")
    clock.advance(timedelta(days=1))

    restore(sqlite_database, tmp_path / "copy", clock.now())

    assert list(tmp_path.glob("tinglan.db.before-*"))
    assert upgrade(sqlite_database)
