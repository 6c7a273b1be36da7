"""The same week in every format: whatever a post says stays text, and every character is drawn."""

from __future__ import annotations

import csv
import email
import email.policy
import html
import io
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from alerts.digest.ahead import ahead
from alerts.digest.build import build_digest
from alerts.digest.cases import told_of
from alerts.digest.casewords import case_blocks
from alerts.digest.content import document_of
from alerts.digest.files import FORMATS, NotRendered, formatted, written
from alerts.digest.glyphs import covered, printable
from alerts.digest.letter import LARGEST, digest_letter
from alerts.digest.model import Document, Heading, Run, Table, body, for_paper, plain, table
from alerts.digest.pictures import font_folder
from alerts.digest.weeks import Week
from alerts.items import item_of
from alerts.mail import compose
from alerts.notices import notice_of
from alerts.opening import open_items
from alerts.phrases import since_published
from config.clock import ManualClock
from config.keydates import KeyDate
from store.tables import findings, items, notices

docx = pytest.importorskip("docx", reason="needs the extra: pip install 'tinglan[report]'")
pytest.importorskip("typst", reason="needs the extra: pip install 'tinglan[report]'")
pypdf = pytest.importorskip("pypdf", reason="reads PDFs back; part of the dev extra")

WEEK = Week(2026, 29)
TUESDAY = datetime(2026, 7, 14, 2, 0, tzinfo=UTC)
MONDAY_AFTER = datetime(2026, 7, 20, 0, 5, tzinfo=UTC)
HOSTILE = [
    '#read("/etc/passwd")',
    "=cmd()",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "$x$ *b* _i_ `c` // /* @label \\",
    "]]></w:t><evil/>",
]


@pytest.fixture
def clock():
    return ManualClock(TUESDAY)


@pytest.fixture
def hostile(sqlite_database, settings, clock, assess):
    """A week of posts that try to be code, one that hides, one that no font can draw."""
    for number, text in enumerate(
        [*HOSTILE, "前\x00后\u202e倒着写\u2066的\u200b字", "哭😭👨\u200d👩\u200d👧了，住𠮷祥里"]
    ):
        assess(
            sqlite_database, title=text, text=f"{text}，请尽快处理。", level="II",
            topics=("flood",), key=f"h{number}",
        )  # fmt: skip
        open_items(sqlite_database, settings, clock.now())
    return build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=False)


def words_of(content: bytes, format: str) -> str:
    """What a reader sees, without blanks: they fall differently in each format."""
    if format == "pdf":
        read = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    elif format == "docx":
        file = docx.Document(io.BytesIO(content))
        cells = [c.text for t in file.tables for row in t.rows for c in row.cells]
        read = "".join([*(p.text for p in file.paragraphs), *cells])
    elif format == "html":
        page = re.sub(r"<style>.*?</style>", "", content.decode(), flags=re.S)
        read = html.unescape(re.sub(r"<[^>]*>", "", page))
    else:
        read = content.decode("utf-8-sig")
    return re.sub(r"[\s\u200b]+", "", read)


# --- hostile text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_looks_like_code_is_text_in_every_format(hostile, settings, format):
    content = formatted(hostile.row, settings, format)

    seen = words_of(content, format)
    if format == "csv":
        seen = seen.replace('""', '"')  # how CSV writes a quote inside quotes
    for text in HOSTILE:
        assert re.sub(r"\s+", "", text) in seen
    assert "root:" not in seen
    assert not set("\x00\u202e\u2066\u2069\u202a") & set(seen)
    assert "前后倒着写的字" in seen


def test_no_tag_of_a_post_is_a_tag_of_the_page(hostile, settings):
    page = formatted(hostile.row, settings, "html").decode()

    assert "<script" not in page
    assert "<evil" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:image/png;base64,|#|http://www\.example)', page)


def test_no_cell_of_the_table_is_a_formula(hostile, settings):
    rows = list(
        csv.reader(io.StringIO(formatted(hostile.row, settings, "csv").decode("utf-8-sig")))
    )

    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=cmd()" in cells


