"""Where platforms push to us: the routes of every channel kind that takes pushes.

A kind that does has, in its module, `receiver(settings: ChannelSettings, tools: Tools) ->
Receiver | None`. What every kind needs alike is done here: a capped body, a capped number of
requests at once, an answer in time, and nothing about our inside in a refusal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from config.settings import ChannelSettings, Settings
from crawler.catalogue import Tools, channel_kinds

log = logging.getLogger("crawler.callbacks")

PREFIX = "/push/"
BODY = 64 * 1024  #: bytes; no platform pushes more
AT_ONCE = 32  #: requests under way for one channel; the platform tries again later
BODY_SECONDS = 3.0  #: for the whole body to arrive
ANSWER_SECONDS = 4.0  #: WeChat gives up after 5 and asks again

#: Told, after what came is stored, which channel should be read now.
Wake = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One request of a platform."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer; `wake` asks for the channel to be read soon."""

    status: int = 200
    body: bytes = b""
    wake: bool = False


class Receiver(Protocol):
    """Takes pushes of one channel; called from a thread, several at a time.

    A 200 means that what came is committed. A refusal is 400 or 403 and says nothing.
    """

    def receive(self, push: Push) -> Reply: ...


def unheard(_channel: str) -> None:
    """A Wake that wakes nobody."""


def path_of(channel: str) -> str:
    """Where a channel's pushes arrive, below the public address of the service."""
    return PREFIX + channel


def routes(settings: Settings, tools: Tools, *, wake: Wake = unheard) -> list[Route]:
    """A route for every channel that takes pushes and is not disabled.

    Raises config.secrets.SecretMissing where a receiver's secret cannot be read.
    """
    made = []
    for channel, receiver in receivers(settings.channels, tools):
        made.append(route(channel, receiver, wake=wake))
    return made


def receivers(
    channels: Iterable[ChannelSettings], tools: Tools
) -> list[tuple[ChannelSettings, Receiver]]:
    """The receivers of all channels that have one. Raises SecretMissing."""
    kinds = channel_kinds()
    found = []
    for channel in channels:
        build = getattr(kinds[channel.kind], "receiver", None)
        if build is None or channel.disabled:
            continue
        receiver: Receiver | None = build(channel, tools)
        if receiver is not None:
            found.append((channel, receiver))
    return found


def route(channel: ChannelSettings, receiver: Receiver, *, wake: Wake = unheard) -> Route:
    """The route of one channel; its name in the application is `push:ID`."""
    underway = asyncio.Semaphore(AT_ONCE)

    async def answer(request: Request) -> Response:
        if underway.locked():
            return _plain(503)
        async with underway:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await _body(request)
            except (TimeoutError, ClientDisconnect):
                return _plain(408)
            if body is None:
                return _plain(413)
            push = Push(
                method=request.method,
                query=dict(request.query_params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
            )
            return await _handled(channel.id, receiver, push, wake)

    return Route(path_of(channel.id), answer, methods=["GET", "POST"], name=f"push:{channel.id}")


async def _handled(channel: str, receiver: Receiver, push: Push, wake: Wake) -> Response:
    work = asyncio.ensure_future(run_in_threadpool(receiver.receive, push))
    try:
        # Shielded: what is late may still be stored, and is then known when it comes again.
        reply = await asyncio.wait_for(asyncio.shield(work), ANSWER_SECONDS)
    except TimeoutError:
        work.add_done_callback(_forget)
        log.warning("push.late", extra={"channel": channel})
        return _plain(503)
    except Exception:
        log.exception("push.failed", extra={"channel": channel})
        return _plain(500)
    if reply.wake:
        try:
            wake(channel)
        except Exception:
            log.exception("push.wake_failed", extra={"channel": channel})
    return _plain(reply.status, reply.body)


async def _body(request: Request) -> bytes | None:
    """The body; None where it is longer than BODY, without reading the rest."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > BODY:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            return None
    return bytes(body)


def _plain(status: int, body: bytes = b"") -> Response:
    return Response(
        body,
        status_code=status,
        media_type="text/plain",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
    )


def _forget(work: asyncio.Future[Reply]) -> None:
    """Reads the answer nobody waits for, so that asyncio does not complain of an unread error."""
    if not work.cancelled() and work.exception() is not None:
        log.error("push.failed_late", exc_info=work.exception())
