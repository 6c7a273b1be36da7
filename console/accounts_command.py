"""`tinglan user add|list|disable`: accounts from the server's own terminal."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import asdict

from config.clock import SHANGHAI, shown
from config.house import House
from console.accounts import NoAccount, add_user, all_users, set_disabled
from console.passwords import BadPassword, Passwords
from console.roles import Role

DONE, FAILED, WRONG = 0, 1, 2


def add(house: House, *, name: str, person: str, role: str, office: str = "") -> int:
    """Makes an account; the password is typed twice, or read as one line from a pipe.

    It is good for the first login only: the desk then asks for a new one.
    """
    try:
        wanted = _role(role)
    except ValueError:
        names = "、".join(f"{one.value}（{one.label}）" for one in Role)
        print(f"没有角色 {role}；可用的有：{names}", file=sys.stderr)
        return WRONG
    passwords = Passwords(policy=house.settings.console.passwords)
    try:
        user = add_user(
            house.database,
            house.settings,
            passwords,
            name=name,
            shown=person,
            role=wanted,
            password=_asked(),
            office=office,
            now=house.clock.now(),
            by="命令行",
            via="cli",
            temporary=True,
        )
    except (NoAccount, BadPassword) as error:
        print(error, file=sys.stderr)
        return FAILED
    print(f"已建账号 {user.name}（{user.shown}，{user.role.label}）。首次登录后须修改口令。")
    return DONE


def list_users(house: House, *, as_json: bool) -> int:
    found = all_users(house.database)
    if as_json:
        rows = [
            {
                key: value.astimezone(SHANGHAI).isoformat() if hasattr(value, "tzinfo") else value
                for key, value in asdict(user).items()
            }
            for user in found
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return DONE
    if not found:
        print("还没有账号。先建一个管理员：tinglan user add admin --name 姓名 --role admin")
        return DONE
    for user in found:
        last = f"最近登录 {shown(user.login_at)}" if user.login_at else "从未登录"
        state = "已停用" if user.disabled else "正常"
        print(
            f"{user.name}  {user.shown}  {user.role.label}  {user.office or '-'}  {state}  {last}"
        )
    return DONE


def disable(house: House, name: str) -> int:
    """Ends the account's sessions at once; its lines in the ledger stay."""
    try:
        user = set_disabled(
            house.database, name, True, now=house.clock.now(), by="命令行", via="cli"
        )
    except NoAccount as error:
        print(error, file=sys.stderr)
        return FAILED
    print(f"已停用 {user.name}（{user.shown}），其登录会话已全部结束。")
    return DONE


def _role(text: str) -> Role:
    for role in Role:
        if text in {role.value, role.label}:
            return role
    raise ValueError(text)


def _asked() -> str:
    """Raises NoAccount."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("口令：")
    if getpass.getpass("再输一次：") != first:
        raise NoAccount("两次输入的口令不一致")
    return first
