"""One question to an HTTP interface, within bounds: connected address, total time, bytes, hops."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx

from crawler import limits
from crawler.site.hosts import BadAddress, Hosts, absolute, is_public, literal, split
from crawler.site.inflate import Broken, TooLarge, inflate
from crawler.site.pace import retry_after
from crawler.trust import NoAuthority, trusting
from store.records import Outcome

_REDIRECTS = {301, 302, 303, 307, 308}
_until: ContextVar[float] = ContextVar("until", default=float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status; the body is inflated."""

    url: str  #: that answered; may hold a token: never to be logged
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    body: bytes = b""
    size: int = 0  #: bytes as sent
    ms: int = 0


class Unanswered(Exception):
    """No usable answer. `why` is Chinese and holds no address, so no token either."""

    def __init__(
        self, outcome: Outcome, why: str, *, status: int | None = None, wait: float | None = None
    ) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.status = status
        self.wait = wait  #: seconds after which the other side wants to be asked again


class Asker:
    """Asks the hosts it is given and no others; one at a time, with a rest in between."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        user_agent: str,
        seconds: float = limits.FETCH_SECONDS,
        delay: float = 0.0,
        cap: int = limits.BODY,
        ca_file: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises Unanswered where `ca_file` is none."""
        # httpx logs whole addresses at INFO, and an address may hold a token.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            context = trusting(ca_file)
        except NoAuthority as error:
            raise Unanswered(Outcome.TLS_ERROR, error.why) from None
        self._client = httpx.Client(
            transport=_Transport(hosts, context),
            timeout=httpx.Timeout(seconds),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"},
        )
        self._hosts = hosts
        self._seconds = seconds
        self.delay = delay  #: seconds between two questions; may be raised on the way
        self._cap = cap
        self._pause = pause
        self._last = float("-inf")

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        redirects: int = 0,
    ) -> Answer:
        """The answer, of any status below 300 or from 400 on. Raises Unanswered.

        A link that broke is tried once more. Redirects are followed only as far as asked,
        each hop checked like a first address.
        """
        request = self._client.build_request(
            method, url, params=dict(params) if params else None, headers=headers, data=form
        )
        hops = 0
        while True:
            address = str(request.url)
            why = self._hosts.refuse(address)
            if why:
                raise Unanswered(Outcome.REDIRECTED_OFF, f"地址不在允许之列：{why}")
            answer = self._tried(request)
            target = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not target:
                return answer
            hops += 1
            if hops > redirects:
                loop = redirects > 0
                raise Unanswered(
                    Outcome.REDIRECT_LOOP if loop else Outcome.REDIRECTED_OFF,
                    f"跳转超过 {redirects} 次" if loop else "接口要求跳转到别处，未跟随",
                    status=answer.status,
                )
            try:
                onward = absolute(address, target)
                same = split(onward).origin == split(address).origin
            except BadAddress as error:
                raise Unanswered(
                    Outcome.REDIRECTED_OFF, f"被引向不合法的地址（{error}）", status=answer.status
                ) from None
            if onward == address:
                raise Unanswered(Outcome.REDIRECT_LOOP, "跳转回到原地址", status=answer.status)
            # What was meant for one origin (a token, say) is not carried to another.
            request = self._client.build_request("GET", onward, headers=headers if same else None)

    def _tried(self, request: httpx.Request) -> Answer:
        try:
            return self._once(request)
        except Unanswered as error:
            if error.outcome is not Outcome.TRUNCATED and error.why != _RESET:
                raise
        return self._once(request)

    def _once(self, request: httpx.Request) -> Answer:
        rest = self._last + self.delay - time.monotonic()
        if rest > 0:
            self._pause(rest)
        started = time.monotonic()
        token = _until.set(started + self._seconds)
        begun = False
        try:
            response = self._client.send(request, stream=True)
            begun = True
            try:
                raw = self._body(response)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, _Inside, OSError) as error:
            raise _classified(error, self._seconds, begun=begun) from None
        finally:
            _until.reset(token)
            self._client.cookies.clear()
            self._last = time.monotonic()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(
            url=str(request.url),
            status=response.status_code,
            headers=headers,
            body=self._plain(raw, headers, response.status_code),
            size=len(raw),
            ms=round((time.monotonic() - started) * 1000),
        )

    def _body(self, response: httpx.Response) -> bytes:
        raw = bytearray()
        for piece in response.iter_raw():
            raw += piece
            if len(raw) > self._cap:
                raise Unanswered(
                    Outcome.TOO_LARGE,
                    f"应答超过 {self._cap >> 20} MB",
                    status=response.status_code,
                )
        return bytes(raw)

    def _plain(self, raw: bytes, headers: Mapping[str, str], status: int) -> bytes:
        try:
            return inflate(raw, headers.get("content-encoding", ""), self._cap)
        except TooLarge:
            raise Unanswered(
                Outcome.TOO_LARGE, f"解压后超过 {self._cap >> 20} MB", status=status
            ) from None
        except Broken as error:
            raise Unanswered(Outcome.DECODE_ERROR, str(error), status=status) from None


