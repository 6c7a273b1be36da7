"""Notices owed for longer than their level allows: the desk may look calm because mail is down."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions
from config.duration import Duration, spoken
from config.settings import Settings
from store.records import Level, NoticeState, Topic
from store.tables import notices

_OWED = [one.value for one in NoticeState if one.is_owed]


class Options(WatchOptions):
    I: Duration = timedelta(minutes=10)  # noqa: E741 - the level's name
    II: Duration = timedelta(minutes=15)
    III: Duration = timedelta(minutes=30)
    IV: Duration = timedelta(hours=2)
    other: Duration = timedelta(hours=6)  #: digests and what has no level


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        rows = connection.execute(
            sa.select(
                notices.c.level, notices.c.created_at, notices.c.next_at, notices.c.attempts,
                notices.c.reply,
            )
            .where(
                notices.c.state.in_(_OWED),
                sa.or_(notices.c.next_at <= now, notices.c.attempts > 0),
            )
            .order_by(notices.c.created_at)
            .limit(5000)
        ).all()  # fmt: skip
        late = []
        for row in rows:
            # One that was written to go later is late from then on.
            due = row.created_at if row.attempts else max(row.created_at, row.next_at)
            if now - due > getattr(options, row.level or "other", options.other):
                late.append((due, row))
        if not late:
            return
        since, oldest = min(late, key=lambda one: one[0])
        levels = {row.level for _, row in late}
        reply = f"；对方答复：{oldest.reply[:60]}" if oldest.reply else ""
        yield WatchFinding(
            subject="outbox",
            reason=(
                f"有{len(late)}封通知超过时限仍未送达，最早一封已等待{spoken(now - since)}{reply}。"
                "请检查发信服务器；在恢复之前请以电话通知，未送达清单见“tinglan outbox list”。"
            ),
            level=Level.II,
            topic=Topic.SYSTEM,
            since=since,
            step="I" if "I" in levels else "",
            over="超时未送达的通知已全部送出",
        )

    return look
