"""Working days and working time: the State Council's arrangement of each year, and sums over it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeGuard

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from config.clock import SHANGHAI
from config.section import Problem, Section

_DAY = 86_400  #: seconds; Shanghai has had no summer time since 1991
_LONGEST_HOLIDAY = 16  #: days; a longer one is a slip of the pen


def _second_of_day(value: Any) -> int:
    if isinstance(value, time):
        return value.hour * 3600 + value.minute * 60 + value.second
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _DAY:
        return value
    hour, colon, minute = value.strip().partition(":") if isinstance(value, str) else ("", "", "")
    if colon and hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 and len(minute) == 2:
        second = int(hour) * 3600 + int(minute) * 60
        if int(minute) < 60 and second <= _DAY:
            return second
    raise ValueError('expected a time of day such as "08:30"; "24:00" is the end of the day')


def _written(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"


#: Seconds since midnight, written "08:30"; "24:00" is the end of the day.
TimeOfDay = Annotated[int, BeforeValidator(_second_of_day), PlainSerializer(_written)]


class Hours(Section):
    """作息时间, Asia/Shanghai. Make-up days work, holidays do not, whatever `weekdays` says."""

    start: TimeOfDay = 8 * 3600 + 1800
    end: TimeOfDay = 17 * 3600 + 1800
    lunch: tuple[TimeOfDay, TimeOfDay] | None = (12 * 3600, 13 * 3600 + 1800)  #: false: none
    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field(
        default=(1, 2, 3, 4, 5), min_length=1
    )  #: 1 is Monday

    @model_validator(mode="before")
    @classmethod
    def _no_lunch(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("lunch") in (False, []):
            return {**given, "lunch": None}
        return given

    @model_validator(mode="after")
    def _in_order(self) -> Hours:
        if self.start >= self.end:
            raise ValueError("end: expected a time after start")
        if self.lunch and not self.start < self.lunch[0] < self.lunch[1] < self.end:
            raise ValueError("lunch: expected two times in order, between start and end")
        return self

    @cached_property
    def periods(self) -> tuple[tuple[int, int], ...]:
        """Of one working day, seconds since midnight."""
        if self.lunch is None:
            return ((self.start, self.end),)
        return ((self.start, self.lunch[0]), (self.lunch[1], self.end))

    @cached_property
    def day(self) -> timedelta:
        """How much working time one working day has."""
        return timedelta(seconds=sum(end - begin for begin, end in self.periods))


@dataclass(frozen=True, slots=True)
class Day:
    """A day that the week alone does not decide."""

    name: str  #: 国庆节
    works: bool  #: a make-up day


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are worked. Years without a file: the week alone."""

    days: Mapping[date, Day] = field(default_factory=dict)
    versions: Mapping[int, str] = field(default_factory=dict)  #: year → version of its file
    sources: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def works(self, day: date, hours: Hours) -> bool:
        found = self.days.get(day)
        return found.works if found else day.isoweekday() in hours.weekdays

    def label(self, day: date) -> str:
        """国庆节, 国庆节调休上班, or nothing."""
        found = self.days.get(day)
        if found is None:
            return ""
        return f"{found.name}调休上班" if found.works else found.name

    def version(self, first: date, last: date) -> str:
        """Of every year a sum touched, to be stored beside its result."""
        years = range(first.year, max(first, last).year + 1)
        return " ".join(self.versions.get(year, f"{year}:仅按周末") for year in years)

    def warnings(self, today: date) -> list[str]:
        """What the desk, the digest and `check` should show; never a reason to stop."""
        wanted = [today.year] if today.month < 12 else [today.year, today.year + 1]
        missing = [
            f"{year}年节假日安排未配置，暂按双休日推算工作时间；"
            f"请放入 holidays/{year}.toml（以国务院办公厅通知为准）"
            for year in wanted
            if year not in self.versions
        ]
        return missing + [str(problem) for problem in self.problems]


def load_calendar(folder: Path | None = None) -> Calendar:
    """The shipped years, with those of the office's `folder` in place of them where it has any.

    Never raises for what stands in a file: a year that cannot be used is listed in `problems`,
    and the shipped file of that year, if any, stays.
    """
    shipped = {
        entry.name: entry.read_bytes()
        for entry in resources.files("config").joinpath("holidays").iterdir()
        if entry.name.endswith(".toml")
    }
    days: dict[date, Day] = {}
    owner: dict[date, int] = {}
    versions: dict[int, str] = {}
    sources: dict[int, str] = {}
    problems: list[Problem] = []
    years: dict[int, _Year] = {}
    for name, text in [*sorted(shipped.items()), *_of_folder(folder, problems)]:
        year = _read(name, text, problems)
        if year is not None:
            years[year.year] = year
    for number, year in sorted(years.items()):
        versions[number], sources[number] = year.version, year.source
        for day, what in year.days.items():
            # A notice may reach over new year's eve; on such a day the notice of its own year,
            # which names it on purpose, and else the later notice, is right.
            if owner.get(day) != day.year:
                days[day], owner[day] = what, number
    return Calendar(days, versions, sources, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Year:
    year: int
    days: dict[date, Day]
    version: str
    source: str


def _of_folder(folder: Path | None, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.glob("*.toml")):
        try:
            yield str(path), path.read_bytes()
        except OSError as error:
            problems.append(Problem(str(path), "（文件）", type(error).__name__, "可读的文件"))


def _read(file: str, content: bytes, problems: list[Problem]) -> _Year | None:
    """One file. A mistake spoils the whole year: half a calendar is worse than the week alone."""
    try:
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        problems.append(Problem(file, "（文件）", "不是UTF-8编码", "UTF-8编码的TOML文件"))
        return None
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(file, "（文件）", str(error), "TOML格式"))
        return None
    found: list[Problem] = []

    def wrong(key: str, value: Any, expected: str) -> None:
        found.append(Problem(file, key, repr(value)[:60], expected))

    year = raw.get("year")
    if not isinstance(year, int) or not 2000 <= year <= 2999:
        problems.append(Problem(file, "year", repr(year)[:60], "四位年份，如 2027"))
        return None
    for key in ("source", "version"):
        if not isinstance(raw.get(key), str) or not raw[key].strip():
            wrong(key, raw.get(key), "一段文字（通知文号、版本）")
    for key in raw.keys() - {"year", "source", "version", "holidays"}:
        wrong(key, "未知的键", "year、source、version、holidays 之一")
    days: dict[date, Day] = {}
    entries = raw.get("holidays", [])
    if not isinstance(entries, list):
        wrong("holidays", entries, "[[holidays]] 段落")
        entries = []
    for index, entry in enumerate(entries, 1):
        key = f"第{index}个 [[holidays]]"
        for day, what in _days(entry, year, lambda part, v, e, key=key: wrong(key + part, v, e)):
            if day in days:
                wrong(key, day.isoformat(), "每天只出现一次")
            days[day] = what
    if found:
        problems.extend(found)
        return None
    # The digest in the version tells two hand-edited files apart even if nobody changed `version`.
    drawn = repr(sorted((day.isoformat(), what.works) for day, what in days.items()))
    digest = hashlib.sha256(drawn.encode()).hexdigest()[:8]
    return _Year(year, days, f"{raw['version'].strip()}-{digest}", raw["source"].strip())


