"""When a feed says it was: RFC 822, RFC 3339, and whatever else generators write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from crawler.extraction import dates
from crawler.extraction.dates import SHANGHAI
from store.records import Precision

_AHEAD = timedelta(days=1)
_EARLIEST = 2000
_CHINA = re.compile(r"\b(?:CST|CCT|PRC)\b(?:\s*\([^)]{0,30}\))?")
_UNNAMED = re.compile(r"\b(?:UT|Z)\s*\Z")
_JAVA = re.compile(
    r"(?:[A-Z][a-z]{2},?\s+)?([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{1,2}:\d{2}:\d{2})\s+([+-]\d{4}|GMT|UTC)\s+(\d{4})\Z"
)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T\s]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?\s?(?:Z|[+-]\d{2}:?\d{2})?)?\Z",
    re.I,
)
_TIMED = re.compile(r"\d{1,2}:\d{2}")
_SECONDS = re.compile(r"\d{1,2}:\d{2}:\d{2}")


@dataclass(frozen=True, slots=True)
class Instant:
    """A credible point in time, UTC."""

    at: datetime
    precision: Precision


def instant(raw: str, now: datetime) -> Instant | None:
    """What `raw` means, None where it is no date, lies before 2000 or more than a day ahead.

    A time without zone is China's. CST is China Standard Time here, never Chicago's.
    """
    raw = raw.strip()
    if not raw:
        return None
    at = _iso(raw) or _mail(raw)
    if at is None:
        moment = dates.parse(raw, now)
        if moment is None or moment.suspect:
            return None
        return Instant(moment.at.astimezone(UTC), moment.precision)
    if at.year < _EARLIEST or at - now > _AHEAD:
        return None
    return Instant(at, _precision(raw))


def _iso(raw: str) -> datetime | None:
    if not _ISO.match(raw):
        return None
    try:
        return _aware(datetime.fromisoformat(raw.replace(",", ".").replace("z", "Z")))
    except (ValueError, OverflowError):
        return None


def _mail(raw: str) -> datetime | None:
    text = _UNNAMED.sub("GMT", _CHINA.sub("+0800", raw))
    java = _JAVA.match(text)
    if java:
        text = f"{java[2]} {java[1]} {java[5]} {java[3]} {java[4]}"
    if not re.search(r"[A-Za-z]{3}", text):
        return None
    try:
        return _aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _aware(at: datetime) -> datetime | None:
    """In UTC; None for the two ends of the calendar, where a zone falls off it."""
    try:
        return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _precision(raw: str) -> Precision:
    if _SECONDS.search(raw):
        return Precision.SECOND
    return Precision.MINUTE if _TIMED.search(raw) else Precision.DAY
