"""The invented 示例市气象局: its site over real HTTP, with stories that appear over time."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from config.clock import SHANGHAI, Clock, shown
from demo import feeds
from demo.columns import BY_SECTION, COLUMNS, OWN, UNIT, Column, paged, path_of
from demo.serving import serve
from demo.stories import Entry, Scenario

__all__ = ["AGENCY", "DemoSite", "Visit", "serve"]

AGENCY = "示例市气象局"
SITE_CODE = "0000000001"
PAGES = Path(__file__).with_name("pages")

_SIGNAL = re.compile(r"(发布|解除)(.{1,6}?)(蓝|黄|橙|红)色预警")
_ASSETS = {
    "/static/site.css": ("site.css", "text/css; charset=utf-8"),
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/module/web/jpage/script/jpage.js": ("jpage.js", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request that the site saw."""

    at: datetime
    monotonic: float
    method: str
    path: str  #: with its query
    status: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A warning that the home page still shows as in force."""

    entry: Entry
    kind: str
    colour: str


class DemoSite:
    """The agency's site; `app` is a Starlette application, `visits` what it was asked for."""

    def __init__(
        self, scenario: Scenario, clock: Clock, *, crawl_delay: float | None = None
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.crawl_delay = crawl_delay
        self.visits: deque[Visit] = deque(maxlen=20_000)
        self._templates = Environment(
            loader=FileSystemLoader(PAGES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            agency=AGENCY, site_code=SITE_CODE, columns=COLUMNS, path_of=path_of, shown=shown
        )
        self._templates.filters["day"] = _day
        self.app = Starlette(
            routes=[
                Route("/module/web/jpage/dataproxy.jsp", self._proxy, methods=["GET", "POST"]),
                Route("/{path:path}", self._get, methods=["GET"]),
            ]
        )

    # -------------------------------------------------------------- requests

    async def _get(self, request: Request) -> Response:
        try:
            response = self._answer(request)
        except (HTTPException, IndexError) as error:
            status = error.status_code if isinstance(error, HTTPException) else 404
            response = self._sorry(request, status)
        self._note(request, response)
        return response

    async def _proxy(self, request: Request) -> Response:
        """What jpage's script asks for: records startrecord … endrecord of one column."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = {**{key: values[-1] for key, values in form.items()}, **request.query_params}
        column = BY_SECTION["news"]
        entries = self._in(column.section) if given.get("columnid") == "1201" else []
        try:
            first, last = int(given.get("startrecord", 1)), int(given.get("endrecord", 15))
            size = max(1, int(given.get("perpage", column.size)))
        except ValueError:
            first, last, size = 1, 0, column.size
        body = self._render(
            "jpage.xml",
            request,
            records=entries[max(0, first - 1) : max(0, last)],
            total=len(entries),
            pages=-(-len(entries) // size),
        )
        response = Response(body.lstrip(), media_type="text/xml; charset=utf-8")
        self._note(request, response)
        return response

    def _note(self, request: Request, response: Response) -> None:
        query = f"?{request.url.query}" if request.url.query else ""
        self.visits.append(
            Visit(
                at=self.clock.now(),
                monotonic=self.clock.monotonic(),
                method=request.method,
                path=request.url.path + query,
                status=response.status_code,
                user_agent=request.headers.get("user-agent", ""),
            )
        )

    # -------------------------------------------------------------- answers

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in _ASSETS:
            name, kind = _ASSETS[path]
            return _conditional(request, (PAGES / name).read_bytes(), kind, self.scenario.start)
        if path in {"/", "/index.html"}:
            return self._home(request)
        if path == "/robots.txt":
            return Response(self._robots(request), media_type="text/plain")
        if path.startswith("/internal/"):
            return self._page(request, "notice.html", self.scenario.start, heading="内部工作平台")
        if found := self._feed(request):
            return found
        for column in COLUMNS:
            number = _page_number(column, path, request, len(self._in(column.section)))
            if number is not None:
                return self._column(request, column, number)
        return self._story(request)

    def _home(self, request: Request) -> Response:
        entries = self._live()
        return self._page(
            request,
            "home.html",
            _newest(entries, self.scenario.start),
            by_section={c.section: self._in(c.section)[:6] for c in COLUMNS},
            signals=self._signals(),
            today=_today(self.clock.now()),
        )

    def _column(self, request: Request, column: Column, number: int) -> Response:
        entries = self._in(column.section)
        page = paged(entries, number, column.size)
        return self._page(
            request,
            f"list_{column.stack}.html",
            _newest(entries, self.scenario.start),
            column=column,
            page=page,
            unit=UNIT,
            articles={entry.story.id: entry for entry in self._live()},
        )

    def _story(self, request: Request) -> Response:
        entries = self.scenario.entries(self.clock.now())
        entry = next((one for one in entries if path_of(one) == request.url.path), None)
        if entry is None:
            raise HTTPException(404)
        if entry.gone:
            raise HTTPException(410)
        comments = [one for one in entries if one.story.on == entry.story.id and not one.gone]
        parent = next((one for one in entries if one.story.id == entry.story.on), None)
        column = BY_SECTION[entry.story.section]
        template = "old.html" if entry.story.charset != "utf-8" else f"show_{column.stack}.html"
        body = self._render(
            template,
            request,
            entry=entry,
            column=column,
            comments=comments,
            parent=parent,
            url=str(request.base_url).rstrip("/") + path_of(entry),
        )
        kind = f"text/html; charset={entry.story.charset_header}"
        encoded = body.encode(entry.story.charset, "xmlcharrefreplace")
        return _conditional(request, encoded, kind, _newest([entry, *comments], entry.at))

    def _feed(self, request: Request) -> Response | None:
        base = str(request.base_url).rstrip("/")
        own = [entry for entry in self._live() if entry.story.section in OWN]
        changed = _newest(own, self.scenario.start)
        match request.url.path:
            case "/feed/rss.xml":
                body, kind = feeds.rss(own[:20], title=AGENCY, base=base), "application/rss+xml"
            case "/feed/atom.xml":
                warnings = self._in("warnings")
                body = feeds.atom(warnings, title=f"{AGENCY} 预警信息", base=base, updated=changed)
                kind = "application/atom+xml"
            case "/feed/feed.json":
                page = paged(own, _whole(request.query_params.get("page", "1")), 20)
                more = f"{base}/feed/feed.json?page={page.number + 1}"
                body = feeds.json_feed(
                    page.items,
                    title=AGENCY,
                    base=base,
                    next_url=more if page.number < page.pages else "",
                )
                kind = "application/feed+json"
            case "/sitemap.xml":
                body, kind = feeds.sitemap(self._live(), base=base), "application/xml"
            case _:
                return None
        return _conditional(request, body, kind, changed)

    def _robots(self, request: Request) -> str:
        lines = ["User-agent: *", "Disallow: /internal/"]
        if self.crawl_delay is not None:
            lines.append(f"Crawl-delay: {self.crawl_delay:g}")
        return "\n".join([*lines, f"Sitemap: {request.base_url}sitemap.xml", ""])

    def _sorry(self, request: Request, status: int) -> Response:
        heading = "该页面已下线" if status == 410 else "您访问的页面不存在"
        body = self._render("notice.html", request, heading=heading)
        return Response(body, status_code=status, media_type="text/html; charset=utf-8")

    # -------------------------------------------------------------- what stands there

    def _live(self) -> list[Entry]:
        return [entry for entry in self.scenario.entries(self.clock.now()) if not entry.gone]

    def _in(self, section: str) -> list[Entry]:
        return [entry for entry in self._live() if entry.story.section == section]

    def _signals(self) -> list[Signal]:
        """Warnings issued and not lifted: the home page shows them, however old they are."""
        lifted: set[str] = set()
        out = []
        for entry in self._in("warnings"):
            match = _SIGNAL.search(entry.title)
            if match is None:
                continue
            verb, kind, colour = match.groups()
            if verb == "解除":
                lifted.add(kind)
            elif kind not in lifted:
                out.append(Signal(entry, kind, colour))
        return out

    def _page(self, request: Request, template: str, modified: datetime, **values: Any) -> Response:
        body = self._render(template, request, **values).encode()
        return _conditional(request, body, "text/html; charset=utf-8", modified)

    def _render(self, template: str, request: Request, **values: Any) -> str:
        host = request.headers.get("host", "")
        return self._templates.get_template(template).render(host=host, **values)


# ------------------------------------------------------------------ HTTP and time


def _conditional(request: Request, body: bytes, kind: str, modified: datetime) -> Response:
    """200 with validators, or 304 where the reader already has it (RFC 9110, section 13)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True),
        "Cache-Control": "no-cache",
    }
    if _unchanged(request, tag, modified):
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "Content-Type": kind})


def _unchanged(request: Request, tag: str, modified: datetime) -> bool:
    wanted = request.headers.get("if-none-match")
    if wanted is not None:  # wins over the date, section 13.1.3
        return wanted.strip() == "*" or tag in {
            one.strip().removeprefix("W/") for one in wanted.split(",")
        }
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return modified.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _page_number(column: Column, path: str, request: Request, total: int) -> int | None:
    """Which page of the column this path asks for; None where it is another column's."""
    pages = max(1, -(-total // column.size))
    if path == column.home or (column.home.endswith("/index.html") and path == column.home[:-10]):
        if column.stack == "jpage":  # its server always sends page 1; the script does the rest
            return 1
        return _whole(request.query_params.get("page", "1"))
    for number in range(2, pages + 1):
        if path == column.page_path(number, pages):
            return number
    return None


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _newest(entries: list[Entry], default: datetime) -> datetime:
    return max((entry.changed_at for entry in entries), default=default)


def _day(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d")


def _today(now: datetime) -> str:
    day = now.astimezone(SHANGHAI)
    return f"{day.year}年{day.month}月{day.day}日 星期{'一二三四五六日'[day.weekday()]}"
