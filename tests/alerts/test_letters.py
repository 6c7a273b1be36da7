"""Letters say everything that is needed, and stay letters whatever a post holds."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import pytest

from alerts import wording
from alerts.cases import raise_alarm
from alerts.items import show_item
from alerts.lifecycle import move_item
from alerts.links import link_of
from alerts.opening import open_items
from alerts.phrases import PAINT, excerpt
from store import tables
from store.records import Finding, Level, State

HOSTILE = {
    "crlf": "标题\r\nBcc: x@y.z\r\n\r\n<b>",
    "nul": "空\x00\x1b[31m字符",
    "bidi": "\u202e\u2066文字\u2069",
    "zero width": "着\u200b火\u200d了",
    "surrogate": "坏\ud800字",
    "emoji": "🔥" * 50,
    "no blank": "x" * 10_000,
    "long": "雨" * 10_000,
    "encoded": "=?utf-8?B?5Lit5paH?=",
    "script": "<script>alert('x')</script><img src=x onerror=alert(1)>",
    "template": "{{7*7}}{% for x in y %}{{ config }}",
    "attribute": '" onmouseover="alert(1)" style=\'x\' `',
    "formula": "=cmd()|'/c calc'!A0",
    "empty": "",
}


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs


def tags_of(html):
    parser = Tags()
    parser.feed(html)
    return parser


@pytest.fixture
def told(sqlite_database, settings, clock, assess, deliver, memory):
    """The letters that a post causes."""

    def tell(**fields):
        assess(sqlite_database, **fields)
        open_items(sqlite_database, settings, clock.now())
        deliver(sqlite_database)
        return memory.letters

    return tell


def test_the_text_part_is_complete_by_itself(told, clock):
    (letter,) = told(
        level="II", topics=("complaint", "fire"), title="路灯坏了还冒烟", text="路灯没人修，昨晚冒烟。",
        hits=("没人修", "冒烟"), reason="出现险情描述", column="局长信箱",
        published_at=clock.now() - timedelta(minutes=12),
    )[:1]  # fmt: skip

    for needed in (
        "Ⅱ级 重大（橙）", "TL-2026-0001", "路灯坏了还冒烟", "官网 · 局长信箱 · 来信",
        "服务投诉、火灾", "情感：负面", "发布：2026-07-15 11:48", "发现：2026-07-15 12:00（发布后12分钟）",
        "出现险情描述（命中：没人修、冒烟）", "昨晚冒烟", "http://www.example.gov.cn/letters/1.html",
        "研判：2026-07-15 12:15 前（15分钟内）", "报告：2026-07-15 13:00 前", "国办发〔2016〕61号",
        "tinglan items move TL-2026-0001 to_report", "收件原因：", "生成时间 2026-07-15 12:00:00",
    ):  # fmt: skip
        assert needed in letter.text
    assert letter.subject == "【舆情预警·重大】官网：路灯坏了还冒烟（TL-2026-0001）"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_posts_get_well_formed_letters(told, text):
    safe = {k: text.encode("utf-8", "replace").decode() for k in ("title", "text", "column")}
    (letter,) = told(hits=(safe["text"][:50],), reason=safe["text"][:300], url=safe["text"], **safe)

    assert len(letter.subject) <= 60
    assert letter.subject.startswith("【舆情预警·较大】官网：")
    assert letter.subject.endswith("（TL-2026-0001）")
    assert "tinglan items move" in letter.text, "the full letter, not the plain fallback"
    tags = tags_of(letter.html)
    assert not {"script", "img", "iframe", "form", "b", "link", "object"} & set(tags.seen)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    for bad in "\x00\x1b\u202e\u200b\u200d\u2066":
        assert bad not in letter.text + letter.html + letter.subject


def test_a_template_in_a_post_stays_text(told):
    (letter,) = told(title="{{7*7}}", text="{{7*7}} {% for x in y %}", hits=("{{7*7}}",))

    assert letter.text.count("{{7*7}}") >= 2
    assert "{{7*7}}" in letter.html
    assert "{{7*7}}" in letter.subject


def test_nothing_remote_and_only_http_links(told):
    (letter,) = told(url="javascript:alert(1)")

    tags = tags_of(letter.html)
    assert not [v for n, v in tags.attributes if n in {"href", "src", "background"}]
    assert "url(" not in letter.html
    assert "请勿直接打开" in letter.text


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://www.example.gov.cn/a?b=1&c=2", "http://www.example.gov.cn/a?b=1&c=2"),
        ("https://例子.测试/路径", "https://xn--fsqu00a.xn--0zwm56d/%E8%B7%AF%E5%BE%84"),
        ("HTTP://WWW.example.gov.cn:8080/x", "http://www.example.gov.cn:8080/x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,<b>", ""),
        ("http://bank.example@evil.example/", ""),
        ("http:\\\\evil.example\\", ""),
        ("http://", ""),
        ("//evil.example/x", ""),
        ("http://[::1", ""),
        ("ftp://example.gov.cn/x", ""),
        ('http://a.example/"onclick="x', "http://a.example/%22onclick=%22x"),
    ],
)
def test_links(address, url):
    assert link_of(address).url == url


def test_the_excerpt_holds_the_hit_and_keeps_its_length():
    body = "前" * 500 + "着火了" + "后" * 500
    found = [Finding(stage="rules", reason="火", text="着火了", start=500, end=503)]

    pieces = excerpt(body, found, 200)

    assert ("着火了", True) in pieces
    assert len("".join(text for text, _ in pieces)) <= 200
    assert pieces[0][0].startswith("…")
    assert pieces[-1][0].endswith("…")


def test_levels_are_told_by_words_and_have_enough_contrast():
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for paint in PAINT.values():
        high, low = sorted((light(paint.ground), light(paint.ink)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_a_letter_that_cannot_be_built_goes_out_plain_and_holds_up_nobody(
    told, monkeypatch, sqlite_database, settings, clock, assess, deliver, memory
):
    monkeypatch.setattr(wording, "excerpt", lambda *a: 1 / 0)
    assess(sqlite_database, level="I", title="甲")
    letters = told(level="III", title="乙")

    assert [letter.subject for letter in letters] == [
        "【舆情预警·特别重大】有一条需要查看（TL-2026-0001）",
        "【舆情预警·较大】有一条需要查看（TL-2026-0002）",
    ]
    assert "tinglan items show TL-2026-0001" in letters[0].text


def test_even_an_unreadable_record_is_told_of(
    monkeypatch, sqlite_database, settings, clock, assess, deliver, memory
):
    monkeypatch.setattr("alerts.outbox.gather", lambda *a: 1 / 0)
    assess(sqlite_database)
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    (letter,) = memory.letters
    assert "（item:1）" in letter.subject


def test_the_first_alert_of_a_closed_item_goes_out_marked(
    sqlite_database, settings, clock, assess, deliver, memory
):
    assess(sqlite_database, title="误报一条")
    open_items(sqlite_database, settings, clock.now())
    move_item(sqlite_database, 1, State.DISMISSED, by="王", via="cli", note="误报", now=clock.now())
    deliver(sqlite_database)

    (letter,) = memory.letters
    assert letter.subject == "【舆情预警·较大·不予处置】官网：误报一条（TL-2026-0001）"


def test_a_late_letter_says_so(sqlite_database, settings, clock, assess, deliver, memory):
    assess(sqlite_database)
    open_items(sqlite_database, settings, clock.now())
    clock.advance(timedelta(hours=2))
    deliver(sqlite_database)

    assert "晚到约2小时" in memory.letters[0].text


def test_an_alarm_about_the_service_reads_as_one(sqlite_database, settings, clock, deliver, memory):
    with sqlite_database.write() as connection:
        raise_alarm(
            connection,
            settings,
            key="disk",
            title="磁盘将满",
            reason="数据盘只剩 3%",
            level=Level.II,
            now=clock.now(),
        )
    deliver(sqlite_database)

    (letter,) = memory.letters
    assert letter.subject == "【系统告警·重大】系统：磁盘将满（TL-2026-0001）"
    assert "数据盘只剩 3%" in letter.text
    assert "国办发" not in letter.text, "limits on public opinion do not bind the service"
    assert "打开原文" not in letter.text
    assert "items move TL-2026-0001 dismissed" in letter.text


def test_watch_findings_have_letters_too(sqlite_database, settings, clock, deliver, memory):
    with sqlite_database.write() as connection:
        connection.execute(
            tables.findings.insert().values(
                at=clock.now(),
                stage="silence",
                key="silence:site",
                channel="site",
                topic="silence",
                level="III",
                reason="官网已 26 小时没有新内容",
            )
        )
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    (letter,) = memory.letters
    assert letter.subject == "【舆情预警·较大】官网：官网已 26 小时没有新内容（TL-2026-0001）"
    assert "渠道静默" in letter.text
    assert "原文链接" not in letter.text
    assert "到“官网”核实" in letter.text
    reasons = [row["reason"] for row in show_item(sqlite_database, 1)["findings"]]
    assert reasons == ["官网已 26 小时没有新内容"]
