"""What `tinglan init` writes: a commented set of settings to edit, and what comes beside it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from config.keys import make_key


class AlreadyThere(Exception):
    """A file that init would write exists; nothing was overwritten."""


#: What lies beside the settings: a roster, a pack of the office's own, next year's holidays.
BESIDE = ("roster.toml", "packs/own.toml", "holidays/next-year.toml.example")


def write_set(directory: Path) -> list[Path]:
    """Writes the commented settings and what goes with them into `directory`.

    Answers what was written. Nothing that exists is overwritten: raises AlreadyThere before the
    first byte.
    """
    start = files("config").joinpath("start")
    texts = {"tinglan.toml": files("config").joinpath("example.toml")}
    texts |= {name: start.joinpath(name) for name in BESIDE}
    for name in texts:
        if (directory / name).exists():
            raise AlreadyThere(str(directory / name))
    written = []
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.read_text(encoding="utf-8"), encoding="utf-8")
        path.chmod(0o600)
        written.append(path)
    key = directory / "var" / "author.key"
    if make_key(key):
        written.append(key)
    return written
