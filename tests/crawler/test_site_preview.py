"""A look at what a pass over the site would do: polite, honest, and without a trace."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import Tools, channel_options
from crawler.channels import site as kind


@pytest.fixture
def look(sqlite_database, clock):
    def look(channel):
        settings = check(
            {
                "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
                "channels": [channel],
                "offices": [{"id": "d", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
                "roster": {"fallback": ["leader@example.gov.cn"]},
                "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
            },
            "tinglan.toml",
            Catalogue(channels=channel_options()),
        )
        tools = Tools(
            database=sqlite_database,
            clock=clock,
            settings=settings,
            author_key=b"k" * 32,
            user_agent="tinglan/test (+http://example.gov.cn/contact)",
            environ={},
        )
        return kind.preview(settings.channels[0], tools)

    return look


def test_it_tells_the_cost_and_shows_three_pages(shelf, site, look, stored):
    shelf.column(12, size=4)

    seen = look(site(feeds=[f"{shelf.url}/rss.xml"]))

    assert [one.title for one in seen.samples] == [
        f"关于第{number}号工作安排的通知" for number in (12, 11, 10)
    ]
    assert all(one.text for one in seen.samples)
    column, feed, pages = seen.calls
    assert ("通知公告" in column.what, column.calls) == (True, 1)
    assert "第 3 页" in column.note
    assert ("rss.xml" in feed.what, feed.calls) == (True, 1)
    assert (pages.calls, "一轮最多 200 页" in pages.note) == (0, True)
    assert seen.why == ""
    assert len(shelf.asked) == 5  # robots.txt, the list, three pages
    assert {one.headers["user-agent"] for one in shelf.asked} == {
        "tinglan/test (+http://example.gov.cn/contact)"
    }
    assert stored.posts() == stored.fetches() == stored.runs() == stored.pages() == []


def test_pages_that_are_due_are_counted(shelf, site, look, crawl):
    shelf.column(6)
    channel = site(max_fetches=2, revisit=False)
    crawl(channel)

    assert look(channel).calls[-1].calls == 2
    assert "未读过的 2，回看的 0" in look(channel).calls[-1].note


def test_what_robots_txt_forbids_is_not_even_tried(shelf, site, look):
    shelf.column(3)
    shelf.robots = "User-agent: *\nDisallow: /tzgg/\n"

    seen = look(site())

    assert seen.samples == ()
    assert "robots.txt 不允许抓取" in seen.why
    assert shelf.paths == []


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (lambda _r: Response("no", 403), "拒绝访问"),
        (lambda _r: Response("", 200), "为空"),
        ("<title>系统维护</title><h1>系统维护中，请稍后再试</h1>", "维护"),
        (lambda _r: Response(status_code=302, headers={"Location": "/tzgg/index.html"}), "跳转"),
    ],
)
def test_a_list_that_cannot_be_read_says_why_and_the_next_is_tried(shelf, site, look, page, says):
    shelf.column(3, folder="/news")
    shelf.pages["/tzgg/index.html"] = page
    columns = [
        {"url": f"{shelf.url}/tzgg/index.html", "name": "通知公告"},
        {"url": f"{shelf.url}/news/index.html", "name": "工作动态"},
    ]

    seen = look(site(columns=columns))

    assert len(seen.samples) == 3
    assert "通知公告" in seen.why
    assert says in seen.why


def test_a_list_without_a_readable_page_says_why(shelf, site, look):
    shelf.list("/tzgg/index.html", [("/tzgg/1.html", "关于开展检查的通知", "2026-07-01")])

    seen = look(site())

    assert seen.samples == ()
    assert "关于开展检查的通知：地址不存在（404）" in seen.why


def test_robots_txt_that_cannot_be_read_means_no(shelf, site, look):
    shelf.column(3)
    shelf.robots = lambda _r: Response("busy", 503)

    seen = look(site())

    assert "robots.txt 读不到，按不允许处理：状态 503" in seen.why
    assert shelf.paths == []
