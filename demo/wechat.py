"""A stand-in for WeChat's API over real HTTP: documented answers, error codes, quotas, quirks.

Everything happens on the clock handed in: an article is there once its moment has come, a
token dies at its end, a quota begins anew at midnight in Beijing. Faults are scripted.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from config.clock import SHANGHAI, Clock
from crawler.quota import beijing_day

APP_ID = "wxdemo0123456789"
SECRET = "demo-secret-0123456789abcdef"
LIFE = timedelta(seconds=7200)
OVERLAP = timedelta(seconds=300)  #: a new token is given this long before the old one's end
READY = time(8, 0)  #: Beijing; yesterday's statistics are there from then on

#: Calls a day, as documented for a new account, or chosen where nothing is.
QUOTAS = {
    "/cgi-bin/stable_token": 500_000,
    "/cgi-bin/freepublish/batchget": 100,
    "/cgi-bin/freepublish/getarticle": 100,
    "/datacube/getarticletotaldetail": 100,
    "/cgi-bin/comment/list": 1000,
}
_MEANING = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40013: "invalid appid",
    40014: "invalid access_token",
    40097: "invalid args",
    40125: "invalid appsecret",
    40164: "invalid ip, not in whitelist",
    41001: "access_token missing",
    42001: "access_token expired",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit",
    48001: "api unauthorized",
    48004: "api forbidden",
    53600: "Article ID invalid",
    61500: "date format error",
    61501: "date range error",
    61503: "data not ready, please try later",
    88000: "without comment privilege",
    88001: "msg_data is not exists",
    88010: "count range error. count <= 0 or count > 50",
}


@dataclass(slots=True, kw_only=True)
class Comment:
    """What a reader wrote below an article, and the account's answer to it."""

    id: int
    text: str | None
    at: datetime
    openid: str | None = None  #: None: under an identity outside WeChat
    elected: bool = False
    reply: str = ""
    reply_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Article:
    """One article; `sent` went to followers and is not in the published list."""

    mid: int
    title: str
    at: datetime
    html: str | None = "<p>正文</p>"
    idx: int = 1
    sent: bool = False
    article_id: str = ""
    short_url: bool = False
    deleted_at: datetime | None = None
    comments: list[Comment] = field(default_factory=list)
    comments_open: bool = True

    def __post_init__(self) -> None:
        self.article_id = self.article_id or f"art-{self.mid}"

    @property
    def msgid(self) -> str:
        return f"{self.mid}_{self.idx}"

    @property
    def url(self) -> str:
        if self.short_url:
            return f"http://mp.weixin.qq.com/s/{self.article_id}"
        return (
            "http://mp.weixin.qq.com/s?__biz=MzDEMO==&mid="
            f"{self.mid}&idx={self.idx}&sn=demo{self.mid}#rd"
        )


@dataclass(slots=True, kw_only=True)
class Quirks:
    """Ways in which answers differ from what the documentation says."""

    strings: bool = False  #: numbers come as strings
    longest_page: int = 0  #: pages are cut to this, without being the last
    total_off: int = 0  #: added to every total
    repeat_last: bool = False  #: behind the end the last page comes again
    unsorted: bool = False  #: the published list is not newest first
    hidden: bool = False  #: success, and nothing in it
    delay: bool = False  #: statistics say is_delay


