"""When a page was published, of all the times that it tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawler.extraction import dates
from crawler.extraction.byline import When
from crawler.extraction.dates import Moment
from crawler.extraction.meta import Meta
from store.records import Precision

_URL_DATE = (
    re.compile(r"/t(20\d{2})(\d{2})(\d{2})_\d+"),
    re.compile(r"/(20\d{2})[/-]?(\d{2})[/-]?(\d{2})/(?:\d|[a-z]\d|art|content|c\d)"),
    re.compile(r"/art/(20\d{2})/(\d{1,2})/(\d{1,2})/"),
    re.compile(r"/(20\d{2})-(\d{2})/(\d{2})/"),
)
_WECHAT_TIME = (
    re.compile(r"""\b(?:var\s+)?(?:ct|create_time|oriCreateTime)\s*[=:]\s*["'](\d{10})["']"""),
    re.compile(r"""\bcreateTime\s*=\s*["'](\d{4}-\d{2}-\d{2} \d{2}:\d{2})["']"""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A publication time; `moment` is None where one was announced but cannot be read."""

    moment: Moment | None
    raw: str
    how: str

    @property
    def trusted(self) -> Moment | None:
        return self.moment if self.moment and not self.moment.suspect else None


def of(meta: Meta, seen: When | None, now: datetime) -> Publication | None:
    """The time to believe: what a person sees on the page corrects the tag, and the tag
    refines what is seen. None where the page says nothing at all."""
    told = _told(meta, now)
    visible = seen.moment if seen else None
    shown = f"visible:{seen.how}" if seen else ""
    if visible and told and not visible.suspect:
        if not told.suspect and _agree(told, visible):
            finer = visible if _rank(visible) >= _rank(told) else told
            best = told if _same_minute(visible, told) else finer
            return Publication(
                moment=best, raw=best.raw, how="meta, visible agrees" if best is told else "visible"
            )
        if told.suspect or shown == "visible:label" or re.search(r"\d{4}", visible.raw):
            return Publication(moment=visible, raw=visible.raw, how=f"{shown}, meta disagrees")
        return Publication(moment=told, raw=told.raw, how="meta, visible disagrees")
    if visible and not visible.suspect:
        return Publication(moment=visible, raw=visible.raw, how=shown)
    if told:
        return Publication(moment=told, raw=told.raw, how="meta")
    if visible:
        return Publication(moment=visible, raw=visible.raw, how="visible, not credible")
    if seen is not None:
        return Publication(moment=None, raw=seen.raw, how="unreadable")
    return None


def between_the_lines(markup: str, url: str, now: datetime) -> Publication | None:
    """From a script of WeChat's, or from the day that content systems put into addresses."""
    scripted = _wechat_time(markup, now)
    if scripted:
        return Publication(moment=scripted, raw=scripted.raw, how="script")
    guessed = _url_time(url, now)
    return Publication(moment=guessed, raw=guessed.raw, how="url") if guessed else None


def _told(meta: Meta, now: datetime) -> Moment | None:
    """The tag's time; exact midnight is how templates write “only the day”."""
    moment = dates.parse(meta.published, now) if meta.published else None
    if moment and moment.precision is not Precision.DAY:
        local = moment.at
        if (local.hour, local.minute, local.second) == (0, 0, 0):
            return Moment(at=local, precision=Precision.DAY, raw=moment.raw, suspect=moment.suspect)
    return moment


_ABROAD = re.compile(r"\d:\d{2}.*(?:Z|[+-](?!08:?00)\d{2}:?\d{2})$")


def _agree(told: Moment, visible: Moment) -> bool:
    """Of the same day; a tag that names another time zone may be a day off what is shown."""
    if told.at.date() == visible.at.date():
        return True
    apart = abs(told.at - visible.at)
    return bool(_ABROAD.search(told.raw)) and apart < timedelta(hours=38)


def _rank(moment: Moment) -> int:
    return {Precision.DAY: 0, Precision.MINUTE: 1, Precision.SECOND: 2}[moment.precision]


def _same_minute(a: Moment, b: Moment) -> bool:
    return a.at.replace(second=0) == b.at.replace(second=0)


def _wechat_time(markup: str, now: datetime) -> Moment | None:
    if "js_content" not in markup:
        return None
    for pattern in _WECHAT_TIME:
        match = pattern.search(markup)
        if match:
            return dates.parse(match[1], now)
    return None


def _url_time(url: str, now: datetime) -> Moment | None:
    for pattern in _URL_DATE:
        match = pattern.search(url)
        if match:
            moment = dates.parse("-".join(match.groups()), now)
            if moment and not moment.suspect:
                return moment
    return None
