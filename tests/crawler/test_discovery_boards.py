"""Invented message boards: what was asked, and how far it has come."""

import pytest

from crawler.discovery.boards import read_board
from crawler.discovery.broken import ListBroken
from crawler.discovery.rows import Selectors

SITE = "https://www.qx.example.gov.cn"
LETTERS = [
    ("关于小区楼顶避雷针损坏的投诉", "办理中", "2026-07-20"),
    ("咨询", "已办结", "2026-07-19"),
    ("12379短信为什么收不到", "待受理", "2026-07-18"),
    ("已办结的信件为何没有回复内容", "已回复", "2026-07-17"),
]


def board(rows, pager=""):
    return f"""<html><body><div class="nav"><a href="/">首页</a><a href="/gzcy/jzxx/">局长信箱首页</a><a href="/gzcy/wsdc/">网上调查征集</a></div>
<table class="mail"><tr><th>编号</th><th>标题</th><th>来信人</th><th>时间</th><th>办理状态</th></tr>{rows}</table>{pager}
<div class="foot"><a href="/about/">关于我们网站说明</a></div></body></html>"""


def table_rows(state="<td>{state}</td>"):
    return "".join(
        f'<tr><td>2026{i:04d}</td><td><a href="letter.do?id={900 + i}" title="{title}">{title[:8]}...</a></td><td>王**</td><td>{date}</td>{state.format(state=word)}</tr>'
        for i, (title, word, date) in enumerate(LETTERS)
    )


@pytest.mark.parametrize(
    "cell",
    ["<td>{state}</td>", "<td><span class='st'>[{state}]</span></td>", "<td>状态：{state}</td>",
     "<td><img src='s.gif' alt='{state}'></td>", "<td>本信{state}，详见内容</td>"],
)  # fmt: skip
def test_state_stands_in_many_kinds_of_cell(cell):
    page = read_board(board(table_rows(cell)), url=f"{SITE}/gzcy/jzxx/list.do")

    assert [(e.title, e.state, e.date_raw) for e in page.entries] == [
        (title if len(title) > 2 else "咨询", state, date) for title, state, date in LETTERS
    ]
    assert [e.closed for e in page.entries] == [False, True, False, True]
    assert page.entries[0].url == f"{SITE}/gzcy/jzxx/letter.do?id=900"


def test_list_of_divs_with_next_page():
    rows = "".join(
        f'<li><p class="t"><a href="/jzxx/{i}.html">{title}</a></p><p>来信时间：{date} <b>{state}</b></p></li>'
        for i, (title, state, date) in enumerate(LETTERS)
    )
    body = f'<html><body><ul class="letters">{rows}</ul><a href="list.html?page=2">下一页</a> 共3页</body></html>'
    page = read_board(body, url=f"{SITE}/jzxx/list.html")

    assert [e.state for e in page.entries] == [state for _, state, _ in LETTERS]
    assert page.next.url == f"{SITE}/jzxx/list.html?page=2"
    assert page.total_pages == 3
    assert read_board(body, url=f"{SITE}/jzxx/list.html", seen={page.next.key}).next is None


def test_unknown_state_counts_as_open():
    page = read_board(
        board(table_rows("<td>领导批示</td>")), url=f"{SITE}/jzxx/", state="td:nth-child(5)"
    )

    assert {(e.state, e.closed) for e in page.entries} == {("领导批示", False)}
    assert not any(
        e.closed for e in read_board(board(table_rows("<td></td>")), url=f"{SITE}/jzxx/").entries
    )


def test_senders_are_not_read():
    page = read_board(board(table_rows()), url=f"{SITE}/jzxx/")

    assert "王**" not in repr(page)


def test_selectors_and_hostile_board():
    page = read_board(
        board(table_rows()), url=f"{SITE}/jzxx/", selectors=Selectors(row="table.mail tr")
    )
    assert len(page.entries) == 4
    with pytest.raises(ListBroken):
        read_board(b"", url=f"{SITE}/jzxx/")
    with pytest.raises(ListBroken):
        read_board(board(table_rows()), url=f"{SITE}/jzxx/", state="td[")
