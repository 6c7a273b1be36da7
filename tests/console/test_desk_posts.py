"""A number in a digest leads to the very posts that it counts."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

from alerts.digest.build import build_digest
from alerts.digest.content import document_of
from alerts.digest.model import Table
from alerts.digest.weeks import week_of

DESK = "https://desk.example.gov.cn"


def counted_links(document) -> dict[str, int]:
    """Address on the desk → the number that stands there."""
    return {
        run.url.removeprefix(DESK): int(run.text)
        for block in document.blocks
        if isinstance(block, Table)
        for row in block.rows
        for cell in row
        for run in cell
        if run.url.startswith(f"{DESK}/posts")
    }


def test_each_number_of_posts_leads_to_as_many_posts(
    start, sqlite_database, flag, make_post, clock
):
    desk = start(sqlite_database)
    database, now = desk.house.database, desk.house.clock.now()
    flag(desk, title="路灯不亮")
    flag(desk, title="热线打不通", channel="weibo")
    make_post(database, title="感谢", text="预报很准", captured_at=now, channel="weibo")
    make_post(database, title="演练", text="演练", captured_at=now, channel="weibo", drill=True)
    make_post(database, title="上月", text="上个月的", captured_at=now - timedelta(days=30))
    clock.advance(timedelta(days=7))
    week = week_of(clock.now()).before
    made = build_digest(database, desk.house.settings, week, clock.now(), send=False)

    given = desk.house.settings
    console = given.console.model_copy(update={"public_url": DESK})
    linked = given.model_copy(update={"console": console})
    found = counted_links(document_of(made.row, linked))

    assert {tuple(sorted(set(re.findall(r"(\w+)=", url)))) for url in found} >= {
        ("from", "to"), ("channel", "from", "to"), ("from", "to", "tone"),
    }  # fmt: skip
    with desk.visit("daiban") as leader:
        for url, number in found.items():
            page = unescape(leader.get(url).text)
            assert re.findall(r"共 (\d+) 篇", page) == [str(number)], url
            assert len(re.findall(r'<li class="card">', page)) == number, url


def test_posts_of_many_pages_can_all_be_reached(desk, make_post):
    now = desk.house.clock.now()
    for number in range(60):
        make_post(desk.house.database, title=f"第{number}篇", text="正文", captured_at=now)

    with desk.visit("zhiban") as visitor:
        first, second = visitor.get("/posts").text, visitor.get("/posts?page=2").text
        beyond = visitor.get("/posts?from=2020-01-01&page=99").text

    assert 'href="/posts?page=2"' in first
    assert "第59篇" in first
    assert "第9篇" in second
    assert "第9篇" in beyond
    assert "第 2 页" in beyond


def test_a_page_past_the_end_is_the_last_one_and_never_says_nothing_is_open(desk, flag):
    flag(desk)

    with desk.visit("zhiban") as visitor:
        for path in ("/items?page=7", "/items?order=due&page=7", "/notices?page=7"):
            page = visitor.get(path).text
            assert "没有未办结的条目" not in page, path
            assert "这里没有通知" not in page, path
            assert "/items/TL-" in page, path


def test_the_weekly_at_the_desk_leads_to_items_posts_and_originals(
    start, sqlite_database, flag, clock
):
    desk = start(sqlite_database)
    number = flag(desk, title="路灯不亮", level="II", url="https://www.example.gov.cn/p/1.html")
    flag(desk, title="想运行代码", url="javascript:alert(1)")
    clock.advance(timedelta(days=7))
    week = week_of(clock.now()).before
    database, settings = desk.house.database, desk.house.settings
    made = build_digest(database, settings, week, clock.now(), send=False)

    with desk.visit("daiban") as leader:
        page = leader.get(f"/digests/{made.id}").text
        addresses = {unescape(one) for one in re.findall(r'href="(/(?:items|posts)[^"]*)"', page)}
        answers = {one: leader.get(one).status_code for one in addresses}

    assert f"/items/{number}" in addresses
    assert any(one.startswith("/posts?channel=") for one in addresses)
    assert set(answers.values()) == {200}
    assert 'href="https://www.example.gov.cn/p/1.html" rel="noopener noreferrer"' in page
    assert 'href="javascript' not in page
    assert "desk.invalid" not in page
