"""Tells open pages what has changed: a stream with Last-Event-ID, and the same by polling."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from config.workdays import Calendar
from console.accounts import User, who
from console.board import board
from console.desk import Ask, Desk
from console.doors import cookie_name, is_secure
from console.limits import Limits
from console.questions import visible_to
from store.records import Level
from store.tables import events, items

EVERY = 2.0  #: seconds between two looks
HEARTBEAT = 15.0  #: seconds of silence after which a line is sent all the same
MOST = 300  #: streams at once; more are told to poll
_TOLD = 5  #: new items named in one message


class Pulse:
    """Looks at the database for all streams together: once every two seconds a kind of viewer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, int, dict[str, int]]] = {}
        self.open = 0

    def look(self, desk: Desk, user: User) -> tuple[int, dict[str, int]]:
        """(number of the last event, the five counts)."""
        kind = f"{user.role.value}:{user.office}"
        ticks = desk.house.clock.monotonic()
        with self._lock:
            known = self._known.get(kind)
            if known is not None and ticks - known[0] < EVERY * 0.75:
                return known[1], known[2]
            with desk.database.read() as connection:
                last = connection.execute(sa.select(sa.func.max(events.c.id))).scalar() or 0
                if known is not None and known[1] == last and ticks - known[0] < 2 * HEARTBEAT:
                    return known[1], known[2]
                found = board(connection, user, limits_of(desk), desk.now())
            self._known[kind] = (ticks, last, found.counts.told())
            return last, found.counts.told()


def pulse_of(desk: Desk) -> Pulse:
    found: Pulse = desk.memory.setdefault("pulse", Pulse())
    return found


def limits_of(desk: Desk) -> Limits:
    """The limits in force; those worked out are kept as long as rules and calendar stay."""
    calendar = desk.calendar()
    kept: tuple[Calendar, Limits] | None = desk.memory.get("limits")
    if kept is None or kept[0] is not calendar:
        kept = desk.memory["limits"] = (calendar, Limits(desk.settings.deadlines, calendar))
    return kept[1]


def news(desk: Desk, user: User, since: int) -> dict[str, Any]:
    """What a page must know: counts, and grave items opened or grown after event `since`."""
    last, counts = pulse_of(desk).look(desk, user)
    grave: list[Mapping[str, str]] = []
    if 0 < since < last:
        with desk.database.read() as connection:
            rows = connection.execute(
                sa.select(items.c.number, items.c.level, items.c.title)
                .join(events, events.c.item == items.c.id)
                .where(
                    events.c.id > since,
                    events.c.kind.in_(["opened", "grew"]),
                    items.c.level.in_([Level.I.value, Level.II.value]),
                    visible_to(user),
                )
                .distinct()
                .limit(_TOLD)
            )
            grave = [
                {"number": row.number, "level": Level(row.level).label, "title": row.title[:60]}
                for row in rows
            ]
    return {"last": last, "changed": last > since > 0, "counts": counts, "grave": grave}


def poll(ask: Ask) -> Response:
    return JSONResponse(news(ask.desk, ask.user, _number(ask.query("since"))))


async def stream(ask: Ask) -> Response:
    """Server-sent events; 204 tells the browser to come no more, and the page polls."""
    if pulse_of(ask.desk).open >= MOST:
        return Response(status_code=204)
    given = ask.request.headers.get("last-event-id", "") or ask.query("since")
    return StreamingResponse(
        _lines(ask, _number(given)),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _lines(ask: Ask, since: int) -> AsyncIterator[str]:
    desk = ask.desk
    token = ask.request.cookies.get(cookie_name(is_secure(desk)), "")
    silent = HEARTBEAT  # so that the first look is always sent
    told: dict[str, int] = {}
    pulse = pulse_of(desk)
    pulse.open += 1
    try:
        yield "retry: 5000\n\n"
        while True:
            fresh = await run_in_threadpool(news, desk, ask.user, since)
            if fresh["changed"] or fresh["counts"] != told or silent >= HEARTBEAT:
                if silent >= HEARTBEAT and not await run_in_threadpool(_still_in, desk, token):
                    yield "event: over\ndata: {}\n\n"
                    return
                since, told, silent = fresh["last"], fresh["counts"], 0.0
                yield f"id: {since}\ndata: {json.dumps(fresh, ensure_ascii=False)}\n\n"
            await asyncio.sleep(EVERY)
            silent += EVERY
    finally:
        pulse.open -= 1


def _still_in(desk: Desk, token: str) -> bool:
    """Whether the session stands; a stream keeps none alive, so it is looked up, not used."""
    return who(desk.database, desk.settings.console, token, desk.now(), use=False) is not None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0
