"""Letters as message boards print them: tables, definition lists, boxes."""

from datetime import datetime

import pytest

from crawler.extraction.letters import is_letter, read_letter

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")
ASKED = "我家住在江边路，每逢下大雨地下车库就进水，请问什么时候能够修好排水泵？"
MORE = "另外，短信预警总是晚到半小时，希望改进。"
ANSWER = "您好！您反映的问题收悉。经与街道核实，排水泵将于8月15日前更换完毕。"
THANKS = "感谢您对气象工作的关心和支持。"
FOOT = "<div class='footer'><p>版权所有 澜江市气象局 ICP备00000000号</p></div>"


def board(inner, title="局长信箱-澜江市气象局"):
    return f"<html><head><title>{title}</title></head><body><div>当前位置：首页 &gt; 互动交流 &gt; 局长信箱</div>{inner}{FOOT}</body></html>"


TABLE = board(
    "<table><tr><td>信件编号</td><td>20260721003</td><td>来信人</td><td>李**</td></tr>"
    "<tr><td>信件标题</td><td colspan=3>关于地下车库进水的问题</td></tr>"
    "<tr><td>信件类别</td><td>投诉</td><td>来信时间</td><td>2026-07-21 22:14:05</td></tr>"
    f"<tr><td>信件内容</td><td colspan=3><p>{ASKED}</p><p>{MORE}</p></td></tr>"
    "<tr><td>办理状态</td><td>已办结</td><td>答复时间</td><td>2026-07-24 10:30</td></tr>"
    "<tr><td>答复单位</td><td colspan=3>澜江市气象局防灾减灾科</td></tr>"
    f"<tr><td>答复内容</td><td colspan=3><p>{ANSWER}</p><p>{THANKS}</p></td></tr></table>"
)
BOXES = board(
    "<h1>关于地下车库进水的问题</h1><div class='info'><span>写信人：李**</span> <span>写信时间：2026-07-21 22:14</span> "
    "<span>信件类型：投诉</span> <span>办理状态：已回复</span></div>"
    f"<div class='box'><h3>来信内容</h3><div class='txt'><p>{ASKED}</p><p>{MORE}</p></div></div>"
    f"<div class='box'><h3>回复内容</h3><div class='txt'><p>{ANSWER}</p><p>{THANKS}</p></div>"
    "<div><span>回复单位：澜江市气象局防灾减灾科</span> <span>回复时间：2026-07-24 10:30</span></div></div>"
)
LIST = board(
    "<dl><dt>留言标题：</dt><dd>关于地下车库进水的问题</dd><dt>留言人：</dt><dd>李**</dd>"
    "<dt>留言时间：</dt><dd>2026年7月21日 22:14</dd><dt>留言类别：</dt><dd>投诉</dd>"
    f"<dt>留言内容：</dt><dd>{ASKED}<br>{MORE}</dd>"
    "<dt>处理状态：</dt><dd>已处理</dd><dt>处理部门：</dt><dd>澜江市气象局防灾减灾科</dd>"
    f"<dt>处理时间：</dt><dd>2026-07-24 10:30</dd><dt>处理结果：</dt><dd>{ANSWER}<br>{THANKS}</dd></dl>"
)
LINES = board(
    f"<div class='con'><p>主题：关于地下车库进水的问题</p><p>网友：李**</p><p>咨询类别：投诉</p><p>提问时间：2026-07-21 22:14</p>"
    f"<p>咨询内容：{ASKED}</p><p>{MORE}</p><p>受理状态：已答复</p><p>回复部门：澜江市气象局防灾减灾科</p>"
    f"<p>回复日期：2026-07-24 10:30</p><p>回复内容：{ANSWER}</p><p>{THANKS}</p></div>"
)


