"""What the invented agency and its citizens publish, and when: stories on a clock."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from config.clock import SHANGHAI

SCENARIO = Path(__file__).with_name("scenario.toml")

_BACKLOG = re.compile(r"-(\d+)d (\d{2}):(\d{2})")
_MOMENT = re.compile(r"\{(year|day|time)(?:([+-]\d+)([dhm]))?\}")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Either so many seconds after the start, or a time of day some days before it."""

    seconds: float = 0.0
    days_ago: int = 0
    hour: int = 0
    minute: int = 0

    @classmethod
    def read(cls, value: object) -> When:
        """Reads `at`; raises ValueError naming what stands there."""
        if isinstance(value, int | float) and value >= 0:
            return cls(seconds=float(value))
        if isinstance(value, str) and (match := _BACKLOG.fullmatch(value)):
            days, hour, minute = map(int, match.groups())
            if days >= 1:
                return cls(days_ago=days, hour=hour, minute=minute)
        raise ValueError(f"expected seconds after the start or '-12d 09:32', found {value!r}")

    @property
    def is_backlog(self) -> bool:
        return self.days_ago > 0

    def resolve(self, start: datetime, speed: float) -> datetime:
        if not self.is_backlog:
            return start + timedelta(seconds=self.seconds / speed)
        day = start.astimezone(SHANGHAI) - timedelta(days=self.days_ago)
        return day.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One thing that somebody publishes; texts still carry their {day} placeholders."""

    id: int
    section: str  #: notices, news, science, warnings, policy, letters or comments
    at: When
    text: str
    title: str = ""
    source: str = "示例市气象局"
    author: str = ""  #: display name, for letters and comments
    category: str = ""  #: of a letter: 咨询, 投诉, 求助 …
    on: int = 0  #: of a comment: the article below which it stands
    reply: str = ""
    reply_at: When | None = None
    reply_by: str = ""
    charset: str = "utf-8"
    charset_header: str = "utf-8"  #: what the HTTP header claims; old pages lie
    charset_meta: str = "utf-8"
    flag: bool | None = None  #: what a duty officer would say; None = no opinion
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to a story after it was published."""

    of: int
    at: When
    what: str  #: hidden_links (a break-in), text (a correction) or gone (taken down)
    title: str = ""
    text: str = ""
    flag: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A story as it stands on the site at one moment."""

    story: Story
    at: datetime
    changed_at: datetime
    title: str
    text: str
    reply: str = ""
    replied_at: datetime | None = None
    hacked: bool = False
    gone: bool = False

    @property
    def paragraphs(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]

    @property
    def state(self) -> str:
        """办理状态 of a letter."""
        return "已办结" if self.reply else "办理中"


class Scenario:
    """All stories, tied to a start; `speed` 2 lets what follows the start come twice as fast."""

    def __init__(
        self,
        stories: tuple[Story, ...],
        changes: tuple[Change, ...] = (),
        *,
        start: datetime,
        speed: float = 1.0,
    ) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a scenario must say its zone")
        if speed <= 0:
            raise ValueError(f"speed: expected more than 0, found {speed}")
        self.stories = stories
        self.changes = changes
        self.start = start
        self.speed = speed
        whens = [story.at for story in stories] + [change.at for change in changes]
        whens += [story.reply_at for story in stories if story.reply_at]
        self._turns = sorted(self.moment(when) for when in whens)
        self._cached: tuple[int, tuple[Entry, ...]] = (-1, ())

    @classmethod
    def load(cls, path: Path = SCENARIO, *, start: datetime, speed: float = 1.0) -> Scenario:
        """Reads a scenario file; raises ValueError with file and story where it is wrong."""
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        stories = tuple(_story(path, row) for row in raw.get("stories", []))
        changes = tuple(_change(path, row) for row in raw.get("changes", []))
        known = {story.id for story in stories}
        if len(known) != len(stories):
            raise ValueError(f"{path.name}: an id is used twice")
        for target in [c.of for c in changes] + [s.on for s in stories if s.on]:
            if target not in known:
                raise ValueError(f"{path.name}: no story has the id {target}")
        return cls(stories, changes, start=start, speed=speed)

    def moment(self, when: When) -> datetime:
        """When that is, on the wall clock; aware."""
        return when.resolve(self.start, self.speed)

    def entries(self, now: datetime) -> tuple[Entry, ...]:
        """What has been published by `now`, newest first, as it stands then."""
        turn = bisect_right(self._turns, now)  # nothing changes between two turns
        known, entries = self._cached
        if known != turn:
            standing = [
                self._entry(story, at, now)
                for story in self.stories
                if (at := self.moment(story.at)) <= now
            ]
            standing.sort(key=lambda entry: (entry.at, entry.story.id), reverse=True)
            entries = tuple(standing)
            self._cached = (turn, entries)
        return entries

    def coming(self, now: datetime) -> list[tuple[datetime, Story]]:
        """What is still to be published, soonest first."""
        later = [(self.moment(story.at), story) for story in self.stories]
        return sorted(
            (pair for pair in later if pair[0] > now), key=lambda pair: (pair[0], pair[1].id)
        )

    def _entry(self, story: Story, at: datetime, now: datetime) -> Entry:
        title, text, changed_at, hacked, gone = story.title, story.text, at, False, False
        for change in self.changes:
            moment = self.moment(change.at)
            if change.of != story.id or moment > now:
                continue
            changed_at = max(changed_at, moment)
            hacked = hacked or change.what == "hidden_links"
            gone = gone or change.what == "gone"
            if change.what == "text":
                title, text = change.title or title, change.text or text
        replied_at = self.moment(story.reply_at) if story.reply_at else None
        if replied_at is None or replied_at > now:
            replied_at = None
        return Entry(
            story=story,
            at=at,
            changed_at=max(changed_at, replied_at or at),
            title=dated(title, at),
            text=dated(text, at),
            reply=dated(story.reply, replied_at) if replied_at else "",
            replied_at=replied_at,
            hacked=hacked,
            gone=gone,
        )


def dated(text: str, at: datetime) -> str:
    """Puts the moment of publishing into {day}, {time+3h}, {year}; other braces stay."""

    def stamp(match: re.Match[str]) -> str:
        moment = at.astimezone(SHANGHAI)
        if match[2]:
            moment += timedelta(**{_UNITS[match[3]]: int(match[2])})
        return {
            "year": f"{moment.year}年",
            "day": f"{moment.month}月{moment.day}日",
            "time": f"{moment.hour}时{moment.minute:02d}分",
        }[match[1]]

    return _MOMENT.sub(stamp, text)


def _story(path: Path, row: Mapping[str, Any]) -> Story:
    try:
        fields = {**row, "at": When.read(row["at"]), "section": row["in"]}
        del fields["in"]
        if "reply_at" in fields:
            fields["reply_at"] = When.read(fields["reply_at"])
        fields["text"] = str(row["text"]).strip()
        return Story(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: story {row.get('id', '?')}: {error}") from error


def _change(path: Path, row: Mapping[str, Any]) -> Change:
    try:
        fields = {**row, "at": When.read(row["at"]), "text": str(row.get("text", "")).strip()}
        change = Change(**fields)
        if change.what not in {"hidden_links", "text", "gone"}:
            raise ValueError(f"what: expected hidden_links, text or gone, found {change.what!r}")
        return change
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: change of {row.get('of', '?')}: {error}") from error
