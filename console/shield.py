"""What stands before every page: the Host that was asked for, and the headers of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.settings import Console

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-store",
}


#: Listening here says nothing about the name by which browsers ask.
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104


class Shield:
    """Answers nothing to a Host that is not ours; puts the headers on whatever comes out."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], secure: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets here

        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        asked = Headers(scope=scope).get("host", "")
        if host_of(asked) not in self._hosts:
            refusal = PlainTextResponse(
                "不认识的主机名；请用设置 [console] 里写明的地址访问。", 400
            )
            await refusal(scope, receive, shielded)
            return
        await self._app(scope, receive, shielded)


def hosts_of(console: Console) -> set[str]:
    """The names by which a browser may ask: where we listen, our public address, and `hosts`."""
    listening = console.listen.rpartition(":")[0].strip("[]")
    named = {
        "localhost",
        "127.0.0.1",
        "::1",
        listening,
        urlsplit(console.public_url).hostname or "",
    }
    return {name.casefold() for name in named | set(console.hosts) if name} - _EVERYWHERE


def host_of(header: str) -> str:
    """The name in a Host header, without its port; "" where it is no plain name."""
    text = header.strip().casefold()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, _, port = text.partition(":")
    return name if not port or port.isdecimal() else ""
