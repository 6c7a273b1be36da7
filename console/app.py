"""The duty desk as one ASGI application; everything it uses is handed in."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping
from importlib import resources

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alerts.catalogue import build_transports
from alerts.letters import Transport
from config.house import House
from console import live
from console.desk import Ask, Desk
from console.doors import Door, is_secure, routes
from console.links import link_routes
from console.pages import (
    administration,
    case_acts,
    cases,
    entrance,
    first,
    rule_drafts,
    rulebook,
    sources,
    statistics,
    weekly,
)
from console.passwords import Passwords
from console.roles import Act
from console.shield import Shield, hosts_of

PACK = 1024 * 1024  #: bytes of a form with a rule pack, which is sent twice over

DOORS: tuple[Door, ...] = (
    Door("GET", "/healthz", None, first.alive),
    Door("GET", "/login", None, entrance.entrance),
    Door("POST", "/login", None, entrance.come_in),
    Door("POST", "/logout", Act.SELF, entrance.go_out, temporary=True),
    Door("GET", "/password", Act.SELF, entrance.password, temporary=True),
    Door("POST", "/password", Act.SELF, entrance.new_password, temporary=True),
    Door("GET", "/", Act.LOOK, first.home),
    Door("GET", "/live", Act.LOOK, live.stream, stream=True, quiet=True),
    Door("GET", "/live.json", Act.LOOK, live.poll, quiet=True),
    Door("GET", "/items", Act.LOOK, cases.the_list),
    Door("GET", "/items.csv", Act.EXPORT, cases.as_csv),
    Door("POST", "/items/dismiss", Act.ASSESS, cases.dismiss),
    Door("GET", "/items/{number}", Act.LOOK, cases.one),
    Door("POST", "/items/{number}/step", Act.NOTE, cases.step),
    Door("POST", "/items/{number}/note", Act.NOTE, case_acts.note),
    Door("POST", "/items/{number}/take", Act.NOTE, case_acts.take),
    Door("POST", "/items/{number}/level", Act.ASSESS, case_acts.level),
    Door("POST", "/items/{number}/pause", Act.DIRECT, case_acts.pause),
    Door("POST", "/items/{number}/instruction", Act.DIRECT, case_acts.instruction),
    Door("POST", "/items/{number}/supervision", Act.DIRECT, case_acts.supervision),
    Door("POST", "/items/{number}/order", Act.ORDER, case_acts.order),
    Door("GET", "/items/{number}/posts/{post}", Act.LOOK, case_acts.evidence),
    Door("GET", "/posts", Act.SEARCH, sources.all_posts),
    Door("GET", "/notices", Act.WATCH, sources.outbox),
    Door("GET", "/notices/{id}", Act.WATCH, sources.notice),
    Door("POST", "/notices/{id}/resend", Act.RESEND, sources.send_again),
    Door("GET", "/channels", Act.WATCH, sources.sources),
    Door("GET", "/roster", Act.WATCH, sources.roster),
    Door("GET", "/digests", Act.WATCH, weekly.all_digests),
    Door("GET", "/digests/running", Act.WATCH, weekly.running),
    Door("GET", "/digests/{id}", Act.WATCH, weekly.one),
    Door("GET", "/digests/{id}/letter", Act.WATCH, weekly.letter),
    Door("GET", "/digests/{id}/files/{format}", Act.EXPORT, weekly.file),
    Door("POST", "/digests/{id}/edit", Act.DRAFT, weekly.edit),
    Door("POST", "/digests/{id}/approve", Act.APPROVE, weekly.approve),
    Door("GET", "/rules", Act.WATCH, rulebook.rules),
    Door("POST", "/rules", Act.TRY, rulebook.try_text),
    Door("POST", "/rules/compose", Act.TRY, rule_drafts.compose),
    Door("GET", "/rules/packs/{name}", Act.WATCH, rule_drafts.pack),
    Door("POST", "/rules/packs/{name}/try", Act.TRY, rule_drafts.attempt, body=PACK),
    Door("POST", "/rules/packs/{name}/save", Act.RULES, rule_drafts.put, body=PACK),
    Door("POST", "/rules/packs/{name}/undo", Act.RULES, rule_drafts.undo),
    Door("GET", "/statistics", Act.WATCH, statistics.statistics),
    Door("GET", "/users", Act.ACCOUNTS, administration.users),
    Door("POST", "/users", Act.ACCOUNTS, administration.add),
    Door("POST", "/users/{name}", Act.ACCOUNTS, administration.switch),
    Door("GET", "/audit", Act.AUDIT, administration.audit),
    Door("POST", "/audit", Act.AUDIT, administration.prove),
    Door("GET", "/selfcheck", Act.CHECK, administration.selfcheck),
    Door("POST", "/selfcheck", Act.CHECK, administration.test_mail),
)


def build_app(
    house: House,
    *,
    version: str = "",
    passwords: Passwords | None = None,
    transports: Callable[[], Mapping[str, Transport]] | None = None,
) -> Starlette:
    """The desk on a house. `transports` are those of the test mail; made when first asked for."""
    desk = Desk(
        house=house,
        version=version,
        passwords=passwords or Passwords(policy=house.settings.console.passwords),
        transports=transports or (lambda: build_transports(house.settings, house.environ)),
    )
    shield = Middleware(Shield, hosts=hosts_of(house.settings.console), secure=is_secure(desk))
    return Starlette(
        routes=[
            Route("/static/{name}", _static, methods=["GET"]),
            *link_routes(desk),
            *routes(desk, DOORS),
        ],
        middleware=[shield],
        exception_handlers={404: _nowhere(desk), 405: _nowhere(desk)},
    )


def _nowhere(desk: Desk) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        ask = Ask(desk=desk, request=request, session=None)
        return ask.page("message.html", status=status, heading="没有找到", text="没有这个页面。")

    return answer


_FILES = {
    entry.name: entry.read_bytes()
    for entry in resources.files("console").joinpath("static").iterdir()
    if entry.is_file() and not entry.name.startswith(("_", "."))
}


async def _static(request: Request) -> Response:
    """A file that comes with the program; no path ever reaches the disk."""
    name = request.path_params["name"]
    body = _FILES.get(name)
    if body is None:
        return PlainTextResponse("没有这个文件。", 404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(body, media_type=kind, headers={"cache-control": "max-age=300"})