@pytest.mark.parametrize(
    "html", [TABLE, BOXES, LIST, LINES], ids=["table", "boxes", "list", "lines"]
)
def test_a_letter_is_read_whatever_it_is_laid_out_in(html):
    letter = read_letter(html.encode(), fetched_at=NOW)

    assert is_letter(html)
    assert letter.title == "关于地下车库进水的问题"
    assert letter.sender == "李**"
    assert letter.category == "投诉"
    assert letter.text == f"{ASKED}\n{MORE}"
    assert letter.sent_at.isoformat().startswith("2026-07-21T22:14")
    assert letter.state == "已办结"
    assert letter.reply == f"{ANSWER}\n{THANKS}"
    assert letter.replying_unit == "澜江市气象局防灾减灾科"
    assert letter.replied_at.isoformat() == "2026-07-24T10:30:00+08:00"
    assert letter.closed


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("办理中", "办理中"),
        ("待受理", "待受理"),
        ("已转办", "办理中"),
        ("正在办理", "办理中"),
        ("不予受理", "不予受理"),
        ("未回复", "办理中"),
    ],
)
def test_a_letter_without_an_answer_stays_open(said, state):
    html = board(
        "<table><tr><th>标题</th><td>路灯与雨量站</td></tr><tr><th>来信人</th><td>王*</td></tr>"
        f"<tr><th>来信时间</th><td>2026-07-21</td></tr><tr><th>内容</th><td>{ASKED}</td></tr>"
        f"<tr><th>办理状态</th><td>{said}</td></tr><tr><th>回复内容</th><td></td></tr></table>"
    )

    letter = read_letter(html.encode(), fetched_at=NOW)

    assert letter.state == state
    assert letter.reply == ""
    assert letter.replied_at is None
    assert letter.text == ASKED
    assert letter.closed == (state == "不予受理")


def test_a_reply_signed_below_gives_unit_and_day():
    html = board(
        f"<p>标题：停水咨询</p><p>留言人：赵*</p><p>留言时间：2026-07-20</p><p>留言内容：{ASKED}</p>"
        f"<p>回复：</p><p>{ANSWER}</p><p>澜江市气象局</p><p>2026年7月23日</p>"
    )

    letter = read_letter(html.encode(), fetched_at=NOW)

    assert letter.replying_unit == "澜江市气象局"
    assert letter.replied_at.isoformat() == "2026-07-23T00:00:00+08:00"
    assert letter.reply.startswith(ANSWER)


def test_words_like_labels_inside_a_letter_do_not_cut_it():
    text = "我想问一下，上次的回复内容不清楚，办理时间也太长，问题一直没有解决，处理结果：没有结果。请再核实一次，谢谢你们的工作。"
    html = board(
        "<table><tr><td>标题</td><td>再次反映</td></tr><tr><td>来信人</td><td>王*</td></tr>"
        f"<tr><td>来信内容</td><td>{text * 2}</td></tr><tr><td>办理状态</td><td>办理中</td></tr></table>"
    )

    letter = read_letter(html.encode(), fetched_at=NOW)

    assert letter.text == text * 2
    assert letter.state == "办理中"


@pytest.mark.parametrize(
    "html",
    [
        "<h1>通知</h1><p>发布时间：2026-07-20 来源：办公室</p><div id='zoom'><p>"
        + ASKED
        + "</p></div>",
        "<h1>局长信箱使用须知</h1><p>写信请注明标题、内容和联系方式，我们将在七个工作日内答复。</p>",
        "<ul>"
        + "".join(
            f"<li>标题：第{n}封 来信人：王* 办理状态：已办结 来信内容：略</li>" for n in range(8)
        )
        + "</ul>",
        "",
    ],
    ids=["article", "how to write", "list of letters", "nothing"],
)
def test_other_pages_are_no_letters(html):
    assert not is_letter(board(html) if html else "")


def test_a_page_that_is_no_page_says_so():
    assert read_letter(b"", fetched_at=NOW).soft_failure == "页面为空"
    assert read_letter(b"\xff\xd8\xff\xe0\x00\x10JFIF", fetched_at=NOW).soft_failure.startswith(
        "不是网页"
    )
