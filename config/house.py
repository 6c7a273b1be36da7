"""What everything stands on: settings, an open and migrated database, the environment, a clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config.clock import Clock, SystemClock
from config.loading import load
from config.plugins import Catalogue
from config.settings import Settings
from store.engine import Database, located, self_check
from store.schema import upgrade


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    database: Database
    path: Path  #: of the settings file
    environ: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)

    @property
    def base(self) -> Path:
        """Relative paths in settings are taken from here."""
        return self.path.parent


@contextmanager
def opened(path: Path, catalogue: Catalogue, environ: Mapping[str, str]) -> Iterator[House]:
    """Reads settings and opens the database, its schema brought up to date first.

    Raises SettingsWrong, StoreError.
    """
    settings = load(path, catalogue, environ)
    database = Database(located(settings.database.url, path.parent))
    try:
        self_check(database)
        upgrade(database)
        yield House(settings, database, path, environ)
    finally:
        database.close()
