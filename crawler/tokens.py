"""Access tokens that are fetched once however many ask: across threads and processes.

The token lies in the database, sealed under a key that only the account's secret yields, so
neither a backup nor a copy of the database can be used to call the platform.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.clock import Clock
from store.engine import Database
from store.tables import positions

LEASE = timedelta(seconds=45)  #: after which a fetcher is taken for dead
EARLY = timedelta(seconds=240)  #: renewed this long before the end, while the old one still works
AGAIN = timedelta(seconds=30)  #: not renewed more often than this while the old one still works
BREATH = timedelta(seconds=10)  #: nor asked for again sooner after a failure
PAUSE = 0.05  #: seconds between looks while another fetches
PATIENCE = 60.0  #: seconds of looking


@dataclass(frozen=True, slots=True)
class Fresh:
    """A token as the platform gave it."""

    token: str
    lives: timedelta


class NoToken(Exception):
    """There is no token and the platform is not to be asked now; the text is Chinese.

    `until` is when it will be asked again, None where that may be at any time.
    """

    def __init__(self, why: str, until: datetime | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.until = until


Fetch = Callable[[], Fresh]  #: asks the platform; raises NoToken, or whatever it likes
Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Row:
    sealed: str
    expires: datetime
    fetched: datetime
    round: int  #: counts attempts, so that who waits sees that one has ended
    claim: str
    claimed_until: datetime
    why: str  #: Chinese: why the last attempt gave none
    until: datetime | None  #: not to be asked before


class TokenStore:
    """One token of one channel, in its positions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        channel: str,
        secret: str,
        account: str,
        name: str = "token",
        wait: Wait = time.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._key = {"channel": channel, "list": name}
        sealing = hmac.new(secret.encode(), b"tinglan token " + account.encode(), hashlib.sha256)
        self._cipher = AESGCM(sealing.digest())
        self._wait = wait

    def get(self, fetch: Fetch, *, stale: str = "", insist: bool = False) -> str:
        """A token that should work, fetched by one caller if need be.

        `stale` is one that the platform refused: it is not handed out again unless the
        platform itself gives it again. `insist` asks although the platform is to be left
        alone. Raises NoToken, and in the fetching caller whatever `fetch` raises.
        """
        token = self._at_hand(stale)
        if token:
            return token
        mine = secrets.token_hex(8)
        waited: int | None = None
        for _ in range(int(PATIENCE / PAUSE)):
            row, claimed = self._look(mine, stale=stale, insist=insist, waited=waited)
            if claimed:
                return self._fetched(mine, row, fetch)
            token = self._usable(row, stale)
            if token:
                return token
            if waited is not None and row.round != waited:
                raise NoToken(row.why or "取令牌未成", row.until)
            waited = row.round
            self._wait(PAUSE)
        raise NoToken("另一进程取令牌超时")

    def _at_hand(self, stale: str) -> str:
        """The token where nothing needs to be done for it; takes no lock."""
        with self._database.read() as connection:
            asked = sa.select(positions.c.value).filter_by(**self._key)
            row = _row(connection.execute(asked).scalar_one_or_none())
        return self._usable(row, stale) if self._clock.now() < row.expires - EARLY else ""

    def _look(
        self, mine: str, *, stale: str, insist: bool, waited: int | None
    ) -> tuple[_Row, bool]:
        """The row, and whether this caller has just claimed the fetching. Raises NoToken."""
        now = self._clock.now()
        with self._database.write() as connection:
            row = self._locked(connection, now)
            working = bool(self._usable(row, stale))
            if working and (now < row.expires - EARLY or now < row.fetched + AGAIN):
                return row, False
            if now < row.claimed_until:
                return row, False  # another fetches; the old one is good until then, or we wait
            if waited is not None and row.round != waited:
                return row, False
            if row.until is not None and now < row.until and not insist:
                if working:
                    return row, False
                raise NoToken(row.why, row.until)
            self._store(connection, now, claim=mine, claimed_until=now + LEASE, of=row, why=row.why)
            return row, True

    def _fetched(self, mine: str, row: _Row, fetch: Fetch) -> str:
        why, until = "取令牌的进程出错", None
        fresh: Fresh | None = None
        try:
            fresh = fetch()
        except NoToken as error:
            why, until = error.why, error.until
            raise
        finally:
            now = self._clock.now()
            with self._database.write() as connection:
                held = self._locked(connection, now)
                if held.claim == mine:
                    self._store(
                        connection,
                        now,
                        claim="",
                        claimed_until=now,
                        of=held,
                        sealed=self._sealed(fresh.token) if fresh else None,
                        expires=now + fresh.lives if fresh else None,
                        why="" if fresh else why,
                        until=None if fresh else max(until or now, now + BREATH),
                    )
        return fresh.token

    def _sealed(self, token: str) -> str:
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(nonce, token.encode(), None)
        return base64.b64encode(sealed).decode("ascii")

    def _usable(self, row: _Row, stale: str) -> str:
        """The token while it lives; empty where there is none that may be handed out."""
        if not row.sealed or self._clock.now() >= row.expires:
            return ""
        try:
            raw = base64.b64decode(row.sealed, validate=True)
            token = self._cipher.decrypt(raw[:12], raw[12:], None).decode()
        except (InvalidTag, ValueError, binascii.Error):
            return ""  # the secret has been changed since
        return "" if stale and hmac.compare_digest(token.encode(), stale.encode()) else token

    def _locked(self, connection: sa.Connection, now: datetime) -> _Row:
        connection.execute(
            self._database.insert(positions)
            .values(**self._key, value={}, at=now)
            .on_conflict_do_nothing(index_elements=list(self._key))
        )
        asked = sa.select(positions.c.value).filter_by(**self._key).with_for_update()
        return _row(connection.execute(asked).scalar_one())

    def _store(
        self,
        connection: sa.Connection,
        now: datetime,
        *,
        claim: str,
        claimed_until: datetime,
        of: _Row,
        sealed: str | None = None,
        expires: datetime | None = None,
        why: str = "",
        until: datetime | None = None,
    ) -> None:
        value = {
            "sealed": of.sealed if sealed is None else sealed,
            "expires": (expires or of.expires).isoformat(),
            "fetched": (of.fetched if sealed is None else now).isoformat(),
            "round": of.round + (not claim),
            "claim": claim,
            "claimed_until": claimed_until.isoformat(),
            "why": why,
            "until": until.isoformat() if until else None,
        }
        connection.execute(positions.update().filter_by(**self._key).values(value=value, at=now))


_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _row(value: Any) -> _Row:
    """What is stored; anything that cannot be read counts as nothing."""
    try:
        until = value["until"]
        return _Row(
            sealed=str(value["sealed"]),
            expires=datetime.fromisoformat(value["expires"]),
            fetched=datetime.fromisoformat(value["fetched"]),
            round=int(value["round"]),
            claim=str(value["claim"]),
            claimed_until=datetime.fromisoformat(value["claimed_until"]),
            why=str(value["why"]),
            until=datetime.fromisoformat(until) if until else None,
        )
    except (KeyError, TypeError, ValueError):
        return _Row("", _LONG_AGO, _LONG_AGO, 0, "", _LONG_AGO, "", None)