@pytest.mark.parametrize("format", ["docx", "pdf"])
def test_what_no_font_can_draw_is_named_not_dropped(hostile, settings, format):
    seen = words_of(formatted(hostile.row, settings, format), format)

    assert "哭[表情]了，住□祥里" in seen
    assert "原文中的表情以[表情]代替" in seen
    page = formatted(hostile.row, settings, "html").decode()
    assert "哭😭👨👩👧了，住𠮷祥里" in page
    assert "代替" not in page


def test_printing_changes_only_what_must_change():
    assert printable("Ⅰ级 ①“积水”——3‰ ℃") == "Ⅰ级 ①“积水”——3‰ ℃"
    assert printable("ﬁ ｱ 👍🏽👍") == "fi ア [表情][表情]".replace("[表情][表情]", "[表情]")
    assert printable("a\u0301\u202eb\x00c") == "ábc"


# --- fonts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TinglanSans.ttf", "TinglanSerif.otf"])
def test_the_shipped_fonts_draw_every_character_of_gb2312(name):
    reading = pytest.importorskip("fontTools.ttLib", reason="part of the dev extra")
    gb2312 = {
        bytes((row, cell)).decode("gb2312")
        for row in range(0xB0, 0xF8)
        for cell in range(0xA1, 0xFF)
        if not (row == 0xD7 and cell > 0xF9)
    }

    known = {chr(code) for code in reading.TTFont(font_folder() / name).getBestCmap()}

    assert len(gb2312) == 6763
    assert gb2312 <= covered() <= known


def test_their_licence_lies_beside_them():
    text = (font_folder() / "OFL.txt").read_text(encoding="utf-8")

    assert "SIL OPEN FONT LICENSE Version 1.1" in text
    assert "Copyright" in text


def test_a_page_of_all_gb2312_has_no_empty_box_and_only_our_fonts(settings):
    every = sorted(one for one in covered() if "一" <= one <= "龥")
    lines = ["".join(every[at : at + 200]) for at in range(0, len(every), 200)]
    document = Document(title="字", heading="字", blocks=tuple(map(body, lines)))

    reader = pypdf.PdfReader(io.BytesIO(written(document, settings, "pdf")))

    read = re.sub(r"\s", "", "".join(page.extract_text() for page in reader.pages))
    assert set(every) <= set(read)
    fonts = [
        font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()
    ]
    for font in fonts:
        inner = font["/DescendantFonts"][0].get_object()
        assert "Tinglan" in inner["/BaseFont"]
        assert {"/FontFile2", "/FontFile3"} & set(inner["/FontDescriptor"].get_object())


# --- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_row_gives_the_same_bytes(hostile, settings, format):
    assert formatted(hostile.row, settings, format) == formatted(hostile.row, settings, format)


@pytest.mark.parametrize("format", ["html", "text", "docx", "pdf"])
def test_totals_read_the_same_everywhere(hostile, settings, format):
    seen = words_of(formatted(hostile.row, settings, format), format)

    assert "本周采集帖文8条" in seen
    assert "新增舆情条目8条" in seen
    for heading in ("一、本周舆情总体情况", "二、重点舆情", "三、处置与时限情况",
                    "四、自有渠道运行情况", "五、谣言与误读情况", "六、下周关注", "七、工作建议",
                    "附件：条目清单"):  # fmt: skip
        assert heading in seen


def test_the_word_file_is_laid_out_after_the_standard(hostile, settings):
    from docx.oxml.ns import qn
    from docx.shared import Mm

    file = docx.Document(io.BytesIO(formatted(hostile.row, settings, "docx")))
    page = file.sections[0]

    sides = (page.page_width, page.page_height, page.top_margin, page.left_margin)
    assert [round(side / Mm(1)) for side in sides] == [210, 297, 37, 28]
    assert 155 <= (page.page_width - page.left_margin - page.right_margin) / Mm(1) <= 157
    assert 224 <= (page.page_height - page.top_margin - page.bottom_margin) / Mm(1) <= 226
    normal = file.styles["Normal"].element.rPr
    assert normal.rFonts.get(qn("w:eastAsia")) == "仿宋_GB2312"
    assert file.styles["Normal"].font.size.pt == 16
    runs = list(file.element.body.iter(qn("w:r")))
    assert len(runs) > 100
    assert all(run.rPr.rFonts.get(qn("w:eastAsia")) for run in runs)
    heads = {p.text: p for p in file.paragraphs if p.text.startswith(("一、", "（一）"))}
    faces = [p.runs[0]._r.rPr.rFonts.get(qn("w:eastAsia")) for p in heads.values()]
    assert set(faces) == {"黑体", "楷体_GB2312"}
    summary = next(p for p in file.paragraphs if p.text.startswith("本周采集"))
    assert summary.paragraph_format.line_spacing.pt == 28.95
    assert summary._p.pPr.ind.get(qn("w:firstLineChars")) == "200"
    assert file.settings.odd_and_even_pages_header_footer
    assert "PAGE" in page.footer._element.xml
    assert page.footer.paragraphs[0].text.startswith("— ")


