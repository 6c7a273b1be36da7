"""重要日期与重点时段: on these sensitivity, polling and duty are raised and let go together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import Field, model_validator

from config.clock import SHANGHAI
from config.roster import Roster, Shift
from config.section import Section
from config.workdays import Calendar
from store.records import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much more watchful; what a period does not say itself, it takes from here."""

    label: str
    topics: tuple[Topic, ...]  #: whose Ⅲ and Ⅳ count one graver; empty: all
    polling: float  #: channels are read so many times as often
    officers: int  #: people a shift needs at least
    leader: bool  #: 带班领导 gets the first alert of Ⅰ to Ⅲ as well


_FLOOD = (Topic.FLOOD, Topic.CASUALTY, Topic.WARNING_ERROR, Topic.RUMOUR)
PROFILES = {
    "flood": Profile(label="汛期", topics=_FLOOD, polling=2, officers=2, leader=True),
    "holiday": Profile(label="节假日", topics=(), polling=1.5, officers=1, leader=True),
    "event": Profile(label="重大活动", topics=(), polling=2, officers=2, leader=True),
}


class KeyDate(Section):
    """重要日期: the digest looks forward to it; with a `profile`, it is a 重点时段 as well.

    "05-12" comes every year. `holiday` without days means every statutory holiday.
    """

    name: str = Field(min_length=1, max_length=40)  #: as mails say it; a profile brings its own
    first: str = Field(default="", alias="from", pattern=r"^((\d{4}-)?\d{2}-\d{2})?$")
    last: str = Field(default="", alias="to", pattern=r"^((\d{4}-)?\d{2}-\d{2})?$")
    note: str = Field(default="", max_length=200)
    profile: Literal["flood", "holiday", "event"] | None = None
    topics: tuple[Topic, ...] | None = None
    polling: float | None = Field(default=None, ge=1, le=10)
    officers: int | None = Field(default=None, ge=1, le=20)
    leader: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        made = {k: v.isoformat() if isinstance(v, date) else v for k, v in given.items()}
        profile = PROFILES.get(str(made.get("profile")))
        return {"name": profile.label, **made} if profile else made

    @model_validator(mode="after")
    def _dates(self) -> KeyDate:
        for key, text in (("from", self.first), ("to", self.last)):
            if text and _day(text) is None:
                raise ValueError(
                    f'{key}: no such day; expected a date such as "05-12" or "2026-05-12"'
                )
        if not self.first and (self.profile != "holiday" or self.last):
            raise ValueError("from: expected the first day; only profile holiday needs none")
        if self.last and len(self.first) != len(self.last):
            raise ValueError("to: expected a year in both `from` and `to`, or in neither")
        if len(self.first) == 10 and self.last and self.last < self.first:
            raise ValueError("to: expected a day not before `from`")
        extra = (self.topics, self.polling, self.officers, self.leader)
        if self.profile is None and any(one is not None for one in extra):
            raise ValueError("profile: expected one, as topics, polling, officers or leader is set")
        return self

    @property
    def label(self) -> str:
        return self.name

    def covers(self, day: date, calendar: Calendar | None) -> bool:
        if not self.first:
            found = calendar.days.get(day) if calendar is not None else None
            return found is not None and not found.works
        begin, end = self.first, self.last or self.first
        if len(begin) == 10:
            return begin <= day.isoformat() <= end
        here = day.isoformat()[5:]
        return begin <= here <= end if begin <= end else here >= begin or here <= end


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"2024-{text}")
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What holds on one day; several periods together ask for the most of each."""

    names: tuple[str, ...]
    polling: float
    officers: int
    leader: bool
    raised: tuple[tuple[str, frozenset[Topic]], ...]  #: (name, topics; empty: all)

    def raises(self, topics: Collection[Topic | str | None]) -> str:
        """The period that makes these count one graver; "" where none does."""
        told = {str(topic) for topic in topics if topic is not None}
        for name, wanted in self.raised:
            if not wanted or told & {topic.value for topic in wanted}:
                return name
        return ""


def in_force(
    periods: Iterable[KeyDate], now: datetime, calendar: Calendar | None = None
) -> Watch | None:
    """What the key dates ask for at this moment; None on an ordinary day. Pure."""
    return _on(periods, now.astimezone(SHANGHAI).date(), calendar)


def thin_shifts(
    periods: Sequence[KeyDate], roster: Roster, calendar: Calendar, first: date, days: int = 14
) -> list[str]:
    """Shifts of the coming key dates with fewer people than these ask for; Chinese."""
    made = []
    for day in (first + timedelta(days=number) for number in range(days)):
        watch = _on(periods, day, calendar)
        if watch is None or watch.officers < 2:
            continue
        for shift in (Shift.DAY, Shift.NIGHT):
            names = {entry.name for entry in roster.slot(day, shift)}
            if names and len(names) < watch.officers:
                made.append(
                    f"{day.isoformat()} {shift.label}只排了{len(names)}人，"
                    f"{'、'.join(watch.names)}期间每班应有{watch.officers}人"
                )
    return made


def _on(periods: Iterable[KeyDate], day: date, calendar: Calendar | None) -> Watch | None:
    filled = [
        _filled(one, PROFILES[one.profile])
        for one in periods
        if one.profile is not None and one.covers(day, calendar)
    ]
    if not filled:
        return None
    return Watch(
        names=tuple(dict.fromkeys(one.label for one in filled)),
        polling=max(one.polling for one in filled),
        officers=max(one.officers for one in filled),
        leader=any(one.leader for one in filled),
        raised=tuple((one.label, frozenset(one.topics)) for one in filled),
    )


def _filled(period: KeyDate, base: Profile) -> Profile:
    return Profile(
        label=period.name,
        topics=base.topics if period.topics is None else period.topics,
        polling=base.polling if period.polling is None else period.polling,
        officers=base.officers if period.officers is None else period.officers,
        leader=base.leader if period.leader is None else period.leader,
    )
