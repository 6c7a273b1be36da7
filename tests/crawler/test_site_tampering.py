"""Own pages are seen again over real HTTP, and what was done to them is kept with evidence."""

import pytest
import sqlalchemy as sa
from starlette.responses import Response

from store.tables import fingerprints

MINUTE, DAY = 60, 24 * 3600
PATH = "/tzgg/t0001.html"
PLANT = '<script src="http://cdn.example-bad.top/j.js"></script></body>'


@pytest.fixture
def kept(sqlite_database):
    def kept():
        with sqlite_database.read() as connection:
            query = sa.select(fingerprints).where(fingerprints.c.url.endswith(PATH))
            return connection.execute(query).mappings().one_or_none()

    return kept


def test_a_planted_script_is_seen_twice_and_kept_with_its_evidence(shelf, site, crawl, kept):
    shelf.column(2)
    crawl(site())
    assert kept()["baseline"]["body"] == ["第1号通知的正文,请各单位遵照执行。"]
    assert kept()["changes"] is None

    shelf.pages[PATH] = shelf.pages[PATH].replace("</body>", PLANT)
    crawl(site(), ahead=8 * DAY)
    assert kept()["looks"] == 1
    crawl(site(), ahead=8 * DAY + 3 * MINUTE)  # sooner than its turn

    row = kept()
    assert row["looks"] == 2
    assert [one["label"] for one in row["changes"]] == ["script"]
    assert row["changes"][0]["evidence"]["status"] == "200"
    assert len(row["changes"][0]["evidence"]["sha256"]) == 64


def test_a_page_put_right_again_leaves_no_difference(shelf, site, crawl, kept):
    shelf.column(2)
    crawl(site())
    clean = shelf.pages[PATH]
    shelf.pages[PATH] = clean.replace("</body>", PLANT)
    crawl(site(), ahead=8 * DAY)
    shelf.pages[PATH] = clean

    crawl(site(), ahead=8 * DAY + 3 * MINUTE)

    assert kept()["changes"] is None


def test_a_defaced_page_is_kept_as_defaced(shelf, site, crawl, kept):
    shelf.column(2)
    crawl(site())
    shelf.pages[PATH] = "<html><title>0wned</title><body><h1>we were here</h1></body></html>"

    crawl(site(), ahead=8 * DAY)

    assert kept()["changes"][0]["label"] == "defaced"


def test_a_page_that_sends_readers_away_is_kept(shelf, site, crawl, kept):
    shelf.column(2)
    crawl(site())
    shelf.pages[PATH] = shelf.pages[PATH].replace(
        "<title>", '<meta http-equiv="refresh" content="0;url=http://example-bad.top/"><title>'
    )

    crawl(site(), ahead=8 * DAY)

    assert [one["label"] for one in kept()["changes"]] == ["refresh"]


def test_a_removed_page_and_a_redirect_are_kept_and_a_failure_of_the_host_is_not(
    shelf, site, crawl, kept
):
    shelf.column(2)
    crawl(site())
    shelf.pages[PATH] = lambda _request: Response("gone", 410)
    crawl(site(), ahead=8 * DAY)
    assert [one["label"] for one in kept()["changes"]] == ["removed"]

    shelf.pages[PATH] = lambda _request: Response("", 500)
    crawl(site(), ahead=9 * DAY)
    assert [one["label"] for one in kept()["changes"]] == ["removed"]


def test_letters_of_the_public_are_not_watched(shelf, site, crawl, sqlite_database):
    shelf.letter("/jzxx/1.html")
    shelf.list("/jzxx/index.html", [("/jzxx/1.html", "路灯不亮", "2026-07-01")])
    crawl(site(columns=[{"url": f"{shelf.url}/jzxx/index.html", "kind": "letters"}]))

    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(fingerprints.c.url)).all() == []
