"""The weekly as a letter: text and HTML from frozen figures, bars drawn with table cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.letters import Letter
from alerts.notices import Notice
from alerts.wording import PAINT, render
from config.clock import shown
from config.settings import Settings
from store.records import Level

LISTED = 100  #: items in the letter; the rest are counted there and listed in the CSV

_TONE_PAINT = {
    "negative": ("#b3261e", "#ffffff"),
    "neutral": ("#6b7480", "#ffffff"),
    "positive": ("#2e7d4f", "#ffffff"),
    "unknown": ("#c9ced4", "#1f2328"),
}


def digest_letter(notice: Notice, digest: Mapping[str, Any], settings: Settings) -> Letter:
    """What a recipient of the weekly gets."""
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=digest_subject(digest),
        text=digest_text(digest, settings),
        html=digest_html(digest, settings),
        date=notice.created_at,
        bulk=True,
    )


def digest_subject(digest: Mapping[str, Any], settings: Settings | None = None) -> str:
    told = digest["figures"]
    items = told["items"]
    grave = f"，重大及以上 {items['grave']} 条" if items["grave"] else ""
    return f"【{_name(digest)}】{_short(told)}：新增舆情条目 {items['total']} 条{grave}"


def digest_text(digest: Mapping[str, Any], settings: Settings) -> str:
    return render("digest.txt", _facts(digest, settings))


def digest_html(digest: Mapping[str, Any], settings: Settings) -> str:
    return render("digest.html", _facts(digest, settings))


def _facts(digest: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    told = digest["figures"]
    return {
        "name": _name(digest),
        "subject": digest_subject(digest),
        "issue": f"总第{digest['number']}期" if digest["number"] else "",
        "told": told,
        "listed": told["items"]["list"][:LISTED],
        "left": max(0, told["items"]["total"] - LISTED),
        "levels": {level.value: level for level in Level},
        "paint": PAINT,
        "tones": told["posts"]["by_tone"],
        "tone_paint": _TONE_PAINT,
        "summary": _summary(told),
        "agency": settings.agency.name,
        "made": shown(digest["built_at"], seconds=True),
    }


def _name(digest: Mapping[str, Any]) -> str:
    if digest["kind"] == "interim":
        return "舆情周报·本周截至目前"
    return "舆情周报" if digest["edition"] == 1 else f"舆情周报·更正版{digest['edition'] - 1}"


def _short(told: Mapping[str, Any]) -> str:
    year, _, number = told["period"].partition("-W")
    return f"{year}年第{int(number)}周"


def _summary(told: Mapping[str, Any]) -> str:
    """One paragraph a leader can read alone."""
    posts, items, handling = told["posts"], told["items"], told["handling"]
    seen = f"采集帖文 {posts['total']} 条" if posts["total"] else "未采集到新帖文"
    parts = [f"本周{seen}{_change(told, 'posts')}"]
    if items["total"]:
        levels = "、".join(
            f"{row['label']} {row['count']} 条" for row in items["by_level"] if row["count"]
        )
        parts.append(f"新增舆情条目 {items['total']} 条{_change(told, 'items')}，其中{levels}")
    else:
        parts.append(f"新增舆情条目：本周无{_change(told, 'items')}")
    parts.append(f"办结 {handling['closed']} 条，本周新增中尚未办结 {items['open']} 条")
    late = len(handling["overdue"])
    parts.append(f"现有超时 {late} 条" if late else "现无超时条目")
    blind = [row["name"] for row in told["channels"] if row["unread_minutes"]]
    if blind:
        parts.append(f"{'、'.join(blind)}本周监测有中断，相关数字可能偏少")
    return "；".join(parts) + "。"


def _change(told: Mapping[str, Any], what: str) -> str:
    if told["before"] is None:
        return ""
    change = told[what]["total"] - told["before"][what]
    return (
        f"（较上周{'增加' if change > 0 else '减少'} {abs(change)} 条）"
        if change
        else "（与上周持平）"
    )
