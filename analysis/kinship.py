"""Answers which stored posts tell of the event that a post tells of: near-copies and follow-ups.

The service asks it for every flagged post, so that ten tellings of one event are one case. What
it knows is in memory and worked out again from the stored cases at each start.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from analysis.events import WINDOW, EventIndex, Facts, Telling, tellings
from store.engine import Database
from store.records import Role, text_of
from store.tables import item_posts, posts

log = logging.getLogger(__name__)

#: Posts of an event that are answered, the latest.
MOST_KIN: Final = 500
_SWEPT_EVERY: Final = timedelta(hours=1)

_COLUMNS: Final = (
    posts.c.id, posts.c.channel, posts.c.role, posts.c.drill, posts.c.title, posts.c.text,
    posts.c.parent, posts.c.published_at, posts.c.captured_at,
)  # fmt: skip


class _Circle(NamedTuple):
    """Only posts of one circle can be kin: a drill is never told with what is real."""

    role: str
    is_drill: bool


class Kinship:
    """Posts of the last `window`, by event. For one lane; not for several threads at once."""

    def __init__(self, *, places: Sequence[str] = (), window: timedelta = WINDOW) -> None:
        self._places = tuple(places)
        self._window = window
        self._circles: dict[_Circle, EventIndex] = {}
        self._facts: dict[int, Facts] = {}
        self._event_of: dict[int, Hashable] = {}
        self._posts_of: dict[Hashable, list[int]] = {}
        self._latest: datetime | None = None
        self._swept: datetime | None = None

    def __len__(self) -> int:
        return len(self._event_of)

    def __call__(self, connection: sa.Connection, post: int) -> Sequence[int]:
        """Other posts of the same event, the oldest first. Files the post; asking again is free.

        Never raises for a text: a post whose kin cannot be worked out has none.
        """
        if post not in self._event_of:
            row = connection.execute(sa.select(*_COLUMNS).where(posts.c.id == post)).one_or_none()
            if row is None:
                return ()
            try:
                (made,) = tellings([text_of(row.title, row.text)], self._places)
                self._file(row, made, self._parent(connection, row))
            except sa.exc.SQLAlchemyError:
                raise
            except Exception:  # an event told twice is better than one not told
                log.exception("kin-unknown post=%s", post)
                return ()
        event = self._event_of.get(post)  # none: read so long ago that it is forgotten already
        alike = self._posts_of[event] if event is not None else []
        return [one for one in alike[-MOST_KIN - 1 :] if one != post]

    def rebuild(self, database: Database, now: datetime) -> int:
        """Files the posts of all cases as they came, so that events are what they were."""
        since = now - 2 * self._window
        with database.read() as connection:
            rows = connection.execute(
                sa.select(*_COLUMNS)
                .join(item_posts, item_posts.c.post == posts.c.id)
                .where(posts.c.captured_at >= since)
                .group_by(*_COLUMNS)
                .order_by(sa.func.min(item_posts.c.at), posts.c.id)
            ).all()
            made = tellings([text_of(row.title, row.text) for row in rows], self._places)
            for row, one in zip(rows, made, strict=True):
                self._file(row, one, self._parent(connection, row))
        return len(rows)

    def _file(self, row: Any, made: Telling, parent: int | None) -> None:
        circle = _Circle(row.role, bool(row.drill))
        index = self._circles.get(circle)
        if index is None:
            index = self._circles[circle] = EventIndex(places=self._places, window=self._window)
        said = row.published_at or row.captured_at
        joined = index.add_telling(row.id, made, said, filed=row.captured_at)
        event = self._event_of.get(joined.event, joined.event)  # type: ignore[call-overload]
        if joined.like is None and parent is not None and self._follows(made, parent):
            event = self._event_of[parent]
        self._event_of[row.id] = event
        self._facts[row.id] = made.facts
        self._posts_of.setdefault(event, []).append(row.id)
        self._latest = max(self._latest or row.captured_at, row.captured_at)
        if self._swept is None or self._latest - self._swept >= _SWEPT_EVERY:
            self._sweep(self._latest)

    def _parent(self, connection: sa.Connection, row: Any) -> int | None:
        """What a comment answers, where the public said it and it is part of a case."""
        if not row.parent or row.role != Role.PUBLIC.value:
            return None
        found: int | None = connection.execute(
            sa.select(posts.c.id).where(
                posts.c.channel == row.channel,
                posts.c.key == row.parent,
                posts.c.role == Role.PUBLIC.value,
                posts.c.drill == row.drill,
            )
        ).scalar()
        return found if found in self._event_of else None

    def _follows(self, made: Telling, parent: int) -> bool:
        """A follow-up names no number, place, level or act that its event does not."""
        return made.facts.within(self._facts[parent])

    def _sweep(self, now: datetime) -> None:
        """Forgets what is too old to have kin, so that memory stays what a window needs."""
        self._swept = now
        for index in self._circles.values():
            index.forget(now - 2 * self._window)
        known = {key for index in self._circles.values() for key in index}
        self._event_of = {post: event for post, event in self._event_of.items() if post in known}
        self._facts = {post: one for post, one in self._facts.items() if post in known}
        self._posts_of = {}
        for post, event in self._event_of.items():
            self._posts_of.setdefault(event, []).append(post)
