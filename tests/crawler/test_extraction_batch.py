"""The contract of `tinglan extract --batch`: one answer a line, in order, whatever the line."""

import base64
import io
import json
from datetime import datetime

from crawler.extraction.command import extract_batch, extract_one, print_batch

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")
HTML = (
    "<html><head><meta charset='gb2312'><title>停水通知-澜江</title></head><body><h1>停水通知</h1><p>发布时间：昨天 08:30 来源：办公室</p>"
    "<div id='zoom'><p>因管网检修，江边路一带今天夜间停水，请提前储水，给您带来不便敬请谅解。</p></div></body></html>"
)


def line(**keys):
    return json.dumps(keys, ensure_ascii=False)


def encoded(html=HTML, charset="gb18030"):
    return base64.b64encode(html.encode(charset)).decode()


def test_answers_come_in_order_and_bad_lines_stop_nothing(tmp_path):
    saved = tmp_path / "页.html"
    saved.write_bytes(HTML.encode("gb18030"))
    rows = [
        line(id="a", body_base64=encoded()),
        "{broken",
        line(id="c"),
        "",
        line(id="d", html_file=str(tmp_path / "none.html")),
        line(id="e", body_base64="%%%"),
        line(id="f", body_base64=encoded(), fetched_at="yesterday"),
        line(id="g", body_base64=encoded(), url=7),
        "[1, 2]",
        line(id="h", html_file=str(saved), url="http://www.example.gov.cn/a.html"),
        line(id="i", body_base64=""),
    ]

    answers = list(extract_batch(rows, now=NOW))

    assert [answer["id"] for answer in answers] == [
        "a",
        None,
        "c",
        "d",
        "e",
        "f",
        "g",
        None,
        "h",
        "i",
    ]
    assert ["error" in answer for answer in answers] == [False, *[True] * 7, False, False]
    assert answers[0]["title"] == answers[8]["title"] == "停水通知"
    assert "html_file" in answers[2]["error"]
    assert "none.html" in answers[3]["error"]
    assert "fetched_at" in answers[5]["error"]
    assert answers[9]["soft_failure"] == "页面为空"


def test_relative_dates_lean_on_the_time_of_fetching():
    rows = [
        line(id=1, body_base64=encoded()),
        line(id=2, body_base64=encoded(), fetched_at="2026-07-10T00:10:00+08:00"),
        line(id=3, body_base64=encoded(), fetched_at="2026-07-09T16:10:00Z"),
        line(
            id=4,
            body_base64=encoded(HTML.replace("昨天 08:30", "待定")),
            fetched_at="2026-07-10T00:10:00",
        ),
    ]

    times = [answer["published_at"] for answer in extract_batch(rows, now=NOW)]

    assert times == [
        "2026-07-31T08:30:00+08:00",
        "2026-07-09T08:30:00+08:00",
        "2026-07-09T08:30:00+08:00",
        None,
    ]


def test_an_answer_has_the_promised_keys():
    answer = extract_one(HTML.encode(), url="http://www.example.gov.cn/a.html", fetched_at=NOW)

    assert {"title", "text", "published_at", "source", "url"} <= answer.keys()
    assert answer["source"] == "办公室"
    assert answer["url"] == "http://www.example.gov.cn/a.html"
    assert "letter" not in answer
    json.dumps(answer)


def test_a_letter_page_brings_its_letter():
    html = (
        "<html><title>局长信箱</title><body><table><tr><td>标题</td><td>路灯不亮</td></tr><tr><td>来信人</td><td>王*</td></tr>"
        "<tr><td>来信时间</td><td>2026-07-21</td></tr><tr><td>来信内容</td><td>江边路的路灯坏了三天没人管，晚上很危险。</td></tr>"
        "<tr><td>办理状态</td><td>办理中</td></tr></table></body></html>"
    )

    letter = extract_one(html.encode(), fetched_at=NOW)["letter"]

    assert letter["state"] == "办理中"
    assert letter["sent_at"] == "2026-07-21T00:00:00+08:00"
    assert letter["closed"] is False


def test_output_is_json_lines_and_counts_the_bad_ones():
    out = io.StringIO()

    bad = print_batch([line(id=1, body_base64=encoded()), "nonsense"], out, now=NOW)

    assert bad == 1
    assert [json.loads(row)["id"] for row in out.getvalue().splitlines()] == [1, None]
