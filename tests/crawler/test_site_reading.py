"""A site read over real HTTP: what is new, what changed, what is left for the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from store.tables import posts

HOUR = 3600


def test_a_column_is_read_once_and_then_only_asked_whether_it_changed(shelf, site, crawl, stored):
    shelf.column(3)

    first = crawl(site()).one
    shelf.forget()
    second = crawl(site()).one

    assert (first.state, first.new, first.failed) == ("done", 3, 0)
    assert first.planned == sum(first.outcomes.values()) == 5  # robots.txt, the list, three pages
    assert [p.title for p in stored.posts()] == [f"关于第{n}号工作安排的通知" for n in (3, 2, 1)]
    post = stored.posts()[0]
    assert (post.kind, post.role, post.column, post.source) == ("post", "own", "通知公告", "办公室")
    assert post.published_at == datetime(2026, 7, 1, 1, 30, tzinfo=UTC)
    assert post.notes["charset_used"] == "utf-8"
    assert shelf.paths == ["/tzgg/index.html"]
    assert shelf.asked[-1].headers["if-none-match"]
    assert second.outcomes == {"ok-unchanged": 1}
    assert (second.new, second.changed, second.backlog) == (0, 0, 0)


def test_we_say_who_we_are_and_bring_no_cookies(shelf, site, crawl):
    shelf.column(2)
    crawl(site())

    for asked in shelf.asked:
        assert asked.headers["user-agent"].startswith("tinglan/")
        assert "(+http://example.gov.cn/contact)" in asked.headers["user-agent"]
        assert asked.headers["accept-encoding"] == "gzip, deflate"
        assert "cookie" not in asked.headers


def test_an_edited_page_becomes_a_version_with_both_texts(shelf, site, crawl, stored):
    shelf.column(2)
    crawl(site())
    shelf.article("/tzgg/t0001.html", "关于第1号工作安排的通知", "更正：原通知的时间有误。")

    result = crawl(site(), ahead=40 * 24 * HOUR).one

    assert (result.new, result.changed) == (0, 1)
    changed = next(p for p in stored.posts() if p.version == 2)
    assert changed.text == "更正：原通知的时间有误。"
    assert [v.text for v in stored.versions(post=changed.id)] == [
        "第1号通知的正文，请各单位遵照执行。",
        "更正：原通知的时间有误。",
    ]


def test_a_reply_that_appears_later_on_the_same_page_is_found(shelf, site, crawl, stored):
    board = {"url": f"{shelf.url}/jzxx/index.html", "name": "局长信箱", "kind": "letters"}
    shelf.letter("/jzxx/1.html")
    shelf.letter("/jzxx/2.html", title="预警短信没收到", reply="已核实并补发。")
    shelf.list(
        "/jzxx/index.html",
        [
            ("/jzxx/1.html", "路灯不亮", "2026-07-01"),
            ("/jzxx/2.html", "预警短信没收到", "2026-07-01"),
        ],
    )
    crawl(site(columns=[board]))
    shelf.letter("/jzxx/1.html", reply="路灯已经修好，请放心。")
    shelf.forget()

    result = crawl(site(columns=[board]), ahead=2 * HOUR).one

    assert result.changed == 1
    assert shelf.paths == ["/jzxx/index.html", "/jzxx/1.html"]  # the closed one is left in peace
    letter = next(p for p in stored.posts() if p.title == "路灯不亮")
    assert (letter.kind, letter.role) == ("letter", "public")
    assert (letter.version, letter.state, letter.reply) == (2, "已办结", "路灯已经修好，请放心。")
    assert letter.replied_at == datetime(2026, 7, 3, 2, 0, tzinfo=UTC)
    assert "王" not in letter.text + letter.author


def test_a_walk_stops_one_page_after_what_is_known(shelf, site, crawl):
    shelf.column(20, size=4)
    columns = [{"url": f"{shelf.url}/tzgg/index.html", "pages": 5}]
    crawl(site(columns=columns, revisit=False))
    shelf.column(21, size=4)
    shelf.forget()

    result = crawl(site(columns=columns, revisit=False)).one

    lists = [path for path in shelf.paths if "index" in path]
    assert lists == ["/tzgg/index.html", "/tzgg/index_1.html", "/tzgg/index_2.html"]
    assert result.new == 1


def test_a_long_list_is_walked_on_in_later_runs(shelf, site, crawl, stored):
    shelf.column(12, size=2)
    columns = [{"url": f"{shelf.url}/tzgg/index.html", "pages": 2}]

    new = [crawl(site(columns=columns, revisit=False)).one.new for _ in range(5)]

    assert sum(new) == 12
    assert new[0] == 4
    assert len({p.key for p in stored.posts()}) == 12


def test_a_backlog_is_drained_in_order_newest_first(shelf, site, crawl, stored):
    shelf.column(7)

    first = crawl(site(max_fetches=3, revisit=False)).one
    second = crawl(site(max_fetches=3, revisit=False)).one
    third = crawl(site(max_fetches=3, revisit=False)).one

    assert [r.backlog for r in (first, second, third)] == [4, 1, 0]
    assert [p.title[2:4] for p in stored.posts()] == [f"第{n}" for n in (7, 6, 5, 4, 3, 2, 1)]


def test_a_comment_is_its_own_words_and_the_list_stands_in_for_a_page_without(
    shelf, site, crawl, stored
):
    shelf.pages["/wyly/1.html"] = (
        "<html><head><title>网友留言</title></head><body><h1>网友留言</h1>"
        "<div class='comment-content'><p>小区门口又开始积水了，脚脖子深。</p></div></body></html>"
    )
    shelf.pages["/wyly/2.html"] = (
        "<html><head><title>网友留言</title></head><body><h1>网友留言</h1></body></html>"
    )
    words = ["小区门口又开始积水了，脚脖子深。", "河堤好像有裂缝，请派人来看看。"]
    shelf.list(
        "/wyly/index.html",
        [(f"/wyly/{n}.html", said, "2026-07-01") for n, said in enumerate(words, 1)],
    )
    board = {"url": f"{shelf.url}/wyly/index.html", "name": "网友留言", "kind": "comments"}

    crawl(site(columns=[board]))

    assert [(p.kind, p.role, p.title, p.text) for p in stored.posts()] == [
        ("comment", "public", "", said) for said in words
    ]


def test_feeds_and_the_sitemap_name_pages_too_and_none_is_read_twice(shelf, site, crawl, stored):
    now = datetime.now(UTC)
    for name in ("a", "b", "c"):
        shelf.article(f"/tzgg/{name}.html", f"标题{name}文章", f"正文{name}，请各单位知悉。")
    shelf.pages["/rss.xml"] = (
        f"<rss version='2.0'><channel><title>示例</title><item><title>标题a文章</title><link>{shelf.url}/tzgg/a.html</link>"
        "</item><item><title>只在订阅里</title><guid>7</guid><description>没有网页的一条</description></item>"
        "</channel></rss>"
    )
    shelf.pages["/sitemap.xml"] = (
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        f"<url><loc>{shelf.url}/tzgg/b.html</loc><lastmod>{now:%Y-%m-%d}</lastmod></url>"
        f"<url><loc>{shelf.url}/old/c.html</loc><lastmod>2019-01-01</lastmod></url></urlset>"
    )
    shelf.list(
        "/tzgg/index.html",
        [("/tzgg/a.html", "标题a文章", "2026-07-01"), ("/tzgg/b.html", "标题b文章", "2026-07-01")],
    )
    channel = site(feeds=[f"{shelf.url}/rss.xml"], sitemap=f"{shelf.url}/sitemap.xml")

    result = crawl(channel).one

    assert result.failed == 0, result
    assert sorted(p.title for p in stored.posts()) == ["只在订阅里", "标题a文章", "标题b文章"]
    assert sorted(shelf.paths) == [
        "/rss.xml",
        "/sitemap.xml",
        "/tzgg/a.html",
        "/tzgg/b.html",
        "/tzgg/index.html",
    ]


def test_a_changed_title_in_the_list_brings_us_back_at_once(shelf, site, crawl):
    shelf.column(2)
    crawl(site())
    shelf.article("/tzgg/t0002.html", "更正后的标题在此处", "改过的正文，请各单位重新查阅。")
    shelf.list(
        "/tzgg/index.html",
        [
            ("/tzgg/t0002.html", "更正后的标题在此处", "2026-06-03"),
            ("/tzgg/t0001.html", "关于第1号工作安排的通知", "2026-06-02"),
        ],
    )

    assert crawl(site()).one.changed == 1


def test_three_empty_lists_in_a_row_are_a_broken_column(shelf, site, crawl):
    shelf.column(1)
    crawl(site(revisit=False))
    shelf.list("/tzgg/index.html", [])
    runs = [crawl(site(revisit=False)).one for _ in range(3)]

    assert [r.state for r in runs] == ["done", "done", "failed"]
    assert runs[0].outcomes == {"ok-empty": 1}
    assert "连续 3 次为空" in runs[2].why


def test_a_column_that_fails_does_not_hide_the_others(shelf, site, crawl):
    shelf.column(1)
    columns = [
        {"url": f"{shelf.url}/gone/index.html", "name": "已撤栏目"},
        {"url": f"{shelf.url}/tzgg/index.html", "name": "通知公告"},
    ]

    both = crawl(site(columns=columns)).one
    alone = crawl(site(id="alone", columns=columns[:1])).one

    assert (both.state, both.new) == ("done", 1)
    assert "「已撤栏目」页面不存在（404）" in both.why
    assert alone.state == "failed"


def test_a_page_that_is_gone_is_an_outcome_and_the_post_stays(shelf, site, crawl, stored):
    shelf.column(1)
    crawl(site())
    del shelf.pages["/tzgg/t0001.html"]

    result = crawl(site(), ahead=60 * 24 * HOUR).one

    assert result.outcomes["removed"] == 1
    assert len(stored.posts()) == 1
    page = next(p for p in stored.pages() if p.url.endswith("t0001.html"))
    assert page.failures == 1
    assert page.next_at - page.last_at > timedelta(days=59)


def test_a_crawl_is_the_same_on_every_database(shelf, site, crawl, database):
    shelf.column(3)
    crawl(site(), database=database)
    shelf.article("/tzgg/t0001.html", "关于第1号工作安排的通知", "更正：原通知的时间有误。")

    result = crawl(site(), database=database, ahead=40 * 24 * HOUR).one

    with database.read() as connection:
        kept = connection.execute(sa.select(posts.c.version).order_by(posts.c.id)).scalars().all()
    assert (result.state, result.changed, kept) == ("done", 1, [1, 1, 2])


def test_two_channels_share_one_process(shelf, site, crawl):
    shelf.column(2)
    shelf.column(2, folder="/news")
    other = site(id="news", columns=[{"url": f"{shelf.url}/news/index.html"}])

    results = crawl(site(), other).results

    assert [(r.channel, r.state, r.new) for r in results.values()] == [
        ("site", "done", 2),
        ("news", "done", 2),
    ]
