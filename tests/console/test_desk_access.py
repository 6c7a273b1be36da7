"""Who may go through which door: every route, every role; and what an office may see."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from console.app import DOORS, build_app
from console.links import PATH
from console.roles import MAY, Act, Role, may
from console.shield import POLICY
from store.tables import events, items, sessions

WHO = {
    Role.OFFICER: "zhiban",
    Role.LEADER: "daiban",
    Role.OFFICE: "chushi",
    Role.ADMIN: "guanli",
    Role.AUDITOR: "shenji",
    Role.VIEWER: "kan",
}
#: What anybody may reach without logging in; whatever else answers 200 to a stranger is a hole.
OPEN = {("GET", "/healthz"), ("GET", "/login"), ("POST", "/login"), ("GET", "/static/{name}")}


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path)


def test_every_route_stands_in_the_table_of_doors(desk) -> None:
    app = build_app(desk.house, passwords=desk.passwords)

    routes = {(m, r.path) for r in app.routes for m in r.methods if m != "HEAD"}

    links = {(method, PATH) for method in ("GET", "POST")}  # the token is the permission
    assert routes == {(d.method, d.path) for d in DOORS} | links | {("GET", "/static/{name}")}
    assert {(d.method, d.path) for d in DOORS if d.act is None} <= OPEN


def test_a_stranger_gets_the_login_form_and_nothing_else(desk, flag) -> None:
    number = flag(desk, text="只有值班员能看的内容，没人修")
    with desk.visit() as visitor:
        for door in DOORS:
            path = address(door.path).replace("/items/1", f"/items/{number}")
            answer = visitor.client.request(door.method, path)
            if (door.method, door.path) in OPEN:
                assert "只有值班员能看的内容" not in answer.text
            else:
                assert answer.status_code == 401, path
                assert "登录值班台" in answer.text
                assert number not in answer.text.replace(f'value="/items/{number}', "")


@pytest.mark.parametrize("role", list(Role))
def test_each_role_goes_through_its_own_doors_alone(desk, flag, role: Role) -> None:
    flag(desk)
    with desk.visit(WHO[role]) as visitor:
        csrf = re.search(r'name="csrf" value="(\w+)"', visitor.get("/").text)[1]
        for door in DOORS:
            if door.act is None or door.path in {"/logout", "/live"}:
                continue
            path = address(door.path)
            answer = visitor.client.request(
                door.method, path, data={"csrf": csrf} if door.method == "POST" else None
            )
            if may(role, door.act):
                assert answer.status_code not in {401, 403, 500}, (door.method, path, answer.text)
            else:
                assert answer.status_code == 403, (door.method, path)


def test_refusals_are_on_record(desk) -> None:
    with desk.visit("kan") as visitor:
        visitor.get("/users")

    with desk.house.database.read() as connection:
        row = connection.execute(sa.select(events).where(events.c.kind == "denied")).one()
    assert row.by == "孙领导"
    assert row.note == "GET /users"


def test_administrators_cannot_read_the_audit_nor_auditors_act() -> None:
    assert not may(Role.ADMIN, Act.AUDIT)
    assert not MAY[Role.AUDITOR] & {
        Act.ASSESS, Act.REPORT, Act.RECEIVE, Act.HANDLE, Act.REVIEW, Act.NOTE, Act.ACCOUNTS
    }  # fmt: skip


def test_an_office_sees_its_own_items_and_no_others(desk, flag) -> None:
    mine, other = flag(desk, title="本处室的"), flag(desk, title="别处室的", topic="fire")
    database = desk.house.database
    with database.write() as connection:
        connection.execute(items.update().where(items.c.number == mine).values(office="forecast"))
        connection.execute(items.update().where(items.c.number == other).values(office="duty"))
        connection.execute(sa.text("UPDATE notices SET office = 'duty'"))

    with desk.visit("chushi") as visitor:
        listed = visitor.get("/items?state=all").text
        assert mine in listed
        assert other not in listed
        assert visitor.get(f"/items/{mine}").status_code == 200
        assert visitor.get(f"/items/{other}").status_code == 404
        assert visitor.get("/live.json").json()["counts"]["to_assess"] == 1
        assert "别处室的" not in visitor.get("/").text


def test_a_form_without_its_token_does_nothing(desk, flag) -> None:
    number = flag(desk)
    with desk.visit("zhiban") as visitor:
        for csrf in ({}, {"csrf": "x" * 64}):
            answer = visitor.client.post(f"/items/{number}/note", data={"note": "x", **csrf})
            assert answer.status_code == 403

        page = visitor.get(f"/items/{number}").text
        good = re.search(r'name="csrf" value="(\w+)"', page)[1]
        cross = visitor.client.post(
            f"/items/{number}/note",
            data={"note": "x", "csrf": good},
            headers={"sec-fetch-site": "cross-site"},
        )
        assert cross.status_code == 403


def test_no_post_does_anything_without_its_token(desk, flag) -> None:
    flag(desk)
    for who in ("daiban", "guanli", "shenji"):
        with desk.visit(who) as visitor:
            for door in DOORS:
                if door.method == "POST":
                    answer = visitor.client.post(address(door.path), data={"note": "x"})
                    assert answer.status_code == 403, (who, door.path)
            assert visitor.get("/").status_code == 200  # not even logged out


def test_a_cookie_is_worth_nothing_after_logout(desk) -> None:
    with desk.visit("zhiban") as visitor:
        cookie = visitor.client.cookies["tinglan"]
        assert visitor.send("/logout", on="/").status_code == 303

        replay = visitor.client.get("/", headers={"cookie": f"tinglan={cookie}"})

    assert replay.status_code == 401


def test_the_session_is_a_new_one_at_each_login_and_stored_as_a_hash(desk) -> None:
    with desk.visit("zhiban") as one, desk.visit("zhiban") as two:
        first, second = one.client.cookies["tinglan"], two.client.cookies["tinglan"]

    with desk.house.database.read() as connection:
        stored = connection.execute(sa.select(sessions.c.id)).scalars().all()
    assert first != second
    assert len(first) >= 43
    assert first not in stored
    assert second not in stored


def test_sessions_end_when_idle_and_at_the_latest_after_twelve_hours(desk, clock) -> None:
    with desk.visit("zhiban") as visitor:
        clock.advance(timedelta(minutes=29))
        assert visitor.get("/").status_code == 200
        clock.advance(timedelta(minutes=31))
        assert visitor.get("/").status_code == 401

        visitor.log_in("zhiban")
        for _ in range(25):
            clock.advance(timedelta(minutes=29))
            last = visitor.get("/")
        assert last.status_code == 401


def test_an_open_page_that_only_polls_does_not_keep_its_session(desk, clock) -> None:
    with desk.visit("zhiban") as visitor:
        for _ in range(4):
            clock.advance(timedelta(minutes=10))
            last = visitor.get("/live.json")
    assert last.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a:b:c", ""])
def test_a_foreign_host_is_refused(desk, host) -> None:
    with desk.visit() as visitor:
        answer = visitor.client.get("/login", headers={"host": host})
    assert answer.status_code == 400


def test_every_answer_carries_the_headers(desk, flag) -> None:
    number = flag(desk)
    with desk.visit("zhiban") as visitor:
        for path in ("/", f"/items/{number}", "/items.csv", "/nowhere", "/items/TL-1-1", "/users",
                     "/static/desk.css", "/static/none", "/live.json"):  # fmt: skip
            headers = visitor.get(path).headers
            assert headers["content-security-policy"] == POLICY, path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == (
                "max-age=300" if path == "/static/desk.css" else "no-store"
            )
    assert "unsafe" not in POLICY


def test_over_https_the_cookie_is_bound_to_the_host(start, sqlite_database) -> None:
    desk = start(sqlite_database, console={"public_url": "https://desk.example.gov.cn"})
    with desk.visit() as visitor:
        page = visitor.get("/login")
        guest = page.headers["set-cookie"].split(";")[0]
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        # httpx keeps Secure cookies from plain http, as a browser would.
        answer = visitor.client.post(
            "/login",
            data={"name": "zhiban", "password": "Guan-Chao-2026", "csrf": csrf, "goal": "/"},
            headers={"cookie": guest},
        )
        cookie = next(c for c in answer.headers.get_list("set-cookie") if "__Host-" in c)

    assert cookie.startswith("__Host-tinglan=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_login_goes_nowhere_but_to_our_own_pages(desk, goal) -> None:
    with desk.visit() as visitor:
        page = visitor.get("/login").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        answer = visitor.client.post(
            "/login",
            data={"name": "zhiban", "password": "Guan-Chao-2026", "csrf": csrf, "goal": goal},
        )
    assert answer.headers["location"] == "/"


def test_bodies_have_a_limit(desk) -> None:
    with desk.visit("zhiban") as visitor:
        assert visitor.client.post("/rules", data={"text": "长" * 200_000}).status_code == 413
        assert visitor.client.post("/rules", json={"text": "x"}).status_code == 415
