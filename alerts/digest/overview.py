"""一、总体情况: how much, from where, of what tone and level, about what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerts.digest import charts
from alerts.digest.drafting import compared
from alerts.digest.glyphs import printable
from alerts.digest.issues import drafted, kind_of
from alerts.digest.model import Block, Heading, Run, Text, body, chart, note, table
from alerts.digest.reporting import Report
from store.records import Level, Tone


def overview(report: Report) -> Iterable[Block]:
    """In five parts; the last is a person's, or the draft's, judgement."""
    yield from _trend(report)
    yield from _channels(report)
    yield from _levels(report)
    yield from _hot(report)
    yield from _opinion(report)


def _trend(report: Report) -> Iterable[Block]:
    told, words = report.told, report.words
    posts, items = told["posts"], told["items"]
    yield Heading("（一）总量与走势", 2)
    before, ago = told["before"], told["year_ago"]
    negative = _count(posts["by_tone"], "negative")
    lines = [
        ("采集帖文", "posts", posts["total"]), ("其中负面", "negative", negative),
        ("新增条目", "items", items["total"]), ("重大及以上", "grave", items["grave"]),
    ]  # fmt: skip
    rows: list[list[str | int | Run | Text]] = [
        [
            name,
            report.total(key, now),
            _or_dash(before, key),
            compared(now, before.get(key), words["before"]) or "—" if before else "—",
            _or_dash(ago, key),
        ]
        for name, key, now in lines
    ]  # fmt: skip
    yield table(
        "主要数字（单位：条）",
        ["指标", words["this"], words["before"], "变化", words["year"]],
        rows, [3, 2, 2, 5, 2], "lrrcr",
    )  # fmt: skip
    if before is None or ago is None:
        lacking = [w for w, v in ((words["before"], before), (words["year"], ago)) if v is None]
        yield note(f"{'、'.join(lacking)}无可比数据。")
    slots = posts["by_time"]
    if slots and posts["total"]:
        lines_ = [
            _line("帖文", "plain", slots, "count"),
            _line("负面", "negative", slots, "negative"),
        ]
        unit = "每小时" if len(slots) == 24 and slots[0]["key"] == "00" else "每日"
        title = f"{unit}帖文走势"
        days = [_short(row["label"]) for row in slots]
        yield chart(title, "条", charts.trend(title, "条", days, lines_, charts.PAPER), lines_)
    if slots and (posts["total"] or items["total"]):
        found = {row["key"]: row["count"] for row in items["by_time"]}
        each = "逐时" if len(slots) == 24 and slots[0]["key"] == "00" else "逐日"
        yield table(
            f"{each}情况（单位：条）",
            ["时间", "帖文", "负面", "触发预警", "新增条目"],
            [
                [row["label"], row["count"], row["negative"], row["flagged"],
                 found.get(row["key"], 0)]
                for row in slots
            ] + [["合计", *(sum(r[n] for r in slots) for n in ("count", "negative", "flagged")),
                  sum(found.values())]],
            [3, 2, 2, 2, 2], "lrrrr", total=True,
        )  # fmt: skip


def _channels(report: Report) -> Iterable[Block]:
    yield Heading("（二）渠道分布", 2)
    rows = report.told["posts"]["by_channel"]
    if not rows:
        yield body(report.none)
        return
    watch = {row["id"]: row["words"] for row in report.told["channels"]}
    if report.told["posts"]["total"]:
        drawn = [
            charts.Row(
                label=printable(row["label"]),
                parts=tuple(
                    charts.Part(label=tone.label, value=row[tone.value], kind=tone.value)
                    for tone in Tone
                ),
            )
            for row in rows
            if row["count"]
        ]
        title = "各渠道帖文及情感"
        yield chart(title, "条", charts.bars(title, "条", drawn, charts.PAPER), drawn)
    yield table(
        "各渠道帖文（单位：条）",
        ["渠道", *(tone.label for tone in Tone), "合计", "触发预警", "监测情况"],
        [
            [row["label"], *(row[tone.value] for tone in Tone),
             report.posts(row["count"], channel=row["key"]), row["flagged"],
             watch.get(row["key"], "—")]
            for row in rows
        ] + [[
            "合计", *(sum(row[tone.value] for row in rows) for tone in Tone),
            report.posts(sum(row["count"] for row in rows)),
            sum(row["flagged"] for row in rows), "",
        ]],
        [4, 2, 2, 2, 2, 2, 3, 4], "lrrrrrrl", total=True,
    )  # fmt: skip


def _levels(report: Report) -> Iterable[Block]:
    posts, items = report.told["posts"], report.told["items"]
    yield Heading("（三）情感与等级分布", 2)
    whole = posts["total"]
    if not whole and not items["total"]:
        yield body(report.none)
        return
    yield table(
        "帖文情感（单位：条）",
        ["情感", "帖文", "占比"],
        [
            [row["label"], report.posts(row["count"], tone=row["key"]),
             _part(row["count"], whole)]
            for row in posts["by_tone"]
        ] + [["合计", report.posts(whole), _part(whole, whole)]],
        [3, 2, 2], "lrr", total=True,
    )  # fmt: skip
    if items["total"]:
        drawn = [
            charts.Row(
                label=f"{Level(row['key']).numeral} {row['label']}",
                parts=(charts.Part(label=row["label"], value=row["count"], kind=row["key"]),),
            )
            for row in items["by_level"]
        ]
        title = "新增条目等级"
        yield chart(title, "条", charts.bars(title, "条", drawn, charts.PAPER), drawn)
    seen = {row["key"]: row["count"] for row in posts["by_level"]}
    yield table(
        "等级（单位：条）",
        ["等级", "帖文", "条目", "条目在附件中的序号"],
        [
            [f"{Level(row['key']).numeral}级（{row['label']}）", seen.get(row["key"], 0),
             row["count"], report.where("level", row["key"])]
            for row in items["by_level"]
        ]
        + [["未预警", seen.get("", 0), "—", ""],
           ["合计", sum(seen.values()), report.items(items["total"]), ""]],
        [4, 2, 2, 8], "lrrl", total=True,
    )  # fmt: skip
    if items["total"]:
        parts = (
            ("类别", items["by_topic"], "topic_id"), ("状态", items["by_state"], "state_id"),
            ("渠道", items["by_channel"], "channel_id"),
        )  # fmt: skip
        yield table(
            "新增条目分布（单位：条，各类合计相同）",
            ["分类", "项目", "条目", "在附件中的序号"],
            [[what, row["label"], row["count"], report.where(key, row["key"])]
             for what, rows, key in parts for row in rows]
            + [["合计", "", report.items(items["total"]), ""]],
            [2, 5, 2, 10], "llrl", total=True,
        )  # fmt: skip


def _hot(report: Report) -> Iterable[Block]:
    told = report.told
    yield Heading("（四）关键词与热点事件", 2)
    if told["keywords"]:
        past = told["keywords_past"]
        unit = {"weekly": "周", "daily": "日", "monthly": "月"}.get(kind_of(report.row), "期")
        yield table(
            "关键词（预警和负面帖文，单位：条）",
            ["关键词", report.words["this"], f"前{past}{unit}平均" if past else "此前"],
            [[one["word"], one["count"], one["before"] if past else "—"]
             for one in told["keywords"]],
            [4, 2, 3], "lrr",
        )  # fmt: skip
    else:
        yield body(f"关键词：{report.none}。")
    if told["events"]:
        yield table(
            "传播较广的事件",
            ["编号", "等级", "标题", "相关帖文（条）"],
            [[report.number(one["number"]), Level(one["level"]).label, one["title"],
              one["posts"]] for one in told["events"]],
            [3, 2, 8, 3], "lllr",
        )  # fmt: skip
    else:
        yield body(f"多人反映的同一事件：{report.none}。")


def _opinion(report: Report) -> Iterable[Block]:
    yield Heading("（五）总体研判", 2)
    words, _ = drafted(report.row, report.settings)
    yield from map(body, [line for line in words.split("\n") if line.strip()] or [report.none])


def _line(label: str, kind: str, slots: Sequence[Mapping[str, Any]], key: str) -> charts.Row:
    return charts.Row(
        label=label,
        parts=tuple(charts.Part(label=row["label"], value=row[key], kind=kind) for row in slots),
    )


def _short(label: str) -> str:
    return label.replace("月", "/").removesuffix("日") if "月" in label else label


def _part(count: int, whole: int) -> str:
    return f"{count / whole:.1%}" if whole else "—"


def _or_dash(told: Mapping[str, Any] | None, key: str) -> str:
    return "—" if told is None or key not in told else str(told[key])


def _count(rows: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(row["count"]) for row in rows if row["key"] == key)
