"""Opens the database the one way that is safe, and says so when it cannot.

SQLite: WAL, synchronous FULL, foreign keys, a busy timeout, and every writing transaction
begins IMMEDIATE (a deferred one that upgrades fails at once with SQLITE_BUSY_SNAPSHOT,
whatever the timeout). PostgreSQL: pings before use, synchronous commit on.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

BUSY_MS = 15_000
_READ = "tinglan_read"


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


class Database:
    """One database: `write()` gives a transaction that can change it, `read()` a look at it."""

    def __init__(self, url: str, *, busy_ms: int = BUSY_MS) -> None:
        self.url = normal_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._busy_ms = busy_ms
        try:
            self.engine = self._sqlite() if self.is_sqlite else self._postgres()
        except ModuleNotFoundError as error:
            raise StoreError(
                f"no driver for {self.shown}: {error}; install tinglan[scale]"
            ) from None

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL or in memory."""
        if not self.is_sqlite or not self.url.database or self.url.database == ":memory:":
            return None
        return Path(self.url.database)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction: commits at the end of the block, rolls back on any exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent look that never waits for writers (SQLite) and never changes anything."""
        with self.engine.connect().execution_options(**{_READ: True}) as connection:
            yield connection

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return insert_for("sqlite" if self.is_sqlite else "postgresql")(table)

    def close(self) -> None:
        self.engine.dispose()

    def _sqlite(self) -> sa.Engine:
        file = self.file
        if file is not None:
            _make_private(file)
        more: dict[str, Any] = {"poolclass": sa.pool.StaticPool} if file is None else {}
        engine = sa.create_engine(
            self.url,
            connect_args={"timeout": self._busy_ms / 1000, "check_same_thread": False},
            hide_parameters=True,
            **more,
        )
        busy = self._busy_ms

        @sa.event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves
            cursor = connection.cursor()
            for pragma in (
                f"busy_timeout={busy}",
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",  # FAST leaves the words of what is purged in freed pages
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            reading = connection.get_execution_options().get(_READ)
            connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

        return engine

    def _postgres(self) -> sa.Engine:
        # Named prepared statements reuse a generic plan, which made searches 10 to 1,000 times
        # slower when measured.
        return sa.create_engine(
            self.url,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "prepare_threshold": None,
                "connect_timeout": 10,
                "options": "-c synchronous_commit=on -c timezone=UTC",
            },
        )


def _make_private(file: Path) -> None:
    """A new database is for its owner alone; so are the -wal and -shm that follow its mode.

    Raises StoreError where the place cannot be used.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not file.exists():  # the folder's name is a file's; else: made by another meanwhile
            raise StoreError(f"{file.parent}: expected a folder for the database") from None
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; {_EXPECTED_PLACE}") from None


_EXPECTED_PLACE = "expected a place that the user who runs tinglan can write to"


def insert_for(dialect: str) -> Any:
    """`insert()` with `on_conflict_…`, by the name of a dialect; only that one is loaded."""
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert


def normal_url(url: str) -> URL:
    """`postgresql://` and `postgres://` mean psycopg 3. Raises StoreError on nonsense."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(
            "the database address is not a URL such as sqlite:///var/tinglan.db"
        ) from None
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(
            f"database kind {parsed.get_backend_name()!r}: expected sqlite or postgresql"
        )
    return parsed


def located(url: str, base: Path) -> str:
    """The same address, with a relative SQLite path taken from the settings' folder."""
    parsed = normal_url(url)
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name == ":memory:":
        return url
    return parsed.set(database=str(base / name)).render_as_string(hide_password=False)


NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"}


def self_check(database: Database) -> None:
    """Refuses settings under which a crash could lose what was promised. Raises StoreError."""
    if not database.is_sqlite:
        with database.read() as connection:
            if connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off":
                raise StoreError("PostgreSQL runs with synchronous_commit=off: expected on")
        return
    if database.file is not None:
        _writable(database.file)
    try:
        with database.read() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
    except sa.exc.OperationalError as error:
        raise StoreError(_unopened(database, error)) from None
    if database.file is not None and found["journal_mode"] != "wal":
        raise StoreError(f"{database.shown}: journal mode {found['journal_mode']}: expected wal")
    if found["synchronous"] != 2 or found["foreign_keys"] != 1:
        raise StoreError(f"{database.shown}: unsafe settings {found}")
    if database.file is not None:
        kind = file_system(database.file.resolve())
        if kind in NETWORK_FILE_SYSTEMS:
            raise StoreError(
                f"{database.file}: lies on {kind}; SQLite in WAL mode needs a local disk. "
                "Move the file, or use PostgreSQL"
            )


def _unopened(database: Database, error: sa.exc.OperationalError) -> str:
    """SQLite says "disk I/O error" where the disk is full."""
    why = str(error.orig).strip()
    if database.file is None:
        return f"{database.shown}: {why}"
    free = shutil.disk_usage(database.file.parent).free
    full = "the disk is full（磁盘已满，请先腾出空间）: " if free < _ROOM else ""
    return f"{database.file}: {full}{why}"


_ROOM = 2**20  #: bytes, below which a disk counts as full


def _writable(file: Path) -> None:
    """A command once run as root leaves files behind that the service cannot write."""
    beside = [file.with_name(file.name + end) for end in ("-wal", "-shm")]
    for path in (file.parent, file, *(one for one in beside if one.exists())):
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(
                f"{path}: this user cannot write to it; {_EXPECTED_PLACE} (chown it, and run "
                "every command as that user)"
            )


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that holds `path`; empty where the machine does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if os.path.commonpath([point, path]) == point and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
