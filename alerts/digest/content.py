"""What a digest says, section by section, from its frozen row: the one content of every format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alerts.digest.closing import advice, ahead, appendix
from alerts.digest.figures import WORDS
from alerts.digest.issues import NAMES, completed, drafted, issue_of, kind_of, mark_of, name_of
from alerts.digest.model import APPENDIX, Block, Document, Heading, Paragraph, body, text
from alerts.digest.overview import overview
from alerts.digest.progress import handling, key_cases
from alerts.digest.reporting import Report
from alerts.digest.running import own_channels, rumours
from alerts.digest.summary import summary
from config.clock import SHANGHAI, shown
from config.settings import Settings

__all__ = ["LISTED", "PRINTED", "document_of", "drafted"]

LISTED = 100  #: items in a letter; the rest are counted there and listed in the CSV
PRINTED = 500  #: … in a file


def document_of(row: Mapping[str, Any], settings: Settings, *, listed: int = PRINTED) -> Document:
    """The whole report of one row of `digests`."""
    told = completed(row)
    words = WORDS.get(kind_of(row), WORDS["special"])
    report = Report(row, told, settings, words, listed)
    return Document(
        title=f"{name_of(row)} {told['label']}",
        red=f"网络舆情{NAMES.get(kind_of(row), '周报')}",
        issue=issue_of(row),
        agency=settings.agency.name,
        date=_date(row),
        signer=row.get("approved_by") or settings.digest.signer,
        mark=mark_of(row, settings),
        heading=f"{told['days']}网络舆情情况",
        blocks=tuple(_blocks(report)),
        foot=(
            "帖文按首次采集时间、条目按发现时间计入；状态与超时为生成时的情况；演练不计。",
            "正文数字均由系统按入库记录统计，观点摘自原帖，未作改写。",
            f"生成时间 {shown(row['built_at'], seconds=True)}"
            + (f"；{row['edited_by']}修改" if row.get("edited_by") else ""),
        ),
        made=row["built_at"],
    )


def _blocks(report: Report) -> Iterable[Block]:
    if not report.told["complete"]:
        yield Paragraph(
            text(f"{report.words['this']}尚未结束，数字截至 {report.told['as_of']}。"), "warning"
        )
    yield body(summary(report.told, report.words))
    yield Heading(f"一、{report.words['this']}舆情总体情况")
    yield from overview(report)
    yield Heading("二、重点舆情")
    yield from key_cases(report)
    yield Heading("三、处置与时限情况")
    yield from handling(report)
    yield Heading("四、自有渠道运行情况")
    yield from own_channels(report)
    yield Heading("五、谣言与误读情况")
    yield from rumours(report)
    yield Heading(f"六、{report.words['next']}关注")
    yield from ahead(report)
    yield Heading("七、工作建议")
    yield from advice(report)
    yield Heading("附件：条目清单", anchor=APPENDIX)
    yield from appendix(report)


def _date(row: Mapping[str, Any]) -> str:
    day = row["built_at"].astimezone(SHANGHAI)
    return f"{day.year}年{day.month}月{day.day}日"
