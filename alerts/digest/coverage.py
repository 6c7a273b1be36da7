"""自有渠道运行情况: how well each channel was read, so that a zero is never a blind spot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from config.clock import shown
from config.duration import spoken
from config.settings import ChannelSettings, Settings
from store.records import RunState
from store.tables import runs

_SLACK = timedelta(minutes=10)  #: a pass may take this long before the next is missed


def coverage(
    connection: sa.Connection, settings: Settings, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """One line a configured channel for the time from `start` to `end`."""
    return [_channel(connection, channel, start, end) for channel in settings.channels]


def unread(
    passes: Sequence[datetime], start: datetime, end: datetime, every: timedelta
) -> timedelta:
    """How long a channel went unread: of each gap between good passes, what is over the usual.

    `passes` are the ends of good passes in order. A gap counts from three times `every` (at
    least ten minutes) on, and then all of it but one `every`.
    """
    allowed = max(3 * every, every + _SLACK)
    lost = timedelta()
    inside = [at for at in passes if start < at < end]
    for before, after in zip([start, *inside], [*inside, end], strict=True):
        gap = after - before
        if gap > allowed:
            lost += gap - every
    return lost


def _channel(
    connection: sa.Connection, channel: ChannelSettings, start: datetime, end: datetime
) -> dict[str, Any]:
    mine = runs.c.channel == channel.id
    at = sa.func.coalesce(runs.c.finished_at, runs.c.started_at, runs.c.planned_at)
    rows = connection.execute(
        sa.select(runs.c.state, runs.c.planned, runs.c.failed, runs.c.new, at.label("at"))
        .where(mine, runs.c.planned_at >= start, runs.c.planned_at < end)
        .order_by(runs.c.planned_at)
    ).all()
    first = connection.execute(sa.select(sa.func.min(runs.c.planned_at)).where(mine)).scalar()
    good = [row for row in rows if _is_good(row.state, row.planned, row.failed)]
    last = connection.execute(
        sa.select(sa.func.max(runs.c.finished_at)).where(
            mine, runs.c.state == RunState.DONE.value, runs.c.planned_at < end
        )
    ).scalar()
    lost = None
    if first is not None and first < end:
        lost = unread([row.at for row in good], max(start, first), end, channel.every)
    return {
        "id": channel.id,
        "name": channel.name,
        "disabled": channel.disabled,
        "runs": len(rows),
        "failed_runs": sum(
            not _is_good(row.state, row.planned, row.failed) and row.state != RunState.RUNNING
            for row in rows
        ),
        "failed_fetches": sum(row.failed for row in rows),
        "new": sum(row.new for row in rows),
        "last_success": shown(last) if last else "",
        "unread_minutes": None if lost is None else round(lost.total_seconds() / 60),
        "words": _words(channel, lost),
    }


def _is_good(state: str, planned: int, failed: int) -> bool:
    """It ended by itself, and not every one of its fetches failed."""
    return state == RunState.DONE.value and not (planned and failed >= planned)


def _words(channel: ChannelSettings, lost: timedelta | None) -> str:
    if channel.disabled:
        return "已停用"
    if lost is None:
        return "本周未采集"
    return f"监测中断{spoken(lost)}" if lost else "正常"
