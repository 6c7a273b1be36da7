"""相似帖文: stored posts that say much the same, found by phrases and measured by shingles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from analysis.events import LIKENESS, tellings
from console.search import near
from store.grams import runs_of
from store.records import text_of
from store.tables import item_posts, items, posts

ENOUGH = 0.35  #: share of common shingles from which two texts are shown together
MOST = 8
_PHRASES = 5  #: of the text that are looked up
_WIDE = 4  #: characters of one
_EACH = 25  #: newest posts that hold one phrase
_COMPARED = 80
_AROUND = 10_000  #: posts before and after: copies come close to each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    post: int
    title: str
    text: str
    channel: str
    at: datetime
    share: int  #: percent of what the two say that both say
    is_same: bool  #: of one event: also agrees on numbers, places, days, colours, negations
    numbers: tuple[str, ...]  #: of the items that hold it


def similar_to(
    connection: sa.Connection,
    post: Mapping[str, Any],
    *,
    places: Sequence[str] = (),
    without: Iterable[int] = (),
) -> list[Similar]:
    """The likest first; those of `without` (the item's own posts) are left out."""
    body = text_of(post["title"], post["text"])
    known = {*without, post["id"]}
    found = [one for one in _candidates(connection, post["id"], body) if one not in known][
        :_COMPARED
    ]
    if not found:
        return []
    rows = connection.execute(
        sa.select(
            posts.c.id, posts.c.title, posts.c.text, posts.c.channel, posts.c.published_at,
            posts.c.captured_at,
        ).where(posts.c.id.in_(found))
    ).all()  # fmt: skip
    mine, *theirs = tellings([body, *(text_of(row.title, row.text) for row in rows)], places)
    alike: list[tuple[float, bool, Any]] = []
    for row, other in zip(rows, theirs, strict=True):
        union = len(mine.shingles | other.shingles)
        share = len(mine.shingles & other.shingles) / union if union else 0.0
        if share >= ENOUGH:
            alike.append((share, share >= LIKENESS and mine.facts.agrees(other.facts), row))
    alike.sort(key=lambda one: (not one[1], -one[0], -one[2].id))
    numbers = items_of(connection, [row.id for _, _, row in alike[:MOST]])
    return [
        Similar(
            post=row.id,
            title=row.title,
            text=row.text,
            channel=row.channel,
            at=row.published_at or row.captured_at,
            share=round(100 * share),
            is_same=is_same,
            numbers=tuple(numbers.get(row.id, ())),
        )
        for share, is_same, row in alike[:MOST]
    ]


def items_of(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    """Post → numbers of the items that hold it."""
    rows = connection.execute(
        sa.select(item_posts.c.post, items.c.number)
        .join(items, items.c.id == item_posts.c.item)
        .where(item_posts.c.post.in_(ids))
        .order_by(items.c.id)
    )
    made: dict[int, list[str]] = {}
    for row in rows:
        made.setdefault(row.post, []).append(row.number)
    return made


def _candidates(connection: sa.Connection, post: int, body: str) -> list[int]:
    """Ids of posts that hold one of a few phrases, taken from all over the text."""
    made: dict[int, None] = {}
    first, last = max(0, post - _AROUND), post + _AROUND
    for phrase in _phrases(body):
        made |= dict.fromkeys(near(connection, phrase, first, last, _EACH))
    return list(made)


def _phrases(body: str) -> list[str]:
    pieces = [
        run[at : at + _WIDE]
        for run in runs_of(body[:2_000])
        for at in range(0, len(run) - _WIDE + 1, _WIDE)
    ]
    step = max(1, len(pieces) // _PHRASES)
    return list(dict.fromkeys(pieces[::step]))[:_PHRASES]
