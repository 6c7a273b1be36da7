"""Coming in, going out, and the own password."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from console.accounts import NoAccount, NotIn, change_password, log_in, log_out
from console.desk import Ask
from console.doors import GUEST, cookie_name, is_secure, new_guest
from console.passwords import BadPassword


def login_form(ask: Ask, *, goal: str = "/", status: int = 200, why: str = "") -> Response:
    guest = ask.guest or new_guest()
    answer = ask.page("login.html", status=status, goal=goal, why=why, guest=guest)
    answer.set_cookie(
        GUEST, guest, path="/", httponly=True, samesite="lax", secure=is_secure(ask.desk)
    )
    return answer


def entrance(ask: Ask) -> Response:
    if ask.session is not None:
        return ask.to("/")
    return login_form(ask, goal=inside(ask.query("goal", 500)))


def come_in(ask: Ask) -> Response:
    goal = inside(ask.field("goal", 500))
    if ask.session is not None:
        return ask.to(goal)
    desk = ask.desk
    try:
        token, _ = log_in(
            desk.database,
            desk.passwords,
            name=ask.field("name", 64),
            password=_typed(ask, "password"),
            address=ask.address,
            now=desk.now(),
        )
    except NotIn as error:
        return login_form(ask, goal=goal, status=401, why=str(error))
    answer = ask.to(goal)
    secure = is_secure(desk)
    answer.set_cookie(
        cookie_name(secure), token, path="/", httponly=True, samesite="lax", secure=secure
    )
    answer.delete_cookie(GUEST, path="/")
    return answer


def go_out(ask: Ask) -> Response:
    if ask.session is not None:
        log_out(ask.desk.database, ask.session, ask.desk.now())
    answer = ask.to("/login", "out")
    secure = is_secure(ask.desk)
    answer.delete_cookie(cookie_name(secure), path="/", secure=secure, httponly=True)
    return answer


def password(ask: Ask) -> Response:
    return _password(ask, "", 200)


def new_password(ask: Ask) -> Response:
    assert ask.session is not None  # noqa: S101 - the door asks for SELF
    old, new = _typed(ask, "old"), _typed(ask, "new")
    try:
        if new != _typed(ask, "again"):
            raise NoAccount("两次输入的新口令不一致")
        change_password(
            ask.desk.database, ask.desk.passwords, ask.session, old=old, new=new, now=ask.desk.now()
        )
    except (NoAccount, BadPassword) as error:
        return _password(ask, str(error), 422)
    return ask.to("/", "password")


def _password(ask: Ask, why: str, status: int) -> Response:
    return ask.page(
        "password.html", status=status, why=why, policy=ask.desk.passwords.policy,
        given=ask.user.temporary,
        old=ask.desk.passwords.is_old(ask.user.password_at, ask.desk.now()),
    )  # fmt: skip


def _typed(ask: Ask, name: str) -> str:
    """A password as it was typed: blanks at its ends belong to it."""
    return next(iter(ask.form.get(name, ())), "")[:1000]


def inside(goal: str) -> str:
    """A path of ours to go on to; nothing that a browser could take for another site."""
    parts = urlsplit(goal)
    plain = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
    if parts.scheme or parts.netloc or not plain or "\\" in goal or goal.startswith("/login"):
        return "/"
    return goal
