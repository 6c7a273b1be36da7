"""What `tinglan init` writes: a commented set of settings to edit, and what comes beside it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from config.keys import make_key


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
    if make_key(key):
        written.append(key)
    return written
