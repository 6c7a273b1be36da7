"""What the steps of one reading share: tools, what was stored, what there is to say at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NoReturn

import sqlalchemy as sa

from config.clock import shown
from crawler.catalogue import Tools
from crawler.intake import Counts, intake
from crawler.runs import RunLog
from crawler.wechat.articles import MsgId, Published
from crawler.wechat.caller import Caller, Page, Skipped
from crawler.wechat.errors import Failed
from crawler.wechat.options import Options
from crawler.wechat.places import WATCH, Places
from store.records import Capture, Outcome
from store.tables import posts

MARGIN = timedelta(seconds=20)  #: before the run's deadline nothing new is begun


class Paused(Exception):
    """A walk stopped on its way; its place is stored and the next run goes on from there."""

    def __init__(self, left: int, why: str = "") -> None:
        super().__init__(why)
        self.left = left
        self.why = why


@dataclass(slots=True, kw_only=True)
class Desk:
    """One reading at work."""

    channel: str
    options: Options
    tools: Tools
    run: RunLog
    caller: Caller
    places: Places
    every: timedelta
    troubles: list[str] = field(default_factory=list)  #: Chinese: what went wrong
    notes: list[str] = field(default_factory=list)  #: Chinese: what one should know
    failed: bool = False
    backlog: int = 0
    urgent: bool = False  #: a push says that there is something new

    def now(self) -> datetime:
        return self.tools.clock.now()

    def late(self) -> bool:
        margin = min(MARGIN, (self.run.deadline - self.run.planned_at) / 4)
        return self.now() > self.run.deadline - margin

    def skipped(self, name: str, skipped: Skipped) -> None:
        """A call that the quota does not allow now: thinned out, or used up."""
        denied = skipped.denied
        if denied.thinned:
            self.notes.append(f"{name}{denied.why}，下次约 {shown(denied.until)[11:]}")
            return
        self.failed = True
        self.troubles.append(f"{denied.why}，{shown(denied.until)} 起恢复")

    def broken(self, page: Page, why: str) -> NoReturn:
        """Settles a good answer that cannot be what it seems. Raises Failed."""
        self.caller.settle(page, Outcome.PARSE_BROKEN, why=why)
        raise Failed(Outcome.PARSE_BROKEN, why)

    def settle(
        self, connection: sa.Connection, page: Page, counts: Counts, *, anything: bool, bad: int = 0
    ) -> None:
        """Settles a good answer by what came of it."""
        outcome = Outcome.OK_UNCHANGED if anything else Outcome.OK_EMPTY
        if counts.new or counts.changed:
            outcome = Outcome.OK_NEW
        why = f"{bad} 条读不出，已略过" if bad else ""
        self.caller.settle(page, outcome, why=why, connection=connection)

    def intake(self, connection: sa.Connection, captures: Iterable[Capture]) -> Counts:
        counts = intake(connection, captures, now=self.now(), author_key=self.tools.author_key)
        self.run.count(counts, connection)
        return counts

    def keep_own(self, connection: sa.Connection, found: Iterable[Published]) -> Counts:
        """Stores own articles and begins to watch their comments."""
        counts = Counts()
        for one in found:
            capture = one.capture
            if one.deleted and not capture.text:
                # What was deleted keeps its words: they may be what it was deleted for.
                row = self.row(connection, one.key)
                if row is not None:
                    capture = replace(capture, title=capture.title or row.title, text=row.text)
            counts += self.intake(connection, [capture])
            if one.msgid is not None and one.commented and not one.deleted:
                self.watch(connection, one.msgid, one.key, capture.published_at or self.now())
        return counts

    def watch(self, connection: sa.Connection, msgid: MsgId, article: str, at: datetime) -> None:
        """Begins to read the comments of an article, unless it is too old or watched already."""
        if self.options.comments and self.now() - at <= self.options.watch:
            value = {"article": article, "at": at.isoformat()}
            self.places.add(connection, WATCH + msgid.key, value, self.now())

    def row(self, connection: sa.Connection, key: str) -> Any:
        """Title and text of a stored post; None where there is none."""
        return connection.execute(
            sa.select(posts.c.title, posts.c.text).where(
                posts.c.channel == self.channel, posts.c.key == key
            )
        ).first()


def when(value: Any) -> datetime | None:
    """A moment as a place holds it."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def day_of(value: Any) -> date | None:
    """A day as a place holds it."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