def unfit(answer: Answer, now: datetime | None = None) -> Unanswered | None:
    """Why an answer is not to be read, by its status alone; None where it is."""
    status = answer.status
    wait = retry_after(answer.headers.get("retry-after", ""), now or datetime.now(UTC))
    if status == 304:
        return Unanswered(Outcome.OK_UNCHANGED, "", status=status)
    if status in {401, 407}:
        return Unanswered(Outcome.AUTH, f"对方要求认证（{status}）", status=status)
    if status in {403, 412, 451}:
        return Unanswered(Outcome.BLOCKED, f"对方拒绝访问（{status}）", status=status)
    if status in {404, 410}:
        return Unanswered(Outcome.REMOVED, f"地址不存在（{status}）", status=status)
    if status == 429:
        return Unanswered(Outcome.QUOTA, "对方限制访问频率（429）", status=status, wait=wait)
    if not 200 <= status < 300 or status == 206:
        return Unanswered(Outcome.HTTP_ERROR, f"对方返回状态 {status}", status=status, wait=wait)
    return None


# --- how the connection is made -----------------------------------------------------------------

_RESET = "连接被对方中断"


class _Inside(Exception):
    """A name led to an address that we do not connect to."""


class _Transport(httpx.HTTPTransport):
    """httpx's own, on a pool whose connections are guarded."""

    def __init__(self, hosts: Hosts, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=2,
            keepalive_expiry=5.0,
            network_backend=_Backend(hosts),
        )


class _Backend(httpcore.NetworkBackend):
    """Connects only to public addresses, and to the private ones the settings allow.

    The check stands between look-up and connection, so a name that changes its address in
    between gains nothing.
    """

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        named = host.strip("[]").lower()
        trouble: Exception = _Inside("域名无法解析")
        for address in _resolved(named, port):
            found = literal(address.partition("%")[0])
            if found is None or not (named in self._hosts.private or is_public(found)):
                trouble = _Inside(
                    "域名指向内网地址，未连接；确属本单位主机的，请列入 private_hosts"
                )
                continue
            try:
                stream = self._plain.connect_tcp(address, port, _left(timeout), local_address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
                continue
            return _Stream(stream)
        raise trouble

    def sleep(self, seconds: float) -> None:
        self._plain.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait is bounded by what is left of the whole question."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("out of time")
    return min(left, limits.FETCH_SECONDS if timeout is None else timeout)


def _resolved(host: str, port: int) -> list[str]:
    if literal(host) is not None:
        return [host]
    pool = ThreadPoolExecutor(1, thread_name_prefix="resolve")
    try:
        asked = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = asked.result(min(limits.DNS_SECONDS, _left(None)))
    except (OSError, UnicodeError, Late):
        return []
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _classified(error: Exception, seconds: float, *, begun: bool) -> Unanswered:
    if isinstance(error, httpx.TimeoutException):
        return Unanswered(Outcome.TIMEOUT, f"{seconds:g} 秒内没有收完应答")
    if isinstance(error, _Inside):
        return Unanswered(Outcome.HTTP_ERROR, str(error))
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return Unanswered(Outcome.TLS_ERROR, _certificate(cause))
    said = str(error)
    # httpx looks at a Location even where it is not to follow it.
    if isinstance(error, httpx.InvalidURL) or "location header" in said:
        return Unanswered(Outcome.REDIRECTED_OFF, "被引向不合法的地址")
    if "complete message body" in said or (begun and isinstance(error, httpx.ReadError)):
        return Unanswered(Outcome.TRUNCATED, "应答没有收完整")
    if isinstance(error, httpx.RemoteProtocolError):
        lost = "disconnected" in said
        return Unanswered(Outcome.HTTP_ERROR, _RESET if lost else "应答不合 HTTP 规范")
    if isinstance(error, httpx.ReadError | httpx.WriteError):
        return Unanswered(Outcome.HTTP_ERROR, _RESET)
    if isinstance(error, httpx.ConnectError):
        return Unanswered(Outcome.HTTP_ERROR, "连接不上对方主机")
    return Unanswered(Outcome.HTTP_ERROR, f"访问失败（{type(error).__name__}）")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 8:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1


def _certificate(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        with contextlib.suppress(AttributeError):
            return f"证书不被信任，已拒绝连接（{error.verify_message}）"
    return "加密连接失败"
