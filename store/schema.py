"""Brings a database to the schema this program speaks; runs from an installed wheel too.

Alembic is loaded only where there is something to migrate: it would be a fifth of every start.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from typing import TYPE_CHECKING

import sqlalchemy as sa

from store.copying import copy_into
from store.engine import Database, StoreError

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION = re.compile(r"^(down_)?revision(?:: [^=]+)? = (?:\"([^\"]+)\"|None)$", re.M)
_VERSION = sa.table("alembic_version", sa.column("version_num"))


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrates to the newest schema; answers (before, after). Raises StoreError.

    A schema newer than this program is refused: an older program must not write to it. An
    SQLite file is copied beside itself before it is changed; PostgreSQL is for its owner to
    back up (the migration is one transaction on both).
    """
    newest, before = head(), current(database)
    if before == newest:
        return before, newest
    if before is not None and not knows(before):
        raise StoreError(
            f"{database.shown} has schema {before}, which this older program does not know: "
            "install the newer tinglan, or restore the backup made before the upgrade"
        )
    if before is not None:
        _keep_old(database, before)
    from alembic import command

    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest


def knows(revision: str) -> bool:
    """Whether this program can bring that schema up to date."""
    return revision in _revisions()


def _keep_old(database: Database, before: str) -> None:
    """Raises StoreError where there is no room for a copy: then nothing is migrated."""
    if database.file is None:
        return
    copy = database.file.with_name(f"{database.file.name}.schema-{before}")
    draft = copy.with_name(f".{copy.name}.{os.getpid()}")
    copy_into(database, draft)
    kept = Database(f"sqlite:///{draft}")
    try:
        whole = current(kept) == before  # else another process has migrated meanwhile
    finally:
        kept.close()
    if whole:
        os.replace(draft, copy)
    for name in (draft.name, f"{draft.name}-wal", f"{draft.name}-shm"):
        draft.with_name(name).unlink(missing_ok=True)


def current(database: Database) -> str | None:
    """The schema's revision; None for an empty database."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(_VERSION.name):
            return None
        found = connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()
    return str(found) if found is not None else None


def head() -> str:
    """The newest revision this program knows. Raises StoreError."""
    after = _revisions()
    newest = set(after) - set(after.values())
    if len(newest) != 1:
        raise StoreError("this installation lacks migrations: install tinglan again")
    return newest.pop()


def _revisions() -> dict[str, str]:
    """Revision → the one before it, as the migrations say themselves."""
    found: dict[str, str] = {}
    for file in resources.files("store.migrations").joinpath("versions").iterdir():
        if file.name.endswith(".py"):
            said = dict(_REVISION.findall(file.read_text("utf-8")))
            if said.get(""):
                found[said[""]] = said.get("down_", "")
    return found


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.set_main_option("path_separator", "os")
    return config
