"""Accounts and sessions of the desk: who may come in, who is in, who has tried too often."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.headers import clean_header
from alerts.turns import take_turn
from config.settings import Console, Settings
from console.passwords import Passwords
from console.roles import Role
from store.engine import Database
from store.ledger import append
from store.tables import login_attempts, sessions, users

TRIES = 5  #: failed logins of one account from one address …
WINDOW = timedelta(minutes=15)  #: … within this time shut that pair out for as long
TRIES_OF_ADDRESS = 30  #: the same for one address, whatever accounts it names
_SEEN_EVERY = timedelta(seconds=60)  #: how exactly the last use of a session is known
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


class NoAccount(Exception):
    """An account cannot be made, found or changed so; the text says why, in Chinese."""


class NotIn(Exception):
    """Login refused; the text is fit to be shown and tells an attacker nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: int
    name: str  #: typed at login
    shown: str  #: 姓名
    role: Role
    office: str
    temporary: bool  #: the password was given by somebody else
    disabled: bool
    created_at: datetime
    password_at: datetime
    login_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is in. `csrf` goes into every form."""

    id: str
    user: User
    csrf: str


def folded(name: str) -> str:
    """One spelling of an account's name, so that no two look alike."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


# --- accounts -----------------------------------------------------------------------------------


def add_user(
    database: Database,
    settings: Settings,
    passwords: Passwords,
    *,
    name: str,
    shown: str,
    role: Role,
    password: str,
    now: datetime,
    by: str,
    via: str,
    office: str = "",
    temporary: bool = False,
) -> User:
    """Raises NoAccount, BadPassword."""
    name, shown = folded(name), clean_header(shown, 20)
    if not _NAME.fullmatch(name):
        raise NoAccount("账号须以小写字母开头，由字母、数字、点、下划线或短横组成，2 至 32 个字符")
    if not shown:
        raise NoAccount("请写明姓名：台账按姓名记录经办人")
    offices = [one.id for one in settings.offices]
    if role is Role.OFFICE and office not in offices:
        raise NoAccount(f"责任处室账号须指明处室，可用的有：{'、'.join(offices)}")
    passwords.judge(password, account=name)
    row = {
        "name": name,
        "shown": shown,
        "role": role.value,
        "office": office if role is Role.OFFICE else "",
        "password": passwords.hash(password),
        "temporary": temporary,
        "disabled": False,
        "created_at": now,
        "password_at": now,
    }
    with database.write() as connection:
        take_turn(connection)
        taken = sa.or_(users.c.name == name, users.c.shown == shown)
        if connection.execute(sa.select(users.c.id).where(taken)).first():
            raise NoAccount("账号或姓名已有人使用；同名的请在姓名后加处室以示区别")
        connection.execute(users.insert().values(row))
        _record(
            connection, now, "user-added", by=by, via=via, note=f"{shown}（{name}），{role.label}"
        )
    return find_user(database, name)


def find_user(database: Database, name: str) -> User:
    """Raises NoAccount."""
    with database.read() as connection:
        row = connection.execute(sa.select(users).where(users.c.name == folded(name)))
        found = row.mappings().one_or_none()
    if found is None:
        raise NoAccount(f"没有账号 {clean_header(name, 40)}")
    return user_of(found)


def all_users(database: Database) -> list[User]:
    with database.read() as connection:
        rows = connection.execute(sa.select(users).order_by(users.c.disabled, users.c.name))
        return [user_of(row) for row in rows.mappings()]


def set_disabled(
    database: Database, name: str, disabled: bool, *, now: datetime, by: str, via: str
) -> User:
    """Disabling ends every session of the account at once. Raises NoAccount."""
    user = find_user(database, name)
    with database.write() as connection:
        take_turn(connection)
        connection.execute(users.update().where(users.c.id == user.id).values(disabled=disabled))
        if disabled:
            connection.execute(sessions.delete().where(sessions.c.user == user.id))
        kind = "user-disabled" if disabled else "user-enabled"
        _record(connection, now, kind, by=by, via=via, note=f"{user.shown}（{user.name}）")
    return find_user(database, name)


def set_password(
    database: Database,
    passwords: Passwords,
    user: User,
    password: str,
    *,
    now: datetime,
    by: str,
    via: str,
    temporary: bool = False,
    keep: str = "",
) -> None:
    """Ends the account's sessions but `keep`. Raises BadPassword."""
    passwords.judge(password, account=user.name)
    stored = passwords.hash(password)
    with database.write() as connection:
        take_turn(connection)
        connection.execute(
            users.update()
            .where(users.c.id == user.id)
            .values(password=stored, password_at=now, temporary=temporary)
        )
        connection.execute(
            sessions.delete().where(sessions.c.user == user.id, sessions.c.id != keep)
        )
        connection.execute(login_attempts.delete().where(login_attempts.c.account == user.name))
        kind = "password-reset" if temporary else "password-changed"
        _record(connection, now, kind, by=by, via=via, note=f"{user.shown}（{user.name}）")


def change_password(
    database: Database,
    passwords: Passwords,
    session: Session,
    *,
    old: str,
    new: str,
    now: datetime,
) -> None:
    """Raises NoAccount where the old one is wrong, BadPassword where the new one may not be."""
    if not passwords.matches(_stored(database, session.user.name), old):
        raise NoAccount("原口令不正确")
    if old == new:
        raise NoAccount("新口令不能与原口令相同")
    set_password(
        database,
        passwords,
        session.user,
        new,
        now=now,
        by=session.user.shown,
        via="desk",
        keep=session.id,
    )