def _days(entry: Any, year: int, wrong: Any) -> Iterator[tuple[date, Day]]:
    if not isinstance(entry, dict):
        wrong("", entry, "一个段落")
        return
    for key in entry.keys() - {"name", "from", "to", "workdays"}:
        wrong(f".{key}", "未知的键", "name、from、to、workdays 之一")
    name, first = entry.get("name"), entry.get("from")
    last, workdays = entry.get("to", first), entry.get("workdays", [])
    if not isinstance(name, str) or not name.strip():
        wrong(".name", name, "节日名称")
        return
    if not (_is_day(first) and _is_day(last) and isinstance(workdays, list)):
        wrong("", entry, f"from、to 为日期（如 {year}-10-01），workdays 为日期列表")
        return
    if not 0 <= (last - first).days < _LONGEST_HOLIDAY:
        wrong(".to", last.isoformat(), f"不早于 from，且不超过 {_LONGEST_HOLIDAY} 天")
        return
    edges = (date(year - 1, 12, 1), date(year + 1, 1, 31))
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for day in [*span, *workdays]:
        if not _is_day(day) or not edges[0] <= day <= edges[1]:
            wrong("", str(day), f"{year}年（含相邻的12月、1月）的日期")
        elif day in workdays and day.isoweekday() < 6:
            wrong(".workdays", day.isoformat(), "星期六或星期日（调休上班日）")
        elif day in span:
            yield day, Day(name.strip(), works=False)
    for day in workdays:
        if _is_day(day):
            yield day, Day(name.strip(), works=True)


def _is_day(value: Any) -> TypeGuard[date]:
    return isinstance(value, date) and not isinstance(value, datetime)


def add_working_time(
    start: datetime, duration: timedelta, calendar: Calendar, hours: Hours
) -> datetime:
    """The first instant by which `duration` of working time has passed since `start`; UTC.

    The end of a period counts as inside it: four hours from 13:30 end at 17:30, not the next
    morning. Nothing added to a moment outside working time gives the next opening. Whole
    seconds; parts of one are dropped, so a limit never comes out later than it is.
    Raises ValueError for a negative duration or a moment without a zone.
    """
    left = int(duration.total_seconds())
    if duration < timedelta(0):
        raise ValueError("working time: expected no negative duration")
    day, at = _local(start)
    while True:
        if calendar.works(day, hours):
            for begin, end in hours.periods:
                if at > end:
                    continue
                room = end - max(begin, at)
                if left <= room:
                    return _instant(day, end - room + left)
                left -= room
        day += timedelta(days=1)
        at = 0


def working_time_between(
    start: datetime, end: datetime, calendar: Calendar, hours: Hours
) -> timedelta:
    """How much working time lies between; nothing where `end` is not after `start`."""
    (day, at), (last, until) = _local(start), _local(end)
    total = 0
    while day <= last:
        if calendar.works(day, hours):
            stop = until if day == last else _DAY
            total += sum(max(0, min(e, stop) - max(b, at)) for b, e in hours.periods)
        day += timedelta(days=1)
        at = 0
    return timedelta(seconds=total)


def is_working(moment: datetime, calendar: Calendar, hours: Hours) -> bool:
    """Whether the moment lies in working time, both ends of a period included."""
    day, at = _local(moment)
    if at == 0 and hours.end == _DAY and calendar.works(day - timedelta(days=1), hours):
        return True
    return calendar.works(day, hours) and any(b <= at <= e for b, e in hours.periods)


def local_day(moment: datetime) -> date:
    """The date in Shanghai."""
    return _local(moment)[0]


def _local(moment: datetime) -> tuple[date, int]:
    if moment.tzinfo is None:
        raise ValueError("working time: expected a moment that says its zone")
    local = moment.astimezone(SHANGHAI)
    return local.date(), local.hour * 3600 + local.minute * 60 + local.second


def _instant(day: date, second: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    return (midnight + timedelta(seconds=second)).astimezone(UTC)
