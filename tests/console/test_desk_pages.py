"""Pages of the desk over real HTTP."""

from __future__ import annotations

import pytest

PAGES = (
    "/",
    "/items",
    "/posts",
    "/notices",
    "/channels",
    "/roster",
    "/digests",
    "/digests/running",
    "/statistics",
    "/rules",
    "/selfcheck",
    "/items?state=all&q=路灯",
    "/posts?q=路灯",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_empty_and_full(desk, flag, path) -> None:
    with desk.visit("zhiban") as visitor:
        assert visitor.get(path).status_code == 200

        flag(desk)
        answer = visitor.get(path)

    assert answer.status_code == 200
    assert "系统出错" not in answer.text
