"""A copy that can be trusted, and the way back.

SQLite: VACUUM INTO, which is consistent under writes (a plain file copy is not: one in thirty
was corrupt when measured). PostgreSQL: pg_dump and pg_restore, which the server's owner has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from store import ledger
from store.engine import Database, StoreError
from store.records import NoticeState
from store.schema import current, upgrade
from store.tables import notices

HELD = "恢复备份时不知是否已经送达，没有自动重发；需要时用 tinglan outbox resend"


def backup(database: Database, target: Path) -> int:
    """Writes a consistent copy; answers its size in bytes. Raises StoreError.

    Nothing that exists is overwritten. The file is readable by its owner alone.
    """
    if target.exists():
        raise StoreError(f"{target} 已经存在，没有覆盖它")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        if database.is_sqlite:
            _vacuum(database, draft)
        else:
            _run("pg_dump", database, ["--format=custom", f"--file={draft}"])
        draft.chmod(0o600)
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


def _vacuum(database: Database, target: Path) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw = connection.connection.dbapi_connection
        if raw is None:
            raise StoreError("the database is not open")
        raw.execute("VACUUM INTO ?", (str(target),))


def _check(source: Path) -> None:
    """Refuses what is no whole database of ours, before anything is touched."""
    try:
        with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{source}: 不是可用的备份（{error}）") from None
    if found != "ok":
        raise StoreError(f"{source}: 备份已损坏（{found}）")
    copy = Database(f"sqlite:///{source}")
    try:
        with copy.read() as connection:
            if not sa.inspect(connection).has_table("posts") or current(copy) is None:
                raise StoreError(f"{source}: 不是听澜的备份")
    finally:
        copy.close()


def _replace(database: Database, source: Path, now: datetime) -> None:
    file = database.file
    if file is None:
        raise StoreError("a database in memory cannot be restored")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    database.close()
    if file.exists():
        os.replace(file, file.with_name(f"{file.name}.before-{now:%Y%m%dT%H%M%S}"))
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    os.replace(draft, file)
    file.chmod(0o600)


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
