"""One call of the API as the house counts it: quota, ledger, token, and one retry for a token."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import sqlalchemy as sa

from crawler.catalogue import Tools
from crawler.quota import Denied, Governor, Purpose, next_midnight, next_minute
from crawler.site.pace import retry_after
from crawler.tokens import Fresh, NoToken, TokenStore
from crawler.wechat.errors import Failed, Refused, Remedy
from crawler.wechat.places import ABSENT, Places
from crawler.wechat.wire import Answer, Wire, whole
from store.engine import Database
from store.records import Outcome

log = logging.getLogger("crawler.wechat")

LEFT_ALONE = timedelta(minutes=30)  #: no token calls after one that only a person can mend
ABSENT_FOR = timedelta(days=7)  #: an ability that is missing is not asked for again before
LONGEST_WAIT = 86_400.0  #: seconds for which a server's Retry-After is believed
LONGEST = 7200  #: seconds a token lives
UNKNOWN = 1800  #: seconds assumed where the platform does not say

TOKEN_PATH = "/cgi-bin/stable_token"  # noqa: S105 - an address


class Ledger(Protocol):
    """What is written down of each call: a run's log, or nothing at all."""

    @property
    def channel(self) -> str: ...

    def plan(self, urls: Iterable[str]) -> object: ...

    def settle(
        self,
        url: str,
        outcome: Outcome,
        *,
        status: int | None = None,
        bytes: int | None = None,
        ms: int | None = None,
        why: str = "",
        connection: sa.Connection | None = None,
    ) -> None: ...

    def write(self) -> AbstractContextManager[sa.Connection]: ...


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The ledger of a preview: keeps nothing."""

    database: Database
    channel: str

    def plan(self, urls: Iterable[str]) -> None:
        """Nothing is noted."""

    def settle(self, url: str, outcome: Outcome, **_more: object) -> None:
        """Nothing is noted."""

    def write(self) -> AbstractContextManager[sa.Connection]:
        return self.database.write()


class Halted(Exception):
    """Nothing more can be read in this run; the text is Chinese."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Skipped(Exception):
    """This call is not to be made now; nothing was asked."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(denied.why)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Question:
    """One call of the API."""

    call: str  #: whose quota it uses
    path: str
    body: Mapping[str, Any]
    shown: Mapping[str, Any] = field(default_factory=dict)  #: what the ledger tells of it


@dataclass(frozen=True, slots=True)
class Page:
    """A good answer, still open in the ledger: settle it with what came of it."""

    label: str
    answer: Answer

    @property
    def data(self) -> Mapping[str, Any]:
        return self.answer.data


class Caller:
    """Makes the calls of one run."""

    def __init__(
        self,
        *,
        run: Ledger,
        tools: Tools,
        wire: Wire,
        tokens: TokenStore,
        governor: Governor,
        places: Places,
        app_id: str,
        secret: str,
    ) -> None:
        self._run = run
        self._tools = tools
        self._wire = wire
        self._tokens = tokens
        self._governor = governor
        self._places = places
        self._app_id = app_id
        self._secret = secret
        self._numbers: dict[str, int] = {}
        self.good = 0  #: calls that brought something
        self.asked = 0  #: calls in all

    def absent(self, call: str) -> str:
        """Why the account cannot do this, as far as is known; empty where it may."""
        known = self._places.get(ABSENT + call)
        until = known.get("until")
        if self._tools.manual or not until or self._now() >= datetime.fromisoformat(until):
            return ""
        return str(known.get("why", ""))

    def call(self, question: Question, purpose: Purpose) -> Page:
        """A page, to be settled by who asked; what fails is settled here.

        Raises Skipped, Failed, Halted.
        """
        if self._tools.manual:
            purpose = Purpose.MANUAL
        could = self._governor.would(question.call, purpose, self._now())
        if isinstance(could, Denied):
            raise Skipped(could)
        token = self._token()
        try:
            return self._once(question, purpose, token)
        except Refused as error:
            if error.remedy is not Remedy.RENEW:
                raise
        try:
            return self._once(question, purpose, self._token(stale=token))
        except Refused as error:
            if error.remedy is Remedy.RENEW:
                raise Halted(f"新取的令牌仍被拒绝：{error.why}") from None
            raise

    def settle(
        self,
        page: Page,
        outcome: Outcome,
        *,
        why: str = "",
        connection: sa.Connection | None = None,
    ) -> None:
        self._run.settle(
            page.label,
            outcome,
            status=page.answer.status,
            bytes=page.answer.size,
            ms=page.answer.ms,
            why=why,
            connection=connection,
        )
        self.good += outcome.is_ok

    def _once(self, question: Question, purpose: Purpose, token: str) -> Page:
        answer = self._governor.take(question.call, purpose, self._now())
        if isinstance(answer, Denied):
            raise Skipped(answer)
        label = self._label(question.path, question.shown)
        self._run.plan([label])
        self.asked += 1
        try:
            return Page(label, self._wire.post(question.path, question.body, token=token))
        except Failed as error:
            self._book(label, question.call, error)
            raise

    def _book(self, label: str, call: str, error: Failed) -> None:
        """Settles a failed call and draws what follows from it. Raises Halted."""
        self._run.settle(label, error.outcome, status=error.status, why=error.why)
        now = self._now()
        if not isinstance(error, Refused):
            log.warning("wechat.failed", extra={"call": call, "why": error.why})
            until = _later(error, now)
            if until is not None:  # it is the server that asks, so it is left alone altogether
                for one in self._governor.allowances:
                    self._governor.hold(one, until, f"对方要求稍后再来（{error.why}）", now)
            return
        level = logging.ERROR if error.remedy in {Remedy.BUG, Remedy.STOP} else logging.WARNING
        log.log(
            level,
            "wechat.refused",
            extra={
                "channel": self._run.channel,
                "call": call,
                "errcode": error.code,
                "remedy": error.remedy.value,
                "rid": error.rid,
            },
        )
        if error.remedy is Remedy.MIDNIGHT:
            self._governor.hold(call, next_midnight(now), error.why, now)
        elif error.remedy is Remedy.MINUTE:
            self._governor.hold(call, next_minute(now), error.why, now)
        elif error.remedy is Remedy.ABSENT:
            value = {"until": (now + ABSENT_FOR).isoformat(), "why": error.why}
            with self._run.write() as connection:
                self._places.put(connection, ABSENT + call, value, now)
        elif error.remedy is Remedy.STOP:
            raise Halted(error.why)

    def _token(self, stale: str = "") -> str:
        try:
            return self._tokens.get(self._fetch, stale=stale, insist=self._tools.manual)
        except NoToken as error:
            raise Halted(error.why) from None

    def _fetch(self) -> Fresh:
        """Asks for a token. force_refresh would end everybody else's token: never sent true."""
        now = self._now()
        purpose = Purpose.MANUAL if self._tools.manual else Purpose.FOLLOW
        allowed = self._governor.take("token", purpose, now)
        if isinstance(allowed, Denied):
            raise NoToken(allowed.why, allowed.until)
        label = self._label(TOKEN_PATH, {})
        self._run.plan([label])
        question = {
            "grant_type": "client_credential",
            "appid": self._app_id,
            "secret": self._secret,
            "force_refresh": False,
        }
        try:
            answer = self._wire.post(TOKEN_PATH, question)
        except Failed as error:
            until = _again(error, now)
            with suppress(Halted):
                self._book(label, "token", error)
            why = error.why
            if isinstance(error, Refused) and error.remedy is Remedy.RENEW:
                why = f"AppSecret 不正确或不属于这个公众号（{error.code}）"
            raise NoToken(f"取不到接口令牌：{why}", until) from None
        token = answer.data.get("access_token")
        if not isinstance(token, str) or not 8 <= len(token) <= 2048:
            self._run.settle(label, Outcome.PARSE_BROKEN, why="答复里没有令牌")
            raise NoToken("取不到接口令牌：答复里没有令牌")
        lives = whole(answer.data.get("expires_in"), UNKNOWN) or UNKNOWN
        # A token is no content: a run that brought nothing else has brought nothing.
        self._run.settle(
            label, Outcome.OK_UNCHANGED, status=answer.status, bytes=answer.size, ms=answer.ms
        )
        return Fresh(token, timedelta(seconds=min(max(lives, 60), LONGEST)))

    def _label(self, path: str, shown: Mapping[str, Any]) -> str:
        """How the ledger knows this call: never with a token or a secret in it."""
        label = self._wire.address(path)
        if shown:
            label += "?" + urlencode(dict(shown))
        number = self._numbers.get(label, 0) + 1
        self._numbers[label] = number
        return f"{label}#{number}" if number > 1 else label

    def _now(self) -> datetime:
        return self._tools.clock.now()


def _again(error: Failed, now: datetime) -> datetime | None:
    """When the token may be asked for again after this."""
    if not isinstance(error, Refused):
        return _later(error, now)
    if error.remedy is Remedy.MIDNIGHT:
        return next_midnight(now)
    if error.remedy is Remedy.MINUTE:
        return next_minute(now)
    return None if error.remedy is Remedy.LATER else now + LEFT_ALONE


def _later(error: Failed, now: datetime) -> datetime | None:
    """When the server said that it may be asked again; a day at the most."""
    seconds = retry_after(error.retry_after, now)
    return None if not seconds else now + timedelta(seconds=min(seconds, LONGEST_WAIT))
