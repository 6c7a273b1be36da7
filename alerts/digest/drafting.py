"""Drafts 研判 and 工作建议 from the figures alone: no sentence without a number that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NAMED = 5  #: numbers or names in one sentence


def compared(now: int, before: int | None, than: str) -> str:
    """较上周增加 12 条（20.0%）."""
    if before is None:
        return ""
    change = now - before
    if not change:
        return f"与{than}持平"
    share = f"（{abs(change) / before:.1%}）" if before else ""
    return f"较{than}{'增加' if change > 0 else '减少'}{abs(change)}条{share}"


def opinion(told: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """What the figures say together. `words`: this, before, as 本周, 上周."""
    posts, items, this = told["posts"], told["items"], words["this"]
    if not posts["total"] and not items["total"]:
        return [f"{this}未采集到新帖文，无新增舆情条目。"]
    said = []
    negative = _count(posts["by_tone"], "negative")
    if posts["total"]:
        before = (told["before"] or {}).get("negative")
        trend = compared(negative, before, words["before"])
        said.append(
            f"{this}帖文中负面{negative}条，占{negative / posts['total']:.1%}"
            f"{'，' + trend if trend else ''}。"
        )
    topics = [row for row in items["by_topic"] if row["count"]][:3]
    if topics:
        listed = "、".join(f"{row['label']}{row['count']}条" for row in topics)
        said.append(f"新增条目主要涉及{listed}。")
    peak = max(posts["by_time"], key=lambda row: row["count"], default=None)
    if peak and posts["total"] and len(posts["by_time"]) > 1:
        said.append(f"帖文最多的是{peak['label']}，{peak['count']}条。")
    if told["events"]:
        top = told["events"][0]
        said.append(f"传播最广的是“{top['title']}”（{top['number']}），相关帖文{top['posts']}条。")
    rising = [one["word"] for one in told["keywords"]][:_NAMED]
    if rising and told["keywords_past"]:
        said.append(f"与前几期相比，提到“{'”“'.join(rising)}”的帖文明显增多。")
    return said


def advice(told: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """What the figures ask for; each names what it is about. Nothing to ask for: empty."""
    said = []
    handling = told["handling"]
    if handling["overdue"]:
        said.append(
            f"督促办结超时条目：现有{len(handling['overdue'])}条超时"
            f"（{_named(row['number'] for row in handling['overdue'])}），"
            "请责任处室说明原因并限期办理。"
        )
    grave = [row["number"] for row in told["key"] if row["open"] and row["level"] in {"I", "II"}]
    if grave:
        said.append(f"持续跟进重大及以上条目：{_named(grave)}尚未办结，请保持专人盯办、及时续报。")
    rumours = [row["number"] for row in told["rumours"]["items"] if row["open"]]
    if rumours:
        said.append(f"及时发布权威信息：{_named(rumours)}涉及不实信息，请核实后依法予以澄清。")
    blind = [row["name"] for row in told["channels"] if row["unread_minutes"]]
    if blind:
        said.append(
            f"排查采集中断：{_named(blind)}{words['this']}监测有中断，请核对账号、网络和授权。"
        )
    silent = [row["title"] for row in told["own"]["silent"]]
    if silent:
        said.append(
            f"恢复渠道更新：{words['this']}有{len(silent)}条渠道静默提示，请栏目主办处室按期更新。"
        )
    tampered = told["own"]["tampered"]
    if tampered:
        numbers = _named(row["number"] for row in tampered)
        said.append(f"处理页面异常改动：{numbers}，请会同网站运维单位查明原因、恢复原貌。")
    if handling["undelivered"]:
        many = sum(row["count"] for row in handling["undelivered"])
        said.append(f"核对接收人地址：有{many}条通知未送达，请核对邮箱并补报。")
    days = [f"{row['name']}（{row['days']}）" for row in told["ahead"]["days"]]
    if days:
        said.append(f"做好{words['next']}重要日期值守：{_named(days)}期间，请加强值班和信息发布。")
    return said


def _named(names: Iterable[str]) -> str:
    every: Sequence[str] = list(dict.fromkeys(names))
    more = f"等{len(every)}项" if len(every) > _NAMED else ""
    return "、".join(every[:_NAMED]) + more


def _count(rows: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(row["count"]) for row in rows if row["key"] == key)
