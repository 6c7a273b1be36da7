"""One case in words: facts, spread, views, judgement, progress; for a digest and for a 专报."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerts.digest.model import Block, Run, body, quote
from store.records import Level


def case_blocks(one: Mapping[str, Any], number: Run) -> Iterable[Block]:
    """One item told at length, as a digest has it."""
    yield body(Run("基本情况：", bold=True), *facts(one, number))
    yield body(Run("传播情况：", bold=True), spread_words(one["spread"]))
    title = Run("网民主要观点：", bold=True)
    if len(one["views"]) > 1:
        yield body(title)
        yield from view_blocks(one["views"])
    else:  # a lone one needs no line of its own
        yield body(title, *(map(_view, one["views"])), "" if one["views"] else "未采集到公众发言。")
    yield body(
        Run("研判：", bold=True),
        "；".join(
            f"{_brief(row['at'], one['discovered'])} {row['by']}：{row['note'].rstrip('。；')}"
            for row in one["judged"]
        )
        + "。"
        if one["judged"]
        else "尚无研判记录。",
    )
    yield body(Run("处置进展：", bold=True), progress_words(one))


def facts(one: Mapping[str, Any], number: Run) -> Iterable[str | Run]:
    """What is known of it, in one sentence after the other."""
    where = one["channel"] + (f"“{one['column']}”" if one["column"] else "")
    what = one["kind"] or "情况"
    level = Level(one["level"])
    yield number
    if one["published"]:
        yield f"，{one['published']}在{where}发布的{what}"
        yield Run("（原文）", url=one["url"]) if one["url"] else ""
        yield f"，{_brief(one['discovered'], one['published'])}由系统发现"
        yield f"（发布后{one['after']}）" if one["after"] else ""
    else:
        yield f"，{one['discovered']}由系统在{where}发现"
        yield Run("（原文）", url=one["url"]) if one["url"] else ""
    yield f"。类别：{one['topics']}；等级：{level.numeral}级（{level.label}）"
    yield f"；情感：{one['tone']}。" if one["tone"] else "。"
    if one["reasons"]:
        yield f"预警依据：{'；'.join(reason.rstrip('。；') for reason in one['reasons'])}。"


def _brief(at: str, beside: str) -> str:
    """07-21 09:56 where the year stands beside it already."""
    return at[5:] if at[:4] == beside[:4] else at


def spread_words(told: Mapping[str, Any]) -> str:
    if not told["total"]:
        return "无对应帖文（由值守检查发现）。"
    places = "、".join(f"{row['label']}{row['count']}条" for row in told["by_channel"])
    tones = "、".join(f"{row['label']}{row['count']}条" for row in told["by_tone"])
    words = f"相关帖文{'至少' if told['capped'] else ''}{told['total']}条：{places}；{tones}。"
    if told["first"] != told["last"]:
        words += f"最早{told['first']}，最近{_brief(told['last'], told['first'])}"
        peak = max(told["by_day"], key=lambda row: row["count"])
        if len(told["by_day"]) > 1 and peak["count"] > 1:
            words += f"，最多的一天是{peak['label'][5:]}（{peak['count']}条）"
        words += "。"
    return words


def view_blocks(views: Sequence[Mapping[str, Any]]) -> Iterable[Block]:
    """Each view as it was written, with how many others say nearly the same."""
    yield from (quote(_view(view)) for view in views)


def _view(view: Mapping[str, Any]) -> str:
    like = f"，相近意见共{view['like']}条" if view["like"] > 1 else ""
    return f"［{view['tone']}］“{view['text']}”（{view['channel']}，{view['at'][5:]}{like}）"


def progress_words(one: Mapping[str, Any]) -> str:
    """Each step with its day where that changes; what stands under 研判 is not said again."""
    judged = {(row["at"], row["note"]) for row in one["judged"]}
    steps, day = [], ""
    for row in one["steps"]:
        at = row["at"][11:] if row["at"][:10] == day else _brief(row["at"], one["discovered"])
        day = row["at"][:10]
        note = "" if (row["at"], row["note"]) in judged else row["note"].rstrip("。；")
        steps.append(f"{at} {row['what']}（{row['by']}）" + (f"：{note}" if note else ""))
    left = f"此前另有{one['left']}次变动；" if one["left"] else ""
    office = f"，责任处室：{one['office']}" if one["office"] else ""
    closed = _brief(one["closed"], one["discovered"])
    ended = f"，{closed}办结，历时{one['lasted']}" if one["closed"] else ""
    told = f"{'；'.join(steps)}。" if steps else ""
    return f"{left}{told}现状：{one['state']}{office}{ended}。"
