"""A mail's links, opened by gateways, scanners and people: only a person's one click acts."""

from __future__ import annotations

import re
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from alerts.actionlinks import linker
from alerts.lifecycle import move_item
from alerts.outbox import deliver_one
from alerts.transports.memory import Memory
from config.keys import link_keys
from demo.serving import serve
from store import tables
from store.records import State
from tests.browsing import browser, page_of

__all__ = ["browser"]

TO = "forecast@example.gov.cn"


@pytest.fixture
def desk(start, sqlite_database, tmp_path):
    return start(sqlite_database, console={"link_key_file": str(tmp_path / "link.key")})


@pytest.fixture
def site():
    """The page that the post was found on."""
    page = Route("/{path:path}", lambda _request: HTMLResponse("<title>来信</title>路灯坏了"))
    with serve(Starlette(routes=[page])) as url:
        yield url


@pytest.fixture
def letter(desk, site, flag):
    """The alert as it leaves, with its links."""
    flag(desk, level="II", topic="accident", url=f"{site}/letters/1.html")
    console = desk.house.settings.console.model_copy(update={"public_url": desk.url})
    settings = desk.house.settings.model_copy(update={"console": console})
    memory = Memory()
    keys = link_keys(console, {})
    while deliver_one(
        desk.house.database, {"smtp": memory}, settings,
        clock=desk.house.clock, random=Random(1), links=linker(keys, desk.url),
    ):  # fmt: skip
        pass
    [made] = memory.to(TO)
    return made


def links_of(letter) -> list[str]:
    found = re.findall(r"https?://[^\s\"'<>）]+", letter.text + letter.html)
    return list(dict.fromkeys(found))


@pytest.fixture
def link(letter, desk) -> str:
    [found] = [one for one in links_of(letter) if one.startswith(f"{desk.url}/l/")]
    return found


def everything(desk) -> dict[str, Any]:
    with desk.house.database.read() as connection:
        return {
            table.name: connection.execute(sa.select(table)).all()
            for table in tables.metadata.sorted_tables
        }


def lines(desk, kind: str) -> list[Any]:
    return [line for line in everything(desk)["events"] if line.kind == kind]


def click(link: str, **more: Any) -> httpx.Response:
    """What the page's own form sends."""
    return httpx.post(link, data={"token": link.rpartition("/")[2]}, **more)


def test_a_mail_leads_to_the_receipt_the_desk_and_the_source(desk, site, letter):
    found = links_of(letter)

    assert f"{desk.url}/items/TL-2026-0001" in found
    assert f"{site}/letters/1.html" in found
    assert len([one for one in found if "/l/" in one]) == 1
    assert len(found) == 3


def test_every_link_opened_by_machines_and_a_browser_changes_nothing(desk, letter, browser):
    before = everything(desk)

    for address in links_of(letter):
        for _ in range(3):
            httpx.get(address, headers={"purpose": "prefetch"})
            httpx.head(address)
        httpx.options(address)
        with page_of(browser) as page:
            page.goto(address, wait_until="networkidle")
            page.mouse.move(200, 200)
            page.keyboard.press("End")
            page.wait_for_timeout(500)

    assert everything(desk) == before


def test_one_click_in_a_browser_receives_once(desk, link, browser):
    with page_of(browser, viewport={"width": 360, "height": 740}) as page:
        page.goto(link)
        assert page.inner_text("h1").startswith("请签收 ")
        assert "待签收" not in page.inner_text("main")  # a state of the item, and not this one
        assert page.locator("script").count() == 0
        page.click("main button:has-text('签收')")
        page.wait_for_selector("h1:has-text('已签收')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.goto(link)
        assert "已由 链接（发给" in page.inner_text("main")
        assert page.locator("main button").count() == 0

    again = click(link)
    [line] = lines(desk, "acknowledged")
    assert (again.status_code, "签收" in again.text) == (200, True)
    assert (line.via, line.detail["recipient"]) == ("link", TO)
    assert "未登录，不作身份证明" in line.note


def test_the_page_may_be_kept_by_nobody_and_told_to_nobody(link):
    for answer in (httpx.get(link), httpx.head(link), click(link)):
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "set-cookie" not in answer.headers
    assert httpx.head(link).content == b""


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({}, {}),
        ({"token": "x"}, {}),
        ("token", {"sec-fetch-site": "cross-site"}),
        ("token", {"origin": "https://evil.example"}),
        ("token", {"origin": "http://[broken"}),
    ],
    ids=["no field", "another field", "cross-site", "another origin", "broken origin"],
)
def test_a_form_that_is_not_the_page_s_own_is_refused(desk, link, data, headers):
    before = everything(desk)
    fields = {"token": link.rpartition("/")[2]} if data == "token" else data

    answer = httpx.post(link, data=fields, headers=headers)

    assert answer.status_code == 403
    assert "没有执行" in answer.text
    assert everything(desk) == before


def test_a_huge_form_is_refused_and_other_methods_do_not_exist(desk, link):
    before = everything(desk)

    assert httpx.post(link, data={"token": "x" * 10_000}).status_code == 403
    assert [httpx.request(m, link).status_code for m in ("PUT", "DELETE", "PATCH")] == [405] * 3
    assert everything(desk) == before


def test_forwarded_it_says_whose_it_is_and_records_the_link_not_the_person(desk, link):
    seen = httpx.get(link)
    click(link)

    assert f"本链接发给 {TO}；由他人打开的" in seen.text
    [line] = lines(desk, "acknowledged")
    assert line.by == f"链接（发给 {TO}）"


def test_expired_cut_and_closed_are_each_explained_and_nothing_happens(desk, link):
    cut = httpx.get(link[:-3])
    assert (cut.status_code, "链接无效" in cut.text) == (404, True)
    assert "button" not in cut.text

    move_item(
        desk.house.database, 1, State.DISMISSED, by="张值班", via="desk", note="误报",
        now=desk.house.clock.now(),
    )  # fmt: skip
    for answer in (httpx.get(link), click(link)):
        assert (answer.status_code, "不予处置" in answer.text) == (200, True)
        assert "button" not in answer.text

    desk.house.clock.advance(timedelta(hours=73))
    for answer in (httpx.get(link), click(link)):
        assert (answer.status_code, "链接已过期" in answer.text) == (410, True)
    assert lines(desk, "acknowledged") == []
    assert f'href="{desk.url}' not in answer.text  # leads to the desk by its own path


def test_a_key_that_was_rotated_away_opens_nothing_and_an_added_one_keeps_old_links(
    desk, link, tmp_path
):
    kept = (tmp_path / "link.key").read_text(encoding="utf-8").strip()
    (tmp_path / "link.key").write_text(f"{kept}\n{'n' * 40}\n", encoding="utf-8")
    assert httpx.get(link).status_code == 200

    (tmp_path / "link.key").write_text("n" * 40, encoding="utf-8")
    assert httpx.get(link).status_code == 404

    (tmp_path / "link.key").write_text("short", encoding="utf-8")
    assert httpx.get(link).status_code == 503
    assert click(link).status_code == 503
