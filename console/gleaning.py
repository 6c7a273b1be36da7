"""What the list of posts is asked for: read from the URL, counted as a digest counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from alerts.digest.tallies import REAL, THOUGHT
from console import search
from console.questions import day_of, midnight
from store.records import Tone
from store.tables import assessments, posts

SHOWN = 50
DEEPEST = 400  #: pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Gleaning:
    """Filters of the list; "" is no filter. What makes no sense is dropped, never an error."""

    q: str = ""
    channel: str = ""
    tone: str = ""
    since: str = ""  #: a day, captured from; `from` in the URL, as the digests write it
    until: str = ""  #: a day, captured up to its end; `to` in the URL
    page: int = 1

    @property
    def is_tallied(self) -> bool:
        """By what a digest counts by: then drills are left out, and the whole is told."""
        return bool(self.tone or self.since or self.until)

    def url(self, page: int) -> str:
        told = {"q": self.q, "channel": self.channel, "tone": self.tone, "from": self.since,
                "to": self.until, "page": str(page) if page > 1 else ""}  # fmt: skip
        return "/posts?" + urlencode({name: value for name, value in told.items() if value})


def gleaning_of(query: Mapping[str, str]) -> Gleaning:
    tone, number = query.get("tone", "").strip(), query.get("page", "1")
    return Gleaning(
        q=query.get("q", "").strip()[:100],
        channel=query.get("channel", "").strip()[:40],
        tone=tone if tone in set(Tone) else "",
        since=day_of(query.get("from", "")),
        until=day_of(query.get("to", "")),
        page=max(1, min(DEEPEST, int(number))) if number.isdecimal() else 1,
    )


def gleaned(
    connection: sa.Connection, asked: Gleaning
) -> tuple[list[dict[str, Any]], int | None, Gleaning]:
    """One page of posts and one more, the newest first; how many in all, where that is told;
    and what was asked with the page that was shown: past the end it is the last one."""
    wanted = search.terms(asked.q)
    if asked.q and not wanted:
        return [], None, asked
    query = sa.select(posts)
    if wanted:
        most = SHOWN * 40
        query = query.where(posts.c.id.in_(search.matching(connection, wanted, most)))
    if asked.channel:
        query = query.where(posts.c.channel == asked.channel)
    if asked.tone:
        thought = sa.func.coalesce(assessments.c.tone, Tone.UNKNOWN.value)
        query = query.select_from(posts.outerjoin(assessments, THOUGHT))
        query = query.where(thought == asked.tone)
    if asked.since:
        query = query.where(posts.c.captured_at >= midnight(asked.since))
    if asked.until:
        query = query.where(posts.c.captured_at < midnight(asked.until, after=True))
    whole = None
    if asked.is_tallied:
        query = query.where(REAL)
        inner = query.with_only_columns(posts.c.id).subquery()
        whole = connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one()
        asked = replace(asked, page=min(asked.page, max(1, -(-whole // SHOWN))))
    query = query.order_by(posts.c.id.desc()).offset((asked.page - 1) * SHOWN).limit(SHOWN + 1)
    return [dict(row) for row in connection.execute(query).mappings()], whole, asked
