"""Rule packs as files: which there are, what a draft says, and how it comes into force or goes.

The office's folder holds its own packs; the file before each change is kept in `.history`
beside them, where nothing reads rules from.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from alerts.headers import clean_header
from alerts.turns import take_turn
from analysis.fresh import Stamp, stamp
from analysis.packs import PackFile, PacksWrong, in_folder, load, shipped
from analysis.rules import Rulebook
from analysis.stages.rules import Options
from config.reading import Mistake
from store.engine import Database
from store.ledger import append

NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
LONGEST = 60_000  #: characters of one pack
KEPT = 50  #: earlier files of one pack
_HISTORY = ".history"


class NotSaved(Exception):
    """Nothing was written; the text says why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A pack that is not a file yet."""

    name: str  #: metro.toml
    text: str

    def read_text(self, encoding: str) -> str:
        return self.text

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    name: str  #: without .toml
    text: str
    title: str  #: as the file names itself
    origin: str  #: 自带, 本单位, 本单位（替换自带的）

    @property
    def is_own(self) -> bool:
        return self.origin != "自带"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A file as it was before a change."""

    stamp: str
    at: datetime
    size: int


def options_of(stages: Mapping[str, Any]) -> Options:
    given = stages.get("rules")
    return given if isinstance(given, Options) else Options.model_validate(given or {})


def folder_of(options: Options) -> Path | None:
    """Where the office keeps its own packs; None where settings name no folder."""
    return Path(options.folder) if options.folder else None


def stamp_of(options: Options) -> Stamp:
    return stamp(folder_of(options))


def packs(options: Options) -> list[Pack]:
    """Every pack in force, by name; the office's own instead of a shipped one of its name."""
    made: dict[str, Pack] = {}
    for file in shipped():
        made[_stem(file)] = _pack(file, "自带")
    folder = folder_of(options)
    for file in in_folder(folder) if folder is not None else ():
        name = _stem(file)
        origin = "本单位（替换自带的）" if name in made else "本单位"
        made[name] = _pack(file, origin)
    return [made[name] for name in sorted(made)]


def _pack(file: PackFile, origin: str) -> Pack:
    text = _text(file)
    return Pack(name=_stem(file), text=text, title=_title(text) or _stem(file), origin=origin)


@lru_cache(maxsize=64)
def _title(text: str) -> str:
    try:
        return clean_header(str(tomllib.loads(text)["pack"]["name"]), 30)
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return ""


def shipped_text(name: str) -> str | None:
    return next((_text(file) for file in shipped() if _stem(file) == name), None)


def book_with(options: Options, draft: Draft | None = None) -> Rulebook:
    """The rules as they would be with this draft in place. Raises PacksWrong."""
    files: list[PackFile] = list(shipped())
    folder = folder_of(options)
    files += in_folder(folder) if folder is not None else ()
    if draft is not None:
        if len(draft.text) > LONGEST:
            raise PacksWrong(
                [
                    Mistake(
                        draft.name, "(file)", f"{len(draft.text)} characters", f"expected {LONGEST}"
                    )
                ]
            )
        files = [file for file in files if file.name != draft.name] + [draft]
    off = set(options.off)
    return Rulebook([r for r in load(files) if r.pack not in off and r.name not in off])


