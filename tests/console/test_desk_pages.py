"""Pages of the desk over real HTTP."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from alerts.digest.build import build_digest
from alerts.digest.weeks import week_of
from alerts.items import list_notices

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


def test_every_page_answers_empty_and_full(start, database, flag) -> None:
    desk = start(database)
    with desk.visit("zhiban") as visitor:
        empty = {path: visitor.get(path).status_code for path in PAGES}
        for level in ("I", "II", "III", "IV"):
            flag(desk, level=level)
        full = {path: visitor.get(path).status_code for path in PAGES}

    assert set(empty.values()) == {200}, empty
    assert set(full.values()) == {200}, full


def test_the_weekly_is_read_worded_taken_away_and_approved_once(
    start, database, flag, clock
) -> None:
    desk = start(database)
    flag(desk, title="=cmd 没人修")
    clock.advance(timedelta(days=7))
    desk_week = week_of(clock.now()).before
    made = build_digest(
        desk.house.database, desk.house.settings, desk_week, clock.now(), send=False
    )
    page = f"/digests/{made.id}"
    words = {"opinion": "本周以路灯投诉为主，<b>不可</b>轻视。", "advice": "请城管处三日内修复。"}
    with desk.visit("zhiban") as officer, desk.visit("daiban") as leader:
        assert str(desk_week) in officer.get("/digests").text
        assert "签发，发给收件人" not in officer.get(page).text
        assert "sandbox" in officer.get(f"{page}/letter").headers["content-security-policy"]
        assert "'=cmd" in officer.get(f"{page}/files/csv").text
        assert officer.get(f"{page}/files/exe").status_code == 404

        assert officer.send(f"{page}/edit", on=page, **words).status_code == 303
        assert "请城管处三日内修复。" in officer.get(page).text
        assert "<b>不可" not in officer.get(page).text

        assert leader.send(f"{page}/approve", on=page).status_code == 303
        assert "已发出" in leader.get(page).text
        csrf = re.search(r'name="csrf" value="(\w+)"', leader.get("/").text)[1]
        late = leader.client.post(f"{page}/edit", data={"csrf": csrf, "opinion": "迟了"})
        assert late.status_code == 409
        leader.client.post(f"{page}/approve", data={"csrf": csrf})
    assert [row["stage"] for row in list_notices(database)].count("digest") == 1


def test_a_text_is_tried_on_the_rules_and_nothing_is_kept(desk) -> None:
    with desk.visit("zhiban") as visitor:
        answer = visitor.send(
            "/rules", on="/rules", text="桥下积水有人被困，快来救人", kind="comment"
        )
        if answer.status_code == 503:
            pytest.skip("a rule pack of this checkout has a mistake")
        assert "会列为条目" in answer.text
        calm = visitor.send("/rules", on="/rules", text="今天天气不错", kind="comment")
    assert "不会列为条目" in calm.text
