"""One fetch, from a planned address to how it ended: robots, pace, redirects, retries, limits.

Scrapy downloads; what happens between its answers is decided here, in one place, so that no
way out of a fetch is without an outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlencode

import scrapy
from OpenSSL import SSL
from scrapy import exceptions as failures
from scrapy.http.request import NO_CALLBACK
from service_identity import VerificationError

from crawler import limits
from crawler.site import robots
from crawler.site.hosts import BadAddress, Hosts, absolute, split
from crawler.site.inflate import Broken, TooLarge, inflate
from crawler.site.pace import Pace, retry_after
from crawler.site.resolver import refused
from store.records import Outcome

log = logging.getLogger("crawler.site")

_REDIRECTS = {301, 302, 303, 307, 308}
_OVERLOADED = {408, 429, 500, 502, 503, 504, 522, 524}
_GIVE_UP = 5  #: fetches in a row without an answer, after which a host is left for this run

Download = Callable[[scrapy.Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a fetch ended. `outcome` is None where there is a page to be read."""

    url: str  #: that answered, after redirects
    outcome: Outcome | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    body: bytes = b""
    size: int | None = None  #: bytes as sent
    ms: int = 0
    why: str = ""


@dataclass(slots=True)
class Rest:
    """A host that is left alone for a while."""

    until: datetime
    why: str


@dataclass(slots=True)
class _Trip:
    """One fetch under way."""

    url: str
    started: float
    budget: float  #: seconds of asking that are left; waiting our turn is not counted
    hops: list[str] = field(default_factory=list)
    tries: int = 0


