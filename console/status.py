"""`tinglan status`: what runs, what is late, what could not be looked at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.auditor import last_audit
from config.clock import shown
from config.duration import spoken
from config.settings import Settings
from console import coverage
from store.engine import Database
from store.records import NoticeState, State
from store.schema import current
from store.tables import channels, facts, items, notices, posts, runs

AUDIT_LATE = timedelta(minutes=15)
FRESH = timedelta(seconds=60)  #: a heartbeat older than this means the service is not running


def status(
    settings: Settings, database: Database, now: datetime, *, version: str
) -> dict[str, Any]:
    """Everything as one JSON-ready value (times as ISO 8601, +08:00 is left to the writer)."""
    covered = coverage.coverage(settings, database, now)
    with database.read() as connection:
        beat = connection.execute(
            sa.select(facts.c.value, facts.c.at).where(facts.c.name == "heartbeat")
        ).first()
        by_state = connection.execute(
            sa.select(items.c.state, sa.func.count()).group_by(items.c.state)
        )
        states: dict[str, int] = {row[0]: row[1] for row in by_state}
        by_delivery = connection.execute(
            sa.select(notices.c.state, sa.func.count()).group_by(notices.c.state)
        )
        owed: dict[str, int] = {row[0]: row[1] for row in by_delivery}
        oldest = connection.execute(
            sa.select(sa.func.min(notices.c.created_at)).where(
                notices.c.state.in_([s.value for s in NoticeState if s.is_owed])
            )
        ).scalar()
        audited = last_audit(connection)
        stored = connection.execute(sa.select(sa.func.count()).select_from(posts)).scalar_one()
        waiting = connection.execute(
            sa.select(sa.func.count()).select_from(posts).where(posts.c.assessed < posts.c.version)
        ).scalar_one()
        rows = {row["id"]: row for row in connection.execute(sa.select(channels)).mappings()}
        running = {
            row.channel
            for row in connection.execute(
                sa.select(runs.c.channel).where(runs.c.state == "running")
            )
        }
    return {
        "version": version,
        "at": now,
        "service": {
            "running": beat is not None and now - beat.at < FRESH,
            "last_beat": beat.at if beat else None,
            "pid": beat.value.get("pid") if beat else None,
            "failures": beat.value.get("failures", {}) if beat else {},
        },
        "database": {"url": database.shown, "schema": current(database)},
        "posts": {"stored": stored, "waiting": waiting},
        "items": {state.value: states.get(state.value, 0) for state in State},
        "notices": {
            "owed": sum(n for s, n in owed.items() if NoticeState(s).is_owed),
            "oldest_owed": oldest,
            "refused": owed.get("refused", 0),
            "sent": owed.get("sent", 0),
        },
        "audit": _audit(audited),
        "channels": [
            _channel(channel.id, channel.name, channel.disabled, rows.get(channel.id), running)
            | covered[channel.id]
            for channel in settings.channels
        ],
        "insecure": settings.mail.security == "none",
        "disk_free_mb": _disk(database),
    }


def _audit(last: tuple[datetime, int, int] | None) -> dict[str, Any]:
    at, silent, stuck = last or (None, 0, 0)
    return {"at": at, "silent": silent, "stuck": stuck}


def _channel(key: str, name: str, disabled: bool, row: Any, running: set[str]) -> dict[str, Any]:
    return {
        "id": key,
        "name": name,
        "disabled": disabled,
        "running": key in running,
        "last_attempt": row["last_attempt_at"] if row else None,
        "last_success": row["last_success_at"] if row else None,
        "last_new": row["last_new_at"] if row else None,
        "failures": row["failures"] if row else 0,
        "why": row["why"] if row else "",
    }


def _disk(database: Database) -> int | None:
    file = database.file
    return None if file is None else shutil.disk_usage(file.parent).free // 2**20


def written(report: dict[str, Any]) -> Iterator[str]:
    """The same for a person at a terminal."""
    now = report["at"]
    service = report["service"]
    if service["running"]:
        yield f"服务：运行中（进程 {service['pid']}），心跳 {spoken(now - service['last_beat'])}前"
    elif service["last_beat"]:
        yield f"服务：没有响应，最后一次心跳在 {shown(service['last_beat'])}；请看日志"
    else:
        yield "服务：没有运行；用 `tinglan run` 启动"
    for lane, times in service["failures"].items():
        yield f"  ！{lane} 连续出错 {times} 次，详见日志"
    yield f"版本：{report['version']}，数据库 {report['database']['url']}"
    posts_ = report["posts"]
    yield f"帖文：已存 {posts_['stored']}，待研判 {posts_['waiting']}"
    counts = "，".join(f"{State(s).label} {n}" for s, n in report["items"].items() if n)
    yield f"条目：{counts or '还没有'}"
    owed = report["notices"]
    line = f"通知：欠发 {owed['owed']}，已送达 {owed['sent']}，被拒 {owed['refused']}"
    if owed["oldest_owed"]:
        line += f"；最早一封已等 {spoken(now - owed['oldest_owed'])}"
    yield line
    yield f"稽核：{_audited(report['audit'], now)}"
    yield "渠道："
    for channel in report["channels"]:
        yield f"  {channel['name']}（{channel['id']}）：{_coverage(channel, now)}"
        for line in coverage.written(channel):
            yield f"    {line}"
    if report["insecure"]:
        yield "注意：发信未加密（security = none）"
    if report["disk_free_mb"] is not None:
        yield f"磁盘剩余：{report['disk_free_mb']} MB"


def _audited(audit: dict[str, Any], now: datetime) -> str:
    """The auditor looks every five minutes; a look that is older means that nobody does."""
    if audit["at"] is None:
        return "还没有做过（服务启动后每5分钟一次）"
    late = "！已停，" if now - audit["at"] > AUDIT_LATE else ""
    text = f"{late}{spoken(now - audit['at'])}前"
    found = [f"到时限未通知的条目 {audit['silent']} 个"] if audit["silent"] else []
    found += [f"滞留的通知 {audit['stuck']} 条"] if audit["stuck"] else []
    return f"{text}，{'，'.join(found) or '没有到时限未通知的条目，没有滞留的通知'}"


def _coverage(channel: dict[str, Any], now: datetime) -> str:
    if channel["disabled"]:
        return "已停用"
    if channel["last_attempt"] is None:
        return "还没有采集过"
    text = "采集中，" if channel["running"] else ""
    if channel["last_success"] is None:
        text += f"从未采集成功（最近一次 {shown(channel['last_attempt'])}）"
    else:
        text += f"最近成功 {shown(channel['last_success'])}"
        if channel["last_new"]:
            text += f"，最近新帖 {spoken(now - channel['last_new'])}前"
    if channel["failures"]:
        text += f"；连续失败 {channel['failures']} 次：{channel['why']}"
    return text
