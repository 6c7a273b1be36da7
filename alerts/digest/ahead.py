"""下期关注: the key dates of the days to come; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Protocol

from config.keydates import PROFILES
from config.workdays import Calendar

#: Days that every such office knows; those of a place (its flood season) come by `[[keydates]]`.
SHIPPED: Sequence[tuple[str, str, str]] = (
    ("03-23", "03-23", "世界气象日"),
    ("04-15", "04-15", "全民国家安全教育日"),
    ("05-12", "05-12", "全国防灾减灾日"),
    ("06-01", "06-30", "全国安全生产月"),
    ("10-13", "10-13", "国际减轻自然灾害日"),
    ("11-09", "11-09", "全国消防日"),
    ("12-02", "12-02", "全国交通安全日"),
    ("12-04", "12-04", "国家宪法日"),
)


@dataclass(frozen=True, slots=True, order=True)
class Ahead:
    first: date  #: of the part that falls into the days asked for
    last: date
    name: str
    note: str = ""

    @property
    def days(self) -> str:
        begin = f"{self.first.month}月{self.first.day}日"
        return (
            begin if self.first == self.last else f"{begin}至{self.last.month}月{self.last.day}日"
        )


class Dated(Protocol):
    """A key date of the settings."""

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str: ...

    def covers(self, day: date, calendar: Calendar | None) -> bool: ...


def ahead(own: Iterable[Dated], calendar: Calendar | None, first: date, last: date) -> list[Ahead]:
    """Key dates, holidays and make-up days between `first` and `last`, in order of days."""
    days = [first + timedelta(days=more) for more in range((last - first).days + 1)]
    found: list[Ahead] = []
    for one in own:
        covers = partial(one.covers, calendar=calendar)
        found += _stretches(days, covers, one.name, one.note or _raised(one))
    for begin, end, name in SHIPPED:
        inside = {day for year in range(first.year - 1, last.year + 1)
                  for day in days if _in(year, begin) <= day <= _in(year, end)}  # fmt: skip
        found += _stretches(days, inside.__contains__, name)
    if calendar is not None:
        for label in dict.fromkeys(filter(None, map(calendar.label, days))):
            named = {day for day in days if calendar.label(day) == label}
            found += _stretches(days, named.__contains__, label)
    return sorted(set(found))


def _raised(one: Dated) -> str:
    """What 重点时段 will change, from its own settings; "" for a plain date."""
    profile = PROFILES.get(str(getattr(one, "profile", None)))
    if profile is None:
        return ""

    def own(name: str) -> Any:
        given = getattr(one, name, None)
        return getattr(profile, name) if given is None else given

    said = ["有关Ⅲ、Ⅳ级舆情提高一级"]
    said += [f"采集加密到{own('polling'):g}倍", f"每班不少于{own('officers')}人"]
    return "，".join([*said, "首次预警同时报带班领导"] if own("leader") else said)


def _stretches(
    days: Sequence[date], holds: Callable[[date], bool], name: str, note: str = ""
) -> Iterable[Ahead]:
    """Runs of days for which it holds, each one entry."""
    run: list[date] = []
    for day in days:
        if holds(day):
            run.append(day)
        elif run:
            yield Ahead(run[0], run[-1], name, note)
            run = []
    if run:
        yield Ahead(run[0], run[-1], name, note)


def _in(year: int, day: str) -> date:
    return date(year, int(day[:2]), int(day[3:]))


def written(found: Iterable[Ahead]) -> list[dict[str, Any]]:
    """As plain values that can be frozen."""
    return [
        {"first": one.first.isoformat(), "last": one.last.isoformat(), "days": one.days,
         "name": one.name, "note": one.note}
        for one in found
    ]  # fmt: skip
