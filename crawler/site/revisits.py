"""When a page that was read is looked at again; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def own_page(published: datetime | None, first_read: datetime, now: datetime) -> datetime:
    """Own pages are looked at for tampering: after hours, daily for 30 days, then weekly."""
    age = now - (published if published and published <= now else first_read)
    if age < 12 * _HOUR:
        return now + max(_HOUR, age)
    return now + (_DAY if age < 30 * _DAY else 7 * _DAY)


def letter(since: datetime, now: datetime, every: timedelta) -> datetime:
    """A letter without its reply: often while fresh, daily after a month, weekly after a year."""
    age = now - since
    if age < 3 * _DAY:
        return now + every
    if age < 30 * _DAY:
        return now + max(every, 2 * _HOUR)
    return now + (_DAY if age < 365 * _DAY else 7 * _DAY)


def after_trouble(failures: int, now: datetime) -> datetime | None:
    """A page that could not be read: 5 minutes, doubling up to a day; after two weeks, no more."""
    if failures > 20:
        return None
    wait = timedelta(minutes=5) * int(2 ** min(failures - 1, 10))
    return now + min(wait, _DAY)
