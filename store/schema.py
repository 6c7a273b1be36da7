"""Brings a database to the schema this program speaks; runs from an installed wheel too."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from store.engine import Database, StoreError


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrates to the newest schema; answers (before, after). Raises StoreError.

    A schema newer than this program is refused: an older program must not write to it.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    newest, before = head(), current(database)
    if before == newest:
        return before, newest
    if before is not None:
        try:
            script.get_revision(before)
        except CommandError:
            raise StoreError(
                f"{database.shown} has schema {before}, which this older program does not know: "
                "install the newer tinglan, or restore the backup made before the upgrade"
            ) from None
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest


def current(database: Database) -> str | None:
    """The schema's revision; None for an empty database."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision this program knows. Raises StoreError."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise StoreError("this installation has no migrations: install tinglan again")
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.set_main_option("path_separator", "os")
    return config
