"""What `status` tells of a channel's reading: hours it was blind, what watches say, its quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from analysis.watches._passes import unread_hours
from analysis.watching import active
from config.clock import shown
from config.settings import Settings
from crawler.plans import as_told, plans
from store.engine import Database

WEEK = timedelta(days=7)
_WATCHES = {"unread": "未能读取", "broken": "内容异常", "silent": "久未更新"}


def coverage(settings: Settings, database: Database, now: datetime) -> dict[str, dict[str, Any]]:
    """Channel id → how far it could be read in the last seven days, and its quota."""
    quota = plans(settings, database, now)
    with database.read() as connection:
        told = _told(connection)
        return {
            channel.id: {
                "unread_hours_7d": round(unread_hours(connection, channel, now - WEEK, now), 1),
                "watches": told.get(channel.id, []),
                "quota": [as_told(plan) for plan in quota.get(channel.id, [])],
            }
            for channel in settings.channels
        }


def _told(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
    """Channel id → what watches have told of it and not yet called over."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in _WATCHES:
        for state in active(connection, name).values():
            since = datetime.fromisoformat(state["since"])
            found.setdefault(state["channel"], []).append({"watch": name, "since": since})
    return found


def written(channel: Mapping[str, Any]) -> Iterator[str]:
    """The same for a person at a terminal, a line each; nothing where all is well."""
    if channel["disabled"]:
        return
    for one in channel["watches"]:
        yield f"值守：{_WATCHES[one['watch']]}（自 {shown(one['since'])}）"
    if channel["unread_hours_7d"]:
        yield f"近7天有 {channel['unread_hours_7d']:g} 小时未能读取"
    for plan in channel["quota"]:
        yield f"额度：{plan['text']}"
