"""Runs that leave work for the next one, for hours: what is found late is found too late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from analysis.watches._passes import Pass, passes
from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions, active
from config.duration import Duration, spoken
from config.settings import ChannelSettings, Settings
from store.records import Level, Topic

_WINDOW = 400


class Options(WatchOptions):
    after: Duration = timedelta(hours=2)
    grave: Duration = timedelta(hours=12)
    first_fill: Duration = timedelta(hours=24)  #: a channel just set up catches up on its past


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        told = active(connection, "backlog")
        for channel in settings.channels:
            if not channel.disabled:
                since = told.get(f"backlog:{channel.id}", {}).get("since")
                known = datetime.fromisoformat(since) if since else None
                yield from _channel(
                    channel, passes(connection, channel.id, _WINDOW), options, known
                )

    return look


def _channel(
    channel: ChannelSettings, done: list[Pass], options: Options, known: datetime | None
) -> Iterable[Seen]:
    owing: list[Pass] = []
    for one in done:
        if not one.backlog:
            break
        owing.append(one)
    if len(owing) < 2:
        return
    since = known or owing[-1].at
    lasted = owing[0].at - since
    filling = len(owing) == len(done) < _WINDOW and lasted < options.first_fill
    if lasted < options.after or (filling and known is None):
        return
    left, then = owing[0].backlog, owing[-1].backlog
    way = "仍在增加" if left > then else "正在消化" if left < then else "没有减少"
    yield WatchFinding(
        subject=f"backlog:{channel.id}",
        reason=(
            f"“{channel.name}”积压{left}项没有采完，已持续{spoken(lasted)}，{way}。"
            "新内容优先采集，但旧内容会发现得晚；可放宽每轮页数或检查对方是否变慢。"
        ),
        level=Level.III if lasted >= options.grave else Level.IV,
        topic=Topic.SYSTEM,
        channel=channel.id,
        since=since,
        step="grave" if lasted >= options.grave else "",
        over=f"“{channel.name}”的积压已采完",
    )
