"""Politeness: robots.txt, pace, Retry-After, and only the hosts that were configured."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from starlette.responses import RedirectResponse, Response

from crawler.site.inflate import Broken, TooLarge, inflate
from crawler.site.pace import retry_after
from crawler.site.robots import Rules, read
from demo.badsite import BadSite
from demo.serving import serve

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


def gaps(asked):
    times = [one.at for one in asked]
    return [later - earlier for earlier, later in pairwise(times)]


def test_requests_to_one_host_keep_their_distance(shelf, site, crawl):
    shelf.column(3)
    shelf.column(2, folder="/news")
    other = site(id="news", delay=0.3, columns=[{"url": f"{shelf.url}/news/index.html"}])

    crawl(site(delay=0.3), other)

    assert len(shelf.asked) == 9
    assert min(gaps(shelf.asked)) > 0.27  # two channels on one host share its patience


def test_what_robots_txt_says_is_obeyed_in_every_case(crawl, stored):
    kinds = ("open", "closed", "delay", "503", "reset", "404")
    sites = {kind: BadSite(robots=kind).start() for kind in kinds}
    try:
        channels = [
            {
                "id": f"robots-{kind}",
                "name": kind,
                "kind": "site",
                "delay": 0,
                "timeout": 20,
                "max_fetches": 2,
                "columns": [{"url": one.url(""), "name": kind}],
            }
            for kind, one in sites.items()
        ]
        crawl(*channels)

        found = {kind: stored.fetches(url=one.url(""))[-1] for kind, one in sites.items()}
        read = {kind for kind, fetch in found.items() if fetch.outcome == "ok-new"}
        assert read == {"open", "delay", "404"}
        for kind in ("closed", "503", "reset"):
            assert found[kind].outcome == "robots-denied"
            assert sites[kind].asked("") == []
        assert "robots.txt 读不到" in found["503"].why
        assert min(gaps(sites["delay"].requests)) > 0.95  # Crawl-delay: 1
    finally:
        for one in sites.values():
            one.stop()


def test_a_copy_of_robots_txt_stands_in_for_a_day(shelf, site, crawl, stored):
    shelf.column(1)
    crawl(site())
    shelf.robots = lambda _request: Response("busy", 503)
    shelf.forget()

    within_the_hour = crawl(site()).one
    assert [one.path for one in shelf.asked] == ["/tzgg/index.html"]
    crawl(site(), ahead=2 * 3600)
    assert stored.outcome(f"{shelf.url}/tzgg/index.html") == "ok-unchanged"
    day_later = crawl(site(), ahead=26 * 3600).one

    assert within_the_hour.state == "done"
    assert (day_later.state, day_later.outcomes["robots-denied"]) == ("failed", 1)
    assert "robots.txt" in day_later.why


def test_robots_txt_that_now_forbids_everything_is_told(shelf, site, crawl):
    shelf.column(1)
    crawl(site())
    shelf.robots = "User-agent: tinglan\nDisallow: /\n"

    result = crawl(site(), ahead=2 * 3600).one

    assert result.state == "failed"
    assert "robots.txt 不允许抓取" in result.why


def test_a_long_retry_after_is_left_to_a_later_run_and_harms_no_other_host(
    shelf, site, crawl, stored
):
    shelf.column(2, folder="/news")
    shelf.pages["/tzgg/index.html"] = lambda _r: Response(
        "busy", 503, headers={"Retry-After": "120"}
    )
    neighbour = shelf.url.replace("127.0.0.1", "localhost")
    columns = [
        {"url": f"{shelf.url}/tzgg/index.html", "name": "通知公告"},
        {"url": f"{shelf.url}/zcjd/index.html", "name": "政策解读"},
        {"url": f"{neighbour}/news/index.html", "name": "工作动态"},
    ]

    first = crawl(site(columns=columns)).one
    soon = crawl(site(columns=columns), ahead=60).one
    later = crawl(site(columns=columns), ahead=180).one

    assert (first.state, first.new) == ("done", 2)
    assert stored.fetches(url=columns[1]["url"])[0].outcome == "dropped"
    assert "120 秒后再来" in stored.fetches(url=columns[1]["url"])[0].why
    assert soon.outcomes["dropped"] == 2
    assert later.outcomes.get("http-error") == 1
    assert sum(1 for one in shelf.asked if one.path == "/tzgg/index.html") == 2


def test_a_host_that_refuses_again_and_again_is_left_alone(shelf, site, crawl, stored):
    shelf.column(8)
    for number in range(1, 9):
        shelf.pages[f"/tzgg/t{number:04}.html"] = lambda _r: Response("no", 403)

    result = crawl(site()).one

    assert result.outcomes == {"blocked": 3, "dropped": 5, "ok-new": 1, "ok-unchanged": 1}
    assert result.backlog == 5
    assert len(shelf.asked) == 5


def test_a_site_that_is_down_is_not_tried_page_by_page(site, crawl):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    columns = [{"url": f"http://127.0.0.1:{port}/c{n}/"} for n in range(8)]

    result = crawl(site(columns=columns)).one

    assert result.state == "failed"
    assert result.planned == sum(result.outcomes.values()) == 9
    assert "连接被拒绝" in result.why


def test_a_redirect_on_the_site_is_followed_and_the_post_keeps_its_address(
    shelf, site, crawl, stored
):
    shelf.article("/moved/here.html")
    shelf.pages["/tzgg/1.html"] = lambda _r: RedirectResponse("/moved/here.html", 301)
    shelf.list("/tzgg/index.html", [("/tzgg/1.html", "关于开展检查的通知", "2026-07-01")])

    crawl(site())

    assert [p.key for p in stored.posts()] == [f"{shelf.url}/tzgg/1.html"]


def test_a_list_is_not_followed_off_the_site(shelf, site, crawl, stored):
    with serve(shelf.app) as elsewhere:
        shelf.list(
            "/tzgg/index.html",
            [
                (f"{elsewhere}/tzgg/1.html", "另一个端口上的文章标题", "2026-07-01"),
                ("http://169.254.169.254/latest/meta-data/", "云主机元数据的地址", "2026-07-01"),
                ("/tzgg/2.html", "本站的一篇文章标题在此", "2026-07-01"),
            ],
        )
        shelf.article("/tzgg/2.html", "本站的一篇文章标题在此")
        crawl(site())

    assert [p.url for p in stored.posts()] == [f"{shelf.url}/tzgg/2.html"]
    assert shelf.paths == ["/tzgg/index.html", "/tzgg/2.html"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Wed, 15 Jul 2026 04:00:30 GMT", 30),
        ("Wed, 15 Jul 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Wed, 99 Jul 2026 04:00:30 GMT", None),
    ],
)
def test_retry_after_comes_in_two_forms(value, seconds):
    assert retry_after(value, NOW) == seconds


def test_robots_rules_with_many_wildcards_do_not_hang():
    rules = read(b"User-agent: *\nDisallow: /" + b"*a" * 5000 + b"b\n", NOW)

    assert rules.allows("http://a.gov.cn/" + "a" * 1500) in {True, False}


def test_a_copy_made_before_the_clock_was_set_back_is_not_fresh_for_ever():
    assert Rules("", NOW + timedelta(days=400)).age(NOW) >= 24 * 3600


def test_a_crawl_delay_is_honoured_up_to_a_minute():
    assert read(b"User-agent: tinglan\nCrawl-delay: 5\n", NOW).delay == 5
    assert read(b"User-agent: *\nCrawl-delay: 86400\n", NOW).delay == 60
    assert read(b"User-agent: *\nDisallow:\n", NOW).delay == 0


def test_decompression_is_bounded_and_says_what_is_wrong():
    import gzip
    import zlib

    plain = b"x" * 5000
    assert inflate(gzip.compress(plain), "gzip", 10_000) == plain
    assert inflate(zlib.compress(plain), "deflate", 10_000) == plain
    assert inflate(zlib.compress(plain)[2:-4], "deflate", 10_000) == plain
    assert inflate(gzip.compress(gzip.compress(plain)), "gzip, gzip", 10_000) == plain
    assert inflate(plain, "identity", 10_000) == plain
    with pytest.raises(TooLarge):
        inflate(gzip.compress(plain), "gzip", 4_999)
    for body, encoding in [
        (gzip.compress(plain)[:-20], "gzip"),
        (plain, "gzip"),
        (plain, "br"),
        (plain, "gzip, gzip, gzip"),
    ]:
        with pytest.raises(Broken):
            inflate(body, encoding, 10_000)
