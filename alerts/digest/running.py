"""四、自有渠道 and 五、谣言与误读: what is wrong with what we run, and with what is told."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.digest.model import Block, Heading, Run, body, note, table
from alerts.digest.reporting import LATE, Report, beyond, when
from store.records import Level

_TOLD = 3  #: items in sentences; more of them stand in a table


def own_channels(report: Report) -> Iterable[Block]:
    told, this = report.told, report.words["this"]
    if told["channels"]:
        yield table(
            "各渠道运行情况",
            ["渠道", "发布（篇）", "采集（次）", "失败（次）", "读取失败（页）", "监测情况",
             "最近成功"],
            [[row["name"], row.get("own", "—"), row["runs"], row["failed_runs"],
              row["failed_fetches"], row["words"], row["last_success"] or "无"]
             for row in told["channels"]],
            [4, 3, 3, 3, 4, 6, 7], "lrrrrll",
        )  # fmt: skip
    else:
        yield body(report.none)
    for title, rows in (
        ("（一）渠道静默", told["own"]["silent"]),
        ("（二）页面异常改动", told["own"]["tampered"]),
    ):
        yield Heading(title, 2)
        for row in rows[:LATE]:
            yield body(
                report.number(row["number"]),
                f"，{row['title']}（{row['discovered']}发现，{row['state']}）",
            )
        yield from beyond(len(rows))
        if not rows:
            yield body(report.none)
    yield Heading("（三）监测中断", 2)
    blind = [row for row in told["channels"] if row["words"] != "正常"]
    for row in blind:
        yield body(
            f"{row['name']}：{row['words']}；"
            f"{this}采集 {row['runs']} 次，失败 {row['failed_runs']} 次。"
        )
    if not blind:
        yield body(report.none)
    yield Heading("（四）系统告警（不计入舆情条目）", 2)
    for row in told["alarms"][:30]:
        yield body(f"{row['number']}，{row['title']}（{row['discovered']}，{row['state']}）")
    if len(told["alarms"]) > 30:
        yield note(f"另有 {len(told['alarms']) - 30} 条。")
    if not told["alarms"]:
        yield body(report.none)


def rumours(report: Report) -> Iterable[Block]:
    told = report.told["rumours"]
    yield Heading("（一）涉及不实信息的条目", 2)
    if len(told["items"]) > _TOLD:
        yield table(
            "涉及不实信息的条目",
            ["编号", "等级", "标题", "渠道", "状态", "发现时间"],
            [[report.number(row["number"]), Level(row["level"]).label, row["title"],
              row["channel"], row["state"], row["discovered"][when(told["items"])]]
             for row in told["items"][:LATE]],
            [6, 4, 12, 5, 4, 4],
        )  # fmt: skip
    else:
        for row in told["items"]:
            yield body(
                report.number(row["number"]),
                f"，【{Level(row['level']).label}】{row['title']}"
                f"（{row['channel']}，{row['discovered']}发现，{row['state']}）",
            )
    yield from beyond(len(told["items"]))
    if not told["items"]:
        yield body(report.none)
    yield Heading("（二）已发布的澄清说明", 2)
    for row in told["clarifications"]:
        yield body(Run(f"《{row['title']}》", url=row["url"]), f"（{row['channel']}，{row['at']}）")
    if not told["clarifications"]:
        yield body(report.none)
