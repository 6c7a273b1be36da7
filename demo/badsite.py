"""A web server that really sends every bad answer a site spider can meet, each under a name."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from types import TracebackType

from config.clock import SHANGHAI
from demo.certificates import Authority
from demo.serving import LoopThread

RETRY_AFTER = 2  #: seconds, as the 429 and 503 answers ask
HOPS = 30
BOMB = 300 * 1024 * 1024  #: bytes that the gzip bomb inflates to

ROBOTS = ("open", "closed", "delay", "503", "reset", "404", "silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in."""

    at: float  #: time.monotonic()
    method: str
    path: str
    headers: dict[str, str]  #: names in lower case
    port: int

    @property
    def name(self) -> str:
        """The first part of the path: which row was asked for."""
        return self.path.partition("?")[0].strip("/").partition("/")[0]


@dataclass(slots=True)
class _Call:
    site: BadSite
    asked: Asked
    writer: asyncio.StreamWriter

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()

    async def answer(
        self,
        body: bytes | str = b"",
        *,
        status: str = "200 OK",
        kind: str = "text/html; charset=utf-8",
        headers: Iterable[tuple[str, str]] = (),
        length: int | None = None,
    ) -> None:
        """A whole response; `length` lets the Content-Length lie."""
        raw = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(raw) if length is None else length}", "Connection: close"]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), raw)

    async def begin(self, kind: str = "text/html; charset=utf-8") -> None:
        """Only the head of a 200 without a length: the body lasts until the line is cut."""
        await self.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
        )

    async def redirect(self, to: str) -> None:
        await self.answer(status="302 Found", headers=[("Location", to)])

    def reset(self) -> None:
        """Cuts the line with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


_Row = Callable[[_Call], Awaitable[None]]
_ROWS: dict[str, _Row] = {}


def _row(*names: str) -> Callable[[_Row], _Row]:
    def note(row: _Row) -> _Row:
        _ROWS.update(dict.fromkeys(names, row))
        return row

    return note


class BadSite:
    """Serves all rows; `requests` says who asked for what, and when.

    `robots` is what /robots.txt does: open, closed, delay (Crawl-delay: 1), 503, reset, 404 or
    silent. `retry_after` is what the 429 and 503 rows ask for, in seconds; a row that asks to
    come back succeeds once that time has passed since it was first asked.

    >>> with BadSite() as site:
    ...     httpx.get(site.url("redirect-loop"))
    """

    def __init__(self, *, robots: str = "open", retry_after: int = RETRY_AFTER) -> None:
        if robots not in ROBOTS:
            raise ValueError(f"robots: expected one of {', '.join(ROBOTS)}, found {robots!r}")
        self.robots = robots
        self.retry_after = retry_after
        self.requests: list[Asked] = []
        self.authority = b""  #: PEM; signs the certificates of tls_url
        self._ports: dict[str, int] = {}
        self._thread = LoopThread("bad-site")
        self._servers: list[asyncio.Server] = []
        self._lock = threading.Lock()

    @staticmethod
    def names() -> list[str]:
        """All rows."""
        return sorted(_ROWS)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """The address of one row; raises KeyError where there is none of this name."""
        if name not in _ROWS and name not in {"", "robots.txt"}:
            raise KeyError(name)
        return f"http://{host}:{self._ports['plain']}/{name}"

    def tls_url(self, name: str, path: str = "article") -> str:
        """The same page behind a certificate that is expired, wrong-name, untrusted or good."""
        return f"https://127.0.0.1:{self._ports[name]}/{path}"

    def asked(self, name: str) -> list[Asked]:
        """The requests for one row, in order."""
        return [one for one in self.requests if one.name == name]

    def start(self) -> BadSite:
        self._thread.start()
        self._thread.call(self._listen())
        return self

    def stop(self) -> None:
        self._thread.stop(*self._servers)
        self._servers.clear()

    def __enter__(self) -> BadSite:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _listen(self) -> None:
        trusted = Authority()
        self.authority = trusted.pem
        contexts: dict[str, ssl.SSLContext | None] = {
            "plain": None,
            "good": trusted.issue("127.0.0.1").server_context(),
            "untrusted": Authority().issue("127.0.0.1").server_context(),
            "expired": trusted.expired("127.0.0.1").server_context(),
            "wrong-name": trusted.issue("another.invalid").server_context(),
        }
        for name, context in contexts.items():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
            self._servers.append(server)
            self._ports[name] = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            call = _Call(self, self._note(head, writer), writer)
            # A body left unread turns the close into a reset, and that may eat the answer.
            await reader.readexactly(int(call.asked.headers.get("content-length", 0)))
            await _ROWS.get(call.asked.name, _nothing)(call)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the spider hung up, as it should on some rows
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _note(self, head: bytes, writer: asyncio.StreamWriter) -> Asked:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, *_ = [*first.split(" "), "", ""]
        pairs = (line.partition(":") for line in lines if line)
        asked = Asked(
            at=time.monotonic(),
            method=method,
            path=path,
            headers={name.strip().lower(): value.strip() for name, _, value in pairs},
            port=writer.get_extra_info("sockname")[1],
        )
        with self._lock:
            self.requests.append(asked)
        return asked


# ------------------------------------------------------------------ what is asked to be polite


@_row("robots.txt")
async def _robots(call: _Call) -> None:
    rules = {
        "open": "User-agent: *\nDisallow: /private\n",
        "closed": "User-agent: *\nDisallow: /\n",
        "delay": "User-agent: *\nCrawl-delay: 1\nDisallow: /private\n",
    }
    match call.site.robots:
        case "503":
            await call.answer("busy", status="503 Service Unavailable", kind="text/plain")
        case "reset":
            call.reset()
        case "404":
            await _nothing(call)
        case "silent":
            await _silence(call)
        case kind:
            await call.answer(rules[kind], kind="text/plain")


@_row("private", "article")
async def _article(call: _Call) -> None:
    await call.answer(_page("一篇好文章", "一切正常的正文，供对照之用。"))


@_row("")
async def _index(call: _Call) -> None:
    links = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in BadSite.names() if name)
    await call.answer(f"<!DOCTYPE html><meta charset=utf-8><title>bad</title><ul>{links}</ul>")


@_row("flaky-429", "flaky-503", "flaky-503-date")
async def _come_back(call: _Call) -> None:
    """Asks to come back later, and is well again then."""
    first = call.site.asked(call.asked.name)[0]
    if call.asked.at - first.at >= call.site.retry_after:
        await _article(call)
    else:
        await _later(call)


@_row("429", "503", "503-date")
async def _later(call: _Call) -> None:
    """Never well again; Retry-After in seconds or as an HTTP date."""
    seconds = call.site.retry_after
    wait = str(seconds)
    if call.asked.name.endswith("date"):
        # HTTP dates have whole seconds: one more, so that nobody is told to come too early
        wait = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)
    status = "429 Too Many Requests" if "429" in call.asked.name else "503 Service Unavailable"
    await call.answer("busy", status=status, headers=[("Retry-After", wait)])


# ------------------------------------------------------------------ redirects


@_row("redirect-loop")
async def _redirect_loop(call: _Call) -> None:
    await call.redirect("/redirect-loop")


@_row("redirect-chain")
async def _redirect_chain(call: _Call) -> None:
    done = int(call.asked.path.rpartition("/")[2] or 0) if call.asked.path.count("/") > 1 else 0
    if done >= HOPS:
        await _article(call)
    else:
        await call.redirect(f"/redirect-chain/{done + 1}")


@_row("redirect-short")
async def _redirect_short(call: _Call) -> None:
    """One honest hop on the same host."""
    await call.redirect("/article")


@_row("redirect-host")
async def _redirect_host(call: _Call) -> None:
    """To this very server under another name: whoever follows shows up in `requests`."""
    await call.redirect(call.site.url("article", host="localhost"))


@_row("redirect-file")
async def _redirect_file(call: _Call) -> None:
    await call.redirect("file:///etc/passwd")


@_row("redirect-data")
async def _redirect_data(call: _Call) -> None:
    await call.redirect("data:text/html,<h1>data</h1>")


@_row("redirect-empty")
async def _redirect_empty(call: _Call) -> None:
    await call.answer(status="302 Found")


@_row("refresh-host")
async def _refresh(call: _Call) -> None:
    away = call.site.url("article", host="localhost")
    await call.answer(
        f'<html><head><meta http-equiv="refresh" content="0;url={away}"></head><body></body></html>'
    )


@_row("refresh-self")
async def _refresh_self(call: _Call) -> None:
    await call.answer(
        '<html><head><meta http-equiv="refresh" content="0"></head><body>跳转中</body></html>'
    )


# ------------------------------------------------------------------ bodies


@_row("gzip-bomb")
async def _gzip_bomb(call: _Call) -> None:
    await call.answer(_bomb(), headers=[("Content-Encoding", "gzip")])


@_row("gzip-broken")
async def _gzip_broken(call: _Call) -> None:
    whole = gzip.compress(_page("压缩", "正文" * 500).encode())
    await call.answer(whole[: len(whole) // 2], headers=[("Content-Encoding", "gzip")])


@_row("gzip-false")
async def _gzip_false(call: _Call) -> None:
    """Says gzip, sends plain text."""
    await call.answer(_page("没有压缩", "正文"), headers=[("Content-Encoding", "gzip")])


@_row("endless")
async def _endless(call: _Call) -> None:
    await call.begin()
    while True:
        await call.send(b"<p>" + "没完没了".encode() * 4096 + b"</p>\n")


@_row("drip")
async def _drip(call: _Call) -> None:
    """One byte every half second."""
    await call.begin()
    while True:
        await call.send(b"x")
        await asyncio.sleep(0.5)


@_row("drip-head")
async def _drip_head(call: _Call) -> None:
    """Not even the headers come in time."""
    await call.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await call.send(b"x")
        await asyncio.sleep(0.5)


@_row("silent")
async def _silence(call: _Call) -> None:
    await asyncio.sleep(3600)


@_row("short")
async def _short(call: _Call) -> None:
    body = _page("没发完", "正文到这里就断了").encode()
    await call.answer(body, length=len(body) + 5000)


@_row("flaky-short")
async def _flaky_short(call: _Call) -> None:
    """Short the first time, whole the second."""
    if len(call.site.asked("flaky-short")) > 1:
        await _article(call)
    else:
        await _short(call)


@_row("reset")
async def _reset(call: _Call) -> None:
    call.reset()


@_row("reset-midway")
async def _reset_midway(call: _Call) -> None:
    await call.begin()
    await call.send(b"<html><body><p>half a page")
    await asyncio.sleep(0.05)
    call.reset()


@_row("hang-up")
async def _hang_up(call: _Call) -> None:
    """Closes politely without a word."""


@_row("bad-status")
async def _bad_status(call: _Call) -> None:
    await call.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n<h1>?</h1>")


@_row("big-header")
async def _big_header(call: _Call) -> None:
    await call.answer(_page("头太大", "正文"), headers=[("X-Big", "x" * 200_000)])


@_row("many-headers")
async def _many_headers(call: _Call) -> None:
    extra = [(f"X-{n}", "x" * 40) for n in range(4000)]
    await call.answer(_page("头太多", "正文"), headers=extra)


@_row("empty")
async def _empty(call: _Call) -> None:
    await call.answer()


@_row("jpeg")
async def _jpeg(call: _Call) -> None:
    """A picture that claims to be a page."""
    await call.answer(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 64)


@_row("nested")
async def _nested(call: _Call) -> None:
    depth = 50_000
    await call.answer("<html><body>" + "<div>" * depth + "深处" + "</div>" * depth)


@_row("huge")
async def _huge(call: _Call) -> None:
    """12 MiB of plain, honest text."""
    await call.begin()
    for _ in range(12):
        await call.send(b"<p>" + b"a" * (1024 * 1024 - 7) + b"</p>")


# ------------------------------------------------------------------ pages that only look right


@_row("maintenance")
async def _maintenance(call: _Call) -> None:
    await call.answer(
        "<html><head><title>系统维护</title></head><body><h1>网站升级维护中</h1>"
        "<p>系统正在升级维护，暂停访问，请稍后再试。</p></body></html>"
    )


@_row("waf")
async def _waf(call: _Call) -> None:
    """200, but only a script that wants to see a browser."""
    await call.answer(
        "<html><head><script>var _0x1f=['cookie','reload'];document[_0x1f[0]]="
        "'__jsl_clearance=1';location[_0x1f[1]]();</script></head><body></body></html>"
    )


@_row("soft-404")
async def _soft_404(call: _Call) -> None:
    await call.answer(
        "<html><head><title>404</title></head><body><h2>您访问的页面不存在或已被删除</h2>"
        '<a href="/">返回首页</a></body></html>'
    )


@_row("login")
async def _login(call: _Call) -> None:
    await call.answer(
        "<html><head><title>用户登录</title></head><body><form action='/login' method='post'>"
        "用户名<input name='user'>密码<input type='password' name='password'>"
        "<button>登录</button></form></body></html>"
    )


@_row("challenge-412")
async def _challenge_412(call: _Call) -> None:
    await call.answer(
        "<html><body><script src='/4QbVtADbnLVIc/c.FxJzG50F.js'></script></body></html>",
        status="412 Precondition Failed",
    )


@_row("challenge-403")
async def _challenge_403(call: _Call) -> None:
    await call.answer(
        "<html><title>访问验证</title><body>访问过于频繁，请完成安全验证</body></html>",
        status="403 Forbidden",
    )


@_row("404")
async def _nothing(call: _Call) -> None:
    await call.answer("<h1>404 Not Found</h1>", status="404 Not Found")


@_row("410")
async def _gone(call: _Call) -> None:
    await call.answer("<h1>410 Gone</h1>", status="410 Gone")


@_row("500")
async def _broken(call: _Call) -> None:
    await call.answer("<h1>Internal Error</h1>", status="500 Internal Server Error")


# ------------------------------------------------------------------ charsets and dates

_CHARSETS = {  # row: (encoding of the bytes, header's label, meta's label)
    "charset-gbk-as-utf8": ("gb18030", "utf-8", "utf-8"),
    "charset-gbk-as-latin1": ("gb18030", "ISO-8859-1", "gb2312"),
    "charset-utf8-as-gbk": ("utf-8", "gb2312", "gb2312"),
    "charset-none": ("gb18030", "", ""),
    "charset-bogus": ("utf-8", "utf8mb4", "x-unknown"),
    "charset-bom": ("utf-8-sig", "gb2312", "gb2312"),
    "charset-big5": ("big5", "big5", "big5"),
}
#: stands on every charset page but Big5's; has letters that gb2312 does not know
CHARSET_TEXT = "经办人：王镕、周堃，预警信号已解除，€结算另行通知。"
CHARSET_TEXT_BIG5 = "經辦人：王大明，預警信號已解除。"


@_row(*_CHARSETS)
async def _charset(call: _Call) -> None:
    encoding, header, meta = _CHARSETS[call.asked.name]
    text = CHARSET_TEXT_BIG5 if encoding == "big5" else CHARSET_TEXT
    body = _page("字符集", text, charset=meta).encode(encoding)
    await call.answer(body, kind=f"text/html; charset={header}" if header else "text/html")


@_row("date-future")
async def _date_future(call: _Call) -> None:
    later = datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=400)
    await call.answer(_page("来自未来", "正文。", published=f"{later:%Y-%m-%d %H:%M}"))


@_row("date-impossible")
async def _date_impossible(call: _Call) -> None:
    await call.answer(_page("没有这一天", "正文。", published="2026-02-30 25:61"))


@_row("date-missing")
async def _date_missing(call: _Call) -> None:
    await call.answer(_page("没有日期", "咨询电话：000-1234567，浏览次数：20260101", published=""))


# ------------------------------------------------------------------ making of


def _page(
    title: str, text: str, *, charset: str = "utf-8", published: str = "2026-01-05 09:30"
) -> str:
    declared = f'<meta charset="{charset}">' if charset else ""
    date = f'<meta name="PubDate" content="{published}">' if published else ""
    shown = f"发布时间：{published}" if published else ""
    return (
        f"<!DOCTYPE html><html><head>{declared}{date}"
        f'<meta name="ArticleTitle" content="{title}"><title>{title}</title></head><body>'
        f'<h1>{title}</h1><div class="info">{shown}</div>'
        f'<div class="TRS_Editor"><p>{text}</p></div></body></html>'
    )


@cache
def _bomb() -> bytes:
    """About 300 kB of gzip that inflate to 300 MB; one compressed block, many times over."""
    block = bytes(1024 * 1024)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    squeeze.compress(block)  # the first block may not lean on a window that the others have not
    squeeze.flush(zlib.Z_FULL_FLUSH)
    piece = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(BOMB // len(block)):
        check = zlib.crc32(block, check)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    tail = b"\x03\x00" + struct.pack("<II", check, BOMB)
    return head + piece * (BOMB // len(block)) + tail
