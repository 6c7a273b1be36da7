"""Whatever ends a crawl, and whenever: nothing is lost, nothing is double, the next goes on."""

from __future__ import annotations

import json
import random
import signal

import pytest
import sqlalchemy as sa
from starlette.responses import Response

from store.tables import channels

PAGES = 12


def reachable(shelf, stored):
    """Every post once, whole; every run closed; every fetch with its outcome."""
    posts = stored.posts()
    assert sorted(p.title for p in posts) == sorted(
        f"关于第{n}号工作安排的通知" for n in range(1, PAGES + 1)
    )
    assert all(p.version == 1 and p.text and p.digest for p in posts)
    assert stored.versions() == []
    assert all(run.finished_at and run.state in {"done", "killed"} for run in stored.runs())
    assert all(fetch.outcome for fetch in stored.fetches())
    for run in stored.runs():
        assert run.planned == len(stored.fetches(run=run.id))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_crawl_killed_at_any_moment_is_taken_up_by_the_next(
    seed, shelf, site, spawn, crawl, stored
):
    shelf.column(PAGES, size=4)
    channel = site(delay=0.02, revisit=False)
    chance = random.Random(seed)

    for _ in range(2):
        before = len(shelf.asked)
        child = spawn(channel)
        shelf.wait_for(before + chance.randint(1, 8))
        child.kill()
        child.wait()
    assert not any(run.state == "done" for run in stored.runs())
    result = crawl(channel).one

    assert result.state == "done"
    reachable(shelf, stored)
    assert [run.state for run in stored.runs()] == ["killed", "killed", "done"]
    assert sum(run.new for run in stored.runs()) == PAGES


def test_a_crawl_told_to_stop_settles_its_account_and_ends(
    shelf, site, spawn, crawl, stored, sqlite_database
):
    shelf.column(PAGES)
    channel = site(delay=0.5, revisit=False)

    child = spawn(channel)
    shelf.wait_for(4)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=10)

    assert child.returncode == 0, err
    (result,) = json.loads(out)["results"]
    assert result["state"] == "killed"
    assert result["outcomes"]["dropped"] >= PAGES - 4
    assert "停止信号" in result["why"]
    with sqlite_database.read() as connection:
        told = connection.execute(sa.select(channels.c.failures, channels.c.why)).one()
    assert told == (0, "")
    crawl(dict(channel, delay=0))
    reachable(shelf, stored)


def test_what_was_read_before_the_signal_is_stored(shelf, site, spawn, stored):
    shelf.column(8 * PAGES)

    child = spawn(site(delay=0.1, revisit=False))
    shelf.wait_for(6)  # robots.txt, the list, four pages; the last may still be on its way
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=20)

    (result,) = json.loads(out)["results"]
    assert result["state"] == "killed", err
    assert result["outcomes"]["ok-new"] >= 1 + 3
    assert len(stored.posts()) == result["new"] >= 3


def test_a_run_stops_by_itself_before_its_deadline(shelf, site, crawl, stored):
    shelf.column(PAGES)

    # The start alone may take seconds on a busy machine; what is left must not do for all pages.
    result = crawl(site(deadline="15s", delay=1.5, revisit=False)).one
    rest = crawl(site(revisit=False)).one

    assert result.state == "done"
    assert result.outcomes["dropped"] == result.backlog > 0
    assert rest.new == result.backlog
    reachable(shelf, stored)


def test_a_second_crawl_of_the_same_channel_does_not_run_beside_the_first(
    shelf, site, spawn, crawl, stored
):
    shelf.column(PAGES)
    child = spawn(site(delay=0.3))
    shelf.wait_for(3)

    second = crawl(site()).one

    assert (second.state, second.planned, second.why) == ("failed", 0, "上一轮采集还在进行")
    assert len(stored.runs()) == 1
    child.kill()


def test_a_page_that_breaks_our_own_code_loses_only_itself(shelf, site, crawl, stored):
    shelf.column(3)
    # a lone surrogate, a NUL and a bidi override, as entities and as bytes
    shelf.pages["/tzgg/t0002.html"] = (
        "<html><head><title>坏\x00标题&#xD800;</title></head><body><h1>坏\x00标题&#xD800;\u202e</h1>"
        "<div class='TRS_Editor'><p>正文\x00有空字节&#0;也有&#xDFFF;，其余都在。</p></div></body></html>"
    )

    result = crawl(site()).one

    assert (result.state, result.new) == ("done", 3)
    assert "\x00" not in "".join(p.title + p.text for p in stored.posts())


def test_a_server_that_hangs_up_on_everything_is_a_failed_run(shelf, site, crawl):
    shelf.robots = lambda _r: Response("", 500)

    result = crawl(site()).one

    assert result.state == "failed"
    assert result.outcomes == {"http-error": 1, "robots-denied": 1}
