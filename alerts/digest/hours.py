"""When an issue is drafted and when it leaves: pure, by settings and working days."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from alerts.digest.periods import Period, day_of, month_of
from alerts.digest.weeks import Week, week_of
from config.clock import SHANGHAI
from config.settings import Settings
from config.workdays import Calendar

_BACK = {"weekly": 4, "daily": 7, "monthly": 2}  #: periods looked back at
_LONGEST_REST = 16  #: days; no holiday is longer


def leaves_at(
    settings: Settings, period: Period, calendar: Calendar | None = None
) -> datetime | None:
    """The hour at which it goes to its readers; None: only when somebody says so."""
    hour = _hour(settings, period.kind)
    if hour is None:
        return None
    return datetime.combine(_day(settings, period, calendar), hour, SHANGHAI)


def drafted_at(
    settings: Settings, period: Period, calendar: Calendar | None = None
) -> datetime | None:
    """The hour at which its figures are frozen; never after it leaves."""
    hour = _hour(settings, period.kind)
    if hour is None:
        return None
    day = _day(settings, period, calendar)
    return datetime.combine(day, min(hour, settings.digest.draft), SHANGHAI)


def due_periods(
    now: datetime, settings: Settings, calendar: Calendar | None = None
) -> list[Period]:
    """All that should be drafted by now, as far back as anybody still wants them; oldest first."""
    today = now.astimezone(SHANGHAI).date()
    newest: list[Period] = [
        week_of(now).before,
        day_of(today).before,
        month_of(today).before,
    ]
    due: list[Period] = []
    for period in newest:
        for _ in range(_BACK[period.kind]):
            hour = drafted_at(settings, period, calendar)
            if hour is not None and hour <= now:
                due.append(period)
            period = period.before  # noqa: PLW2901 - walking back
    return sorted(due, key=lambda one: (one.starts_at, one.kind))


def _hour(settings: Settings, kind: str) -> time | None:
    told = settings.digest
    return {"weekly": told.at, "daily": told.daily_at, "monthly": told.monthly_at}.get(kind)


def _day(settings: Settings, period: Period, calendar: Calendar | None) -> date:
    day = period.last + timedelta(days=1)
    if isinstance(period, Week):
        day += timedelta(days=settings.digest.weekday - 1)
    if period.kind == "daily" or calendar is None or not settings.digest.workday:
        return day
    hours = settings.deadlines.hours
    # An office that never works on this weekday still wants its digest on it.
    rest = [day + timedelta(days=more) for more in range(_LONGEST_REST)]
    return next((one for one in rest if calendar.works(one, hours)), day)
