"""Accounts: made on the server, locked after five tries, ended at once when disabled."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from console import accounts_command
from console.accounts import NoAccount, NotIn, add_user, log_in, set_disabled
from console.app import build_app
from console.passwords import BadPassword, Passwords
from console.roles import Role
from demo.serving import serve
from store.tables import events, users

GOOD = "Guan-Chao-2026"


@pytest.fixture
def house(make_house, sqlite_database):
    return make_house(sqlite_database)


def enrol(house, passwords, name="zhiban", **more):
    plain = {"shown": f"姓名{name}", "role": Role.OFFICER, "password": GOOD}
    return add_user(
        house.database, house.settings, passwords, name=name, now=house.clock.now(), by="测试",
        via="cli", **{**plain, **more},
    )  # fmt: skip


def come(house, passwords, password=GOOD, name="zhiban", address="10.0.0.1"):
    return log_in(
        house.database, passwords, name=name, password=password, address=address,
        now=house.clock.now(),
    )  # fmt: skip


def test_a_fresh_desk_lets_nobody_in(house, passwords) -> None:
    for name, password in (("admin", "admin"), ("admin", "tinglan"), ("root", ""), ("", "")):
        with pytest.raises(NotIn):
            come(house, passwords, password, name)


def test_five_failures_shut_the_account_out_from_that_address(
    make_house, database, passwords, clock
) -> None:
    house = make_house(database)
    enrol(house, passwords)
    enrol(house, passwords, "daiban")
    for _ in range(5):
        with pytest.raises(NotIn, match="不正确"):
            come(house, passwords, "falsch")

    with pytest.raises(NotIn, match="次数过多"):
        come(house, passwords)
    assert come(house, passwords, address="10.0.0.2")
    assert come(house, passwords, name="daiban")

    # A restart is a new Passwords on the same database.
    with pytest.raises(NotIn, match="次数过多"):
        come(house, Passwords(passwords._hasher))
    clock.advance(timedelta(minutes=14))
    with pytest.raises(NotIn):
        come(house, passwords)
    clock.advance(timedelta(minutes=2))
    assert come(house, passwords)


def test_one_address_cannot_try_many_accounts(house, passwords) -> None:
    for number in range(30):
        with pytest.raises(NotIn):
            come(house, passwords, "falsch", f"name{number}")
    enrol(house, passwords)
    with pytest.raises(NotIn, match="次数过多"):
        come(house, passwords)


@pytest.mark.parametrize(
    "password",
    ["", "kurz1A!", "nurkleinbuchstaben", "password123!", "Password123!", "Admin@2026", "aaaaaaA1!",
     "12345678", "Qwerty123!", "P@ssw0rd1", "Zhiban-2026", "Tinglan@123", "ABCDEFGH1"],
)  # fmt: skip
def test_weak_passwords_are_refused(passwords, password) -> None:
    with pytest.raises(BadPassword) as error:
        passwords.judge(password, account="zhiban")
    assert not password or password not in str(error.value)


@pytest.mark.parametrize(
    "password",
    [GOOD, "Tian-qi-2026-hao", "听澜值班Gq7k", "x9$Kw" * 13, "Üb3rr4schend!", "Ab1!" + "长" * 200],
)
def test_good_passwords_are_taken_whole(house, passwords, password) -> None:
    enrol(house, passwords, password=password)
    assert come(house, passwords, password)
    with pytest.raises(NotIn):
        come(house, passwords, password[:-1])


def test_names_are_unique_whatever_their_spelling(house, passwords) -> None:
    enrol(house, passwords)
    for name, shown in (("ZHIBAN", "别人"), ("ｚhiban", "别人"), ("andere", "姓名zhiban")):
        with pytest.raises(NoAccount):
            enrol(house, passwords, name, shown=shown)


def test_passwords_are_kept_as_argon2id(house, passwords) -> None:
    enrol(house, passwords)
    with house.database.read() as connection:
        stored = connection.execute(sa.select(users.c.password)).scalar_one()
    assert stored.startswith("$argon2id$")
    assert Passwords()._hasher.memory_cost >= 65536


def test_disabling_ends_the_sessions_at_once(desk) -> None:
    with desk.visit("kan") as visitor:
        assert visitor.get("/").status_code == 200
        set_disabled(
            desk.house.database, "kan", True, now=desk.house.clock.now(), by="测试", via="cli"
        )
        assert visitor.get("/").status_code == 401
        assert visitor.log_in("kan").status_code == 401


def test_the_first_administrator_comes_from_the_command_line(
    house, passwords, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    assert accounts_command.add(house, name="admin", person="赵管理", role="admin") == 0
    assert GOOD not in capsys.readouterr().out

    with serve(build_app(house)) as url:
        import httpx

        with httpx.Client(base_url=url, timeout=30) as client:
            csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)[1]
            client.post(
                "/login", data={"name": "admin", "password": GOOD, "csrf": csrf, "goal": "/"}
            )
            # The password was typed by somebody else, perhaps: nothing works before a new one.
            assert client.get("/users").headers["location"] == "/password"
            csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/password").text)[1]
            new = {"csrf": csrf, "old": GOOD, "new": "Xin-Kou-Ling-88", "again": "Xin-Kou-Ling-88"}
            assert client.post("/password", data=new).headers["location"].startswith("/?")
            assert client.get("/users").status_code == 200

    assert accounts_command.list_users(house, as_json=False) == 0
    assert "赵管理" in capsys.readouterr().out
    assert accounts_command.disable(house, "admin") == 0
    assert accounts_command.disable(house, "nobody") == 1


@pytest.mark.parametrize(
    ("role", "office", "answer"), [("boss", "", 2), ("office", "", 1), ("责任处室", "forecast", 0)]
)
def test_a_wrong_role_or_office_is_told(house, monkeypatch, role, office, answer) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    got = accounts_command.add(house, name="wang", person="王某", role=role, office=office)
    assert got == answer


def test_an_administrator_makes_accounts_and_resets_passwords(desk) -> None:
    with desk.visit("guanli") as visitor:
        page = visitor.send("/users", on="/users", name="neu", shown="周新", role="officer")
        first = re.search(r'<code class="big">([^<]+)</code>', page.text)[1]
        again = visitor.send("/users", on="/users", name="neu", shown="周新", role="officer")
        assert again.status_code == 422
        with desk.visit() as fresh:
            assert fresh.log_in("neu", first).status_code == 303
            assert fresh.get("/").headers["location"] == "/password"
        page = visitor.send("/users/neu", on="/users", to="reset")
        second = re.search(r'<code class="big">([^<]+)</code>', page.text)[1]
        assert first != second
        visitor.send("/users/neu", on="/users", to="disabled")
        with desk.visit() as fresh:
            assert fresh.log_in("neu", second).status_code == 401


def test_old_passwords_are_renewed_under_mlps(passwords, clock) -> None:
    now = clock.now()
    assert passwords.is_old(now - timedelta(days=91), now)
    assert not Passwords(passwords._hasher, policy="modern").is_old(now - timedelta(days=999), now)


def test_after_ninety_days_nothing_works_before_a_new_password(desk, clock) -> None:
    clock.advance(timedelta(days=91))
    with desk.visit("zhiban") as visitor:
        assert visitor.get("/items").headers["location"] == "/password"
        assert "90 天" in visitor.get("/password").text
        new = {"old": GOOD, "new": "Xin-Kou-Ling-88", "again": "Xin-Kou-Ling-88"}
        assert visitor.send("/password", on="/password", **new).status_code == 303
        assert visitor.get("/items").status_code == 200


def test_what_people_do_is_on_record_with_name_and_address(desk) -> None:
    with desk.visit("zhiban") as visitor:
        visitor.get("/items.csv")
        visitor.send("/logout", on="/")
    with desk.visit() as visitor:
        visitor.log_in("zhiban", "falsch")

    with desk.house.database.read() as connection:
        rows = connection.execute(sa.select(events).where(events.c.via == "desk")).all()
    kinds = {row.kind for row in rows}
    assert {"login", "login-failed", "exported", "logout"} <= kinds
    assert all(row.by == "张值班" for row in rows)
    assert next(r for r in rows if r.kind == "login").detail["address"] == "127.0.0.1"
    assert not any("falsch" in str(row) for row in rows)
