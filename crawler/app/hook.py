"""Takes feedback that the app's backend pushes: signed, timely, once; stored before the 200."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crawler.app.options import Webhook
from crawler.app.pages import moment, words
from crawler.callbacks import BODY, Push, Reply
from crawler.catalogue import Tools
from crawler.intake import intake
from crawler.places import keep, recall
from crawler.pseudonyms import pseudonym
from store.records import Capture, Role
from store.tables import positions

log = logging.getLogger("crawler.app")

STAMP = "x-tinglan-timestamp"  #: seconds since 1970
SIGNATURE = "x-tinglan-signature"  #: sha256=<hex>
WINDOW = timedelta(seconds=300)
_PLACE = "hook"
_AT_ONCE = 200  #: items of one push

REFUSED = Reply(status=403)
UNREADABLE = Reply(status=400)


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What the sender writes into the signature header: HMAC-SHA256 over `stamp.body`."""
    made = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={made.hexdigest()}"


class FeedbackReceiver:
    """The receiver of one app."""

    def __init__(self, *, channel: str, options: Webhook, tools: Tools, secret: str) -> None:
        self._channel = channel
        self._options = options
        self._tools = tools
        self._secret = secret

    def receive(self, push: Push) -> Reply:
        if push.method != "POST" or len(push.body) > BODY:
            return self._refused("method or size")
        stamp, given = push.headers.get(STAMP, ""), push.headers.get(SIGNATURE, "")
        due = signature(self._secret, stamp, push.body)
        if not hmac.compare_digest(due.encode(), given.lower().encode("utf-8", "replace")):
            return self._refused("signature")
        now = self._tools.clock.now()
        if not _timely(stamp, now):
            return self._refused("time")
        rows = _rows(push.body)
        if rows is None:
            return self._refused("json", UNREADABLE)
        captures = [c for c in (self._capture(row, now) for row in rows) if c is not None]
        if not captures:
            return self._refused("empty", UNREADABLE)
        with self._tools.database.write() as connection:
            # The same push again is answered like the first and changes nothing: neither a
            # second copy, nor an older text over a newer one.
            if self._first(connection, due, now):
                intake(connection, captures, now=now, author_key=self._tools.author_key)
        return Reply()

    def _first(self, connection: sa.Connection, mark: str, now: datetime) -> bool:
        """Whether this very push is new; remembers it for as long as it would be timely."""
        database = self._tools.database
        connection.execute(
            database.insert(positions)
            .values(channel=self._channel, list=_PLACE, value={}, at=now)
            .on_conflict_do_nothing(index_elements=["channel", "list"])
        )
        connection.execute(
            sa.select(positions.c.at)
            .where(positions.c.channel == self._channel, positions.c.list == _PLACE)
            .with_for_update()
        )
        since = (now - 2 * WINDOW).timestamp()
        held = recall(connection, self._channel, _PLACE)
        seen = {key: at for key, at in held.items() if float(at) >= since}
        if mark in seen:
            return False
        keep(
            database,
            connection,
            channel=self._channel,
            name=_PLACE,
            value={**seen, mark: now.timestamp()},
            now=now,
        )
        return True

    def _capture(self, row: Any, now: datetime) -> Capture | None:
        if not isinstance(row, Mapping):
            return None
        title = words(row.get("title"))
        text = words(row.get("text", row.get("content")))
        if not (title or text):
            return None
        raw = words(row.get("time", row.get("published_at")))
        told = moment(raw, now)
        number = words(row.get("id"))
        if not number:
            # Keyed: of a plain hash the few digits that masking hides could be guessed.
            joined = "\x1f".join((title, text, raw))
            number = pseudonym(self._channel, joined, self._tools.author_key)
        return Capture(
            channel=self._channel,
            key=f"push/{number}",
            kind=self._options.kind,
            role=Role.PUBLIC,
            title=title,
            text=text,
            column=self._options.name,
            author_id=words(row.get("author", row.get("user_id"))),
            published_at=told[0] if told else None,
            published_raw=raw,
            precision=told[1] if told else None,
        )

    def _refused(self, why: str, reply: Reply = REFUSED) -> Reply:
        log.warning("push.refused", extra={"channel": self._channel, "why": why})
        return reply


def _timely(stamp: str, now: datetime) -> bool:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(now.timestamp() - int(stamp)) <= WINDOW.total_seconds()


def _rows(body: bytes) -> list[Any] | None:
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("items"), list):
        found = found["items"]
    rows = found if isinstance(found, list) else [found]
    return rows if len(rows) <= _AT_ONCE else None
