"""A real Chromium for tests of pages; skipped by name where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

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


@contextmanager
def page_of(browser: Any, **options: Any) -> Iterator[Any]:
    """A page in a context of its own.

    Chromium may never answer a close that meets a navigation under way (microsoft/playwright
    issue 42366), so the page leaves for an empty one first.
    """
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(30_000)
    try:
        yield page
    finally:
        with suppress(Exception):  # a page that crashed has no navigation either
            page.goto("about:blank")
        context.close()
