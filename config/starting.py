"""What `tinglan init` writes: a commented set of settings to edit, and what comes beside it."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path


class AlreadyThere(Exception):
    """A file that init would write exists; nothing was overwritten."""


def write_set(directory: Path) -> list[Path]:
    """Writes the commented settings into `directory`; answers what was written.

    Nothing that exists is overwritten: raises AlreadyThere before the first byte.
    """
    settings = directory / "tinglan.toml"
    if settings.exists():
        raise AlreadyThere(str(settings))
    directory.mkdir(parents=True, exist_ok=True)
    text = files("config").joinpath("example.toml").read_text(encoding="utf-8")
    settings.write_text(text, encoding="utf-8")
    settings.chmod(0o600)
    written = [settings]
    key = directory / "var" / "author.key"
    if not key.exists():
        written.append(make_key(key))
    return written


def make_key(path: Path) -> Path:
    """A fresh key for pseudonyms, readable by its owner alone. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return path
