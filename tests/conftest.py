"""What every test may ask for: a fresh database of each kind, a clock, builders of posts."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

from config.clock import ManualClock
from store import tables
from store.engine import Database
from store.schema import upgrade

# With standard input closed, a browser driver's pipe becomes descriptor 0 and it waits for ever.
try:
    os.fstat(0)
except OSError:
    os.open(os.devnull, os.O_RDONLY)

# The same examples everywhere, and as much time for each as the machine needs.
settings.register_profile("tinglan", deadline=None, derandomize=True)
settings.load_profile("tinglan")

NOON = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai, a Wednesday


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a temporary cluster, run as an unprivileged user because initdb refuses root."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL binaries (initdb, postgres) on this machine")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        pytest.skip("psycopg is not installed: pip install 'tinglan[scale]'")
    folder = Path(tempfile.mkdtemp(prefix="tinglan-pg-"))
    as_user = _unprivileged(folder)
    data = folder / "data"
    try:
        _run(
            as_user,
            [
                f"{binaries}/initdb",
                "-D",
                data,
                "-U",
                "tinglan",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ],
        )
        _run(
            as_user,
            [
                f"{binaries}/pg_ctl",
                "-D",
                data,
                "-w",
                "-l",
                folder / "log",
                "-o",
                f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off",
                "start",
            ],
        )
        yield f"postgresql+psycopg://tinglan@/{{name}}?host={folder}"
    finally:
        subprocess.run(
            [*as_user, f"{binaries}/pg_ctl", "-D", str(data), "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
        )
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema in place and nothing else: copying it is faster than migrating."""
    file = tmp_path_factory.mktemp("schema") / "tinglan.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_schema(postgres: str) -> str:
    """The same on PostgreSQL: the name of a database to copy."""
    with _server(postgres) as server:
        server.exec_driver_sql("CREATE DATABASE migrated")
    _migrate(postgres.format(name="migrated"))
    return "migrated"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database of each kind we promise to run on; empty, unless `database` is asked for."""
    empty = "database" not in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "tinglan.db"
        if not empty:
            shutil.copyfile(request.getfixturevalue("sqlite_schema"), file)
        yield f"sqlite:///{file}"
        return
    url: str = request.getfixturevalue("postgres")
    template = "template1" if empty else request.getfixturevalue("postgres_schema")
    name = f"t{uuid.uuid4().hex[:12]}"
    with _server(url) as server:
        server.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield url.format(name=name)
        server.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, with the schema in place; every test that asks runs on both kinds."""
    made = _unsynced(database_url)
    yield made
    made.close()


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_schema: Path) -> Iterator[Database]:
    """For tests whose subject is not the database."""
    shutil.copyfile(sqlite_schema, tmp_path / "tinglan.db")
    made = _unsynced(f"sqlite:///{tmp_path}/tinglan.db")
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def make_post() -> Callable[..., int]:
    """Stores one post as intake would have; answers its id."""

    def make(database: Database, **fields: Any) -> int:
        row = {
            "channel": "site",
            "key": f"key-{uuid.uuid4().hex[:8]}",
            "kind": "letter",
            "role": "public",
            "title": "路灯不亮",
            "text": "小区门口路灯坏了一周没人修。",
            "url": "http://www.example.gov.cn/letters/1.html",
            "captured_at": NOON,
            "changed_at": NOON,
            "published_at": NOON,
            "digest": uuid.uuid4().hex,
            "notes": {},
        } | fields
        with database.write() as connection:
            made = connection.execute(tables.posts.insert().values(**row)).inserted_primary_key
        assert made is not None
        return int(made[0])

    return make


def _migrate(url: str) -> None:
    with closing(Database(url)) as made:
        upgrade(made)


def _unsynced(url: str) -> Database:
    """As PostgreSQL's fsync=off above: a test may kill a process, but it pulls no plug."""
    made = Database(url)
    if made.is_sqlite:
        sa.event.listen(
            made.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF")
        )
    return made


@contextmanager
def _server(url: str) -> Iterator[sa.Connection]:
    """Where databases are made and dropped."""
    admin = sa.create_engine(url.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        yield connection
    admin.dispose()


def _postgres_binaries() -> str | None:
    for pattern in (
        "/usr/lib/postgresql/*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/bin",
    ):
        for folder in sorted(glob(pattern), reverse=True):
            if os.path.exists(f"{folder}/initdb") and os.path.exists(f"{folder}/pg_ctl"):
                return folder
    found = shutil.which("initdb")
    return str(Path(found).parent) if found else None


def _unprivileged(folder: Path) -> list[str]:
    """A prefix that runs a command as nobody-in-particular where we are root."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o755)
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    pytest.skip("initdb refuses root and there is no unprivileged user here")


def _run(prefix: list[str], command: list[Any]) -> None:
    done = subprocess.run(
        [*prefix, *map(str, command)], capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode:
        pytest.skip(f"PostgreSQL did not start: {done.stderr[-200:]}")
