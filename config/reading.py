"""Reads tinglan.toml as it stands, and checks the tables of plug-ins; `loading` checks the whole.

Kept apart so that a command that needs one section does not wait for all the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

#: Every section of tinglan.toml, as in `config.settings.Settings`.
SECTIONS: Final = frozenset(
    {
        "agency", "database", "channels", "offices", "roster", "deadlines", "keydates", "mail",
        "alerts", "calm", "draft", "digest", "console", "privacy", "retention", "service",
        "stages", "watches", "transports",
    }
)  # fmt: skip
_SHOWN = 60  #: characters of a found value


@dataclass(frozen=True, slots=True)
class Mistake:
    file: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: found {self.found}, {self.expected}"


class Wrong(Exception):
    """What somebody wrote cannot be used; `mistakes` holds all of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


class SettingsWrong(Wrong):
    """Settings cannot be used."""


def tables(path: Path) -> dict[str, Any]:
    """The file as TOML. Raises SettingsWrong where it cannot be read."""
    try:
        body = path.read_bytes()
        return tomllib.loads(body.decode("utf-8-sig"))
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
    except OSError as error:
        found = f"{error.strerror} ({type(error).__name__})"
        raise SettingsWrong(
            [Mistake(str(path), "(file)", found, "expected a file that this user can read")]
        ) from None
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise SettingsWrong(
            [
                Mistake(
                    str(path),
                    f"(line {line})",
                    "bytes that are no UTF-8 (saved as ANSI, GBK or UTF-16?)",
                    "expected UTF-8（请用 UTF-8 编码另存）",
                )
            ]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsWrong([Mistake(str(path), "(file)", str(error), "expected TOML")]) from None


def stages(path: Path, known: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Only what [stages] says, relative paths taken from the file's own folder.

    What other sections say is not looked at, only that they are such as there are.

    Raises SettingsWrong.
    """
    raw, mistakes = tables(path), list[Mistake]()
    for section in sorted(set(raw) - SECTIONS):
        error = {"type": "extra_forbidden", "loc": (section,)}
        mistakes.append(Mistake(str(path), section, _found(error), _expected(error)))
    made = plugins("stages", raw.get("stages", {}), known, str(path), mistakes)
    if mistakes:
        raise SettingsWrong(mistakes)
    return {name: housed(one, path.parent) for name, one in made.items()}


def housed(section: Any, base: Path) -> Any:
    """The same, its `folder` (where it has one) taken from the settings' own folder."""
    found = getattr(section, "folder", "")
    if not found or not isinstance(section, BaseModel):
        return section
    return section.model_copy(update={"folder": str(base / found)})


def plugins(
    section: str,
    found: Any,
    known: Mapping[str, type[BaseModel]],
    file: str,
    mistakes: list[Mistake],
) -> dict[str, Any]:
    if not isinstance(found, dict):
        mistakes.append(Mistake(file, section, show(found), f"expected [{section}.NAME] tables"))
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
            mistakes += mistakes_of(error, (section, name), file)
    return made


def mistakes_of(error: ValidationError, prefix: tuple[Any, ...], file: str) -> list[Mistake]:
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
    return show(one["input"])


#: What pydantic would say in the words of Python.
_PLAIN: Final = {
    "tuple_type": 'a list such as ["one", "two"]（应为方括号里的列表）',
    "list_type": 'a list such as ["one", "two"]（应为方括号里的列表）',
    "dict_type": "a table（应为一张表）",
    "model_type": "a table（应为一张表）",
    "mapping_type": "a table（应为一张表）",
    "string_type": 'text in quotes, such as "text"（应为引号里的文字）',
    "int_type": "a whole number（应为整数）",
    "int_parsing": "a whole number（应为整数）",
    "int_from_float": "a whole number（应为整数）",
    "float_type": "a number（应为数字）",
    "float_parsing": "a number（应为数字）",
    "bool_type": "true or false（应为 true 或 false）",
    "bool_parsing": "true or false（应为 true 或 false）",
    "time_type": "a time such as 08:00:00（应为时刻）",
    "time_parsing": "a time such as 08:00:00（应为时刻）",
    "date_type": "a date such as 2026-11-22（应为日期）",
    "date_parsing": "a date such as 2026-11-22（应为日期）",
    "date_from_datetime_parsing": "a date such as 2026-11-22（应为日期）",
}


def _expected(one: Any) -> str:
    if one["type"] == "missing":
        return "expected a value"
    if one["type"] == "extra_forbidden":
        return "expected no such key: is it misspelt, or does it belong to another table?"
    if one["type"] in _PLAIN:
        return f"expected {_PLAIN[one['type']]}"
    text = str(one["msg"]).removeprefix("Value error, ")
    return text if text.startswith("expected") or ": " in text else f"expected: {text}"


def show(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