def save(
    database: Database,
    options: Options,
    name: str,
    text: str | None,
    *,
    seen: str,
    by: str,
    now: datetime,
    note: str = "",
) -> None:
    """Puts a pack into force, or with None takes the office's own one away; on record.

    `seen` is the text that the person began from: somebody else's change in between is not
    written over. Raises NotSaved, PacksWrong.
    """
    folder = folder_of(options)
    if folder is None:
        raise NotSaved("设置里没有写明本单位的规则文件夹（[stages.rules] folder），不能保存")
    if not NAME.fullmatch(name):
        raise NotSaved("规则包的名称须以小写字母开头，由小写字母、数字、短横组成，30 个字符以内")
    path = folder / f"{name}.toml"
    before = _read(path)
    if _plain(before if before is not None else shipped_text(name) or "") != _plain(seen):
        raise NotSaved("这个规则包刚被别人改过，没有保存；请重新打开，再把您的改动写进去")
    if text is not None:
        book_with(options, Draft(path.name, text))
    try:
        with database.write() as connection:
            take_turn(connection)
            append(
                connection, item=None, at=now, kind="rules-saved", by=by, via="desk",
                note="；".join(part for part in (_told(name, before, text), note) if part),
                detail={"pack": name, "before": _lines(before), "after": _lines(text)},
            )  # fmt: skip
            _keep(folder, name, before, now)
            _write(path, text)
    except OSError as error:
        raise NotSaved(f"规则文件夹不能写入（{type(error).__name__}），没有保存") from None


def earlier(options: Options, name: str) -> list[Earlier]:
    """Files of a pack as they were before each change, the latest first."""
    folder = folder_of(options)
    if folder is None or not NAME.fullmatch(name):
        return []
    made = []
    for path in sorted((folder / _HISTORY).glob(f"{name}.*.toml"), reverse=True):
        mark = path.name.removeprefix(f"{name}.").removesuffix(".toml")
        try:
            at = datetime.strptime(mark, _MARK).replace(tzinfo=UTC)
            made.append(Earlier(stamp=mark, at=at, size=path.stat().st_size))
        except (ValueError, OSError):
            continue
    return made[:KEPT]


def text_of_earlier(options: Options, name: str, mark: str) -> str | None:
    folder = folder_of(options)
    if folder is None or mark not in {one.stamp for one in earlier(options, name)}:
        return None
    return _read(folder / _HISTORY / f"{name}.{mark}.toml")


_MARK = "%Y%m%dT%H%M%S%fZ"


def _keep(folder: Path, name: str, before: str | None, now: datetime) -> None:
    if before is None:
        return
    history = folder / _HISTORY
    history.mkdir(exist_ok=True)
    mark = now.astimezone(UTC).strftime(_MARK)
    _write(history / f"{name}.{mark}.toml", before)
    for path in sorted(history.glob(f"{name}.*.toml"), reverse=True)[KEPT:]:
        path.unlink(missing_ok=True)


def _write(path: Path, text: str | None) -> None:
    """All of it or nothing: a service that reads meanwhile sees the old file or the new one."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _told(name: str, before: str | None, after: str | None) -> str:
    if after is None:
        left = "用回自带的" if shipped_text(name) else "不再使用"
        return f"规则包 {name}：删去本单位的，{left}"
    made = "修改" if before is not None else "新建"
    return f"规则包 {name}：{made}，共 {_lines(after)} 行"


def _lines(text: str | None) -> int:
    return len((text or "").splitlines())


def _stem(file: PackFile) -> str:
    return file.name.removesuffix(".toml")


def _text(file: PackFile) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _plain(text: str) -> str:
    """Forms send other line ends than files have."""
    return "\n".join(text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n"))


def composed(
    name: str,
    *,
    title: str,
    level: str,
    topic: str,
    words: Iterable[str],
    must: Iterable[str],
    none: Iterable[str],
    reason: str,
    review: str,
) -> str:
    """One rule as TOML, from the fields of a plain form."""
    lines = ["[[rules]]", f"id = {_quoted(name)}", f"name = {_quoted(title)}"]
    lines += [f"level = {_quoted(level)}"] if level else []
    lines += [f"topic = {_quoted(topic)}", f"any = {_listed(words)}"]
    lines += [f"must = [{_listed(must)}]"] if must else []
    lines += [f"none = {_listed(none)}"] if none else []
    return "\n".join([*lines, f"reason = {_quoted(reason)}", f"review = {review}", ""])


def _listed(words: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, words)) + "]"


def _quoted(text: str) -> str:
    """A TOML basic string."""
    plain = "".join(c if c >= " " and c != "\x7f" else " " for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
