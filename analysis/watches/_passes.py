"""What the runs of a channel left behind, as watches read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from config.settings import ChannelSettings
from store.records import RunState
from store.tables import fetches, runs

_SLACK = timedelta(minutes=10)  #: a pass may take this long before the next is missed


@dataclass(frozen=True, slots=True)
class Pass:
    """One ended run."""

    id: int
    at: datetime  #: when it ended
    state: str
    planned: int
    failed: int
    seen: int
    new: int
    backlog: int
    why: str

    @property
    def good(self) -> bool:
        """It ended by itself, and not every one of its fetches failed."""
        return self.state == RunState.DONE.value and not (
            self.planned and self.failed >= self.planned
        )

    @property
    def spared(self) -> bool:
        """It asked nothing and says why: its quota is spread over the day. No sign of anything."""
        return self.state == RunState.DONE.value and not self.planned and bool(self.why)


_END = sa.func.coalesce(runs.c.finished_at, runs.c.started_at, runs.c.planned_at)
_GOOD = sa.and_(
    runs.c.state == RunState.DONE.value,
    sa.or_(runs.c.planned == 0, runs.c.failed < runs.c.planned),
)


def passes(connection: sa.Connection, channel: str, limit: int) -> list[Pass]:
    """The newest first; a run that is under way is none."""
    rows = connection.execute(
        sa.select(
            runs.c.id, _END.label("at"), runs.c.state, runs.c.planned, runs.c.failed,
            runs.c.seen, runs.c.new, runs.c.backlog, runs.c.why,
        )
        .where(runs.c.channel == channel, runs.c.state != RunState.RUNNING.value)
        .order_by(runs.c.planned_at.desc(), runs.c.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [Pass(**row._mapping) for row in rows]


def last_good(connection: sa.Connection, channel: str) -> datetime | None:
    """The end of the last good pass."""
    found: datetime | None = connection.execute(
        sa.select(runs.c.finished_at)
        .where(runs.c.channel == channel, _GOOD)
        .order_by(runs.c.planned_at.desc())
        .limit(1)
    ).scalar()
    return found


def first_planned(connection: sa.Connection, channel: str) -> datetime | None:
    found: datetime | None = connection.execute(
        sa.select(sa.func.min(runs.c.planned_at)).where(runs.c.channel == channel)
    ).scalar()
    return found


def outcomes(connection: sa.Connection, passes: Iterable[Pass]) -> dict[int, Counter[str]]:
    """Run → how its fetches ended."""
    wanted = [one.id for one in passes]
    found: dict[int, Counter[str]] = {one: Counter() for one in wanted}
    if wanted:
        rows: Any = connection.execute(
            sa.select(fetches.c.run, fetches.c.outcome, sa.func.count())
            .where(fetches.c.run.in_(wanted), fetches.c.outcome.is_not(None))
            .group_by(fetches.c.run, fetches.c.outcome)
        )
        for run, outcome, count in rows:
            found[run][outcome] = count
    return found


def patience(channel: ChannelSettings, least: timedelta = timedelta(hours=1)) -> timedelta:
    """How long without a good pass is nothing out of the ordinary."""
    return max(3 * channel.every, channel.every + _SLACK, least)


def unread_hours(
    connection: sa.Connection, channel: ChannelSettings, start: datetime, end: datetime
) -> float:
    """Hours of [start, end) in which a channel could not be read; 0.0 before its first run.

    The same sum as in the weekly: of each gap between good passes that is longer than three
    times `every` (at least ten minutes), all but one `every`.
    """
    first = first_planned(connection, channel.id)
    if first is None or first >= end:
        return 0.0
    rows: Any = connection.execute(
        sa.select(_END)
        .where(
            runs.c.channel == channel.id, runs.c.planned_at >= start, runs.c.planned_at < end, _GOOD
        )
        .order_by(runs.c.planned_at)
    ).scalars()
    lost = _unread(list(rows), max(start, first), end, channel.every)
    return lost.total_seconds() / 3600


def _unread(
    good: Sequence[datetime], start: datetime, end: datetime, every: timedelta
) -> timedelta:
    allowed = max(3 * every, every + _SLACK)
    inside = [at for at in good if start < at < end]
    gaps = [after - before for before, after in zip([start, *inside], [*inside, end], strict=True)]
    return sum((gap - every for gap in gaps if gap > allowed), timedelta())