def test_a_number_in_the_word_file_leads_to_its_place(hostile, settings):
    from docx.oxml.ns import qn

    body_ = docx.Document(io.BytesIO(formatted(hostile.row, settings, "docx"))).element.body

    places = {mark.get(qn("w:name")) for mark in body_.iter(qn("w:bookmarkStart"))}
    wanted = {link.get(qn("w:anchor")) for link in body_.iter(qn("w:hyperlink"))} - {None}
    assert {"list", "n1", "n8"} <= places
    assert wanted <= places
    assert "n1" in wanted


SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice (soffice) on this machine")
def test_libreoffice_opens_it_with_22_lines_on_a_page(settings, tmp_path):
    lines = [body(f"第{number}行。") for number in range(70)]
    (tmp_path / "a.docx").write_bytes(
        written(Document(title="行", heading="行", blocks=tuple(lines)), settings, "docx")
    )

    subprocess.run(
        [SOFFICE, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
         "--convert-to", "pdf", "--outdir", str(tmp_path), str(tmp_path / "a.docx")],
        check=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    second = pypdf.PdfReader(tmp_path / "a.pdf").pages[1].extract_text()
    assert len(re.findall(r"第\s*\d+\s*行", second)) == 22


def test_without_the_extra_the_command_says_what_to_install(hostile, settings, monkeypatch):
    for name in ("docx", "typst", "resvg_py"):
        monkeypatch.setitem(sys.modules, name, None)
    from alerts.digest.pictures import png

    png.cache_clear()

    for format in ("docx", "pdf"):
        with pytest.raises(NotRendered, match=r'pip install "tinglan\[report\]"'):
            formatted(hostile.row, settings, format)
    page = formatted(hostile.row, settings, "html").decode()
    assert "本周采集帖文 8 条" in page
    assert "<img" not in page


def test_a_chart_has_its_title_unit_numbers_and_words(hostile, settings):
    page = formatted(hostile.row, settings, "html").decode()

    (alt, *_) = re.findall(
        r'<img src="data:image/png;base64,[^"]+" width="620" alt="([^"]+)"', page
    )
    assert alt == "每日帖文走势（单位：条）：帖文 8条；负面 8条"
    charts = [one.svg for one in document_of(hostile.row, settings).blocks if hasattr(one, "svg")]
    assert len(charts) == 3
    assert all("<title>" in svg and "pattern" in svg for svg in charts)


def test_old_rows_are_still_told(hostile, settings):
    known = (
        "period",
        "days",
        "as_of",
        "complete",
        "posts",
        "items",
        "before",
        "channels",
        "alarms",
    )
    old = {name: value for name, value in hostile.figures.items() if name in known}
    for part in ("posts", "items"):
        old[part] = {n: v for n, v in old[part].items() if n != "by_time"}
    plain = ("number", "level", "topic", "title", "channel", "state", "discovered", "published",
             "closed", "lasted", "url", "host")  # fmt: skip
    old["items"]["list"] = [{n: row[n] for n in plain} for row in old["items"]["list"]]
    old["handling"] = {
        n: hostile.figures["handling"][n] for n in ("closed", "carried", "overdue", "undelivered")
    }

    for format in FORMATS:
        assert formatted({**hostile.row, "figures": old}, settings, format)


# --- the mail -------------------------------------------------------------------------------------


@pytest.fixture
def mail(hostile, sqlite_database, settings):
    sent = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=True)
    with sqlite_database.read() as connection:
        rows = connection.execute(notices.select().where(notices.c.stage == "digest"))
        notice = notice_of(dict(rows.mappings().one()))
    letter = digest_letter(notice, sent.row, settings)
    return email.message_from_bytes(
        compose(letter, settings.mail), policy=email.policy.default
    ), notice, sent  # fmt: skip


