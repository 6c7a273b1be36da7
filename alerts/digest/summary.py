"""One paragraph a leader can read alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary(told: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """One paragraph a leader can read alone."""
    posts, items, handling = told["posts"], told["items"], told["handling"]
    this = words["this"]
    seen = f"采集帖文 {posts['total']} 条" if posts["total"] else "未采集到新帖文"
    parts = [f"{this}{seen}{_change(told, 'posts', words)}"]
    if items["total"]:
        levels = "、".join(
            f"{row['label']} {row['count']} 条" for row in items["by_level"] if row["count"]
        )
        change = _change(told, "items", words)
        parts.append(f"新增舆情条目 {items['total']} 条{change}，其中{levels}")
    else:
        parts.append(f"新增舆情条目：{this}无{_change(told, 'items', words)}")
    parts.append(f"办结 {handling['closed']} 条，{this}新增中尚未办结 {items['open']} 条")
    late = len(handling["overdue"])
    parts.append(f"现有超时 {late} 条" if late else "现无超时条目")
    blind = [row["name"] for row in told["channels"] if row["unread_minutes"]]
    if blind:
        parts.append(f"{'、'.join(blind)}{this}监测有中断，相关数字可能偏少")
    return "；".join(parts) + "。"


def _change(told: Mapping[str, Any], what: str, words: Mapping[str, str]) -> str:
    if told["before"] is None:
        return ""
    before = words["before"]
    change = told[what]["total"] - told["before"][what]
    if not change:
        return f"（与{before}持平）"
    return f"（较{before}{'增加' if change > 0 else '减少'} {abs(change)} 条）"
