"""What a digest says, section by section, from its frozen row: the one content of every format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from alerts.digest import charts
from alerts.digest.casewords import case_blocks
from alerts.digest.drafting import compared
from alerts.digest.figures import WORDS
from alerts.digest.glyphs import printable
from alerts.digest.model import (
    APPENDIX,
    Block,
    Document,
    Heading,
    Paragraph,
    Run,
    Text,
    body,
    chart,
    note,
    table,
    text,
)
from alerts.digest.timeliness import share
from config.clock import SHANGHAI, shown
from config.settings import Settings
from store.records import Level, Tone

LISTED = 100  #: items in a letter; the rest are counted there and listed in the CSV
PRINTED = 500  #: … in a file
UNREAD = "未审核稿"

_NAMES = {"weekly": "周报", "daily": "日报", "monthly": "月报", "special": "专题报告"}
_LATE = 30  #: lines of a list inside the text
_TOLD = 3  #: items in sentences; more of them stand in a table
_FEW = 10  #: numbers named in one line
_SEEN = 14  #: numbers of the appendix written out in one cell

#: What rows frozen by an older program lack.
_LACKING: Mapping[str, Any] = {
    "label": "", "before": None, "year_ago": None, "key": [], "events": [], "keywords": [],
    "keywords_past": 0, "own": {"silent": [], "tampered": []}, "alarms": [],
    "rumours": {"items": [], "clarifications": []}, "ahead": {"days": [], "shown": ""},
    "opinion": [], "advice": [], "channels": [], "issue": 0,
}  # fmt: skip


def document_of(row: Mapping[str, Any], settings: Settings, *, listed: int = PRINTED) -> Document:
    """The whole report of one row of `digests`."""
    told = completed(row)
    words = WORDS.get(kind_of(row), WORDS["special"])
    made = _Content(row, told, settings, words, listed)
    return Document(
        title=f"{name_of(row)} {told['label']}",
        red=f"网络舆情{_NAMES.get(kind_of(row), '周报')}",
        issue=issue_of(row),
        agency=settings.agency.name,
        date=_date(row),
        signer=row.get("approved_by") or settings.digest.signer,
        mark=mark_of(row, settings),
        heading=f"{told['days']}网络舆情情况",
        blocks=tuple(made.blocks()),
        foot=(
            "帖文按首次采集时间、条目按发现时间计入；状态与超时为生成时的情况；演练不计。",
            "正文数字均由系统按入库记录统计，观点摘自原帖，未作改写。",
            f"生成时间 {shown(row['built_at'], seconds=True)}"
            + (f"；{row['edited_by']}修改" if row.get("edited_by") else ""),
        ),
        made=row["built_at"],
    )


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
    name = f"舆情{_NAMES.get(kind_of(row), '周报')}"
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


def _date(row: Mapping[str, Any]) -> str:
    day = row["built_at"].astimezone(SHANGHAI)
    return f"{day.year}年{day.month}月{day.day}日"


class _Content:
    """Writes the sections of one report."""

    def __init__(
        self,
        row: Mapping[str, Any],
        told: Mapping[str, Any],
        settings: Settings,
        words: Mapping[str, str],
        listed: int,
    ) -> None:
        self.row, self.told, self.settings, self.words = row, told, settings, words
        self.list = told["items"]["list"][:listed]
        self.base = settings.console.public_url.rstrip("/")
        self.none = f"{words['this']}无"

    def blocks(self) -> Iterable[Block]:
        if not self.told["complete"]:
            yield Paragraph(
                text(f"{self.words['this']}尚未结束，数字截至 {self.told['as_of']}。"), "warning"
            )
        yield body(summary(self.told, self.words))
        yield Heading(f"一、{self.words['this']}舆情总体情况")
        yield from self._trend()
        yield from self._channels()
        yield from self._levels()
        yield from self._hot()
        yield from self._opinion()
        yield Heading("二、重点舆情")
        yield from self._key()
        yield Heading("三、处置与时限情况")
        yield from self._handling()
        yield Heading("四、自有渠道运行情况")
        yield from self._own()
        yield Heading("五、谣言与误读情况")
        yield from self._rumours()
        yield Heading(f"六、{self.words['next']}关注")
        yield from self._ahead()
        yield Heading("七、工作建议")
        yield from self._advice()
        yield Heading("附件：条目清单", anchor=APPENDIX)
        yield from self._list()

    # --- 一 ---

    def _trend(self) -> Iterable[Block]:
        told, words = self.told, self.words
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
                self._total(key, now),
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

    def _channels(self) -> Iterable[Block]:
        yield Heading("（二）渠道分布", 2)
        rows = self.told["posts"]["by_channel"]
        if not rows:
            yield body(self.none)
            return
        watch = {row["id"]: row["words"] for row in self.told["channels"]}
        if self.told["posts"]["total"]:
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
                 self._posts(row["count"], channel=row["key"]), row["flagged"],
                 watch.get(row["key"], "—")]
                for row in rows
            ] + [[
                "合计", *(sum(row[tone.value] for row in rows) for tone in Tone),
                self._posts(sum(row["count"] for row in rows)),
                sum(row["flagged"] for row in rows), "",
            ]],
            [4, 2, 2, 2, 2, 2, 3, 4], "lrrrrrrl", total=True,
        )  # fmt: skip

    def _levels(self) -> Iterable[Block]:
        posts, items = self.told["posts"], self.told["items"]
        yield Heading("（三）情感与等级分布", 2)
        whole = posts["total"]
        if not whole and not items["total"]:
            yield body(self.none)
            return
        yield table(
            "帖文情感（单位：条）",
            ["情感", "帖文", "占比"],
            [
                [row["label"], self._posts(row["count"], tone=row["key"]),
                 _part(row["count"], whole)]
                for row in posts["by_tone"]
            ] + [["合计", self._posts(whole), _part(whole, whole)]],
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
                 row["count"], self._where("level", row["key"])]
                for row in items["by_level"]
            ]
            + [["未预警", seen.get("", 0), "—", ""],
               ["合计", sum(seen.values()), self._items(items["total"]), ""]],
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
                [[what, row["label"], row["count"], self._where(key, row["key"])]
                 for what, rows, key in parts for row in rows]
                + [["合计", "", self._items(items["total"]), ""]],
                [2, 5, 2, 10], "llrl", total=True,
            )  # fmt: skip

    def _hot(self) -> Iterable[Block]:
        told = self.told
        yield Heading("（四）关键词与热点事件", 2)
        if told["keywords"]:
            past = told["keywords_past"]
            unit = {"weekly": "周", "daily": "日", "monthly": "月"}.get(kind_of(self.row), "期")
            yield table(
                "关键词（预警和负面帖文，单位：条）",
                ["关键词", self.words["this"], f"前{past}{unit}平均" if past else "此前"],
                [[one["word"], one["count"], one["before"] if past else "—"]
                 for one in told["keywords"]],
                [4, 2, 3], "lrr",
            )  # fmt: skip
        else:
            yield body(f"关键词：{self.none}。")
        if told["events"]:
            yield table(
                "传播较广的事件",
                ["编号", "等级", "标题", "相关帖文（条）"],
                [[self._number(one["number"]), Level(one["level"]).label, one["title"],
                  one["posts"]] for one in told["events"]],
                [3, 2, 8, 3], "lllr",
            )  # fmt: skip
        else:
            yield body(f"多人反映的同一事件：{self.none}。")

    def _opinion(self) -> Iterable[Block]:
        yield Heading("（五）总体研判", 2)
        words, _ = drafted(self.row, self.settings)
        yield from map(body, [line for line in words.split("\n") if line.strip()] or [self.none])

    # --- 二 ---

    def _key(self) -> Iterable[Block]:
        if not self.told["key"]:
            yield body(self.none)
            return
        for number, one in enumerate(self.told["key"], 1):
            label = Level(one["level"]).label
            yield Heading(f"{number}. 【{label}】{one['title']}", 3, anchor=f"k{number}")
            yield from case_blocks(one, self._number(one["number"]))
        more = self.told["items"]["grave"] - sum(
            one["level"] in {"I", "II"} for one in self.told["key"]
        )
        if more > 0:
            yield note(f"另有重大及以上条目 {more} 条，见附件。")

    # --- 三 ---

    def _handling(self) -> Iterable[Block]:
        told, this = self.told["handling"], self.words["this"]
        open_ = told["standing_total"] or self.told["items"]["open"] + told["carried"]
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
                yield note("超时完成的条目：", *self._numbers(late[:_FEW]), more)
        else:
            yield body(self.none)
        yield Heading("（二）超时清单", 2)
        if told["overdue"]:
            yield table(
                "生成时仍超时的条目",
                ["编号", "等级", "标题", "状态", "已停留"],
                [[self._number(row["number"]), Level(row["level"]).label, row["title"],
                  row["state"], row["since"]] for row in told["overdue"][:_LATE]],
                [5, 4, 11, 3, 5],
            )  # fmt: skip
            yield from _left(len(told["overdue"]))
        else:
            yield body("现无")
        yield Heading("（三）其他未办结条目", 2)
        rest = [row for row in told["standing"] if not row["late"]]
        if rest:
            yield table(
                "截至生成时未办结、未超时的条目",
                ["编号", "等级", "标题", "状态", "责任处室", "距发现"],
                [[self._number(row["number"]), Level(row["level"]).label, row["title"],
                  row["state"], row["office"] or "—", row["age"]] for row in rest[:_LATE]],
                [5, 4, 9, 3, 4, 5],
            )  # fmt: skip
            yield from _left(told["standing_total"] - len(told["overdue"]))
        else:
            yield body("现无")
        yield Heading("（四）未送达的通知", 2)
        if told["undelivered"]:
            yield table(
                "截至生成时未送达的通知",
                ["接收人", "条数", "情况", "最早", "对方答复"],
                [[row["recipient"], row["count"], row["state"], row["since"], row["reply"] or "—"]
                 for row in told["undelivered"][:_LATE]],
                [5, 2, 2, 4, 5], "lrlll",
            )  # fmt: skip
            yield from _left(len(told["undelivered"]))
        else:
            yield body("现无")

    # --- 四 ---

    def _own(self) -> Iterable[Block]:
        told, this = self.told, self.words["this"]
        if told["channels"]:
            yield table(
                "各渠道运行情况",
                ["渠道", "发布（篇）", "采集（次）", "失败（次）", "读取失败（页）", "监测情况",
                 "最近成功"],
                [[row["name"], row.get("own", "—"), row["runs"], row["failed_runs"],
                  row["failed_fetches"], row["words"], row["last_success"] or "无"]
                 for row in told["channels"]],
                [4, 2, 2, 2, 3, 5, 6], "lrrrrll",
            )  # fmt: skip
        else:
            yield body(self.none)
        for title, rows in (
            ("（一）渠道静默", told["own"]["silent"]),
            ("（二）页面异常改动", told["own"]["tampered"]),
        ):
            yield Heading(title, 2)
            for row in rows[:_LATE]:
                yield body(
                    self._number(row["number"]),
                    f"，{row['title']}（{row['discovered']}发现，{row['state']}）",
                )
            yield from _left(len(rows))
            if not rows:
                yield body(self.none)
        yield Heading("（三）监测中断", 2)
        blind = [row for row in told["channels"] if row["words"] != "正常"]
        for row in blind:
            yield body(
                f"{row['name']}：{row['words']}；"
                f"{this}采集 {row['runs']} 次，失败 {row['failed_runs']} 次。"
            )
        if not blind:
            yield body(self.none)
        yield Heading("（四）系统告警（不计入舆情条目）", 2)
        for row in told["alarms"][:30]:
            yield body(f"{row['number']}，{row['title']}（{row['discovered']}，{row['state']}）")
        if len(told["alarms"]) > 30:
            yield note(f"另有 {len(told['alarms']) - 30} 条。")
        if not told["alarms"]:
            yield body(self.none)

    # --- 五、六、七 ---

    def _rumours(self) -> Iterable[Block]:
        told = self.told["rumours"]
        yield Heading("（一）涉及不实信息的条目", 2)
        if len(told["items"]) > _TOLD:
            yield table(
                "涉及不实信息的条目",
                ["编号", "等级", "标题", "渠道", "状态", "发现时间"],
                [[self._number(row["number"]), Level(row["level"]).label, row["title"],
                  row["channel"], row["state"], row["discovered"][_when(told["items"])]]
                 for row in told["items"][:_LATE]],
                [5, 3, 11, 5, 3, 4],
            )  # fmt: skip
        else:
            for row in told["items"]:
                yield body(
                    self._number(row["number"]),
                    f"，【{Level(row['level']).label}】{row['title']}"
                    f"（{row['channel']}，{row['discovered']}发现，{row['state']}）",
                )
        yield from _left(len(told["items"]))
        if not told["items"]:
            yield body(self.none)
        yield Heading("（二）已发布的澄清说明", 2)
        for row in told["clarifications"]:
            yield body(
                Run(f"《{row['title']}》", url=row["url"]), f"（{row['channel']}，{row['at']}）"
            )
        if not told["clarifications"]:
            yield body(self.none)

    def _ahead(self) -> Iterable[Block]:
        told = self.told["ahead"]
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
        open_ = [row for row in self.told["key"] if row["open"]]
        if open_:
            yield body(
                "需继续跟踪的重点舆情：",
                *self._numbers([row["number"] for row in open_]),
                "。",
            )

    def _advice(self) -> Iterable[Block]:
        _, words = drafted(self.row, self.settings)
        lines = [line.strip() for line in words.split("\n") if line.strip()]
        for number, line in enumerate(lines, 1):
            numbered = line if self.row.get("advice") or len(lines) == 1 else f"{number}. {line}"
            yield body(numbered)
        if not lines:
            yield body(self.none)

    # --- 附件 ---

    def _list(self) -> Iterable[Block]:
        if not self.list:
            yield body(self.none)
            return
        yield table(
            f"{self.words['this']}新增条目",
            ["序号", "编号", "等级", "标题", "渠道", "类别", "状态", "发现时间"],
            [
                [number, self._desk(row["number"]), f"{Level(row['level']).numeral}级",
                 Run(row["title"], url=row["url"]), row["channel"], row["topic"],
                 row["state"], row["discovered"][_when(self.list)]]
                for number, row in enumerate(self.list, 1)
            ],
            [10, 23, 10, 52, 14, 19, 13, 15], "rlclllll", lead=3,
            anchors=[f"n{number}" for number in range(1, len(self.list) + 1)],
        )  # fmt: skip
        left = self.told["items"]["total"] - len(self.list)
        if left > 0:
            yield note(f"另有 {left} 条等级较低的条目未列出，见条目清单（CSV）。")

    # --- what a number leads to ---

    def _where(self, key: str, value: Any) -> Text:
        """The places in the appendix, as links: 1–3、7."""
        found = [n for n, row in enumerate(self.list, 1) if row.get(key, "") == value]
        runs: list[Run] = []
        for first, last in _stretches(found)[:_SEEN]:
            words = str(first) if first == last else f"{first}–{last}"
            runs += [Run("、")] if runs else []
            runs.append(Run(words, to=f"n{first}"))
        if len(_stretches(found)) > _SEEN:
            runs.append(Run("等"))
        return tuple(runs) or (Run("—"),)

    def _items(self, count: int) -> Run:
        return Run(str(count), to="list" if count else "")

    def _total(self, key: str, count: int) -> Run:
        if key in {"posts", "negative"}:
            return self._posts(count, **({"tone": "negative"} if key == "negative" else {}))
        return self._items(count)

    def _posts(self, count: int, **asked: str) -> Run:
        if not (self.base and count):
            return Run(str(count))
        first, last = self.row["starts_at"], self.row["ends_at"]
        days = {
            "from": first.astimezone(SHANGHAI).date().isoformat(),
            "to": _last_day(last),
        }
        return Run(str(count), url=f"{self.base}/posts?{urlencode({**asked, **days})}")

    def _number(self, number: str) -> Run:
        for at, row in enumerate(self.list, 1):
            if row["number"] == number:
                return Run(number, to=f"n{at}")
        return self._desk(number)

    def _numbers(self, numbers: Iterable[str]) -> list[str | Run]:
        pieces: list[str | Run] = []
        for number in numbers:
            pieces += ["、"] if pieces else []
            pieces.append(self._number(number))
        return pieces

    def _desk(self, number: str) -> Run:
        return Run(number, url=f"{self.base}/items/{number}" if self.base else "")


def _when(rows: Sequence[Mapping[str, Any]]) -> slice:
    """Of each `discovered`: without the year where it is the same in all lines of a list."""
    return slice(5 if len({row["discovered"][:4] for row in rows}) == 1 else 0, None)


def _stretches(found: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for at in found:
        if runs and runs[-1][1] == at - 1:
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return runs


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


def _left(total: int) -> Iterable[Block]:
    if total > _LATE:
        yield note(f"另有 {total - _LATE} 条，见值班台。")


def _count(rows: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(row["count"]) for row in rows if row["key"] == key)


def _last_day(ends_at: Any) -> str:
    return str((ends_at.astimezone(SHANGHAI) - timedelta(seconds=1)).date().isoformat())
