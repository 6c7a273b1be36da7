"""A stand-in for the Weibo Open Platform: its calls, error numbers, quotas and odd habits."""

from __future__ import annotations

import asyncio
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.clock import SHANGHAI, Clock
from demo.serving import serve

__all__ = ["UID", "Call", "DemoWeibo", "Habits", "serve"]

UID = 5_000_000_001  #: of the invented agency's account
TOKEN = "2.00demo-token"
SCENARIO = Path(__file__).with_name("weibo.toml")

List = Literal["timeline", "comments", "mentions", "comment_mentions"]
_PATHS: Mapping[str, tuple[List, str]] = {
    "statuses/user_timeline": ("timeline", "statuses"),
    "statuses/mentions": ("mentions", "statuses"),
    "comments/to_me": ("comments", "comments"),
    "comments/mentions": ("comment_mentions", "comments"),
    "comments/show": ("comments", "comments"),  #: those below one status
}
_FIRST = 5_100_000_000_000_000  #: ids of today; beyond 2**53 for what comes after 9007199254740992
_ERRORS = {
    10023: (403, "User requests out of rate limit!"),
    21327: (401, "expired_token"),
    21332: (401, "invalid_access_token"),
    10006: (403, "source paramter(appkey) is missing"),
    20101: (400, "target weibo does not exist!"),
    10020: (404, "request api not found!"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request that the platform saw."""

    name: str
    params: Mapping[str, str]
    code: int  #: error number, 0 where it was answered


@dataclass(slots=True, kw_only=True)
class Habits:
    """What the platform is known to do, each to be switched on."""

    short: int = 0  #: rows by which a page is shorter than asked for
    lying_total: bool = False
    repeat_after: int = 0  #: the n-th page of a walk comes twice
    bare: bool = False  #: lists come as a bare array
    strings: bool = False  #: ids and error numbers as strings
    hollow: bool = False  #: success, and not one row
    mute: bool = False  #: an empty body: what a black-listed caller gets
    latency: float = 0.0  #: seconds
    expire_name: str = "expire_in"
    pinned: int = 0  #: id of a status that stands above newer ones


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    id: int
    at: datetime
    body: Mapping[str, Any]
    whole: str = ""  #: the text beyond the cut


@dataclass(slots=True)
class DemoWeibo:
    """The platform for one account; `app` is the server, `calls` what it was asked."""

    clock: Clock
    per_day: int = 100
    habits: Habits = field(default_factory=Habits)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=20_000))
    tokens: dict[str, datetime] = field(default_factory=dict)
    fail: dict[str, list[int]] = field(default_factory=dict)  #: call → error numbers to come
    gone: set[int] = field(default_factory=set)
    _lists: dict[List, list[_Entry]] = field(
        default_factory=lambda: {name: [] for name, _ in _PATHS.values()}
    )
    _next: int = _FIRST
    _pages: int = 0

    def __post_init__(self) -> None:
        if not self.tokens:
            self.tokens[TOKEN] = self.clock.now() + timedelta(days=30)

    # --- what happens there -------------------------------------------------------------------

    def load(self, path: Path = SCENARIO, *, speed: float = 1.0) -> None:
        """Puts in what a scenario file says; `at` counts seconds from now."""
        start = self.clock.now()
        for story in tomllib.loads(path.read_text(encoding="utf-8"))["stories"]:
            at = start + timedelta(seconds=float(story["at"]) / speed)
            self.put(
                story["in"], story["text"], at=at, user=story.get("user"), whole=story.get("whole")
            )

    def put(
        self,
        where: List,
        text: str | None,
        *,
        at: datetime | None = None,
        user: int | None = None,
        id: int | None = None,
        whole: str | None = None,
        on: int | None = None,
        **more: Any,
    ) -> int:
        """Something is published; answers its id."""
        moment = at or self.clock.now()
        number = id or self._next
        self._next = max(self._next, number) + 1
        body: dict[str, Any] = {
            "text": text,
            "created_at": moment.astimezone(SHANGHAI).strftime("%a %b %d %H:%M:%S +0800 %Y"),
            "source": '<a href="http://app.weibo.com/t/feed" rel="nofollow">微博网页版</a>',
            "user": _user(user or (UID if where == "timeline" else number % 9_000_000 + 10)),
        }
        if where in {"comments", "comment_mentions"} and on:
            body["status"] = {"id": on, "idstr": str(on), "text": "…", "user": _user(UID)}
        if whole:
            body |= {"isLongText": True, "truncated": False}
        self._lists[where].append(
            _Entry(id=number, at=moment, body={**body, **more}, whole=whole or "")
        )
        return number

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/oauth2/get_token_info", self._token_info, methods=["POST"]),
                Route("/2/{call:path}", self._call, methods=["GET"]),
            ]
        )

    def used(self) -> int:
        """Calls of this Beijing day that counted against the quota."""
        return self._used.get(self.clock.now().astimezone(SHANGHAI).date().isoformat(), 0)

    _used: dict[str, int] = field(default_factory=dict)

    # --- requests -----------------------------------------------------------------------------

    async def _call(self, request: Request) -> Response:
        if self.habits.latency:
            await asyncio.sleep(self.habits.latency)
        name = request.path_params["call"].removesuffix(".json").removesuffix("/biz")
        params = {k: v for k, v in request.query_params.items() if k != "access_token"}
        code = self._refuse(request, name)
        self.calls.append(Call(name, params, code))
        if code:
            return self._error(request, code)
        if self.habits.mute:
            return Response(b"", media_type="application/json")
        if name == "account/rate_limit_status":
            return JSONResponse(self._limits())
        if name == "statuses/show":
            return self._show(request, params)
        if name not in _PATHS:
            return self._error(request, 10020)
        return JSONResponse(self._page(name, params))

    async def _token_info(self, request: Request) -> Response:
        form = (await request.body()).decode()
        until = self.tokens.get(form.partition("access_token=")[2])
        code = 21327 if until is None or until <= self.clock.now() else 0
        self.calls.append(Call("oauth2/get_token_info", {}, code))
        if until is None or code:
            return self._error(request, code)
        left = int((until - self.clock.now()).total_seconds())
        return JSONResponse(
            {"uid": UID, "appkey": "demo", "scope": "", self.habits.expire_name: left}
        )

    def _refuse(self, request: Request, name: str) -> int:
        sent = request.headers.get("authorization", "").removeprefix("OAuth2 ")
        token = sent or request.query_params.get("access_token", "")
        if not token:
            return 10006
        until = self.tokens.get(token)
        if until is None:
            return 21332
        if until <= self.clock.now():
            return 21327
        if self.fail.get(name):
            return self.fail[name].pop(0)
        if name != "account/rate_limit_status":
            day = self.clock.now().astimezone(SHANGHAI).date().isoformat()
            if self._used.get(day, 0) >= self.per_day:
                return 10023
            self._used[day] = self._used.get(day, 0) + 1
        return 0

    def _error(self, request: Request, code: int) -> Response:
        status, said = _ERRORS.get(code, (400, "error"))
        number: int | str = str(code) if self.habits.strings else code
        path = request.url.path
        return JSONResponse(
            {"request": path, "error_code": number, "error": said}, status_code=status
        )

    def _limits(self) -> dict[str, Any]:
        now = self.clock.now().astimezone(SHANGHAI)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            "ip_limit": 15_000,
            "limit_time_unit": "DAYS",
            "remaining_ip_hits": 14_000,
            "remaining_user_hits": max(0, self.per_day - self.used()),
            "reset_time": midnight.strftime("%Y-%m-%d %H:%M:%S"),
            "reset_time_in_seconds": int((midnight - now).total_seconds()),
            "user_limit": self.per_day,
        }

    def _show(self, request: Request, params: Mapping[str, str]) -> Response:
        for entry in self._lists["timeline"] + self._lists["mentions"]:
            if str(entry.id) == params.get("id") and entry.id not in self.gone:
                row = self._row(entry)
                if params.get("isGetLongText") == "1" and entry.whole:
                    row["longText"] = {"longTextContent": entry.whole}
                return JSONResponse(row)
        return self._error(request, 20101)

    def _page(self, name: str, params: Mapping[str, str]) -> Any:
        where, key = _PATHS[name]
        now = self.clock.now()
        live = [e for e in self._lists[where] if e.at <= now and e.id not in self.gone]
        if name == "comments/show":
            wanted = params.get("id", "")
            live = [e for e in live if str(e.body.get("status", {}).get("id")) == wanted]
        live.sort(key=lambda entry: entry.id, reverse=True)
        since, most = int(params.get("since_id", 0)), int(params.get("max_id", 0))
        self._pages = self._pages + 1 if most else 1
        if self.habits.repeat_after and self._pages == self.habits.repeat_after + 1:
            most = self._last_most  # the same page once more
        fits = [e for e in live if e.id > since and (not most or e.id <= most)]
        self._last_most = most
        size = max(1, int(params.get("count", 50)) - self.habits.short)
        rows = [] if self.habits.hollow else [self._row(e) for e in fits[:size]]
        if self.habits.pinned and not most:
            rows = [self._row(e) for e in live if e.id == self.habits.pinned] + rows
        if self.habits.bare:
            return rows
        total = 7 if self.habits.lying_total else len(live)
        return {key: rows, "previous_cursor": 0, "next_cursor": 0, "total_number": total}

    _last_most: int = 0

    def _row(self, entry: _Entry) -> dict[str, Any]:
        number: int | str = str(entry.id) if self.habits.strings else entry.id
        own = {"id": number, "mid": str(entry.id), "idstr": str(entry.id)}
        return {**own, **entry.body}


def _user(number: int) -> dict[str, Any]:
    return {"id": number, "idstr": str(number), "screen_name": f"用户{number}"}
