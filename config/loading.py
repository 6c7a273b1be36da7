"""Reads tinglan.toml: every mistake at once, each with file, key, what was found and expected."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from config.plugins import Catalogue
from config.settings import ChannelSettings, Settings

_PLUGIN_SECTIONS = ("stages", "watches", "transports")
_SHOWN = 60  #: characters of a found value


@dataclass(frozen=True, slots=True)
class Mistake:
    file: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: found {self.found}, {self.expected}"


class SettingsWrong(Exception):
    """Settings cannot be used; `mistakes` holds all of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


def load(path: Path, catalogue: Catalogue, environ: Mapping[str, str]) -> Settings:
    """Settings from a TOML file, its relative paths taken from its own folder.

    $TINGLAN_DATABASE_URL wins over [database] url.

    Raises SettingsWrong with every mistake of the file; no message holds a value that could
    be a secret.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsWrong(
            [
                Mistake(
                    str(path),
                    "(file)",
                    "nothing",
                    "expected a settings file: `tinglan init` writes one",
                )
            ]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsWrong(
            [Mistake(str(path), "(file)", type(error).__name__, "expected a readable UTF-8 file")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsWrong([Mistake(str(path), "(file)", str(error), "expected TOML")]) from None
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
        "stages": {name: _housed(one, path.parent) for name, one in settings.stages.items()},
    }
    return settings.model_copy(update=placed)


def _trusting(section: Any, base: Path) -> Any:
    """The same, its `ca_file` (where it has one) taken from the settings' own folder."""
    found = getattr(section, "ca_file", "")
    if not found or not isinstance(section, BaseModel):
        return section
    return section.model_copy(update={"ca_file": str(base / found)})


def _housed(section: Any, base: Path) -> Any:
    """The same, its `folder` (where it has one) taken from the settings' own folder."""
    found = getattr(section, "folder", "")
    if not found or not isinstance(section, BaseModel):
        return section
    return section.model_copy(update={"folder": str(base / found)})


def check(raw: Mapping[str, Any], file: str, catalogue: Catalogue) -> Settings:
    """Settings from parsed TOML. Raises SettingsWrong."""
    mistakes: list[Mistake] = []
    body = dict(raw)
    for section in _PLUGIN_SECTIONS:
        if section in body:
            body[section] = _plugins(
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
        mistakes[:0] = _mistakes(error, (), file)
    if mistakes or settings is None:
        raise SettingsWrong(mistakes)
    return settings


def _plugins(
    section: str,
    found: Any,
    known: Mapping[str, type[BaseModel]],
    file: str,
    mistakes: list[Mistake],
) -> dict[str, Any]:
    if not isinstance(found, dict):
        mistakes.append(Mistake(file, section, _show(found), f"expected [{section}.NAME] tables"))
        return {}
    made: dict[str, Any] = {}
    for name, table in found.items():
        if name not in known:
            names = ", ".join(sorted(known)) or "(none installed)"
            mistakes.append(
                Mistake(file, f"{section}.{name}", repr(name), f"expected one of {names}")
            )
            continue
        try:
            made[name] = known[name].model_validate(table)
        except ValidationError as error:
            mistakes += _mistakes(error, (section, name), file)
    return made


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
                Mistake(file, f"channels.{index}.kind", _show(kind), f"expected one of {names}")
            )
        return common
    try:
        common["options"] = known[kind].model_validate(rest)
    except ValidationError as error:
        mistakes += _mistakes(error, ("channels", index), file)
    return common


_CHANNEL_KEYS = set(ChannelSettings.model_fields) - {"options"}


def _mistakes(error: ValidationError, prefix: tuple[Any, ...], file: str) -> list[Mistake]:
    made = []
    errors = error.errors(include_url=False, include_context=False)
    places = [one["loc"] for one in errors]
    for one in errors:
        if one["type"] == "too_short" and any(_inside(place, one["loc"]) for place in places):
            continue  # short only because a wrong entry was left out; that one is told already
        key = ".".join(str(part) for part in (*prefix, *one["loc"])) or "(file)"
        made.append(Mistake(file, key, _found(one), _expected(one)))
    return made


def _inside(place: tuple[Any, ...], whole: tuple[Any, ...]) -> bool:
    return len(place) > len(whole) and place[: len(whole)] == whole


def _found(one: Any) -> str:
    if one["type"] == "missing":
        return "nothing"
    if one["type"] == "extra_forbidden":
        return "an unknown key"
    key = str(one["loc"][-1]) if one["loc"] else ""
    if any(word in key.lower() for word in ("password", "secret", "token", "key", "url")):
        return "(not shown)"
    return _show(one["input"])


def _expected(one: Any) -> str:
    if one["type"] == "missing":
        return "expected a value"
    if one["type"] == "extra_forbidden":
        return "expected no such key: is it misspelt, or does it belong to another table?"
    text = str(one["msg"]).removeprefix("Value error, ")
    return text if text.startswith("expected") or ": " in text else f"expected: {text}"


def _show(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