# --- coming in ----------------------------------------------------------------------------------


def log_in(
    database: Database,
    passwords: Passwords,
    *,
    name: str,
    password: str,
    address: str,
    now: datetime,
) -> tuple[str, User]:
    """What the cookie shall hold, and who it is. Raises NotIn."""
    account = folded(name)[:64]
    until = _shut_until(database, account, address, now)
    if until is not None:
        minutes = max(1, round((until - now).total_seconds() / 60))
        raise NotIn(f"登录失败次数过多，请约 {minutes} 分钟后再试，或请管理员重置口令。")
    if not passwords.matches(_stored(database, account), password):
        _failed(database, account, address, now)
        raise NotIn("账号或口令不正确。")
    token = secrets.token_urlsafe(32)
    user = find_user(database, account)
    with database.write() as connection:
        take_turn(connection)
        connection.execute(
            sessions.insert().values(
                id=_key(token), user=user.id, created_at=now, seen_at=now, address=address
            )
        )
        connection.execute(
            login_attempts.delete().where(
                login_attempts.c.account == account, login_attempts.c.address == address
            )
        )
        connection.execute(users.update().where(users.c.id == user.id).values(login_at=now))
        _record(connection, now, "login", by=user.shown, via="desk", address=address)
    return token, user


def who(
    database: Database, console: Console, token: str, now: datetime, *, use: bool = True
) -> Session | None:
    """The session behind a cookie; None where it is unknown, over, or its account disabled.

    `use` False: only looks, so that an open page does not keep its session alive.
    """
    if not token:
        return None
    key = _key(token)
    with database.read() as connection:
        row = (
            connection.execute(
                sa.select(
                    users,
                    sessions.c.created_at.label("since"),
                    sessions.c.seen_at.label("seen"),
                )
                .join(users, users.c.id == sessions.c.user)
                .where(sessions.c.id == key)
            )
            .mappings()
            .one_or_none()
        )
    if row is None or row["disabled"]:
        return None
    if now - row["seen"] > console.idle or now - row["since"] > console.longest:
        with database.write() as connection:
            connection.execute(sessions.delete().where(sessions.c.id == key))
        return None
    if use and now - row["seen"] >= min(_SEEN_EVERY, console.idle / 4):
        with database.write() as connection:
            connection.execute(sessions.update().where(sessions.c.id == key).values(seen_at=now))
    return Session(id=key, user=user_of(row), csrf=_csrf(token))


def log_out(database: Database, session: Session, now: datetime) -> None:
    with database.write() as connection:
        take_turn(connection)
        connection.execute(sessions.delete().where(sessions.c.id == session.id))
        _record(connection, now, "logout", by=session.user.shown, via="desk")


def note_denied(database: Database, user: User, what: str, address: str, now: datetime) -> None:
    """Somebody who is in asked for what the table does not give them."""
    with database.write() as connection:
        take_turn(connection)
        _record(
            connection,
            now,
            "denied",
            by=user.shown,
            via="desk",
            note=clean_header(what, 200),
            address=address,
        )


def record(
    database: Database, kind: str, *, by: str, note: str, now: datetime, address: str = ""
) -> None:
    """One line of the audit that concerns no item."""
    with database.write() as connection:
        take_turn(connection)
        _record(connection, now, kind, by=by, via="desk", note=note, address=address)


def _stored(database: Database, name: str) -> str | None:
    with database.read() as connection:
        return connection.execute(
            sa.select(users.c.password).where(
                users.c.name == name, users.c.disabled.is_(sa.false())
            )
        ).scalar_one_or_none()


def _shut_until(database: Database, account: str, address: str, now: datetime) -> datetime | None:
    here = login_attempts.c.address == address
    pair = sa.and_(here, login_attempts.c.account == account)
    with database.read() as connection:
        ends = [
            _end(connection, pair, TRIES, now),
            _end(connection, here, TRIES_OF_ADDRESS, now),
        ]
    return max((end for end in ends if end is not None), default=None)


def _end(
    connection: sa.Connection, which: sa.ColumnElement[bool], tries: int, now: datetime
) -> datetime | None:
    newest = sa.select(login_attempts.c.at).where(which).order_by(login_attempts.c.at.desc())
    times: list[datetime] = list(connection.execute(newest.limit(tries)).scalars())
    if len(times) < tries or times[0] - times[-1] > WINDOW:
        return None
    end = times[0] + WINDOW
    return end if now < end else None


def _failed(database: Database, account: str, address: str, now: datetime) -> None:
    with database.write() as connection:
        take_turn(connection)
        connection.execute(
            login_attempts.delete().where(login_attempts.c.at < now - timedelta(days=1))
        )
        connection.execute(login_attempts.insert().values(account=account, address=address, at=now))
        # The typed name is not told: it may be a password in the wrong field.
        known = connection.execute(
            sa.select(users.c.shown).where(users.c.name == account)
        ).scalar_one_or_none()
        _record(
            connection, now, "login-failed", by=known or "未知账号", via="desk", address=address
        )


def _record(
    connection: sa.Connection,
    now: datetime,
    kind: str,
    *,
    by: str,
    via: str,
    note: str = "",
    address: str = "",
) -> None:
    detail = {"address": address} if address else {}
    append(connection, item=None, at=now, kind=kind, by=by, via=via, note=note, detail=detail)


def user_of(row: Mapping[Any, Any]) -> User:
    values = {name: row[name] for name in User.__slots__}
    return User(**{**values, "role": Role(row["role"])})


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _csrf(token: str) -> str:
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()
