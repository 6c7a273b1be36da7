"""A database and its copies are for their owner's eyes, and no copy costs the old one anything."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.logs import JsonLines
from store.backup import backup, restore
from store.engine import Database, StoreError, self_check
from store.schema import current, head, upgrade
from store.tables import posts

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def titles(path: Path) -> list[str]:
    """What a copy holds, looked at in a copy of the copy."""
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT title FROM posts ORDER BY id")]


@pytest.fixture
def fresh(tmp_path: Path) -> Database:
    """A database of its own making, under the umask most machines have."""
    before = os.umask(0o022)
    try:
        made = Database(f"sqlite:///{tmp_path}/var/tinglan.db")
        upgrade(made)
    finally:
        os.umask(before)
    return made


def test_a_new_database_is_for_its_owner_alone(fresh: Database) -> None:
    with fresh.write() as connection:
        connection.exec_driver_sql("CREATE TABLE x (y)")
        found = {file.name: mode(file) for file in fresh.file.parent.iterdir()}  # type: ignore[union-attr]

    assert set(found) == {"tinglan.db", "tinglan.db-wal", "tinglan.db-shm"}
    assert set(found.values()) == {0o600}


def test_what_a_post_says_is_in_no_log_of_a_failure(database: Database) -> None:
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(JsonLines())
    log = logging.Logger("test")
    log.addHandler(handler)
    title = "张三\n" + "138" + "00138000"  # not in one piece: a trace quotes this file

    try:
        with database.write() as connection:
            connection.execute(posts.insert().values(channel="site", title=title))
    except sa.exc.IntegrityError:
        log.exception("lane.failed")

    assert "IntegrityError" in told.getvalue()
    assert "13800138000" not in told.getvalue()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("", encoding="ascii")

    with pytest.raises(StoreError, match="var"):
        Database(f"sqlite:///{tmp_path}/var/tinglan.db")


def test_a_database_of_another_user_is_told(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode: path != fresh.file)

    with pytest.raises(StoreError, match="chown"):
        self_check(fresh)


def test_a_full_disk_is_called_one(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(fresh.file.parent)  # type: ignore[union-attr]
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=4096))
    told = sa.exc.OperationalError("PRAGMA", {}, sqlite3.OperationalError("disk I/O error"))

    @contextmanager
    def failing(_database: Database) -> Iterator[sa.Connection]:
        raise told
        yield

    monkeypatch.setattr(Database, "read", failing)

    with pytest.raises(StoreError, match="磁盘已满"):
        self_check(fresh)


def test_a_copy_is_never_readable_by_others_not_even_while_it_is_written(
    fresh: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import store.copying

    seen: list[int] = []
    vacuum = store.copying._vacuum

    def watched(database: Database, target: Path) -> None:
        seen.append(mode(target))
        vacuum(database, target)
        seen.append(mode(target))

    monkeypatch.setattr(store.copying, "_vacuum", watched)
    backup(fresh, tmp_path / "copies" / "of today #1?.db")

    assert seen == [0o600, 0o600]
    assert restore(fresh, tmp_path / "copies" / "of today #1?.db", NOW) == 0


def test_a_copy_that_cannot_be_written_says_why(fresh: Database, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("", encoding="ascii")

    with pytest.raises(StoreError, match="没有写成副本"):
        backup(fresh, tmp_path / "full" / "copy.db")


def test_a_copy_is_read_without_a_trace(fresh: Database, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    backup(fresh, folder / "copy.db")
    before = (folder / "copy.db").read_bytes()

    restore(fresh, folder / "copy.db", NOW)

    assert (folder / "copy.db").read_bytes() == before
    assert [one.name for one in folder.iterdir()] == ["copy.db"]


def test_a_copy_of_a_newer_program_is_refused_before_anything_is_touched(
    fresh: Database, make_post: Callable[..., int], tmp_path: Path
) -> None:
    backup(fresh, tmp_path / "newer.db")
    with sqlite3.connect(tmp_path / "newer.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    make_post(fresh)

    with pytest.raises(StoreError, match="9999"):
        restore(fresh, tmp_path / "newer.db", NOW)

    assert current(fresh) == head()
    assert not list(fresh.file.parent.glob("*.before-*"))  # type: ignore[union-attr]


def test_what_a_crash_left_in_the_log_stays_with_the_old_database(
    fresh: Database, make_post: Callable[..., int], tmp_path: Path
) -> None:
    backup(fresh, tmp_path / "copy.db")
    file = fresh.file
    assert file is not None
    make_post(fresh, title="最后一条")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for end in ("", "-wal"):  # as a killed process leaves them: not yet checkpointed
        shutil.copyfile(f"{file}{end}", crashed / f"tinglan.db{end}")
    dead = Database(f"sqlite:///{crashed}/tinglan.db")

    restore(dead, tmp_path / "copy.db", NOW)

    (kept,) = crashed.glob("tinglan.db.before-????????T??????")
    assert titles(kept) == ["最后一条"]
    assert titles(crashed / "tinglan.db") == []


def test_before_a_migration_the_old_file_is_copied(
    fresh: Database, make_post: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import store.schema

    make_post(fresh, title="迁移之前")
    old = head()
    known = store.schema._revisions()
    monkeypatch.setattr(store.schema, "_revisions", lambda: known | {"9998": old})
    monkeypatch.setattr("alembic.command.upgrade", lambda *_: None)  # only the copy is in question

    assert upgrade(fresh) == (old, "9998")

    (kept,) = fresh.file.parent.glob("*.schema-*")  # type: ignore[union-attr]
    assert kept.name == f"tinglan.db.schema-{old}"
    assert titles(kept) == ["迁移之前"]
    assert mode(kept) == 0o600


def test_without_room_for_the_copy_nothing_is_migrated(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    import store.copying
    import store.schema

    def full(_database: Database, _target: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    newer = store.schema._revisions() | {"9998": head()}
    monkeypatch.setattr(store.schema, "_revisions", lambda: newer)
    monkeypatch.setattr(store.copying, "_vacuum", full)
    monkeypatch.setattr("alembic.command.upgrade", lambda *_: pytest.fail("migrated"))

    with pytest.raises(StoreError, match="full"):
        upgrade(fresh)