class _Ended(Exception):
    """The fetch is over, with an outcome."""

    def __init__(self, outcome: Outcome, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.status = status


class _Failed(Exception):
    """One try did not work; another may."""

    def __init__(self, outcome: Outcome, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.again = again


class Fetcher:
    """For one channel and one run. `robots_kept` survives between runs: origin → copy."""

    def __init__(
        self,
        *,
        download: Download,
        hosts: Hosts,
        pace: Pace,
        now: Callable[[], datetime],
        delay: float,
        timeout: float,
        robots_kept: dict[str, robots.Rules],
        resting: dict[str, Rest],
        ledger: Ledger | None = None,
    ) -> None:
        self._download = download
        self._hosts = hosts
        self._pace = pace
        self._now = now
        self._delay = delay
        self._timeout = timeout
        self.robots_kept = robots_kept
        self.resting = resting
        self._ledger = ledger
        self._robots: dict[str, asyncio.Task[robots.Rules | Answer]] = {}
        self._delays: dict[str, float] = {}
        self._failed: dict[str, int] = {}
        self._blocked: dict[str, int] = {}

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Fetches a page; never raises for anything the other side can do."""
        trip = _Trip(url, monotonic(), self._timeout)
        try:
            answer = await self._travel(trip, dict(headers or {}), form)
        except _Ended as end:
            answer = Answer(url=trip.url, outcome=end.outcome, status=end.status, why=end.why)
        return _timed(answer, trip.started)

    async def _travel(
        self, trip: _Trip, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        while True:
            why = self._hosts.refuse(trip.url)
            if why:
                raise _Ended(Outcome.REDIRECTED_OFF, f"被引向站外：{trip.url[:150]}（{why}）")
            await self._permitted(trip.url)
            answer = await self._tried(trip, headers, form)
            target = _target(answer)
            if target is None:
                return self._judged(answer)
            trip.hops.append(trip.url)
            try:
                trip.url = absolute(answer.url, target)
            except BadAddress as error:
                raise _Ended(
                    Outcome.REDIRECTED_OFF, f"被引向 {target[:100]}（{error}）", answer.status
                ) from None
            if trip.url in trip.hops:
                raise _Ended(Outcome.REDIRECT_LOOP, "跳转回到原地址", answer.status)
            if len(trip.hops) > limits.REDIRECTS:
                raise _Ended(
                    Outcome.REDIRECT_LOOP, f"跳转超过 {limits.REDIRECTS} 次", answer.status
                )
            form = None

    async def _permitted(self, url: str) -> None:
        place = split(url)
        self._rested(place.host)
        rules = await self._rules(place.origin, url)
        if isinstance(rules, Answer):
            if rules.outcome is Outcome.TLS_ERROR:
                raise _Ended(Outcome.TLS_ERROR, rules.why)
            why = rules.why or f"状态 {rules.status}"
            raise _Ended(Outcome.ROBOTS_DENIED, f"robots.txt 读不到，按不允许处理：{why}")
        if not rules.allows(url):
            raise _Ended(Outcome.ROBOTS_DENIED, "robots.txt 不允许抓取")

    def _rested(self, host: str) -> None:
        rest = self.resting.get(host)
        if rest is None:
            return
        if self._now() < rest.until:
            raise _Ended(Outcome.DROPPED, rest.why)
        del self.resting[host]

    async def _tried(
        self, trip: _Trip, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        """One hop, with its retries."""
        host = split(trip.url).host
        for attempt in range(1, limits.TRIES + 1):
            self._rested(host)
            delay = max(self._delay, self._delays.get(host, 0.0))
            try:
                async with self._pace.turn(host, delay):
                    answer = await self._asked(trip, headers, form)
            except _Failed as failure:
                if not failure.again or attempt > 1 or trip.budget <= 0:
                    self._connection_failed(host, failure)
                    raise _Ended(failure.outcome, failure.why) from None
                await asyncio.sleep(limits.RETRY_PAUSE * attempt)
                continue
            self._failed.pop(host, None)
            if answer.status not in _OVERLOADED:
                return answer
            wait = self._asked_to_wait(host, answer)
            if wait is None or attempt == limits.TRIES:
                return answer
            await asyncio.sleep(max(wait, limits.RETRY_PAUSE * attempt))
        raise AssertionError("unreachable")

    async def _asked(
        self, trip: _Trip, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        request = scrapy.Request(
            trip.url,
            method="POST" if form is not None else "GET",
            headers={
                **headers,
                **(
                    {"Content-Type": "application/x-www-form-urlencoded"}
                    if form is not None
                    else {}
                ),
            },
            body=urlencode(dict(form)).encode() if form is not None else b"",
            callback=NO_CALLBACK,
            dont_filter=True,
            meta={"download_timeout": max(0.5, trip.budget)},
        )
        started = monotonic()
        try:
            response = await self._download(request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise _classified(error, split(trip.url).host, self._timeout) from None
        finally:
            trip.budget -= monotonic() - started
        if "partial" in response.flags and _torn(response.body):
            raise _Failed(Outcome.TRUNCATED, "内容没有收全，连接就断了", again=True)
        return _answer(trip.url, response)

    def _asked_to_wait(self, host: str, answer: Answer) -> float | None:
        """Seconds to wait before the next try; None where it is too long for this run."""
        asked = retry_after(answer.headers.get("retry-after", ""), self._now())
        if asked is None:
            return 0.0
        if asked <= limits.RETRY_AFTER:
            return asked
        until = self._now() + timedelta(seconds=min(asked, 86_400.0))
        self.resting[host] = Rest(until, f"对方要求 {int(asked)} 秒后再来")
        return None

    def _connection_failed(self, host: str, failure: _Failed) -> None:
        if failure.outcome not in {Outcome.HTTP_ERROR, Outcome.TIMEOUT}:
            return
        self._failed[host] = self._failed.get(host, 0) + 1
        if self._failed[host] >= _GIVE_UP:
            until = self._now() + timedelta(minutes=1)
            self.resting[host] = Rest(until, f"对方连续无应答，本轮不再尝试（{failure.why}）"[:200])

    def _judged(self, answer: Answer) -> Answer:
        """Turns a last answer into an outcome, or into a body to be read."""
        status = answer.status or 0
        host = split(answer.url).host
        if status in {403, 412, 451}:
            self._refused_us(host, status)
            raise _Ended(Outcome.BLOCKED, f"对方拒绝访问（{status}）", status)
        self._blocked.pop(host, None)
        if status == 304:
            raise _Ended(Outcome.OK_UNCHANGED, "", status)
        if status in {404, 410}:
            raise _Ended(Outcome.REMOVED, f"页面不存在（{status}）", status)
        if status in {401, 407}:
            raise _Ended(Outcome.AUTH, f"需要登录（{status}）", status)
        if status == 429:
            raise _Ended(Outcome.QUOTA, "对方限制访问频率（429）", status)
        if status in {204, 205}:
            raise _Ended(Outcome.OK_EMPTY, f"没有内容（{status}）", status)
        if status == 206 or not 200 <= status < 300:
            raise _Ended(Outcome.HTTP_ERROR, f"对方返回状态 {status}", status)
        try:
            body = inflate(answer.body, answer.headers.get("content-encoding", ""), limits.BODY)
        except TooLarge:
            raise _Ended(Outcome.TOO_LARGE, f"解压后超过 {limits.BODY >> 20} MB", status) from None
        except Broken as error:
            raise _Ended(Outcome.DECODE_ERROR, str(error), status) from None
        if not body.strip():
            raise _Ended(Outcome.OK_EMPTY, "页面为空", status)
        return Answer(
            url=answer.url,
            status=status,
            headers=answer.headers,
            body=body,
            size=len(answer.body),
        )

    def _refused_us(self, host: str, status: int) -> None:
        self._blocked[host] = self._blocked.get(host, 0) + 1
        if self._blocked[host] >= limits.BLOCKED_IN_A_ROW:
            until = self._now() + timedelta(minutes=10)
            self.resting[host] = Rest(until, f"对方连续拒绝访问（{status}），暂停 10 分钟")

    def challenged(self, url: str) -> None:
        """A page turned out to be a challenge: it counts like a refusal."""
        self._refused_us(split(url).host, 200)

    # --- robots.txt -----------------------------------------------------------------------

    async def _rules(self, origin: str, url: str) -> robots.Rules | Answer:
        """The rules of an origin, or how asking for them failed. Asked for once a run at most."""
        task = self._robots.get(origin)
        if task is None:
            task = asyncio.ensure_future(self._read_rules(origin, url))
            self._robots[origin] = task
        return await asyncio.shield(task)

    async def _read_rules(self, origin: str, url: str) -> robots.Rules | Answer:
        now = self._now()
        kept = self.robots_kept.get(origin)
        if kept is not None and kept.age(now) < limits.ROBOTS_FRESH:
            return self._obeyed(origin, kept)
        answer = await self._get_robots(absolute(url, "/robots.txt"))
        rules: robots.Rules
        if answer.outcome is None:
            rules = await asyncio.to_thread(robots.read, answer.body, now)
        elif answer.outcome is Outcome.OK_EMPTY or _absent(answer):
            rules = robots.Rules("", now)
        elif kept is not None and kept.age(now) <= limits.ROBOTS_STALE:
            return self._obeyed(origin, kept)
        else:
            return answer
        self.robots_kept[origin] = rules
        return self._obeyed(origin, rules)

    def _obeyed(self, origin: str, rules: robots.Rules) -> robots.Rules:
        self._delays[split(origin).host] = rules.delay
        return rules

    async def _get_robots(self, url: str) -> Answer:
        if self._ledger is not None:
            self._ledger.plan([url])
        trip = _Trip(url, monotonic(), self._timeout)
        try:
            answer = await self._to_robots(trip)
        except _Ended as end:
            answer = Answer(url=trip.url, outcome=end.outcome, status=end.status, why=end.why)
        answer = _timed(answer, trip.started)
        if self._ledger is not None:
            self._ledger.settle(
                url,
                answer.outcome or Outcome.OK_UNCHANGED,
                status=answer.status,
                bytes=answer.size,
                ms=answer.ms,
                why=answer.why,
            )
        return answer

    async def _to_robots(self, trip: _Trip) -> Answer:
        while True:
            why = self._hosts.refuse(trip.url)
            if why:
                raise _Ended(Outcome.REDIRECTED_OFF, f"被引向站外（{why}）")
            answer = await self._tried(trip, {}, None)
            target = _target(answer)
            if target is None:
                return self._judged(answer)
            trip.hops.append(trip.url)
            try:
                trip.url = absolute(answer.url, target)
            except BadAddress as error:
                raise _Ended(Outcome.REDIRECTED_OFF, f"被引向站外（{error}）") from None
            if trip.url in trip.hops or len(trip.hops) > limits.REDIRECTS:
                raise _Ended(Outcome.REDIRECT_LOOP, "robots.txt 跳转不止", answer.status)


class Ledger(Protocol):
    """What the fetcher books robots.txt in; a RunLog is one."""

    def plan(self, urls: list[str]) -> Any: ...

    def settle(
        self,
        url: str,
        outcome: Outcome,
        *,
        status: int | None,
        bytes: int | None,
        ms: int | None,
        why: str,
    ) -> None: ...


def _absent(answer: Answer) -> bool:
    """RFC 9309 2.3.1.3: client errors mean that there is no robots.txt; 429 means not now.
    A chain of redirects without end may be taken for absent too."""
    if answer.outcome is Outcome.REDIRECT_LOOP:
        return True
    status = answer.status or 0
    return 400 <= status < 500 and status not in {408, 429}


def _torn(body: bytes) -> bool:
    """A page whose length was not told, and whose end is missing: a reset line looks to
    Scrapy like an orderly end."""
    return b"<html" in body[:5000].lower() and b"</html" not in body[-5000:].lower()


def _answer(url: str, response: Any) -> Answer:
    headers = {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in response.headers.items()
    }
    return Answer(
        url=url,
        status=int(response.status),
        headers=headers,
        body=bytes(response.body),
        size=len(response.body),
    )


def _target(answer: Answer) -> str | None:
    if answer.status not in _REDIRECTS:
        return None
    location = answer.headers.get("location", "").strip()
    if not location:
        return None
    try:  # raw UTF-8 in Location is common on Chinese sites
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _timed(answer: Answer, started: float) -> Answer:
    return Answer(
        url=answer.url,
        outcome=answer.outcome,
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        size=answer.size,
        ms=int((monotonic() - started) * 1000),
        why=answer.why,
    )


def _classified(error: Exception, host: str, timeout: float) -> _Failed:
    """What a download's exception means; anything unknown is an http-error with its name."""
    for cause in _causes(error):
        if isinstance(cause, SSL.Error | VerificationError):
            return _Failed(Outcome.TLS_ERROR, f"证书校验未通过：{_tls(cause)}", again=False)
    match error:
        case failures.DownloadTimeoutError():
            return _Failed(Outcome.TIMEOUT, f"{timeout:g} 秒内没有收完", again=False)
        case failures.DownloadCancelledError():
            return _Failed(Outcome.TOO_LARGE, f"超过 {limits.BODY >> 20} MB", again=False)
        case failures.ResponseDataLossError():
            return _Failed(Outcome.TRUNCATED, "内容没有收全，连接就断了", again=True)
        case failures.CannotResolveHostError() if host in refused:
            return _Failed(
                Outcome.HTTP_ERROR,
                f"{host} 指向内部地址 {refused[host]}，未列入 private_hosts",
                again=False,
            )
        case failures.CannotResolveHostError():
            return _Failed(Outcome.HTTP_ERROR, "域名无法解析", again=False)
        case failures.DownloadConnectionRefusedError():
            return _Failed(Outcome.HTTP_ERROR, "连接被拒绝", again=True)
        case failures.IgnoreRequest():
            return _Failed(Outcome.REDIRECTED_OFF, str(error), again=False)
        case failures.DownloadFailedError():
            return _Failed(Outcome.HTTP_ERROR, "连接中断或应答不合规范", again=True)
    log.info("fetch.failed", extra={"host": host, "error": type(error).__name__})
    return _Failed(Outcome.HTTP_ERROR, f"连接失败（{type(error).__name__}）", again=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came from, and what Twisted wrapped in it."""
    waiting, seen = [error], 0
    while waiting and seen < 30:
        one = waiting.pop()
        if one is None:
            continue
        seen += 1
        yield one
        waiting += [one.__cause__, one.__context__]
        waiting += [getattr(r, "value", None) for r in getattr(one, "reasons", None) or []]


def _tls(cause: BaseException) -> str:
    if isinstance(cause, VerificationError):
        return "证书的名称与网站不符"
    if "certificate verify failed" in str(cause).lower():
        return "证书不受信任或已过期"
    return "加密连接建立失败"
