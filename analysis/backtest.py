"""What other rules would have made of the stored past: newly flagged, no longer, how many mails.

Reads only; what is stored stays as it was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from analysis.assess import assess
from analysis.engines import Engine
from analysis.events import EventIndex
from analysis.subject import Stage, Subject
from store.engine import Database
from store.records import Assessment, Kind, Level, Role, Topic, text_of
from store.tables import assessments, posts

_AT_ONCE: Final = 256
#: Examples kept of each kind of change; the counts are of all.
EXAMPLES: Final = 50

Recipients = Callable[[Sequence[Topic], Level], int]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One post that would be judged otherwise."""

    post: int
    channel: str
    text: str
    was: Level | None  #: None: was not flagged
    is_now: Level | None
    reasons: tuple[str, ...]  #: of the new judgement, or none


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Counts of posts since a moment. Mails: one a recipient and event, as duty staff get them."""

    since: datetime
    seen: int
    flagged_then: int
    flagged_now: int
    new: int
    gone: int
    other_level: int
    mails_then: int
    mails_now: int
    changes: tuple[Change, ...]  #: new ones first, then gone, then other levels


def backtest(
    sessions: Database,
    *,
    since: datetime,
    stages: Mapping[str, Stage],
    engine: Engine,
    recipients: Recipients | None = None,
    places: Sequence[str] = (),
    progress: Progress | None = None,
) -> Backtest:
    """Judges every stored post captured since, in its current version, with these stages.

    `recipients` says how many people a level and topics are mailed to (one, unless given). A
    post that was never assessed counts as not flagged then.
    """
    ask = recipients or (lambda topics, level: 1)
    then, now = EventIndex(places=places), EventIndex(places=places)
    mailed_then: set[object] = set()
    mailed_now: set[object] = set()
    count = dict.fromkeys(("seen", "then", "now", "new", "gone", "other", "m_then", "m_now"), 0)
    kept: dict[str, list[Change]] = {"new": [], "gone": [], "other": []}
    for rows in _stored(sessions, since):
        judged = assess([_subject(row) for row in rows], stages=stages, engine=engine)
        for row, one in zip(rows, judged, strict=True):
            count["seen"] += 1
            was = _level(row) if row.flagged else None
            is_now = one.level if one.flagged else None
            text, at = text_of(row.title, row.text), row.published_at or row.captured_at
            if was is not None:
                count["then"] += 1
                event = then.add(row.id, text, at).event
                if event not in mailed_then:
                    mailed_then.add(event)
                    count["m_then"] += ask([Topic(name) for name in row.topics or ()], was)
            if is_now is not None:
                count["now"] += 1
                event = now.add(row.id, text, at).event
                if event not in mailed_now:
                    mailed_now.add(event)
                    count["m_now"] += ask(one.topics, is_now)
            kind = _kind(was, is_now)
            if kind is not None:
                count[kind] += 1
                if len(kept[kind]) < EXAMPLES:
                    kept[kind].append(_change(row, text, was, is_now, one))
        if progress is not None:
            progress(count["seen"])
    return Backtest(
        since=since,
        seen=count["seen"],
        flagged_then=count["then"],
        flagged_now=count["now"],
        new=count["new"],
        gone=count["gone"],
        other_level=count["other"],
        mails_then=count["m_then"],
        mails_now=count["m_now"],
        changes=tuple(kept["new"] + kept["gone"] + kept["other"]),
    )


def _stored(sessions: Database, since: datetime) -> Iterator[Sequence[Any]]:
    """Batches in the order of ids; each a transaction of its own, so that nobody waits."""
    current = sa.and_(assessments.c.post == posts.c.id, assessments.c.version == posts.c.version)
    last = 0
    while True:
        with sessions.read() as connection:
            rows = connection.execute(
                sa.select(
                    posts.c.id, posts.c.channel, posts.c.kind, posts.c.role, posts.c.title,
                    posts.c.text, posts.c.published_at, posts.c.captured_at,
                    assessments.c.flagged, assessments.c.level, assessments.c.topics,
                )
                .select_from(posts.outerjoin(assessments, current))
                .where(posts.c.id > last, posts.c.captured_at >= since)
                .order_by(posts.c.id)
                .limit(_AT_ONCE)
            ).all()  # fmt: skip
        if not rows:
            return
        last = rows[-1].id
        yield rows


def _subject(row: Any) -> Subject:
    return Subject(
        text=text_of(row.title, row.text),
        title=row.title,
        kind=Kind(row.kind),
        role=Role(row.role),
        channel=row.channel,
        published_at=row.published_at,
    )


def _level(row: Any) -> Level:
    return Level(row.level) if row.level else Level.IV


def _kind(was: Level | None, is_now: Level | None) -> str | None:
    if was is is_now:
        return None
    if was is None:
        return "new"
    return "gone" if is_now is None else "other"


def _change(
    row: Any, text: str, was: Level | None, is_now: Level | None, one: Assessment
) -> Change:
    reasons = tuple(finding.reason for finding in one.findings if finding.level is not None)
    return Change(
        post=row.id,
        channel=row.channel,
        text=text,
        was=was,
        is_now=is_now,
        reasons=reasons[:3],
    )
