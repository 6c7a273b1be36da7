"""A copy that can be trusted, and the way back.

SQLite: VACUUM INTO, which is consistent under writes (a plain file copy is not: one in thirty
was corrupt when measured). PostgreSQL: pg_dump and pg_restore, which the server's owner has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import datetime
from pathlib import Path

from store import ledger
from store.copying import copy_into
from store.engine import Database, StoreError
from store.records import NoticeState
from store.schema import knows, upgrade
from store.tables import notices

HELD = "恢复备份时不知是否已经送达，没有自动重发；需要时用 tinglan outbox resend"


def backup(database: Database, target: Path) -> int:
    """Writes a consistent copy; answers its size in bytes. Raises StoreError.

    Nothing that exists is overwritten. The file is readable by its owner alone.
    """
    if target.exists():
        raise StoreError(f"{target} 已经存在，没有覆盖它")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{target}: 没有写成副本（{error.strerror}）") from None
    try:
        if database.is_sqlite:
            copy_into(database, draft)
        else:
            draft.touch(0o600)
            _run("pg_dump", database, ["--format=custom", f"--file={draft}"])
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def restore(database: Database, source: Path, now: datetime) -> int:
    """Puts a copy in the database's place; answers how many notices are held back.

    Whatever the copy still owed may have been sent since, so nothing of it goes out by itself:
    a restored week-old copy must not send a week of alerts again. The replaced SQLite file stays
    beside the new one. The caller holds the service's lock. Raises StoreError.
    """
    if not source.is_file():
        raise StoreError(f"{source}: 没有这个文件")
    if database.is_sqlite:
        _check(source)
        _replace(database, source, now)
    else:
        _run("pg_restore", database, ["--clean", "--if-exists", "--no-owner", str(source)])
    upgrade(database)
    owed = [state.value for state in NoticeState if state.is_owed]
    with database.write() as connection:
        held = connection.execute(
            notices.update()
            .where(notices.c.state.in_(owed))
            .values(state=NoticeState.SUPERSEDED.value, reply=HELD, settled_at=now)
        ).rowcount
        ledger.append(
            connection,
            item=None,
            at=now,
            kind="restored",
            by="cli",
            note=f"从备份恢复，{held} 封通知未自动重发",
            detail={"file": source.name, "held": held},
        )
    return int(held)


def _check(source: Path) -> None:
    """Refuses what is no whole database of ours that this program knows, before anything is
    touched; the copy itself is only read."""
    try:
        with closing(_reading(source)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            names = "SELECT name FROM sqlite_master WHERE name IN ('posts', 'alembic_version')"
            ours = len(connection.execute(names).fetchall()) == 2
            asked = "SELECT version_num FROM alembic_version"
            row = connection.execute(asked).fetchone() if ours else None
    except sqlite3.Error as error:
        raise StoreError(f"{source}: 不是可用的备份（{error}）") from None
    if found != "ok":
        raise StoreError(f"{source}: 备份已损坏（{found}）")
    if row is None:
        raise StoreError(f"{source}: 不是听澜的备份")
    if not knows(str(row[0])):
        raise StoreError(f"{source}: 备份的结构版本是 {row[0]}，比本程序新：请先升级听澜")


def _reading(source: Path) -> sqlite3.Connection:
    """Opens a copy without leaving a trace, also on a medium that cannot be written."""
    whole = not source.with_name(f"{source.name}-wal").exists()
    return sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro{'&immutable=1' * whole}", uri=True)


def _replace(database: Database, source: Path, now: datetime) -> None:
    """At no moment is there no database: an empty one would take its place unasked."""
    file = database.file
    if file is None:
        raise StoreError("a database in memory cannot be restored")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        _written(source, draft)
        database.close()
        if file.exists():
            _set_aside(file, file.with_name(f"{file.name}.before-{now:%Y%m%dT%H%M%S}"))
        os.replace(draft, file)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{file}: 没有恢复（{error}）") from None
    finally:
        draft.unlink(missing_ok=True)


def _written(source: Path, draft: Path) -> None:
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_reading(source)) as old, closing(sqlite3.connect(draft)) as new:
        old.backup(new)
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _set_aside(file: Path, name: Path) -> None:
    """The old database keeps its log: after a crash the newest of it stands only there."""
    os.link(file, name)
    log = file.with_name(f"{file.name}-wal")
    if log.exists():
        os.replace(log, name.with_name(f"{name.name}-wal"))
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)


def _run(program: str, database: Database, arguments: list[str]) -> None:
    """The password goes by the environment, never by the command line."""
    found = shutil.which(program)
    if found is None:
        raise StoreError(f"找不到 {program}：请在装有 PostgreSQL 客户端的机器上运行")
    url = database.url
    place = {
        "PGHOST": url.host or str(url.query.get("host", "")),
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
    }
    environ = {"PATH": os.environ.get("PATH", "")} | {k: v for k, v in place.items() if v}
    last = [f"--dbname={url.database}"] if program == "pg_restore" else []
    done = subprocess.run(
        [found, *last, *arguments], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StoreError(f"{program}: {done.stderr.strip()[-300:]}")
