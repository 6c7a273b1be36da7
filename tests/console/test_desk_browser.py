"""The story in a real browser: with script, without, by keyboard alone; and nobody is shut out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.tables import items, notices, posts, versions

PASSWORD = "Guan-Chao-2026"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def _chromium() -> str:
    found = os.environ.get("TINGLAN_CHROMIUM") or shutil.which("chromium")
    return found or shutil.which("chromium-browser") or ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not _chromium():
        pytest.skip("no Chromium here: apt-get install chromium, or set TINGLAN_CHROMIUM")
    with playwright.sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=_chromium(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any, desk: Any) -> Iterator[Callable[..., Any]]:
    """A page in a context of its own; what it asked for from elsewhere is in `page.strangers`."""

    @contextmanager
    def begin(**options: Any) -> Iterator[Any]:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.strangers, page.said = [], []
        page.on("request", lambda r: r.url.startswith(desk.url) or page.strangers.append(r.url))
        # A 401 is how the login form comes, and the browser remarks on it.
        page.on("console", lambda m: "401" in m.text or page.said.append(m.text))
        page.on("dialog", lambda d: (page.said.append(f"dialog {d.message}"), d.dismiss()))
        try:
            yield page
        finally:
            context.close()

    return begin


def state(desk: Any, number: str) -> str:
    with desk.house.database.read() as connection:
        return str(
            connection.execute(
                sa.select(items.c.state).where(items.c.number == number)
            ).scalar_one()
        )


def log_in(page: Any, url: str, name: str) -> None:
    page.goto(url)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button.main")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_story_by_mouse(desk, flag, open_page, script: bool) -> None:
    number = flag(desk, level="III")
    url = f"{desk.url}/items/{number}"

    with open_page(java_script_enabled=script) as page:
        log_in(page, url, "zhiban")
        assert page.url == url
        assert page.locator("mark").first.inner_text() == "没人修"
        page.click("main button:has-text('需要报告')")
        page.fill("#to_whom", "市政府总值班室")
        page.select_option("#office", "forecast")
        page.click("main button:has-text('登记报送')")
        assert "已登记" in page.inner_text("#told")
        assert page.strangers == []
    with open_page(java_script_enabled=script, viewport={"width": 360, "height": 740}) as page:
        log_in(page, url, "chushi")
        page.click("main button:has-text('签收')")
        page.fill("#note", "已修好，附照片")
        page.click("main button:has-text('报处置结果')")
    with open_page(java_script_enabled=script) as page:
        log_in(page, url, "daiban")
        page.click("main button:has-text('审核通过')")
        assert page.strangers == []
        assert page.said == []

    assert state(desk, number) == "closed"


def test_the_story_by_keyboard_alone(desk, flag, open_page) -> None:
    number = flag(desk, level="III")

    def reach(page: Any, words: str) -> None:
        """Tab until what has the focus says so."""
        for _ in range(80):
            page.keyboard.press("Tab")
            here = page.evaluate(
                "(document.activeElement.id || '') + ' ' + document.activeElement.innerText"
            )
            if words in here:
                return
        raise AssertionError(f"{words} cannot be reached by keyboard")

    def enter(page: Any, name: str) -> None:
        page.goto(f"{desk.url}/items/{number}")
        reach(page, "name")
        page.keyboard.type(name)
        reach(page, "password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("#step")

    def press(page: Any, words: str) -> None:
        reach(page, words)
        with page.expect_navigation():
            page.keyboard.press("Enter")

    with open_page() as page:
        enter(page, "zhiban")
        page.keyboard.press("Tab")
        assert "跳到正文" in page.evaluate("document.activeElement.innerText")
        reach(page, "需要报告")  # the tab of that name
        press(page, "需要报告")
        reach(page, "to_whom")
        page.keyboard.type("市府办")
        reach(page, "office")
        page.keyboard.press("End")
        assert page.input_value("#office") == "forecast"
        press(page, "登记报送")
    assert state(desk, number) == "to_receive"
    with open_page() as page:
        enter(page, "chushi")
        reach(page, "签收")  # the tab
        press(page, "签收")
        reach(page, "note")
        page.keyboard.type("办好了")
        press(page, "报处置结果")
    with open_page() as page:
        enter(page, "daiban")
        reach(page, "审核通过")  # the tab
        press(page, "审核通过")
    assert state(desk, number) == "closed"


@pytest.fixture
def axe() -> str:
    package = pytest.importorskip(
        "axe_playwright_python", reason="pip install axe-playwright-python (brings axe-core)"
    )
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


PAGES = {
    "zhiban": ["/", "/items", "/items/1", "/items/2?to=dismissed", "/posts?q=没人", "/notices",
               "/channels", "/roster", "/digests", "/digests/running", "/statistics", "/rules",
               "/selfcheck", "/password", "/users"],
    "guanli": ["/users"],
    "shenji": ["/audit"],
}  # fmt: skip


def test_no_page_shuts_anybody_out_in_light_or_dark(desk, flag, open_page, axe) -> None:
    for level in ("I", "II", "III", "IV"):
        flag(desk, level=level, title=f"标题{level}")
    with desk.house.database.write() as connection:
        connection.execute(notices.update().values(state="refused", reply="550 no"))
    bad: list[str] = []
    with open_page(bypass_csp=True) as page:
        page.goto(f"{desk.url}/login")
        bad += _violations(page, axe, "/login")
    for name, paths in PAGES.items():
        with open_page(bypass_csp=True) as page:
            log_in(page, f"{desk.url}/login", name)
            for path in paths:
                page.goto(desk.url + path)
                bad += _violations(page, axe, path)
    assert bad == []


def _violations(page: Any, axe: str, path: str) -> list[str]:
    """Everything in light; in dark only what depends on colour."""
    page.evaluate(axe)
    found = []
    for scheme, only in (("light", ""), ("dark", ", runOnly: ['color-contrast']")):
        page.emulate_media(color_scheme=scheme)
        told = page.evaluate(f"axe.run(document, {{resultTypes: ['violations']{only}}})")
        found += [
            f"{scheme} {path}: {one['id']} {[node['html'][:120] for node in one['nodes'][:2]]}"
            for one in told["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    return found


@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_scrolls_sideways(desk, flag, open_page, width) -> None:
    for title in ("哈" * 1300, "x" * 4000, "🚒" * 300, "短"):
        flag(
            desk, title=title, text=title + "没人修", url="https://www.example.gov.cn/" + "a" * 900
        )
    wide = []
    for name, paths in PAGES.items():
        with open_page(viewport={"width": width, "height": 740}) as page:
            log_in(page, f"{desk.url}/login", name)
            for path in paths:
                page.goto(desk.url + path)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append(path)
    assert wide == []


def test_canary_markup_in_twelve_fields_runs_nothing(desk, flag, open_page) -> None:
    def canary(name: str) -> str:
        return (
            f"<script>alert('{name}')</script><img src=//evil.example/{name} "
            f"onerror=alert('{name}')>\"'><svg onload=alert(1)>{{{{7*7}}}}没人修"
        )

    number = flag(
        desk, title=canary("title"), text=canary("text"), url="javascript:alert('url')",
        column=canary("column"), source=canary("source"), author=canary("author"),
        state=canary("state"), reply=canary("reply"), key=canary("key"),
    )  # fmt: skip
    database = desk.house.database
    with database.write() as connection:
        connection.execute(
            versions.insert().values(
                post=connection.execute(sa.select(posts.c.id)).scalar_one(), version=1,
                title=canary("old-title"), text=canary("old-text"), captured_at=desk.house.clock.now(),
            )
        )  # fmt: skip
        connection.execute(notices.update().values(reply=canary("smtp"), recipient=canary("to")))
    with open_page() as page:
        log_in(page, f"{desk.url}/items/{number}", "zhiban")
        page.fill("#memo", canary("note"))
        page.click("button:has-text('记入台账')")
        for path in ("/", "/items?state=all", f"/items/{number}", "/posts?q=没人", "/notices",
                     "/digests/running", "/statistics"):  # fmt: skip
            page.goto(desk.url + path)
            assert page.locator("main script, main img, main svg[onload]").count() == 0
            assert page.locator("a[href^=javascript]").count() == 0
        page.wait_for_timeout(100)
        assert page.strangers == []
        assert page.said == []


def test_a_grave_item_announces_itself(desk, flag, open_page) -> None:
    flag(desk, level="IV", title="小事")
    with open_page() as page:
        log_in(page, f"{desk.url}/login", "zhiban")
        page.wait_for_selector("[data-count=to_assess] >> text=1")
        desk.house.clock.advance(10)
        number = flag(desk, level="I", title="桥下有人被困 没人修")
        page.wait_for_selector(f"#alarm a[href='/items/{number}']")
        assert "桥下有人被困" in page.inner_text("#alarm")
        assert page.title().startswith("（1）特别重大")
        assert page.inner_text("[data-count=to_assess]") == "2"
        assert page.get_attribute("#alarm", "aria-live") == "assertive"


def test_pages_are_light(desk, flag, open_page) -> None:
    for number in range(55):
        flag(desk, title=f"条目{number}")
    with open_page() as page:
        log_in(page, f"{desk.url}/login", "zhiban")
        for path in ("/", "/items", "/items/1"):
            asked: list[str] = []
            page.on("request", lambda r, asked=asked: asked.append(r.url))
            answer = page.goto(desk.url + path)
            assert len(answer.body()) < 100_000, path
            assert len({url for url in asked if "/live" not in url}) <= 4, asked