@dataclass(slots=True, kw_only=True)
class Fault:
    """What to answer instead: an error code, or a kind of breakage."""

    what: int | str
    path: str = ""  #: empty: any
    skip: int = 0  #: calls that still go well
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it came."""

    at: datetime
    path: str
    body: Mapping[str, Any]
    code: int | None  #: errcode answered; None where it was no JSON


class WechatStandIn:
    """The API of one account; `app` is a Starlette application, `calls` what it was asked."""

    def __init__(
        self,
        clock: Clock,
        *,
        app_id: str = APP_ID,
        secret: str = SECRET,
        articles: Iterable[Article] = (),
        quotas: Mapping[str, int] | None = None,
        latency: float = 0.0,
    ) -> None:
        self.clock = clock
        self.app_id = app_id
        self.secret = secret
        self.articles = list(articles)
        self.quotas = {**QUOTAS, **(quotas or {})}
        self.latency = latency
        self.quirks = Quirks()
        self.faults: list[Fault] = []
        self.calls: deque[Call] = deque(maxlen=50_000)
        self.tokens: list[tuple[str, datetime]] = []  #: token and its end, oldest first
        self.used: Counter[tuple[str, str]] = Counter()
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST"])])
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "/cgi-bin/stable_token": self._token,
            "/cgi-bin/freepublish/batchget": self._list,
            "/cgi-bin/freepublish/getarticle": self._article,
            "/datacube/getarticletotaldetail": self._statistics,
            "/cgi-bin/comment/list": self._comments,
        }

    # -------------------------------------------------------------- for tests and the demo

    def asked(self, path: str) -> list[Call]:
        """The calls whose path ends so."""
        return [call for call in self.calls if call.path.endswith(path)]

    def revoke(self) -> None:
        """Every token given so far is refused from now on, as after somebody's force_refresh."""
        self.tokens.clear()

    # -------------------------------------------------------------- requests

    async def _serve(self, request: Request) -> Response:
        path = request.url.path
        raw = await request.body()
        if self.latency:
            await asyncio.sleep(self.latency)
        body = _json(raw)
        fault = self._fault(path)
        if isinstance(fault, str):
            self._note(path, body, None)
            return _breakage(fault)
        answer: dict[str, Any]
        try:
            if fault is not None:
                raise _Error(fault)
            answer = self._answer(request, path, raw, body)
        except _Error as error:
            rid = f"{secrets.token_hex(4)}-{secrets.token_hex(4)}"
            answer = {
                "errcode": error.code,
                "errmsg": f"{_MEANING.get(error.code, 'error')} rid: {rid}",
            }
        self._note(path, body, int(answer.get("errcode", 0)))
        return JSONResponse(_strings(answer) if self.quirks.strings else answer)

    def _answer(
        self, request: Request, path: str, raw: bytes, body: dict[str, Any]
    ) -> dict[str, Any]:
        known = self._answers.get(path)
        if known is None:
            raise _Error(48001)
        if request.method != "POST":
            raise _Error(43002)
        if not raw:
            raise _Error(44002)
        if path != "/cgi-bin/stable_token":
            self._check_token(request.query_params.get("access_token", ""))
            if set(request.query_params) - {"access_token"}:
                raise _Error(40097)  # arguments belong into the body
        day = beijing_day(self.clock.now()).isoformat()
        if self.used[path, day] >= self.quotas[path]:
            raise _Error(45009)
        self.used[path, day] += 1
        return known(body)

    def _check_token(self, token: str) -> None:
        if not token:
            raise _Error(41001)
        if len(token) < 64:
            raise _Error(40014)
        for known, until in self.tokens:
            if known == token:
                if self.clock.now() >= until:
                    raise _Error(42001)
                return
        raise _Error(40001)

    # -------------------------------------------------------------- answers

    def _token(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("appid") != self.app_id:
            raise _Error(40013)
        if body.get("secret") != self.secret:
            raise _Error(40125)
        now = self.clock.now()
        if not self.tokens or self.tokens[-1][1] - now <= OVERLAP:
            self.tokens.append((secrets.token_hex(256), now + LIFE))
        token, until = self.tokens[-1]
        return {"access_token": token, "expires_in": int((until - now).total_seconds())}

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        offset, count = body.get("offset"), body.get("count")
        if not isinstance(offset, int) or not isinstance(count, int) or not 1 <= count <= 20:
            raise _Error(40097)
        rows = self._published()
        page = self._page(rows, offset, count)
        return {
            "total_count": 0 if self.quirks.hidden else len(rows) + self.quirks.total_off,
            "item_count": len(page),
            "item": [self._entry(group, bool(body.get("no_content"))) for group in page],
        }

    def _published(self) -> list[list[Article]]:
        """Publications, each with its articles, in the order of the list."""
        now = self.clock.now()
        groups: dict[str, list[Article]] = {}
        for article in self.articles:
            if not article.sent and article.at <= now:
                groups.setdefault(article.article_id, []).append(article)
        rows = sorted(groups.values(), key=lambda group: group[0].at, reverse=True)
        if self.quirks.unsorted and len(rows) > 30:
            rows.insert(25, rows.pop(0))  # the newest stands where nobody looks
        return rows

    def _entry(self, group: list[Article], no_content: bool) -> dict[str, Any]:
        return {
            "article_id": group[0].article_id,
            "content": {"news_item": [self._news(one, no_content) for one in group]},
            "update_time": int(group[0].at.timestamp()),
        }

    def _news(self, one: Article, no_content: bool = False) -> dict[str, Any]:
        deleted = one.deleted_at is not None and one.deleted_at <= self.clock.now()
        news: dict[str, Any] = {
            "title": one.title,
            "author": "示例市气象局",
            "digest": "",
            "content_source_url": "",
            "thumb_media_id": "",
            "thumb_url": "",
            "show_cover_pic": 0,
            "need_open_comment": int(one.comments_open),
            "only_fans_can_comment": 0,
            "url": one.url,
            "is_deleted": deleted,
        }
        if not no_content:
            news["content"] = "" if deleted else one.html
        return news

    def _article(self, body: dict[str, Any]) -> dict[str, Any]:
        now = self.clock.now()
        wanted = body.get("article_id")
        found = [a for a in self.articles if a.article_id == wanted and a.at <= now and not a.sent]
        if not found:
            raise _Error(53600)
        return {"news_item": [self._news(one) for one in found]}

    def _statistics(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            begin = date.fromisoformat(str(body.get("begin_date")))
            end = date.fromisoformat(str(body.get("end_date")))
        except ValueError:
            raise _Error(61500) from None
        now = self.clock.now()
        yesterday = beijing_day(now) - timedelta(days=1)
        if end > yesterday or begin > end:
            raise _Error(61501)
        if end == yesterday and now.astimezone(SHANGHAI).time() < READY:
            raise _Error(61503)
        rows = [
            {
                "ref_date": beijing_day(one.at).isoformat(),
                "msgid": one.msgid,
                "publish_type": 0 if one.sent else 1,
                "title": one.title,
                "content_url": one.url,
                "detail_list": [{"stat_date": end.isoformat(), "read_user": 120}],
            }
            for one in self.articles
            if begin <= beijing_day(one.at) <= end
        ]
        return {"is_delay": self.quirks.delay, "list": [] if self.quirks.hidden else rows}

    def _comments(self, body: dict[str, Any]) -> dict[str, Any]:
        count, begin = body.get("count"), body.get("begin")
        if not isinstance(count, int) or not isinstance(begin, int) or not 0 < count < 50:
            raise _Error(88010)
        now = self.clock.now()
        index = body.get("index", 0)
        found = [
            one
            for one in self.articles
            if one.mid == body.get("msg_data_id") and one.idx - 1 == index and one.at <= now
        ]
        if not found:
            raise _Error(88001)
        rows = [one for one in found[0].comments if one.at <= now]
        rows.sort(key=lambda one: (one.at, one.id), reverse=True)
        page = self._page(rows, begin, count)
        return {
            "errcode": 0,
            "errmsg": "ok",
            "total": 0 if self.quirks.hidden else len(rows) + self.quirks.total_off,
            "comment": [self._comment(one) for one in page],
        }

    def _comment(self, one: Comment) -> dict[str, Any]:
        row: dict[str, Any] = {
            "user_comment_id": one.id,
            "create_time": int(one.at.timestamp()),
            "content": one.text,
            "comment_type": int(one.elected),
        }
        if one.openid is not None:
            row["openid"] = one.openid
        if one.reply_at is not None and one.reply_at <= self.clock.now():
            row["reply"] = {"content": one.reply, "create_time": int(one.reply_at.timestamp())}
        return row

    def _page(self, rows: list[Any], begin: int, count: int) -> list[Any]:
        if self.quirks.hidden:
            return []
        if self.quirks.longest_page:
            count = min(count, self.quirks.longest_page)
        if self.quirks.repeat_last and rows and begin >= len(rows):
            begin = max(0, len(rows) - count)
        return rows[begin : begin + count]

    # -------------------------------------------------------------- faults

    def _fault(self, path: str) -> int | str | None:
        for fault in self.faults:
            if fault.path and not path.endswith(fault.path):
                continue
            if fault.skip > 0:
                fault.skip -= 1
            elif fault.times > 0:
                fault.times -= 1
                return fault.what
        return None

    def _note(self, path: str, body: dict[str, Any], code: int | None) -> None:
        kept = {name: value for name, value in body.items() if name != "secret"}
        self.calls.append(Call(at=self.clock.now(), path=path, body=kept, code=code))


class _Error(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _strings(value: Any) -> Any:
    """The same with every number as a string."""
    if isinstance(value, dict):
        return {name: _strings(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_strings(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _breakage(kind: str) -> Response:
    """Answers that are none: html, empty, nonsense, list, no-list, status-N (with a Retry-After:
    status-N-after-S), moved, large, drip."""
    if kind == "html":
        return Response("<html><body>系统维护中</body></html>", media_type="text/html")
    if kind == "empty":
        return Response(b"", media_type="application/json")
    if kind == "nonsense":
        return Response(b'{"item": [', media_type="application/json")
    if kind == "list":
        return JSONResponse([1, 2, 3])
    if kind == "no-list":
        return JSONResponse({"total_count": 3})
    if kind == "moved":
        return Response(status_code=302, headers={"Location": "https://elsewhere.example/"})
    if kind == "large":
        return Response(b'{"item": "' + b"x" * (9 * 1024 * 1024) + b'"}')
    if kind == "drip":
        return StreamingResponse(_drip(), media_type="application/json")
    if kind.startswith("status-"):
        status, _, later = kind.removeprefix("status-").partition("-after-")
        return Response(status_code=int(status), headers={"Retry-After": later} if later else None)
    raise ValueError(f"no such breakage: {kind}")


async def _drip() -> Any:
    while True:
        yield b" "
        await asyncio.sleep(0.05)
