"""The database is opened the one safe way, on both kinds."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.engine import Database, StoreError, file_system, self_check
from store.schema import current, head, upgrade
from store.tables import UNMODELLED, facts, metadata

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


def test_a_fresh_database_passes_the_self_check(database_url: str) -> None:
    with closing(Database(database_url)) as database:
        upgrade(database)
        self_check(database)

        assert current(database) == head()


def test_a_file_that_is_not_written_through_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(StoreError, match="unsafe settings"):
        self_check(sqlite_database)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert upgrade(database) == (head(), head())


def test_the_newest_migration_is_known_without_alembic() -> None:
    from alembic.script import ScriptDirectory

    from store.schema import _config

    script = ScriptDirectory.from_config(_config())

    assert script.get_current_head() == head()


def test_a_start_with_nothing_to_migrate_leaves_alembic_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    again = (
        "import sys; from store.engine import Database; from store.schema import upgrade;"
        f"upgrade(Database({url!r})); print('alembic' in sys.modules)"
    )

    loaded = [
        subprocess.run(
            [sys.executable, "-c", again],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            cwd=Path(__file__).parents[2],
        ).stdout.strip()
        for _ in range(2)
    ]

    assert loaded == ["True", "False"]


def test_migrations_and_tables_say_the_same(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": False,
                "include_name": lambda name, _kind, _parents: UNMODELLED not in (name or ""),
            },
        )
        found = compare_metadata(context, metadata)

    assert found == []


def test_a_newer_schema_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError, match="older program"):
        upgrade(database)


def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="zone"), database.write() as connection:
        connection.execute(facts.insert().values(name="x", value=1, at=datetime(2026, 7, 15)))


def test_times_come_back_aware_and_equal(database: Database) -> None:
    with database.write() as connection:
        connection.execute(facts.insert().values(name="x", value=1, at=NOW))

    with database.read() as connection:
        assert connection.execute(sa.select(facts.c.at)).scalar_one() == NOW


def test_a_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(facts.insert().values(name="x", value=1, at=NOW))
        raise ZeroDivisionError

    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(facts)).scalar_one() == 0


def test_many_writers_wait_for_each_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(facts.insert().values(name="n", value=0, at=NOW))
    problems: list[Exception] = []

    def add() -> None:
        try:
            for _ in range(10):
                with database.write() as connection:
                    value = connection.execute(
                        sa.select(facts.c.value).where(facts.c.name == "n").with_for_update()
                    ).scalar_one()
                    connection.execute(
                        facts.update().where(facts.c.name == "n").values(value=value + 1)
                    )
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    with database.read() as connection:
        assert connection.execute(sa.select(facts.c.value)).scalar_one() == 40


def test_insert_or_ignore_works_on_both(database: Database) -> None:
    row = {"name": "x", "value": 1, "at": NOW}
    for _ in range(2):
        with database.write() as connection:
            connection.execute(database.insert(facts).values(row).on_conflict_do_nothing())

    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(facts)).scalar_one() == 1


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", "oracle://u:geheim@h/x"])
def test_other_databases_are_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(StoreError) as error:
        Database(url)

    assert "geheim" not in str(error.value)


def test_the_shown_address_hides_the_password() -> None:
    database = Database("postgresql://user:geheim@db.example/tinglan")

    assert "geheim" not in database.shown


def test_a_network_file_system_is_told(tmp_path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "server:/x /mnt/share nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n", encoding="utf-8"
    )
    from pathlib import Path

    assert file_system(Path("/mnt/share/tinglan.db"), mounts) == "nfs4"
    assert file_system(Path("/srv/tinglan.db"), mounts) == "ext4"
