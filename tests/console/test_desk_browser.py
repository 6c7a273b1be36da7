"""The story in a real browser: with script, without, by keyboard alone; and nobody is shut out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from alerts.digest.build import build_digest
from alerts.digest.drafts import edit_draft
from alerts.digest.weeks import week_of
from store.tables import attempts, channels, items, notices, posts, versions
from tests.browsing import browser, page_of

__all__ = ["browser"]

PASSWORD = "Guan-Chao-2026"


@pytest.fixture
def open_page(browser: Any, desk: Any) -> Iterator[Callable[..., Any]]:
    """A page in a context of its own; what it asked for from elsewhere is in `page.strangers`."""

    @contextmanager
    def begin(**options: Any) -> Iterator[Any]:
        with page_of(browser, **{"viewport": {"width": 1280, "height": 900}, **options}) as page:
            page.strangers, page.said = [], []
            page.on("request", lambda r: r.url.startswith(desk.url) or page.strangers.append(r.url))
            # A 401 is how the login form comes, and the browser remarks on it.
            page.on("console", lambda m: "401" in m.text or page.said.append(m.text))
            page.on("dialog", lambda d: (page.said.append(f"dialog {d.message}"), d.dismiss()))
            yield page

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
        with page.expect_navigation():
            page.click("main button:has-text('报处置结果')")
    with open_page(java_script_enabled=script) as page:
        log_in(page, url, "daiban")
        with page.expect_navigation():
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
    "zhiban": ["/", "/items", "/items/1", "/items/2?to=dismissed", "/posts?q=没人", "/rules",
               "/selfcheck", "/password", "/users"],
    "kan": ["/notices", "/channels", "/roster", "/digests", "/digests/running", "/statistics"],
    "daiban": ["/items/1", "/notices/1", "/digests/1"],
    "guanli": ["/users", "/rules/packs/thanks"],
    "shenji": ["/audit"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "paths"), list(PAGES.items()), ids=list(PAGES))
def test_no_page_shuts_anybody_out_in_light_or_dark(
    desk, flag, open_page, axe, name: str, paths: list[str]
) -> None:
    for level in ("I", "II", "III", "IV"):
        flag(desk, level=level, title=f"标题{level}")
    with desk.house.database.write() as connection:
        connection.execute(notices.update().values(state="refused", reply="550 no"))
        connection.execute(
            notices.insert().values(
                id="1", item=1, subject_key="item:1", stage="reminder", recipient="a@b.cn",
                transport="smtp", state="deferred", attempts=1, created_at=desk.house.clock.now(),
                next_at=desk.house.clock.now(), reply="451 later", detail={"why": "时限将到"},
            )
        )  # fmt: skip
        connection.execute(
            attempts.insert().values(
                notice="1", at=desk.house.clock.now(), outcome="deferred", reply="451", ms=12
            )
        )
    frozen(desk)
    bad: list[str] = []
    with open_page(bypass_csp=True) as page:
        page.goto(f"{desk.url}/login")
        if name == "zhiban":
            bad += _violations(page, axe, "/login")
        log_in(page, f"{desk.url}/login", name)
        for path in paths:
            page.goto(desk.url + path)
            bad += _violations(page, axe, path)
    assert bad == []


def frozen(desk: Any) -> int:
    """A weekly of this week, as if it were over."""
    now = desk.house.clock.now()
    made = build_digest(
        desk.house.database, desk.house.settings, week_of(now), now + timedelta(days=7), send=False
    )
    return int(made.id)


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
    for title in ("哈" * 1300, "x" * 4000, "🚒" * 300, "\u202e反\u2066 مرحبا שלום", "短"):
        flag(
            desk, title=title, text=title + "没人修", url="https://www.example.gov.cn/" + "a" * 900
        )
    frozen(desk)
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
        notice = connection.execute(sa.select(notices.c.id)).scalars().first()
        connection.execute(
            channels.insert().values(
                id="site", failures=1, why=canary("why"), last_attempt_at=desk.house.clock.now()
            )
        )
    digest = frozen(desk)
    edit_draft(
        database, digest, canary("opinion"), canary("advice"), canary("by"), desk.house.clock.now()
    )
    with open_page() as page:
        log_in(page, f"{desk.url}/items/{number}", "zhiban")
        page.click("summary:has-text('记一笔')")
        page.fill("#memo", canary("note"))
        page.click("button:has-text('记入台账')")
        for path in ("/", "/items?state=all", f"/items/{number}", "/posts?q=没人", "/notices",
                     f"/notices/{notice}", "/digests/running", f"/digests/{digest}", "/channels",
                     f"/digests/{digest}/letter", "/rules", "/statistics"):  # fmt: skip
            page.goto(desk.url + path)
            assert page.locator("main script, main img, main svg[onload]").count() == 0
            assert page.locator("a[href^=javascript]").count() == 0
        page.wait_for_timeout(100)
        assert page.strangers == []
        assert page.said == []


@pytest.mark.parametrize("way", ["stream", "poll"])
def test_a_grave_item_announces_itself(desk, flag, open_page, way: str) -> None:
    flag(desk, level="IV", title="小事")
    with open_page() as page:
        page.add_init_script(
            "window.rung = 0; window.AudioContext = window.webkitAudioContext = function () {"
            " window.rung += 1; return {currentTime: 0, createOscillator: function () {"
            " return {frequency: {}, connect: function () {}, start: function () {},"
            " stop: function () {}}; }}; };"
        )
        if way == "poll":  # a browser, or a proxy, that knows no streams
            page.add_init_script("delete window.EventSource")
            page.clock.install()
        log_in(page, f"{desk.url}/login", "zhiban")
        page.wait_for_selector("[data-count=to_assess] >> text=1")
        page.check("[data-sound] input")
        assert page.evaluate("window.rung") == 1  # the bell is tried when it is asked for
        desk.house.clock.advance(10)
        number = flag(desk, level="I", title="桥下有人被困 没人修")
        if way == "poll":
            page.clock.run_for(31_000)
        page.wait_for_selector(f"#alarm a[href='/items/{number}']")
        assert "桥下有人被困" in page.inner_text("#alarm")
        assert page.title().startswith("（1）特别重大")
        assert page.inner_text("[data-count=to_assess]") == "2"
        assert page.get_attribute("#alarm", "aria-live") == "assertive"
        assert page.evaluate("window.rung") == 2
        page.reload()  # the choice is kept, and what was told is not told again
        assert page.is_checked("[data-sound] input")
        assert page.locator("#alarm a").count() == 0


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
