"""What a digest is about: a day, a week, a month or any span of days, as Shanghai counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from alerts.digest.weeks import parse_week
from config.clock import SHANGHAI

_ONE = timedelta(days=1)
LONGEST = 366  #: days


class Period(Protocol):
    """Whole days; `str()` names it in the database and in file names."""

    @property
    def kind(self) -> str: ...  #: weekly, daily, monthly, special

    @property
    def first(self) -> date: ...

    @property
    def last(self) -> date: ...  #: still in it

    @property
    def starts_at(self) -> datetime: ...  #: UTC

    @property
    def ends_at(self) -> datetime: ...  #: the first instant that is no longer in it

    @property
    def before(self) -> Period: ...

    @property
    def after(self) -> Period: ...

    @property
    def year_ago(self) -> Period | None: ...  #: the same one last year, where there is one

    @property
    def shown(self) -> str: ...  #: 2026年11月16日至11月22日


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Days from `first` to `last`; `kind` says how the office calls it."""

    first: date
    last: date
    kind: str = "special"

    def __str__(self) -> str:
        if self.kind == "daily":
            return self.first.isoformat()
        if self.kind == "monthly":
            return f"{self.first:%Y-%m}"
        return f"{self.first}_{self.last}"

    @property
    def starts_at(self) -> datetime:
        return _midnight(self.first)

    @property
    def ends_at(self) -> datetime:
        return _midnight(self.last + _ONE)

    @property
    def before(self) -> Span:
        if self.kind == "monthly":
            return month_of(self.first - _ONE)
        days = self.last - self.first + _ONE
        return Span(self.first - days, self.first - _ONE, self.kind)

    @property
    def after(self) -> Span:
        if self.kind == "monthly":
            return month_of(self.last + _ONE)
        days = self.last - self.first + _ONE
        return Span(self.last + _ONE, self.last + days, self.kind)

    @property
    def year_ago(self) -> Span | None:
        try:
            first = self.first.replace(year=self.first.year - 1)
        except ValueError:  # the 29th of February
            return None
        if self.kind == "monthly":
            return month_of(first)
        return Span(first, first + (self.last - self.first), self.kind)

    @property
    def shown(self) -> str:
        if self.kind == "monthly":
            return f"{self.first.year}年{self.first.month}月"
        begin = f"{self.first.year}年{self.first.month}月{self.first.day}日"
        if self.first == self.last:
            return begin
        year = f"{self.last.year}年" if self.last.year != self.first.year else ""
        return f"{begin}至{year}{self.last.month}月{self.last.day}日"


def day_of(day: date) -> Span:
    return Span(day, day, "daily")


def month_of(day: date) -> Span:
    """The month that a day falls into."""
    first = day.replace(day=1)
    return Span(first, (first + timedelta(days=31)).replace(day=1) - _ONE, "monthly")


def span(first: date, last: date) -> Span:
    """Raises ValueError where it ends before it begins, or is longer than a year."""
    if last < first:
        raise ValueError(f"{last}: expected a day not before {first}")
    if (last - first).days >= LONGEST:
        raise ValueError(f"{first} … {last}: expected {LONGEST} days or less")
    return Span(first, last)


def parse_day(text: str) -> date:
    """Raises ValueError saying what was expected."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
            raise ValueError
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r}: expected a day such as 2026-11-20") from None


def parse_month(text: str) -> Span:
    """Raises ValueError saying what was expected."""
    found = re.fullmatch(r"(\d{4})-(\d{2})", text.strip())
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < 2:
        raise ValueError(f"{text!r}: expected a month such as 2026-11")
    return month_of(date(int(found[1]), int(found[2]), 1))


def parse_period(kind: str, text: str) -> Period:
    """What `str()` of a period gave, back again. Raises ValueError."""
    if re.fullmatch(r"\d{4}-?[Ww]\d{1,2}", text):
        return parse_week(text)
    if kind == "monthly" or re.fullmatch(r"\d{4}-\d{2}", text):
        return parse_month(text)
    first, _, last = text.partition("_")
    return span(parse_day(first), parse_day(last)) if last else day_of(parse_day(first))


def contains(period: Period, now: datetime) -> bool:
    """Whether it is not over yet."""
    return now < period.ends_at


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
