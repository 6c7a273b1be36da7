"""Passes that did not happen while the service was off: counted once, when they are made up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import Field

from analysis.watches._passes import last_good, patience
from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions
from config.clock import shown
from config.duration import Duration, spoken
from config.settings import ChannelSettings, Settings
from store.records import Level, Topic
from store.tables import runs

_PATIENCE = timedelta(minutes=30)  #: after a start, until it is told also where not all is made up


class Options(WatchOptions):
    gap: Duration = timedelta(minutes=15)  #: a shorter stop is a restart
    grave: Duration = timedelta(hours=6)  #: from here on it is Ⅲ
    least: int = Field(default=2, ge=1)  #: passes missed by a channel


@dataclass(frozen=True, slots=True)
class _Missed:
    channel: ChannelSettings
    times: int
    stopped: datetime  #: start of its last pass before
    made_up: bool


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        found = [
            missed
            for channel in settings.channels
            if not channel.disabled
            and (missed := _missed(connection, channel, tools.started, options)) is not None
        ]
        if not found:
            return
        waiting = [one.channel.name for one in found if not one.made_up]
        if waiting and now - tools.started < _PATIENCE:
            return
        yield _finding(found, waiting, tools.started, options)

    return look


def _missed(
    connection: sa.Connection, channel: ChannelSettings, started: datetime, options: Options
) -> _Missed | None:
    before: datetime | None = connection.execute(
        sa.select(sa.func.max(sa.func.coalesce(runs.c.started_at, runs.c.planned_at))).where(
            runs.c.channel == channel.id, runs.c.planned_at < started
        )
    ).scalar()
    if before is None:
        return None
    off = started - before
    times = int(off / channel.every)
    if off < options.gap or off < patience(channel, options.gap) or times < options.least:
        return None
    good = last_good(connection, channel.id)
    return _Missed(channel, times, before, good is not None and good >= started)


def _finding(
    found: list[_Missed], waiting: list[str], started: datetime, options: Options
) -> WatchFinding:
    stopped = max(one.stopped for one in found)  # the others may have had a longer interval
    off = started - stopped
    total = sum(one.times for one in found)
    each = "、".join(f"{one.channel.name}{one.times}次" for one in found[:6])
    state = f"；{'、'.join(waiting)}尚未补采成功，系统继续重试" if waiting else ""
    made_up = "已补采" if not waiting else "部分已补采" if len(waiting) < len(found) else "正在补采"
    return WatchFinding(
        subject="missed",
        reason=(
            f"停机期间漏采{total}次，{made_up}：{shown(stopped)}至{shown(started)}约{spoken(off)}"
            f"没有采集（{each}）{state}。此间发布的内容以补采时间为发现时间。"
        ),
        level=Level.III if off >= options.grave else Level.IV,
        topic=Topic.SYSTEM,
        since=started,
        passing=True,
    )
