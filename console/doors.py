"""Every way into the desk and what it takes to go through; what is not named here is shut."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.accounts import Session, note_denied, who
from console.desk import Ask, Desk, Refused
from console.roles import Act, may

log = logging.getLogger(__name__)

BODY = 256 * 1024  #: bytes of one form
_FIELDS = 2_000
GUEST = "tinglan-guest"  #: cookie that ties a login form to the browser it was shown to

Page = Callable[[Ask], Response]
Stream = Callable[[Ask], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """One method on one path. `act` None: open to anybody, logged in or not."""

    method: str
    path: str
    act: Act | None
    page: Page | Stream
    stream: bool = False  #: answers from the event loop, and asks for nothing that blocks
    quiet: bool = False  #: asked by an open page itself; keeps no session alive
    body: int = BODY  #: bytes its form may have
    temporary: bool = False  #: open to who still has a password given by somebody else


def routes(desk: Desk, doors: Iterable[Door]) -> list[Route]:
    return [
        Route(door.path, _guarded(desk, door), methods=[door.method], name=_name(door))
        for door in doors
    ]


def _name(door: Door) -> str:
    return f"{door.method} {door.path}"


def cookie_name(secure: bool) -> str:
    return "__Host-tinglan" if secure else "tinglan"


def is_secure(desk: Desk) -> bool:
    return desk.settings.console.public_url.startswith("https://")


def _guarded(desk: Desk, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        token = request.cookies.get(cookie_name(is_secure(desk)), "")
        guest = request.cookies.get(GUEST, "")
        ask = Ask(desk=desk, request=request, session=None, guest=guest)
        try:
            session = await run_in_threadpool(
                who, desk.database, desk.settings.console, token, desk.now(), use=not door.quiet
            )
            ask = Ask(desk=desk, request=request, session=session, guest=guest)
            _same_site(request)
            if door.act is not None and session is None:
                return _login_first(ask)
            if door.method == "POST":
                form = await _form(request, door.body)
                ask = Ask(desk=desk, request=request, session=session, form=form, guest=guest)
                _own_form(ask)
            if door.act is not None:
                await run_in_threadpool(_allowed, ask, door)
            if session is not None and _needs_password(desk, session) and not _open_to_new(door):
                return ask.to("/password")
            if door.stream:
                return await cast(Stream, door.page)(ask)
            return await run_in_threadpool(cast(Page, door.page), ask)
        except Refused as refusal:
            return ask.page(
                "message.html", status=refusal.status, text=refusal.text,
                heading=_heading(request.method, refusal.status),
            )  # fmt: skip
        except Exception:
            log.exception("desk.failed", extra={"door": _name(door)})
            text = "系统出错，操作没有完成。请稍后再试；若一再出现，请把时间告诉管理员。"
            return ask.page("message.html", status=500, text=text)

    return answer


def _heading(method: str, status: int) -> str:
    """Whoever only looked has not failed to do anything."""
    if method == "POST":
        return "没有完成"
    return "没有找到" if status == 404 else "打不开这一页"


def _needs_password(desk: Desk, session: Session) -> bool:
    user = session.user
    return user.temporary or desk.passwords.is_old(user.password_at, desk.now())


def _open_to_new(door: Door) -> bool:
    return door.temporary or door.act is None


def _allowed(ask: Ask, door: Door) -> None:
    """Raises Refused; a refusal is on record."""
    assert door.act is not None  # noqa: S101 - open doors do not ask
    if not may(ask.user.role, door.act):
        note_denied(ask.desk.database, ask.user, _name(door), ask.address, ask.desk.now())
        raise Refused(403, f"“{ask.user.role.label}”账号不能做这件事；此次访问已记入审计。")


def _login_first(ask: Ask) -> Response:
    """401 with the login form itself: after it, the browser goes where it was going."""
    from console.pages.entrance import login_form

    path = ask.request.scope["path"]
    query = ask.request.url.query
    goal = f"{path}?{query}" if query else path
    return login_form(ask, goal=goal if ask.request.method == "GET" else "/", status=401)


def _same_site(request: Request) -> None:
    """Browsers tell where a POST comes from; older ones do not, and for them the token stands."""
    if request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") not in {
        "same-origin",
        "none",
    }:
        raise Refused(403, "这次提交来自别的网站，没有执行。")


def _own_form(ask: Ask) -> None:
    """Raises Refused where the form does not carry the token that it was given."""
    expected = ask.session.csrf if ask.session else ask.guest
    given = ask.field("csrf", 200)
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Refused(403, "表单已失效，没有执行。请返回上一页，刷新后再提交一次。")


async def _form(request: Request, most: int) -> dict[str, list[str]]:
    """An URL-encoded form. Raises Refused where it is too big or something else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/x-www-form-urlencoded", ""}:
        raise Refused(415, "不认识的提交格式。")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(413, "提交的内容过长。")
    try:
        return parse_qs(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_FIELDS
        )
    except ValueError:
        raise Refused(400, "提交的内容有误。") from None


def new_guest() -> str:
    return secrets.token_urlsafe(24)
