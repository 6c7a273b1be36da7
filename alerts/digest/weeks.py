"""The week as the office counts it: Monday 00:00 to Sunday 24:00 in Shanghai, by ISO number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from config.clock import SHANGHAI

_FORM = re.compile(r"(\d{4})-?W(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """An ISO week; `str()` gives 2026-W47."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02d}"

    @property
    def kind(self) -> str:
        return "weekly"

    @property
    def monday(self) -> date:
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def first(self) -> date:
        return self.monday

    @property
    def last(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def year_ago(self) -> Week | None:
        """The week of the same number; a 53rd has none."""
        try:
            date.fromisocalendar(self.year - 1, self.number, 1)
        except ValueError:
            return None
        return Week(self.year - 1, self.number)

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.monday, time(), SHANGHAI).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        """The first instant that is no longer in it."""
        after = self.monday + timedelta(days=7)
        return datetime.combine(after, time(), SHANGHAI).astimezone(UTC)

    @property
    def before(self) -> Week:
        return _of(self.monday - timedelta(days=7))

    @property
    def after(self) -> Week:
        return _of(self.monday + timedelta(days=7))

    @property
    def shown(self) -> str:
        """2026年11月16日至11月22日."""
        last = self.monday + timedelta(days=6)
        year = f"{last.year}年" if last.year != self.monday.year else ""
        return f"{_day(self.monday, f'{self.monday.year}年')}至{_day(last, year)}"


def week_of(moment: datetime) -> Week:
    """The week that an instant falls into, seen from Shanghai."""
    return _of(moment.astimezone(SHANGHAI).date())


def parse_week(text: str) -> Week:
    """`2026-W47`. Raises ValueError saying what was expected."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r}: expected an ISO week such as 2026-W47")
    week = Week(int(found[1]), int(found[2]))
    try:
        week.monday  # noqa: B018 - the calendar decides whether there is such a week
    except ValueError:
        raise ValueError(f"{text!r}: that year has no such week") from None
    return week


def _of(day: date) -> Week:
    year, number, _ = day.isocalendar()
    return Week(year, number)


def _day(day: date, year: str) -> str:
    return f"{year}{day.month}月{day.day}日"
