"""How often a channel speaks, learned from its own past. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from config.clock import SHANGHAI
from config.workdays import Calendar, Hours

_ENOUGH = 12  #: gaps
_SPAN = timedelta(days=21)
_LEAST = timedelta(hours=24)  #: nights are no silence
_WEEK = Hours()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`usual` is the 95th percentile of the gaps; beyond `limit` a channel is silent."""

    usual: timedelta
    limit: timedelta
    workdays: bool  #: both count worked days only


def rhythm(moments: Sequence[datetime], calendar: Calendar, factor: float) -> Rhythm | None:
    """None where the past is too short to judge by. `moments` in any order."""
    at = sorted(set(moments))
    if len(at) <= _ENOUGH or at[-1] - at[0] < _SPAN:
        return None
    idle = sum(not calendar.works(_day(one), _WEEK) for one in at)
    workdays = idle * 10 < len(at)  # speaks on holidays too rarely to be missed on one
    gaps = sorted(
        passed(before, after, calendar if workdays else None) for before, after in pairwise(at)
    )
    if len([gap for gap in gaps if gap]) < _ENOUGH:
        return None
    usual, seldom = _percentile(gaps, 0.95), _percentile(gaps, 0.99)
    return Rhythm(usual, max(_LEAST, factor * usual, seldom * 1.25), workdays)


def passed(start: datetime, end: datetime, calendar: Calendar | None) -> timedelta:
    """Time between two moments; with a calendar, without the days that are not worked."""
    if calendar is None:
        return end - start
    total = end - start
    day = _day(start)
    while day <= _day(end):
        if not calendar.works(day, _WEEK):
            midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
            first, last = max(start, midnight), min(end, midnight + timedelta(days=1))
            total -= max(last - first, timedelta())
        day += timedelta(days=1)
    return total


def _percentile(ordered: Sequence[timedelta], share: float) -> timedelta:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()
