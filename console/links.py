"""签收链接的页面: what is behind a link in a mail. Looking changes nothing; one form, once, does.

Open to who has the link, logged in or not: the token is the permission, and all it permits is
签收. Mail gateways open links by GET and HEAD, some in a whole browser; none of that acts.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.actionlinks import LinkPage, acknowledge, open_link
from alerts.dutywork import Duty
from config.keys import link_keys
from config.secrets import SecretMissing
from console.desk import Ask, Desk
from console.shield import host_of

log = logging.getLogger(__name__)

PATH = "/l/{token}"
_FORM = 4096  #: bytes; the form holds one token
_FIELDS = 8


def link_routes(desk: Desk) -> list[Route]:
    """GET and HEAD show, POST acts, nothing else is answered."""

    async def look(request: Request) -> Response:
        return await run_in_threadpool(_shown, desk, request)

    async def act(request: Request) -> Response:
        refusal = _foreign(request) or await _not_ours(request)
        if refusal:
            return _refused(desk, request, 403, refusal)
        return await run_in_threadpool(_acted, desk, request)

    return [
        Route(PATH, look, methods=["GET"], name="GET /l"),
        Route(PATH, act, methods=["POST"], name="POST /l"),
    ]


def _shown(desk: Desk, request: Request) -> Response:
    try:
        page = open_link(desk.database, _keys(desk), _token(request), desk.now())
    except SecretMissing:
        return _no_keys(desk, request)
    return _page(desk, request, page)


def _acted(desk: Desk, request: Request) -> Response:
    duty = Duty(settings=desk.settings, roster=desk.roster(), calendar=desk.calendar())
    try:
        page = acknowledge(
            desk.database,
            _keys(desk),
            _token(request),
            desk.now(),
            settings=desk.settings,
            duty=duty,
        )
    except SecretMissing:
        return _no_keys(desk, request)
    return _page(desk, request, page)


def _page(desk: Desk, request: Request, page: LinkPage) -> Response:
    return _answer(desk, request, page.status, page=page, token=_token(request), refusal="")


def _refused(desk: Desk, request: Request, status: int, why: str) -> Response:
    return _answer(desk, request, status, page=None, token="", refusal=why)


def _no_keys(desk: Desk, request: Request) -> Response:
    log.exception("link.keys")
    return _refused(
        desk, request, 503, "值班台读不到签收链接的密钥，请告知管理员，或登录值班台办理。"
    )


def _answer(
    desk: Desk, request: Request, status: int, *, page: LinkPage | None, token: str, refusal: str
) -> Response:
    ask = Ask(desk=desk, request=request, session=None)
    made = ask.page("link.html", status=status, page=page, token=token, refusal=refusal)
    # The address is the permission: it must reach no other site, no cache and no index.
    made.headers["referrer-policy"] = "no-referrer"
    made.headers["cache-control"] = "no-store"
    made.headers["x-robots-tag"] = "noindex, nofollow, noarchive"
    return made


def _keys(desk: Desk) -> Sequence[str]:
    """Read each time: a key that was rotated away must stop working at once."""
    return link_keys(desk.settings.console, desk.house.environ)


def _token(request: Request) -> str:
    return str(request.path_params["token"])


def _foreign(request: Request) -> str:
    """Why a form that another site sent is not acted on; "" for one of ours.

    Our own pages send `Origin: null`, because they tell nobody where they are.
    """
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    ours = host_of(request.headers.get("host", ""))
    try:
        named = (urlsplit(origin).hostname or "") if origin not in {"", "null"} else ours
    except ValueError:
        named = ""
    if site not in {"", "same-origin", "none"} or named != ours:
        return "这次提交来自别的网站，没有执行。"
    return ""


async def _not_ours(request: Request) -> str:
    """Why the form is not the one of this page; "" where it is."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM:
            return "提交的内容过长，没有执行。"
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=_FIELDS)
    except ValueError:
        return "提交的内容有误，没有执行。"
    given = fields.get("token", [""])[0]
    if not hmac.compare_digest(given.encode(), _token(request).encode()):
        return "表单不完整，没有执行。请从邮件中重新打开链接，再按“签收”。"
    return ""