def test_the_mail_carries_its_charts_and_its_files(mail):
    message, _, _ = mail

    assert message.get_content_type() == "multipart/mixed"
    related, *files = message.iter_parts()
    alternative, *pictures = related.iter_parts()
    text, page = alternative.iter_parts()
    assert {one.get_filename() for one in files} == {
        "tinglan-weekly-2026-W29.docx", "tinglan-weekly-2026-W29.pdf",
    }  # fmt: skip
    cids = {one["content-id"].strip("<>") for one in pictures}
    asked = set(re.findall(r'src="cid:([^"]+)"', page.get_content()))
    assert asked == cids
    assert len(cids) == 3
    assert all(one.get_content().startswith(b"\x89PNG") for one in pictures)
    assert "本周采集帖文 8 条" in text.get_content()
    assert len(message.as_bytes()) < LARGEST


def test_a_server_that_finds_it_too_large_gets_the_words_alone(mail, settings):
    from dataclasses import replace

    _, notice, sent = mail

    letter = digest_letter(replace(notice, detail={"small": True}), sent.row, settings)

    assert (letter.html, letter.beside) == ("", ())
    assert "本周采集帖文 8 条" in letter.text


def test_the_letter_is_the_same_at_each_attempt(mail, settings):
    _, notice, sent = mail

    one, other = (compose(digest_letter(notice, sent.row, settings), settings.mail) for _ in "ab")

    assert one == other


# --- the model ------------------------------------------------------------------------------------


def test_a_long_word_does_not_leave_its_column(settings):
    words = "x" * 400
    document = Document(
        title="长", heading="长",
        blocks=(table("表", ["一", "二"], [[words, Run("y", to="nowhere")]], [1, 1]), Heading("尾")),
    )  # fmt: skip

    reader = pypdf.PdfReader(io.BytesIO(written(document, settings, "pdf")))

    assert words in re.sub(r"[\s\u200b]", "", reader.pages[0].extract_text())
    assert isinstance(for_paper(document).blocks[0], Table)


