"""证据副本: every stored version of a post as plain text, each with its time and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.headers import clean_header
from config.clock import shown
from console.marks import visible
from store.records import Kind
from store.tables import versions

_RULE = "─" * 40


def versions_of(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Post → its kept versions, the newest first; a post that was never edited has none."""
    rows = connection.execute(
        sa.select(versions).where(versions.c.post.in_(ids)).order_by(versions.c.version.desc())
    ).mappings()
    made: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        made.setdefault(row["post"], []).append(dict(row))
    return made


def copy_of(
    post: Mapping[Any, Any],
    older: Iterable[Mapping[Any, Any]],
    *,
    number: str,
    agency: str,
    channel: str,
    by: str,
    now: datetime,
) -> str:
    """The file a person takes away: what was captured, when, from where, and sums to check it."""
    kept: dict[int, Mapping[Any, Any]] = {row["version"]: row for row in older}
    kept.setdefault(post["version"], {**post, "captured_at": post["changed_at"]})
    lines = [
        f"{agency} 舆情证据副本",
        f"条目：{number}",
        f"渠道：{channel}",
        f"原文网址：{clean_header(post['url'], 2000) or '无'}",
        f"类型：{_kind(post['kind'])}",
        f"发布时间：{shown(post['published_at']) if post['published_at'] else '未标明'}",
        f"首次采集：{shown(post['captured_at'], seconds=True)}",
        f"版本数：{len(kept)}",
        f"导出：{by}，{shown(now, seconds=True)}（北京时间）",
        "说明：正文为采集时的文字；电话、证件号、银行卡号、邮箱在入库前已遮盖，作者以代号保存。",
        "每一版的校验值是其“标题、正文、状态、答复”四项按行相接后的 SHA-256。",
    ]
    for version in sorted(kept):
        lines += ["", _RULE, *_version(kept[version])]
    return "\r\n".join(lines) + "\r\n"


def sum_of(row: Mapping[Any, Any]) -> str:
    """SHA-256 of one version's words as they are stored."""
    return hashlib.sha256("\n".join(_words(row)).encode()).hexdigest()


def _words(row: Mapping[Any, Any]) -> list[str]:
    return [str(row[name] or "") for name in ("title", "text", "state", "reply")]


def _version(row: Mapping[Any, Any]) -> Iterator[str]:
    title, text, state, reply = map(visible, _words(row))
    yield f"第 {row['version']} 版，采集于 {shown(row['captured_at'], seconds=True)}"
    yield f"SHA-256 {sum_of(row)}"
    yield ""
    yield f"标题：{title or '（无）'}"
    if state:
        yield f"状态：{state}"
    yield ""
    yield from (text or "（正文已按期限删除或为空）").splitlines()
    if reply:
        yield from ["", "答复：", *reply.splitlines()]


def _kind(value: str) -> str:
    return Kind(value).label if value in set(Kind) else value
