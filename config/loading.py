"""Reads tinglan.toml: every mistake at once, each with file, key, what was found and expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from config.plugins import Catalogue
from config.reading import Mistake as Mistake  # noqa: PLC0414
from config.reading import SettingsWrong as SettingsWrong  # noqa: PLC0414
from config.reading import housed, mistakes_of, plugins, show, tables
from config.settings import ChannelSettings, Settings

_PLUGIN_SECTIONS = ("stages", "watches", "transports")


def load(path: Path, catalogue: Catalogue, environ: Mapping[str, str]) -> Settings:
    """Settings from a TOML file, its relative paths taken from its own folder.

    $TINGLAN_DATABASE_URL wins over [database] url.

    Raises SettingsWrong with every mistake of the file; no message holds a value that could
    be a secret.
    """
    raw = tables(path)
    if environ.get("TINGLAN_DATABASE_URL"):
        database = raw.get("database")
        raw["database"] = {
            **(database if isinstance(database, dict) else {}),
            "url": environ["TINGLAN_DATABASE_URL"],
        }
    settings = check(raw, str(path), catalogue)
    key = str(path.parent / settings.privacy.author_key_file)
    privacy = settings.privacy.model_copy(update={"author_key_file": key})
    key = str(path.parent / settings.console.link_key_file)
    console = settings.console.model_copy(update={"link_key_file": key})
    placed = {
        "privacy": privacy,
        "console": console,
        "mail": _trusting(settings.mail, path.parent),
        "channels": tuple(
            channel.model_copy(update={"options": _trusting(channel.options, path.parent)})
            for channel in settings.channels
        ),
        "stages": {name: housed(one, path.parent) for name, one in settings.stages.items()},
    }
    return settings.model_copy(update=placed)


def _trusting(section: Any, base: Path) -> Any:
    """The same, its `ca_file` (where it has one) taken from the settings' own folder."""
    found = getattr(section, "ca_file", "")
    if not found or not isinstance(section, BaseModel):
        return section
    return section.model_copy(update={"ca_file": str(base / found)})


def check(raw: Mapping[str, Any], file: str, catalogue: Catalogue) -> Settings:
    """Settings from parsed TOML. Raises SettingsWrong."""
    mistakes: list[Mistake] = []
    body = dict(raw)
    for section in _PLUGIN_SECTIONS:
        if section in body:
            body[section] = plugins(
                section, body[section], getattr(catalogue, section), file, mistakes
            )
    if isinstance(body.get("channels"), list):
        body["channels"] = [
            _channel(i, one, catalogue.channels, file, mistakes)
            for i, one in enumerate(body["channels"])
        ]
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(body)
    except ValidationError as error:
        mistakes[:0] = mistakes_of(error, (), file)
    if mistakes or settings is None:
        raise SettingsWrong(mistakes)
    return settings


def _channel(
    index: int,
    found: Any,
    known: Mapping[str, type[BaseModel]],
    file: str,
    mistakes: list[Mistake],
) -> Any:
    if not isinstance(found, dict):
        return found
    common = {k: v for k, v in found.items() if k in _CHANNEL_KEYS}
    rest = {k: v for k, v in found.items() if k not in _CHANNEL_KEYS}
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in known:
        if kind is not None:
            names = ", ".join(sorted(known)) or "(none installed)"
            mistakes.append(
                Mistake(file, f"channels.{index}.kind", show(kind), f"expected one of {names}")
            )
        return common
    try:
        common["options"] = known[kind].model_validate(rest)
    except ValidationError as error:
        mistakes += mistakes_of(error, ("channels", index), file)
    return common


_CHANNEL_KEYS = set(ChannelSettings.model_fields) - {"options"}
