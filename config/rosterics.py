"""Reads 值班表 from a calendar file (ICS) that a groupware exports; an extra: `tinglan[ics]`.

One event is one shift: who is named in its summary (or attends it), on the duty day it begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from config.clock import SHANGHAI
from config.roster import RosterSettings, Shift

_BACK, _WEEKS = timedelta(days=35), 16  #: before today and from there; the rest is not expanded
_MOST = 5_000  #: events of one file
_EARLY = 2 * 3600  #: seconds before a shift by which people are already asked to come
_LONG = timedelta(hours=20)  #: from here on an event is 白班 and 夜班 in one
_WORDS = (
    ("带班领导", Shift.LEADER),
    ("带班", Shift.LEADER),
    ("白班", Shift.DAY),
    ("日班", Shift.DAY),
    ("夜班", Shift.NIGHT),
    ("晚班", Shift.NIGHT),
)
_OTHER = re.compile(r"值班员|值班领导|值班人员|值班|值守")
_BETWEEN = re.compile(r"[、，,；;：:/|（）()【】\[\]—\-]+")


@dataclass(frozen=True, slots=True)
class Turn:
    """One person in one shift, with the event it came from."""

    day: date
    shift: Shift
    name: str
    key: str


Wrong = Callable[[str, str, str], None]  #: (key, found, expected)


def turns(text: str, settings: RosterSettings, today: date, wrong: Wrong) -> Iterator[Turn]:
    """Every turn near `today`. Never raises for what the file holds; tells it to `wrong`."""
    try:
        import icalendar
        import recurring_ical_events
    except ImportError:
        wrong("（文件）", "ICS日历", "先安装：pip install 'tinglan[ics]'；或另存为 CSV")
        return
    first = datetime.combine(today - _BACK, time(), SHANGHAI)
    try:
        calendar = icalendar.Calendar.from_ical(text)
        query = recurring_ical_events.of(calendar, skip_bad_series=True)
        for count, (begins, event) in enumerate(_near(query, first)):
            if count >= _MOST:
                wrong("（文件）", f"事件超过{_MOST}个", "只含值班安排的日历")
                return
            yield from _event(event, begins, settings, wrong)
    except Exception as error:  # a library's own kinds, for a file of anybody's
        wrong("（文件）", f"无法读懂的日历（{type(error).__name__}）", "ICS（iCalendar）格式")


def _near(query: Any, first: datetime) -> Iterator[tuple[datetime, Any]]:
    """Events with the moment they begin, in order; by the week, so a rule gone wild is cut short.

    Not the library's own `after`: it asks every series again for each step of its way.
    """
    for week in range(_WEEKS):
        begin = first + week * timedelta(days=7)
        found = query.between(begin, begin + timedelta(days=7))
        begun = [(_moment(event["DTSTART"].dt), event) for event in found]
        for moment, event in sorted(begun, key=lambda one: one[0]):
            if moment >= begin or week == 0:  # else it was met in the week before
                yield moment, event


def _event(event: Any, begins: datetime, settings: RosterSettings, wrong: Wrong) -> Iterator[Turn]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    summary = str(event.get("SUMMARY", ""))
    key = f"{begins.date().isoformat()} “{summary[:30]}”"
    names = _names(summary) or _attending(event)
    if not names:
        wrong(key, "没有写姓名", "如“白班 王强”，或在参与人中写明")
        return
    all_day = not isinstance(event["DTSTART"].dt, datetime)
    lasts = _moment(event["DTEND"].dt) - begins if "DTEND" in event else timedelta()
    day, shifts = _when(summary, begins, all_day or lasts >= _LONG, settings)
    for shift in shifts:
        for name in names:
            yield Turn(day, shift, name, key)


def _when(
    summary: str, begins: datetime, whole: bool, settings: RosterSettings
) -> tuple[date, tuple[Shift, ...]]:
    """The duty day and the shifts: what the words say, else what the hours do."""
    second = begins.hour * 3600 + begins.minute * 60 + begins.second
    named = next((shift for word, shift in _WORDS if word in summary), None)
    if whole:
        return begins.date(), (named,) if named else (Shift.DAY, Shift.NIGHT)
    # After midnight it is still the night of the day before.
    early = second < settings.day_start - _EARLY
    day = begins.date() - timedelta(days=1) if early else begins.date()
    by_hour = Shift.NIGHT if early or second >= settings.night_start - _EARLY else Shift.DAY
    return day, (named or by_hour,)


def _names(summary: str) -> list[str]:
    text = summary
    for word, _ in _WORDS:
        text = text.replace(word, " ")
    made: list[str] = []
    for part in _BETWEEN.split(_OTHER.sub(" ", text)):
        words = part.split()
        # 王　强 is one name padded with a blank; 王强 李敏 are two.
        joined = any(len(word) == 1 and not word.isascii() for word in words)
        made += ["".join(words)] if joined else words
    return [name for name in made if name]


def _attending(event: Any) -> list[str]:
    given = event.get("ATTENDEE", [])
    people = given if isinstance(given, list) else [given]
    return [str(one.params["CN"]) for one in people if "CN" in getattr(one, "params", {})]


def _moment(value: date | datetime) -> datetime:
    """In Shanghai; a time without a zone is local, a day begins at midnight."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), SHANGHAI)
    return value.astimezone(SHANGHAI) if value.tzinfo else value.replace(tzinfo=SHANGHAI)
