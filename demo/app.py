"""A stand-in for the agency's own app: feeds, a list of its interface, and its signed pushes."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.clock import SHANGHAI, Clock
from crawler.app.hook import SIGNATURE, STAMP, signature
from demo.serving import serve

__all__ = ["DemoApp", "Habits", "serve"]

TOKEN = "demo-app-token"
SCENARIO = Path(__file__).with_name("app.toml")


@dataclass(slots=True, kw_only=True)
class Habits:
    """What interfaces are known to do, each to be switched on."""

    size: int = 20
    short: int = 0  #: rows by which a page is shorter than the size it claims
    lying_total: bool = False
    repeat_after: int = 0  #: the n-th page comes twice
    strings: bool = False  #: ids as strings
    hollow: bool = False  #: success, and not one row
    error_as_200: bool = False
    html: bool = False  #: a maintenance page instead of JSON
    expired: bool = False  #: JSON Feed says: ask no more
    latency: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    id: int
    at: datetime
    title: str
    text: str
    user: str


@dataclass(slots=True)
class DemoApp:
    """The app's backend; `app` is the server, `visits` the addresses it was asked for."""

    clock: Clock
    habits: Habits = field(default_factory=Habits)
    visits: deque[str] = field(default_factory=lambda: deque(maxlen=20_000))
    fail: list[int] = field(default_factory=list)  #: statuses of answers to come
    gone: set[int] = field(default_factory=set)
    _news: list[_Entry] = field(default_factory=list)
    _feedback: list[_Entry] = field(default_factory=list)
    _pushes: list[_Entry] = field(default_factory=list)
    _pages: int = 0
    _next: int = 1

    # --- what happens there -------------------------------------------------------------------

    def load(self, path: Path = SCENARIO, *, speed: float = 1.0) -> None:
        """Puts in what a scenario file says; `at` counts seconds from now."""
        start = self.clock.now()
        for story in tomllib.loads(path.read_text(encoding="utf-8"))["stories"]:
            self.put(
                story["in"],
                story["text"],
                title=story.get("title", ""),
                at=start + timedelta(seconds=float(story["at"]) / speed),
            )

    def put(
        self, where: str, text: str, *, title: str = "", at: datetime | None = None, id: int = 0
    ) -> int:
        """Something appears in `news` or `feedback`, or is to be pushed; answers its id.

        Raises KeyError for another place.
        """
        places = {"news": self._news, "feedback": self._feedback, "push": self._pushes}
        number = id or self._next
        self._next = max(self._next, number) + 1
        entry = _Entry(
            id=number,
            at=at or self.clock.now(),
            title=title,
            text=text,
            user=f"u{number % 97}",
        )
        places[where].append(entry)
        return number

    def deliver(self, url: str, secret: str) -> int:
        """Pushes what has come due; what is not taken comes again. Answers how many were taken."""
        due = [one for one in self._pushes if one.at <= self.clock.now()]
        taken = 0
        for one in due:
            row = {
                "id": str(one.id),
                "title": one.title,
                "text": one.text,
                "time": one.at.astimezone(SHANGHAI).isoformat(),
                "author": one.user,
            }
            try:
                status = self.push(url, secret, [row])
            except httpx.TransportError:
                break
            if status != 200:
                break
            self._pushes.remove(one)
            taken += 1
        return taken

    def push(self, url: str, secret: str, rows: list[Mapping[str, Any]]) -> int:
        """Sends feedback to a webhook as a backend would; answers the status."""
        body = json.dumps({"items": rows}, ensure_ascii=False).encode()
        stamp = str(int(self.clock.now().timestamp()))
        headers = {STAMP: stamp, SIGNATURE: signature(secret, stamp, body)}
        return httpx.post(url, content=body, headers=headers, timeout=10).status_code

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/feed.json", self._json_feed),
                Route("/feed.rss", self._rss),
                Route("/api/feedback", self._list),
            ]
        )

    # --- answers ------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        """A list by page, offset or cursor, whichever parameter comes."""
        self.visits.append(str(request.url))
        if self.habits.latency:
            await asyncio.sleep(self.habits.latency)
        if self.fail and (status := self.fail.pop(0)):
            return Response("busy", status_code=status)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"code": 401, "message": "请先登录"}, status_code=401)
        if self.habits.html:
            return Response("<title>系统维护</title>系统维护中，请稍后再试", media_type="text/html")
        if self.habits.error_as_200:
            return JSONResponse({"code": 500, "message": "内部错误", "data": None})
        asked = request.query_params
        size = self.habits.size
        if "offset" in asked:
            first = int(asked["offset"])
        elif "cursor" in asked:
            first = int(asked["cursor"])
        else:
            first = (max(1, int(asked.get("page", "1"))) - 1) * size
        live = self._live(self._feedback)
        self._pages = 1 if first == 0 else self._pages + 1
        if self.habits.repeat_after and self._pages == self.habits.repeat_after + 1:
            first -= size
        rows = live[first : first + size]
        if self.habits.short and not {"page", "offset"} & set(asked):
            rows = rows[: max(1, size - self.habits.short)]
        if self.habits.hollow:
            rows = []
        more = first + len(rows) < len(live)
        return JSONResponse(
            {
                "code": 0,
                "data": {
                    "items": [self._row(entry) for entry in rows],
                    "total": 3 if self.habits.lying_total else len(live),
                    "cursor": str(first + len(rows)) if more else "",
                    "next": f"/api/feedback?offset={first + len(rows)}" if more else None,
                },
            }
        )

    async def _json_feed(self, request: Request) -> Response:
        self.visits.append(str(request.url))
        page = int(request.query_params.get("page", "1"))
        size = self.habits.size
        live = [] if self.habits.hollow else self._live(self._news)
        rows = live[(page - 1) * size : page * size]
        feed: dict[str, Any] = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "示例气象客户端",
            "items": [
                {
                    "id": str(entry.id),
                    "title": entry.title,
                    "content_text": entry.text,
                    "date_published": entry.at.astimezone(SHANGHAI).isoformat(),
                }
                for entry in rows
            ],
        }
        if page * size < len(live):
            feed["next_url"] = f"{request.base_url}feed.json?page={page + 1}"
        if self.habits.expired:
            feed["expired"] = True
        return JSONResponse(feed, media_type="application/feed+json")

    async def _rss(self, request: Request) -> Response:
        self.visits.append(str(request.url))
        live = self._live(self._news)
        tag = f'"{len(live)}-{live[0].id if live else 0}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        items = "".join(
            f"<item><guid isPermaLink='false'>{entry.id}</guid><title>{escape(entry.title)}</title>"
            f"<description>{escape(entry.text)}</description>"
            f"<pubDate>{format_datetime(entry.at)}</pubDate></item>"
            for entry in live[:50]
        )
        body = f"<rss version='2.0'><channel><title>示例</title>{items}</channel></rss>"
        return Response(body, media_type="application/rss+xml", headers={"ETag": tag})

    def _live(self, entries: list[_Entry]) -> list[_Entry]:
        now = self.clock.now()
        shown = [e for e in entries if e.at <= now and e.id not in self.gone]
        return sorted(shown, key=lambda entry: (entry.at, entry.id), reverse=True)

    def _row(self, entry: _Entry) -> dict[str, Any]:
        number: int | str = str(entry.id) if self.habits.strings else entry.id
        return {
            "id": number,
            "title": entry.title or None,
            "content": entry.text,
            "user": {"id": entry.user},
            "created": int(entry.at.timestamp() * 1000),
        }
