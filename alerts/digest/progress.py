"""二、重点舆情 and 三、处置与时限: what weighs most, and how far everything has come."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.digest.casewords import case_blocks
from alerts.digest.model import Block, Heading, body, note, table
from alerts.digest.reporting import LATE, Report, beyond
from alerts.digest.timeliness import share
from store.records import Level

_FEW = 10  #: numbers named in one line


def key_cases(report: Report) -> Iterable[Block]:
    if not report.told["key"]:
        yield body(report.none)
        return
    for number, one in enumerate(report.told["key"], 1):
        label = Level(one["level"]).label
        yield Heading(f"{number}. 【{label}】{one['title']}", 3, anchor=f"k{number}")
        yield from case_blocks(one, report.number(one["number"]))
    more = report.told["items"]["grave"] - sum(
        one["level"] in {"I", "II"} for one in report.told["key"]
    )
    if more > 0:
        yield note(f"另有重大及以上条目 {more} 条，见附件。")


def handling(report: Report) -> Iterable[Block]:
    told, this = report.told["handling"], report.words["this"]
    open_ = told["standing_total"] or report.told["items"]["open"] + told["carried"]
    yield body(
        f"{this}办结 {told['closed']} 条；以前发现、尚未办结 {told['carried']} 条；"
        f"现未办结共 {open_} 条，"
        f"其中超时 {len(told['overdue'])} 条。"
    )
    yield Heading("（一）各环节按时情况", 2)
    if told["stages"]:
        yield table(
            f"{this}完成的环节和正在办的环节（单位：次）",
            ["环节", "完成", "按时", "超时", "按时率", "用时中位", "用时最长", "在办",
             "已超时"],
            [[row["label"], row["done"], row["in_time"], row["late"], share(row),
              row["median"] or "—", row["longest"] or "—", row["running"], row["overdue"]]
             for row in told["stages"]],
            [3, 2, 2, 2, 3, 4, 4, 2, 3], "lrrrrrrrr",
        )  # fmt: skip
        late = list(dict.fromkeys(n for row in told["stages"] for n in row["late_items"]))
        if late:
            more = f"等{len(late)}条" if len(late) > _FEW else ""
            yield note("超时完成的条目：", *report.numbers(late[:_FEW]), more)
    else:
        yield body(report.none)
    yield Heading("（二）超时清单", 2)
    if told["overdue"]:
        yield table(
            "生成时仍超时的条目",
            ["编号", "等级", "标题", "状态", "已停留"],
            [[report.number(row["number"]), Level(row["level"]).label, row["title"],
              row["state"], row["since"]] for row in told["overdue"][:LATE]],
            [5, 4, 11, 3, 5],
        )  # fmt: skip
        yield from beyond(len(told["overdue"]))
    else:
        yield body("现无")
    yield Heading("（三）其他未办结条目", 2)
    rest = [row for row in told["standing"] if not row["late"]]
    if rest:
        yield table(
            "截至生成时未办结、未超时的条目",
            ["编号", "等级", "标题", "状态", "责任处室", "距发现"],
            [[report.number(row["number"]), Level(row["level"]).label, row["title"],
              row["state"], row["office"] or "—", row["age"]] for row in rest[:LATE]],
            [5, 4, 9, 3, 4, 5],
        )  # fmt: skip
        yield from beyond(told["standing_total"] - len(told["overdue"]))
    else:
        yield body("现无")
    yield Heading("（四）未送达的通知", 2)
    if told["undelivered"]:
        yield table(
            "截至生成时未送达的通知",
            ["接收人", "条数", "情况", "最早", "对方答复"],
            [[row["recipient"], row["count"], row["state"], row["since"], row["reply"] or "—"]
             for row in told["undelivered"][:LATE]],
            [5, 2, 2, 4, 5], "lrlll",
        )  # fmt: skip
        yield from beyond(len(told["undelivered"]))
    else:
        yield body("现无")
