"""What an issue of the digest is called, and what its frozen row says, however old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.digest.figures import WORDS
from config.settings import Settings

UNREAD = "未审核稿"  #: it left, or would leave, without anybody's approval
NAMES = {"weekly": "周报", "daily": "日报", "monthly": "月报", "special": "专题报告"}

#: What rows frozen by an older program lack.
_LACKING: Mapping[str, Any] = {
    "label": "", "before": None, "year_ago": None, "key": [], "events": [], "keywords": [],
    "keywords_past": 0, "own": {"silent": [], "tampered": []}, "alarms": [],
    "rumours": {"items": [], "clarifications": []}, "ahead": {"days": [], "shown": ""},
    "opinion": [], "advice": [], "channels": [], "issue": 0,
}  # fmt: skip


def completed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a row, with empty sections for what an older program did not count."""
    told = {**_LACKING, **row["figures"]}
    told["posts"] = {"by_time": [], **told["posts"]}
    told["items"] = {"by_time": [], **told["items"]}
    told["handling"] = {"stages": [], "standing": [], "standing_total": 0, **told["handling"]}
    if not told["label"]:
        year, _, number = str(told["period"]).partition("-W")
        told["label"] = f"{year}年第{int(number)}周" if number.isdecimal() else told["period"]
    return told


def kind_of(row: Mapping[str, Any]) -> str:
    """An interim report is of a week, a day, …"""
    if row["kind"] != "interim":
        return str(row["kind"])
    return str(row["figures"].get("kind", "weekly"))


def name_of(row: Mapping[str, Any]) -> str:
    """舆情周报, with what is special about this one."""
    name = f"舆情{NAMES.get(kind_of(row), '周报')}"
    if row["kind"] == "interim":
        return f"{name}·{WORDS.get(kind_of(row), WORDS['special'])['this']}截至目前"
    return name if row["edition"] == 1 else f"{name}·更正版{row['edition'] - 1}"


def issue_of(row: Mapping[str, Any]) -> str:
    """第47期（总第112期）; nothing for what is not counted."""
    if not row["number"]:
        return ""
    issue = row["figures"].get("issue") or 0
    return f"第{issue}期（总第{row['number']}期）" if issue else f"总第{row['number']}期"


def mark_of(row: Mapping[str, Any], settings: Settings) -> str:
    """未审核稿 where nobody has approved it; 更正版 where it mends an earlier one."""
    marks = []
    if row["edition"] > 1 and row["kind"] != "interim":
        marks.append(f"更正版{row['edition'] - 1}")
    if row.get("mark"):
        marks.append(str(row["mark"]))
    elif row.get("state") != "sent" and not row.get("approved_by"):
        marks += [UNREAD] if settings.digest.approve != "no" else []
    return " ".join(marks)


def drafted(row: Mapping[str, Any], settings: Settings) -> tuple[str, str]:
    """(研判, 工作建议) as they would be printed now: a person's words, else the draft's."""
    told = completed(row)
    return (
        row.get("opinion") or "\n".join(told["opinion"]),
        row.get("advice") or "\n".join(told["advice"]),
    )
