"""六、关注, 七、工作建议 and the appendix: what comes, what to do, and every item."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.digest.issues import drafted
from alerts.digest.model import Block, Run, body, note, table
from alerts.digest.reporting import Report, when
from store.records import Level


def ahead(report: Report) -> Iterable[Block]:
    told = report.told["ahead"]
    if told["days"]:
        yield table(
            f"重要日期（{told['shown']}）",
            ["日期", "事项", "提示"],
            [[row["days"], row["name"], row["note"] or "—"] for row in told["days"]],
            [4, 5, 7],
        )
    else:
        days = f"（{told['shown']}）" if told["shown"] else ""
        yield body(f"重要日期{days}：无。")
    open_ = [row for row in report.told["key"] if row["open"]]
    if open_:
        yield body(
            "需继续跟踪的重点舆情：",
            *report.numbers([row["number"] for row in open_]),
            "。",
        )


def advice(report: Report) -> Iterable[Block]:
    _, words = drafted(report.row, report.settings)
    lines = [line.strip() for line in words.split("\n") if line.strip()]
    for number, line in enumerate(lines, 1):
        numbered = line if report.row.get("advice") or len(lines) == 1 else f"{number}. {line}"
        yield body(numbered)
    if not lines:
        yield body(report.none)


def appendix(report: Report) -> Iterable[Block]:
    if not report.listed:
        yield body(report.none)
        return
    yield table(
        f"{report.words['this']}新增条目",
        ["序号", "编号", "等级", "标题", "渠道", "类别", "状态", "发现时间"],
        [
            [number, report.desk(row["number"]), f"{Level(row['level']).numeral}级",
             Run(row["title"], url=row["url"]), row["channel"], row["topic"],
             row["state"], row["discovered"][when(report.listed)]]
            for number, row in enumerate(report.listed, 1)
        ],
        [10, 23, 10, 52, 14, 19, 13, 15], "rlclllll", lead=3,
        anchors=[f"n{number}" for number in range(1, len(report.listed) + 1)],
    )  # fmt: skip
    left = report.told["items"]["total"] - len(report.listed)
    if left > 0:
        yield note(f"另有 {left} 条等级较低的条目未列出，见条目清单（CSV）。")
