"""One case on paper: what is on record, in six sections, and nothing else."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from alerts.acts import Act
from alerts.dutywork import duty_of
from alerts.items import NoSuchItem
from alerts.lifecycle import NotAllowed, move_item
from alerts.opening import open_items
from alerts.reports import FORMATS, formatted_report, handover_sheet, report, write_report
from config.clock import ManualClock
from store.ledger import append
from store.records import State

docx = pytest.importorskip("docx", reason="needs the extra: pip install 'tinglan[report]'")
pypdf = pytest.importorskip("pypdf", reason="reads PDFs back; part of the dev extra")

START = datetime(2026, 7, 14, 2, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def case(sqlite_database, settings, clock, assess):
    """A rumour, judged, reported, with an instruction."""
    assess(
        sqlite_database, title="水库要溃坝了？", text="群里在传水库要溃坝，是真的吗？", level="II",
        topics=("rumour",), channel="weibo", reason="传言提到溃坝", hits=("溃坝",),
        published_at=clock.now() - timedelta(minutes=12),
    )  # fmt: skip
    open_items(sqlite_database, settings, clock.now())
    clock.advance(600)
    move_item(sqlite_database, "TL-2026-0001", State.TO_REPORT, by="张值班", via="desk",
              note="已向水库管理处核实，不属实。", now=clock.now())  # fmt: skip
    with sqlite_database.write() as connection:
        append(connection, item=1, at=clock.now(), kind=Act.INSTRUCTION.value, by="李局长",
               note="尽快发布澄清。")  # fmt: skip
    return sqlite_database


def read(content: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return re.sub(r"\s", "", "".join(page.extract_text() for page in pages))


def test_a_special_report_has_six_sections_from_the_record(case, settings, clock):
    made = report(case, settings, "TL-2026-0001", "special", clock.now())
    text = formatted_report(made, settings, "text").decode()

    for heading in ("一、基本情况", "二、传播情况", "三、网民主要观点", "四、研判",
                    "五、已采取措施", "六、处置建议"):  # fmt: skip
        assert heading in text
    assert "发布后12分钟" in text
    assert "预警依据：传言提到溃坝。" in text
    assert "［负面］“群里在传水库要溃坝，是真的吗？”" in text
    assert "张值班：已向水库管理处核实，不属实。" in text
    assert "批示（李局长）：尽快发布澄清" in text
    assert "对不实内容尽快核实" in text


@pytest.mark.parametrize("format", FORMATS)
def test_it_comes_in_every_format_with_the_same_bytes_each_time(case, settings, clock, format):
    made = report(case, settings, 1, "special", clock.now())

    one, other = (formatted_report(made, settings, format) for _ in "ab")

    assert one == other
    if format == "pdf":
        assert "关于“水库要溃坝了？”的舆情专报" in read(one)


def test_nothing_judged_yet_is_said_and_not_filled_in(sqlite_database, settings, clock, assess):
    assess(sqlite_database, title="路灯", text="路灯不亮。")
    open_items(sqlite_database, settings, clock.now())

    made = report(sqlite_database, settings, 1, "special", clock.now())

    text = formatted_report(made, settings, "text").decode()
    assert re.search(r"四、研判\n尚无记录。", text)
    assert "现状：待研判" in text


def test_first_follow_and_final_reports_are_papers_too(case, settings, clock, tmp_path):
    first = report(case, settings, 1, "first", clock.now())
    files = write_report(first, "tinglan-first-TL-2026-0001", tmp_path, settings, ["docx", "pdf"])

    assert [path.name for path in files] == [
        "tinglan-first-TL-2026-0001.docx", "tinglan-first-TL-2026-0001.pdf",
    ]  # fmt: skip
    assert "网络舆情初报" in read(files[1].read_bytes())
    assert docx.Document(str(files[0])).paragraphs[0].text == "网络舆情初报"
    with pytest.raises(NotAllowed, match="只能出续报"):
        report(case, settings, 1, "final", clock.now())
    with pytest.raises(NoSuchItem):
        report(case, settings, "TL-2026-0099", "special", clock.now())


def test_the_hand_over_sheet_is_a_paper_with_room_for_two_names(case, settings, clock, tmp_path):
    duty = duty_of(settings, tmp_path)

    made = handover_sheet(case, duty, START, clock.now())

    seen = formatted_report(made, settings, "text").decode()
    assert "交接班单" in seen
    assert "TL-2026-0001" in seen
    assert "交班人签字：　　　　" in seen
    assert "TL-2026-0001" in read(formatted_report(made, settings, "pdf"))