def test_the_office_may_bring_its_own_fonts(make_settings, tmp_path):
    shutil.copy(font_folder() / "TinglanSans.ttf", tmp_path / "own.ttf")
    settings = make_settings(
        digest={"fonts": {"folder": str(tmp_path), "body": "Tinglan Sans", "title": "没有的字体"}}
    )

    made = written(Document(title="字", heading="题", blocks=(body("正文"),)), settings, "pdf")

    faces = {
        str(font.get_object()["/BaseFont"])
        for page in pypdf.PdfReader(io.BytesIO(made)).pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert any("TinglanSans" in face for face in faces)


def told_case(**changes):
    step = {"at": "2026-07-20 10:41", "by": "张值班", "what": "转待报告", "note": "属实。"}
    later = {**step, "at": "2026-07-20 10:58", "what": "转待签收", "note": "交气象台。"}
    view = {"tone": "负面", "text": "没人管", "channel": "官方微博", "at": "2026-07-20 09:57",
            "like": 1}  # fmt: skip
    return {
        "channel": "官方微博", "column": "", "kind": "评论", "level": "II", "topics": "汛情灾情",
        "tone": "负面", "published": "2026-07-20 10:00", "discovered": "2026-07-20 10:35",
        "after": "35分钟", "url": "", "reasons": ["反映积水，须核实。", "紧急求救，须联系。"],
        "spread": {"total": 0}, "views": [view], "judged": [step], "steps": [step, later],
        "left": 0, "closed": "", "lasted": "", "state": "待签收", "office": "市气象台", **changes,
    }  # fmt: skip


def test_sentences_of_a_case_end_once_and_nothing_is_said_twice():
    one = told_case()

    lines = [plain(block.runs) for block in case_blocks(one, Run("TL-2026-0001"))]

    assert not any(re.search("。；|。。|；。", line) for line in lines)
    assert "预警依据：反映积水，须核实；紧急求救，须联系。" in lines[0]
    assert lines[2] == "网民主要观点：［负面］“没人管”（官方微博，07-20 09:57）"
    assert lines[3] == "研判：07-20 10:41 张值班：属实。"
    assert lines[4].startswith(
        "处置进展：07-20 10:41 转待报告（张值班）；10:58 转待签收（张值班）：交气象台。现状"
    )


def test_several_views_stand_below_each_other():
    view = told_case()["views"][0]

    lines = list(case_blocks(told_case(views=[view, view]), Run("TL-2026-0001")))

    assert plain(lines[2].runs) == "网民主要观点："
    assert [block.style for block in lines[3:5]] == ["quote", "quote"]


def test_a_section_without_anything_takes_one_line_of_paper_and_two_of_a_page():
    blocks = (
        Heading("（一）渠道静默", 2),
        body("本周无"),
        Heading("（二）其他", 2),
        body("一条。"),
    )

    printed = for_paper(Document(title="周报", blocks=blocks)).blocks

    assert [getattr(one, "text", "") for one in printed] == [
        "（一）渠道静默：本周无",
        "（二）其他",
        "",
    ]
    assert plain(printed[-1].runs) == "一条。"


def test_the_appendix_begins_on_a_page_of_its_own_and_the_notes_stay_together(hostile, settings):
    content = formatted(hostile.row, settings, "pdf")
    read = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    pages = [re.sub(r"\s+", "", page) for page in read]
    at = next(number for number, page in enumerate(pages) if "附件：条目清单" in page)

    assert pages[at].startswith("附件：条目清单")
    assert "生成时间" in pages[at - 1]
    assert [page for page in pages if ("生成时间" in page) != ("正文数字均由" in page)] == []


def test_what_only_sorts_the_list_is_no_ground_of_an_alarm(
    sqlite_database, settings, clock, assess
):
    assess(sqlite_database, title="桥下积水", level="II", topics=("flood",), key="t1")
    open_items(sqlite_database, settings, clock.now())
    with sqlite_database.write() as connection:
        item = item_of(connection.execute(sa.select(items)).mappings().one())
        hit = connection.execute(sa.select(findings)).mappings().first()
        connection.execute(
            findings.insert().values(
                {**hit, "id": None, "stage": "tone", "level": None, "reason": "语气偏负面"}
            )
        )
        told = told_of(connection, settings, item, clock.now())

    assert told["reasons"]
    assert "语气偏负面" not in told["reasons"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "不到1分钟"), (59, "不到1分钟"), (61, "1分钟"), (-5, "")]
)
def test_nobody_is_told_of_zero_seconds(seconds, words):
    found = SimpleNamespace(
        published_at=TUESDAY, discovered_at=TUESDAY + timedelta(seconds=seconds)
    )

    assert since_published(found) == words


def test_the_rest_of_a_long_list_is_at_the_desk_not_in_a_command(hostile, make_settings):
    many = {**hostile.row, "figures": {**hostile.row["figures"]}}
    many["figures"]["items"] = {**many["figures"]["items"], "total": 130}
    owed = SimpleNamespace(id="n", recipient="a@example.gov.cn", created_at=MONDAY_AFTER, detail={})
    linked = make_settings(console={"public_url": "https://desk.example.gov.cn"})

    letter = digest_letter(owed, many, linked)

    rest = f"全部见值班台：https://desk.example.gov.cn/digests/{hostile.row['id']}"
    assert f"另有 30 条未在信中列出，{rest}" in letter.text
    assert "--out" not in letter.text


def test_a_period_of_more_watch_says_what_changes():
    flood = KeyDate.model_validate({"profile": "flood", "from": "06-01", "to": "09-30"})
    plain_day = KeyDate.model_validate(
        {"name": "全市运动会", "from": "07-22", "note": "看场馆预报"}
    )

    found = ahead([flood, plain_day], None, date(2026, 7, 20), date(2026, 7, 26))

    assert [(one.name, one.note) for one in found] == [
        ("汛期", "有关Ⅲ、Ⅳ级舆情提高一级，采集加密到2倍，每班不少于2人，首次预警同时报带班领导"),
        ("全市运动会", "看场馆预报"),
    ]
