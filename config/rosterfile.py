"""Reads 值班表 files, TOML, CSV or ICS, as offices keep them; one bad line is one problem."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from config.clock import SystemClock
from config.roster import CHAIN, Entry, Leave, Person, Roster, RosterSettings, Shift, Swap
from config.rosterics import turns
from config.section import Problem, recipient
from config.workdays import local_day

_SHOWN = 40  #: characters of a found value


def load_roster(settings: RosterSettings, folder: Path, today: date | None = None) -> Roster:
    """The roster from the files named in `settings`, relative to `folder`.

    `today` is the day around which a calendar file is read; not given: by the machine's clock.
    Never raises for what a file holds, or for its absence: every line that cannot be used is a
    problem, and the rest stands. Before going on duty, look at `problems`.
    """
    reader = _Reader()
    for name in settings.files:
        reader.file = name
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            found = "没有这个文件" if isinstance(error, FileNotFoundError) else "文件不能读取"
            reader.wrong("（文件）", found, "[roster] files 中写明的文件")
            continue
        text = decode(content)
        if text is None:
            reader.wrong("（文件）", "不能识别的编码", "UTF-8 或 GB18030（GBK）编码")
        elif name.lower().endswith(".toml"):
            reader.toml(text)
        elif name.lower().endswith(".ics"):
            reader.ics(text, settings, today or local_day(SystemClock().now()))
        else:
            reader.csv(text)
    return Roster(
        settings=settings,
        people=reader.people,
        weekly={key: tuple(value) for key, value in reader.weekly.items()},
        dated={key: tuple(value) for key, value in reader.dated.items()},
        swaps={key: tuple(value) for key, value in reader.swaps.items()},
        leaves=tuple(reader.leaves),
        found=tuple(reader.problems),
    )


def decode(content: bytes) -> str | None:
    """Text of an office file: by its byte-order mark, else UTF-8, else GB18030; None if neither.

    GB18030 comes last because nearly any bytes pass for it, and UTF-8 hardly ever by chance.
    """
    marked = (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (b"\x84\x31\x95\x33", "gb18030"),
    )
    names = [name for mark, name in marked if content.startswith(mark)]
    for name in names or ["utf-8", "gb18030"]:
        try:
            text = content.decode(name).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    return None


_RANKS = {rank.label: rank for rank in CHAIN} | {rank.value: rank for rank in CHAIN}
_SHIFTS = {shift.label: shift for shift in Shift} | {shift.value: shift for shift in Shift}
_SHIFTS |= {"日班": Shift.DAY, "晚班": Shift.NIGHT, "带班": Shift.LEADER}
_WEEKDAYS = {
    f"{word}{day}": n for word in ("周", "星期") for n, day in enumerate("一二三四五六日", 1)
}
_WEEKDAYS |= {"周天": 7, "星期天": 7}
_HEADS = {
    "date": "date", "日期": "date", "值班日期": "date",
    "shift": "shift", "班次": "shift",
    "person": "person", "人员": "person", "值班人员": "person", "值班人": "person",
    "name": "name", "姓名": "name",
    "rank": "rank", "职级": "rank", "角色": "rank", "role": "rank",
    "addresses": "addresses", "address": "addresses", "地址": "addresses", "邮箱": "addresses",
}  # fmt: skip
_PEOPLE = {"name", "rank", "addresses"}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T].*)?")


def _name(text: str) -> str:
    """Two-character names are padded to three with blanks in many tables: 王　强 is 王强."""
    folded = unicodedata.normalize("NFKC", text)
    return re.sub(r"(?<![A-Za-z])\s+|\s+(?![A-Za-z])", "", folded)


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    found = (
        _DATE.fullmatch(unicodedata.normalize("NFKC", value).strip())
        if isinstance(value, str)
        else None
    )
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return f"“{text[:_SHOWN]}”"


class _Reader:
    """Collects from several files; one bad line is one problem."""

    def __init__(self) -> None:
        self.file = ""
        self.people: dict[str, Person] = {}
        self.weekly: dict[tuple[int, Shift], list[Entry]] = {}
        self.dated: dict[tuple[date, Shift], list[Entry]] = {}
        self.swaps: dict[tuple[date, Shift], list[Swap]] = {}
        self.leaves: list[Leave] = []
        self.problems: list[Problem] = []

    def wrong(self, key: str, found: str, expected: str) -> None:
        self.problems.append(Problem(self.file, key, found, expected))

    def toml(self, text: str) -> None:
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.wrong("（文件）", str(error), 'TOML格式（中文键名须加引号，如 "白班" = …）')
            return
        readers: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "people": self._person,
            "leave": self._leave,
            "weekly": self._weekly,
            "dated": self._dated,
            "swap": self._swap,
        }
        for section, value in raw.items():
            if section not in readers or not isinstance(value, list):
                names = "、".join(f"[[{name}]]" for name in readers)
                self.wrong(section, "不认识的段落", f"{names} 之一")
                continue
            for index, table in enumerate(value, 1):
                key = f"第{index}个 [[{section}]]"
                if isinstance(table, dict):
                    readers[section](key, table)
                else:
                    self.wrong(key, _show(table), "一个段落")

    def ics(self, text: str, settings: RosterSettings, today: date) -> None:
        for turn in turns(text, settings, today, self.wrong):
            self._fill(self.dated.setdefault((turn.day, turn.shift), []), turn.key, [turn.name])

    def csv(self, text: str) -> None:
        first = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(",\t;，", key=first.count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        columns: dict[str, int] | None = None
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                self.wrong(f"第{rows.line_num}行", str(error), "CSV格式")
                continue
            key, cells = f"第{rows.line_num}行", [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is not None:
                self._row(key, columns, cells)
                continue
            columns = {_HEADS[c.lower()]: n for n, c in enumerate(cells) if c.lower() in _HEADS}
            if not ({"date", "shift", "person"} <= columns.keys() or columns.keys() >= _PEOPLE):
                self.wrong(
                    key, _show("，".join(cells)), "表头“日期，班次，人员”或“姓名，职级，地址”"
                )
                return

    def _row(self, key: str, columns: Mapping[str, int], cells: Sequence[str]) -> None:
        found = {name: cells[n] if n < len(cells) else "" for name, n in columns.items()}
        if columns.keys() >= _PEOPLE:
            addresses = [a for a in re.split(r"[\s;；、，,]+", found["addresses"]) if a]
            self._person(
                key, {"name": found["name"], "rank": found["rank"], "addresses": addresses}
            )
            return
        day, shift = _date(found["date"]), _SHIFTS.get(found["shift"].lower())
        if day is None:
            self.wrong(f"{key} 日期", _show(found["date"]), "日期，如 2026-12-01")
        elif shift is None:
            self.wrong(f"{key} 班次", _show(found["shift"]), "白班、夜班、带班领导 之一")
        else:
            names = [_name(n) for n in re.split(r"[、，,;；/]+", found["person"]) if n.strip()]
            self._fill(self.dated.setdefault((day, shift), []), key, names)

    def _fill(self, slot: list[Entry], key: str, names: Iterable[str]) -> None:
        slot.extend(Entry(name, self.file, key) for name in names)

    def _person(self, key: str, table: dict[str, Any]) -> None:
        self._unknown(key, table, {"name", "rank", "addresses"})
        name, rank = table.get("name"), _RANKS.get(str(table.get("rank", "")))
        if not isinstance(name, str) or not _name(name):
            self.wrong(f"{key} name", _show(name), "姓名")
            return
        name = _name(name)
        if rank is None:
            self.wrong(
                f"{key} rank",
                _show(table.get("rank")),
                "值班员、带班领导、分管领导、主要负责人 之一",
            )
            return
        if name in self.people:
            self.wrong(
                key, f"姓名“{name}”重复", "每人登记一次；重名请加处室区分，如 王强（预报科）"
            )
            return
        addresses = table.get("addresses")
        good: list[str] = []
        for address in addresses if isinstance(addresses, list) else [addresses]:
            try:
                good.append(recipient(address if isinstance(address, str) else ""))
            except ValueError:
                if address is not None:
                    self.wrong(
                        f"{key} addresses",
                        _show(address),
                        "邮箱地址，或 通道:目标（如 wecom:值班群）",
                    )
        if not good:
            self.wrong(f"{key} addresses", f"{name}没有可用地址", "至少一个可用地址")
        self.people[name] = Person(name=name, rank=rank, addresses=tuple(dict.fromkeys(good)))

    def _leave(self, key: str, table: dict[str, Any]) -> None:
        self._unknown(key, table, {"person", "from", "to", "note"})
        first, last = _date(table.get("from")), _date(table.get("to", table.get("from")))
        if not isinstance(table.get("person"), str):
            self.wrong(f"{key} person", _show(table.get("person")), "姓名")
        elif first is None or last is None or last < first:
            self.wrong(
                key, _show(f"{table.get('from')}至{table.get('to')}"), "from、to 两个日期，先后有序"
            )
        else:
            entry = Entry(_name(table["person"]), self.file, key)
            self.leaves.append(Leave(first, last, entry))

    def _weekly(self, key: str, table: dict[str, Any]) -> None:
        days = table.get("days")
        if not isinstance(days, list) or not days:
            self.wrong(f"{key} days", _show(days), '["周一", "周二"] 这样的列表')
            return
        for day in days:
            number = _WEEKDAYS.get(day) if isinstance(day, str) else None
            if number is None:
                self.wrong(f"{key} days", _show(day), "周一 至 周日")
                continue
            for shift, names in self._shifts(key, table, {"days"}):
                self._fill(self.weekly.setdefault((number, shift), []), key, names)

    def _dated(self, key: str, table: dict[str, Any]) -> None:
        day = _date(table.get("date"))
        if day is None:
            self.wrong(f"{key} date", _show(table.get("date")), "日期，如 2026-12-01")
            return
        for shift, names in self._shifts(key, table, {"date"}):
            self._fill(self.dated.setdefault((day, shift), []), key, names)

    def _swap(self, key: str, table: dict[str, Any]) -> None:
        self._unknown(key, table, {"date", "shift", "out", "in", "note"})
        day, shift = _date(table.get("date")), _SHIFTS.get(str(table.get("shift", "")))
        out, come = table.get("out"), table.get("in")
        if day is None or shift is None or not isinstance(out, str) or not isinstance(come, str):
            self.wrong(key, _show(table), "date、shift（白班、夜班、带班领导）、out、in 四项")
            return
        swap = Swap(Entry(_name(out), self.file, key), Entry(_name(come), self.file, key))
        self.swaps.setdefault((day, shift), []).append(swap)

    def _shifts(
        self, key: str, table: dict[str, Any], rest: set[str]
    ) -> Iterator[tuple[Shift, list[str]]]:
        for word, names in table.items():
            if word in rest:
                continue
            shift = _SHIFTS.get(word)
            if shift is None:
                self.wrong(f"{key} {word}", "不认识的键", "day、night、leader 之一")
                continue
            listed = [names] if isinstance(names, str) else names
            if not isinstance(listed, list) or not all(isinstance(n, str) for n in listed):
                self.wrong(f"{key} {word}", _show(names), '["姓名", "姓名"]')
                continue
            yield shift, [_name(n) for n in listed if _name(n)]

    def _unknown(self, key: str, table: dict[str, Any], known: set[str]) -> None:
        for word in table.keys() - known:
            self.wrong(f"{key} {word}", "不认识的键", "、".join(sorted(known)) + " 之一")
