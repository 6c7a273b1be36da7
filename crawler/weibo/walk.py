"""One reading of a Weibo account: what is new, then what was left, each call accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlencode

import sqlalchemy as sa

from config.clock import shown
from config.duration import spoken
from crawler.asking import Answer, Unanswered
from crawler.catalogue import Reading, Tools
from crawler.intake import Counts, intake
from crawler.places import keep, recall
from crawler.quota import Denied, Governor, Purpose
from crawler.runs import RunLog
from crawler.weibo.account import LIMITS_EVERY, Account
from crawler.weibo.client import Client
from crawler.weibo.errors import Act, Refusal
from crawler.weibo.lists import BELOW, CALL, WEIGHT, allowance, below, label
from crawler.weibo.notation import Listed, Reader, Row
from crawler.weibo.options import Options
from crawler.weibo.place import Place, after_head, after_page, gap_params, head_params
from crawler.weibo.token import Warned
from store.records import Level, Outcome, RunState
from store.tables import posts

_WHOLE_EVERY = timedelta(hours=6)  #: the first page without since_id: edits, late approvals
_LACKING_REST = timedelta(days=1)
_CUT_KEPT = 200  #: rows whose full text may be owed at a time
_EMPTY_BREAKS = 3
_TROUBLES = 3  #: failed calls in a row after which the run is over


class _Stop(Exception):
    """Nothing more is to be asked in this run."""


class _Skip(Exception):
    """This list is left for this run."""


@dataclass(slots=True)
class Walk:
    """One reading; made for one run and used once."""

    channel: str
    title: str
    options: Options
    tools: Tools
    run: RunLog
    client: Client
    mark: str  #: of the token in use
    every: timedelta
    places: dict[str, Place] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)  #: lists that had something in them
    asked: int = 0  #: calls in all
    looked: int = 0  #: calls for a page of a list …
    good: int = 0  #: … and those of them that brought one
    failed: int = 0  #: calls in a row
    fatal: str = ""
    account: Account = field(init=False)
    governor: Governor = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(
            self.channel, self.title, self.options, self.tools, self.run, self.mark
        )
        self.governor = self._governor()
        with self.tools.database.read() as connection:
            watched = below(connection, self.channel, self.options.posts_watched)
            for name in [*self.options.lists, *watched]:
                self.places[name] = Place.unpacked(recall(connection, self.channel, name))

    # --- the order of a reading ---------------------------------------------------------------

    def read(self) -> Reading:
        if self.account.refused_before():
            return Reading(
                state=RunState.FAILED, why=str(self.account.state.get("refused_why", ""))
            )
        try:
            if not self.account.uid:
                self._look_at_token()  # who we are decides who speaks in a list
            for name in self._order():
                self._try(self._head, name)
            self._look_at_token()
            self._look_at_limits()
            for name in self._order():
                self._try(self._gaps, name)
            for name in self.places:
                self._try(self._cut_texts, name)
        except _Stop:
            pass
        return self._reading()

    def _try(self, step: Callable[[str], None], name: str) -> None:
        try:
            step(name)
        except (_Skip, _Gone):
            return

    def _order(self) -> list[str]:
        """Lists never read first, then by how long they have waited for what they matter."""
        now = self.now

        def urgency(name: str) -> float:
            at = self.places[name].polled_at
            weight = WEIGHT.get(name, 1)
            return float("inf") if at is None else (now - at).total_seconds() * weight

        return sorted(self.places, key=urgency, reverse=True)

    def _reading(self) -> Reading:
        # A list that cannot be finished is one thing left to do, however long it is.
        backlog = sum(len(place.gaps) + len(place.cut) for place in self.places.values())
        never = not any(place.top for place in self.places.values())
        blank = int(self.account.state.get("blank", 0))
        if self.good:
            blank = blank + 1 if never and not self.answered else 0
        why = self.fatal or self._broken(blank)
        if not why and self.looked and not self.good:
            why = self.troubles[-1]
        if self.looked or why:
            self.account.remember(failing=why, blank=blank)
        else:
            why = str(
                self.account.state.get("failing", "")
            )  # nothing was looked at: it is as it was
        told = "；".join(dict.fromkeys([*([why] if why else []), *self.troubles]))
        return Reading(state=RunState.FAILED if why else RunState.DONE, why=told, backlog=backlog)

    def _broken(self, blank: int) -> str:
        """Answers that say success and hold nothing, again and again."""
        dry = [name for name in self.options.lists if self.places[name].empty >= _EMPTY_BREAKS]
        if dry:
            names = "、".join(f"“{label(name)}”" for name in dry)
            return f"{names}连续 {_EMPTY_BREAKS} 次什么也没有返回，而以前一直有内容，疑似接口异常"
        if blank >= _EMPTY_BREAKS:
            return f"接口连续 {blank} 次答复成功却没有任何内容，疑似授权账号不对或接口异常"
        return ""

    # --- the lists ----------------------------------------------------------------------------

    def _head(self, name: str) -> None:
        place = self.places[name]
        self._rested(name, place)
        first = place.top == 0
        whole = first or place.whole_at is None or self.now - place.whole_at >= _WHOLE_EVERY
        purpose = Purpose.FOLLOW if place.polled_at is None else Purpose.POLL
        listed, url, answer = self._page(name, head_params(place, whole=whole), purpose, head=True)
        if not listed.rows and place.top and not whole:
            # The row we know is gone, or there is no answer in this answer: look without it.
            self._settle_page(name, url, answer, listed, place)
            whole = True
            listed, url, answer = self._page(name, {}, Purpose.FOLLOW)
        now = self.now
        if listed.ids:
            self.answered.add(name)
            place = after_head(place, listed.ids)
        elif place.top:
            place = replace(place, empty=place.empty + 1)
            self.troubles.append(f"“{label(name)}”没有返回任何内容（连续 {place.empty} 次）")
        place = replace(place, polled_at=now, whole_at=now if whole else place.whole_at)
        self._settle_page(name, url, answer, listed, place)

    def _gaps(self, name: str) -> None:
        """Newest first; each page is stored together with where the next begins."""
        while self.places[name].gaps:
            place = self.places[name]
            self._rested(name, place)
            gap = place.gaps[0]
            if gap.stop == 0 and gap.taken >= self.options.history:
                self._keep(name, replace(place, gaps=place.gaps[1:]))
                continue
            listed, url, answer = self._page(name, gap_params(gap), Purpose.FOLLOW)
            left = after_page(gap, listed.ids, cursor=listed.cursor, alive=name in self.answered)
            gaps = place.gaps[1:] if left is None else (left, *place.gaps[1:])
            self._settle_page(name, url, answer, listed, replace(place, gaps=gaps))
            self.tools.progress(
                f"{self.title}：{label(name)}，已回溯 {gap.taken + len(listed.rows)} 条"
            )
            if left is not None and (left.empty > gap.empty or (gap.stuck and left.stuck)):
                self.troubles.append(f"“{label(name)}”翻页没有进展，下次接着读")
                raise _Skip

    def _cut_texts(self, name: str) -> None:
        """Full texts of long posts, newest first."""
        for number in sorted(self.places[name].cut, reverse=True):
            place = self.places[name]
            params = {"id": str(number), "isGetLongText": "1"}
            left = replace(place, cut=tuple(one for one in place.cut if one != number))
            try:
                found, url, answer = self._call(
                    self.options.calls.show, params, Purpose.FOLLOW, name
                )
            except _Gone:
                self._keep(name, left)
                continue
            row = self._reader(name).status(found)
            if row is None or row.long:  # the platform has no more of it than we do
                with self.run.write() as connection:
                    self._settle(connection, url, answer, Outcome.OK_UNCHANGED)
                    self._keep(name, left, connection)
                continue
            self._settle_page(name, url, answer, Listed(rows=(row,)), left)

    def _rested(self, name: str, place: Place) -> None:
        if place.rest_until is None:
            return
        if self.now < place.rest_until and not self.tools.manual:
            self.troubles.append(
                f"“{label(name)}”未读：{place.rest_why}，{shown(place.rest_until)} 后再试"
            )
            raise _Skip
        self._keep(name, replace(place, rest_until=None, rest_why=""))

    def _reader(self, name: str) -> Reader:
        return Reader(
            channel=self.channel,
            column=label(name),
            comments=name not in {"mentions", "timeline"},
            own=name == "timeline",
            uid=self.account.uid,
            now=self.now,
        )

    # --- storing ------------------------------------------------------------------------------

    def _settle_page(
        self, name: str, url: str, answer: Answer, listed: Listed, place: Place
    ) -> None:
        """One page, its place and its outcome, in one transaction: a kill loses nothing."""
        with self.run.write() as connection:
            rows = [row for row in listed.rows if not self._have_whole(connection, row)]
            counts = intake(
                connection,
                [row.capture for row in rows],
                now=self.now,
                author_key=self.tools.author_key,
            )
            owed = (*place.cut, *(row.id for row in rows if row.long and row.id is not None))
            place = replace(place, cut=tuple(sorted(set(owed), reverse=True))[:_CUT_KEPT])
            self.run.count(counts, connection)
            self._settle(connection, url, answer, _outcome(listed, counts), _said(listed))
            self._keep(name, place, connection)

    def _have_whole(self, connection: sa.Connection, row: Row) -> bool:
        """A cut text must not come over the whole one that we fetched."""
        if not row.long:
            return False
        held = connection.execute(
            sa.select(posts.c.text, posts.c.state).where(
                posts.c.channel == self.channel, posts.c.key == row.capture.key
            )
        ).first()
        return held is not None and len(held.text) > len(row.capture.text)

    def _settle(
        self,
        connection: sa.Connection,
        url: str,
        answer: Answer,
        outcome: Outcome,
        why: str = "",
    ) -> None:
        self.run.settle(
            url,
            outcome,
            status=answer.status,
            bytes=answer.size,
            ms=answer.ms,
            why=why,
            connection=connection,
        )

    def _keep(self, name: str, place: Place, connection: sa.Connection | None = None) -> None:
        if connection is None:
            with self.run.write() as own:
                self._keep(name, place, own)
            return
        keep(
            self.tools.database,
            connection,
            channel=self.channel,
            name=name,
            value=place.packed(),
            now=self.now,
        )
        self.places[name] = place

    # --- calling ------------------------------------------------------------------------------

    def _page(
        self, name: str, params: Mapping[str, str], purpose: Purpose, *, head: bool = False
    ) -> tuple[Listed, str, Answer]:
        asked = {"count": str(self.options.count), **params}
        if name == "timeline" and self.options.uid:
            asked["uid"] = self.options.uid
        if name.startswith(BELOW):
            asked["id"] = name.removeprefix(BELOW)
        call: str = getattr(self.options.calls, "below" if BELOW in name else name)
        found, url, answer = self._call(call, asked, purpose, name, head=head)
        listed = self._reader(name).read(found)
        if not listed.shaped:
            self.run.settle(
                url,
                Outcome.PARSE_BROKEN,
                status=answer.status,
                bytes=answer.size,
                ms=answer.ms,
                why="应答里没有列表",
            )
            self._note_failure(f"“{label(name)}”的应答里没有列表")
            raise _Skip
        self.good += 1
        if name == "timeline" and not self._reader(name).uid:
            owner = next((row.capture.author_id for row in listed.rows), "")
            if owner:
                self.account.remember(uid=owner)
        return listed, url, answer

    def _call(
        self,
        call: str,
        params: Mapping[str, str],
        purpose: Purpose,
        name: str | None,
        *,
        head: bool = False,
    ) -> tuple[Any, str, Answer]:
        """One planned call; returns unsettled where it was answered."""
        url = f"{self.options.url(call)}?{urlencode(params)}"
        self._granted(url, purpose, name, head=head)
        if not self.run.plan([url]):
            raise _Skip  # asked in this run already: going round in a circle
        self.asked += 1
        self.looked += name is not None and call != self.options.calls.show
        try:
            found, answer = self.client.get(call, params, self.now)
        except Refusal as error:
            self.run.settle(url, error.outcome, status=error.status, why=error.why)
            self._refused(error, name)
            raise _Skip from None
        except Unanswered as error:
            self.run.settle(url, error.outcome, status=error.status, why=error.why)
            self._unanswered(error, name)
            raise _Skip from None
        self.failed = 0
        return found, url, answer

    def _granted(self, url: str, purpose: Purpose, name: str | None, *, head: bool = False) -> None:
        if self.asked >= self.options.max_calls:
            self.troubles.append(f"本轮已调用 {self.asked} 次，其余下次接着读")
            raise _Stop
        answer = self.governor.take(
            CALL, Purpose.MANUAL if self.tools.manual else purpose, self.now
        )
        if isinstance(answer, Denied) and head and purpose is Purpose.FOLLOW:
            answer = self.governor.take(CALL, Purpose.POLL, self.now)
        if not isinstance(answer, Denied):
            return
        if answer.thinned:
            plan = self.governor.plan(CALL, self.every / len(self.places), self.now)
            self.troubles.append(
                f"按额度摊匀：每天 {plan.per_day} 次，约每 {spoken(plan.spread)}调用一次，"
                "轮流读各列表"
            )
            raise _Skip
        if name is None:
            raise _Skip  # what the platform says of itself can wait
        # Not read, and that is no quiet: it stands in the ledger.
        if self.run.plan([url]):
            self.run.settle(url, Outcome.QUOTA, why=answer.why)
        why = f"{answer.why}，{shown(answer.until)} 后再试"
        if not head:
            self.troubles.append(f"“{label(name)}”没有读完：{why}")
            raise _Skip
        self._over(why)

    def _over(self, why: str) -> NoReturn:
        """Ends the run; as a failure only where nothing at all could be read."""
        if self.answered:
            self.troubles.append(why)
        else:
            self.fatal = why
        raise _Stop

    def _unanswered(self, error: Unanswered, name: str | None) -> None:
        if error.wait is not None:
            until = self.now + timedelta(seconds=min(error.wait, 86_400.0))
            self.governor.hold(CALL, until, error.why, self.now)
            self._over(f"{error.why}，{shown(until)} 后再试")
        self._note_failure(f"“{label(name)}”{error.why}" if name else error.why)

    def _note_failure(self, why: str) -> None:
        self.troubles.append(why)
        self.failed += 1
        if self.failed >= _TROUBLES:
            self._over(why)

    def _refused(self, error: Refusal, name: str | None) -> None:
        match error.act:
            case Act.AUTHORISE:
                self._no_longer_authorised(error)
            case Act.WAIT:
                until = self.account.reset_at()
                self.governor.hold(CALL, until, error.why, self.now)
                self._over(f"{error.why}，{shown(until)} 后再试")
            case Act.WAIT_CALL if name:
                self._rest(name, self.account.reset_at(), error.why)
            case Act.LACKING if name:
                self._rest(name, self.now + _LACKING_REST, error.why)
                self.account.tell(
                    Warned(
                        f"weibo:{self.channel}:lacking:{name}",
                        f"“{self.title}”读不到{label(name)}：{error.why}。",
                        Level.III,
                    )
                )
            case Act.GONE:
                raise _Gone
            case _:
                self._note_failure(f"“{label(name)}”{error.why}" if name else error.why)

    def _rest(self, name: str, until: datetime, why: str) -> None:
        self._keep(name, replace(self.places[name], rest_until=until, rest_why=why))
        self.troubles.append(f"“{label(name)}”未读：{why}，{shown(until)} 后再试")
        if all(place.rest_until for place in self.places.values()):
            self.fatal = why

    # --- the account --------------------------------------------------------------------------

    def _no_longer_authorised(self, error: Refusal) -> NoReturn:
        self.fatal = error.why
        self.account.no_longer_authorised(error)
        raise _Stop

    def _look_at_token(self) -> None:
        """Once a day, and whenever there is a new one."""
        if self.account.token_is_known():
            self._warn()
            return
        url = f"{self.options.oauth_url}get_token_info"
        try:
            self._granted(url, Purpose.FOLLOW, None)
        except _Skip:
            return
        if not self.run.plan([url]):
            return
        self.asked += 1
        try:
            info, answer = self.client.token_info(self.now)
        except Refusal as error:
            self.run.settle(url, error.outcome, status=error.status, why=error.why)
            if error.act is Act.AUTHORISE:
                self._no_longer_authorised(error)
            self.account.keep_no_token(refused=True)
            return
        except Unanswered as error:
            self.run.settle(url, error.outcome, status=error.status, why=error.why)
            self.account.keep_no_token(refused=False)
            return
        with self.run.write() as connection:
            self._settle(connection, url, answer, Outcome.OK_UNCHANGED)
        self.account.keep_token(info)
        self._warn()

    def _warn(self) -> None:
        warned = self.account.warn()
        if warned:
            self.troubles.append(warned)

    def _look_at_limits(self) -> None:
        if not self.account.older("limits_at", LIMITS_EVERY):
            return
        # Booked first: where this call fails, the lists matter more than trying it again.
        self.account.remember(limits_at=self.now.isoformat())
        try:
            found, url, answer = self._call(self.options.calls.limits, {}, Purpose.MANUAL, None)
        except _Skip:
            return
        with self.run.write() as connection:
            self._settle(connection, url, answer, Outcome.OK_UNCHANGED)
        left = self.account.keep_limits(found)
        self.governor = self._governor()
        if left == 0:
            until = self.account.reset_at()
            self.fatal = f"平台答复额度已用完，{shown(until)} 后再试"
            self.governor.hold(CALL, until, "平台答复额度已用完", self.now)
            raise _Stop

    def _governor(self) -> Governor:
        limit = allowance(self.options, self.account.per_day)
        return Governor(self.tools.database, self.channel, [limit])

    @property
    def now(self) -> datetime:
        return self.tools.clock.now()


class _Gone(Exception):
    """What was asked for is no longer there."""


def _outcome(listed: Listed, counts: Counts) -> Outcome:
    if counts.new or counts.changed:
        return Outcome.OK_NEW
    return Outcome.OK_UNCHANGED if listed.rows else Outcome.OK_EMPTY


def _said(listed: Listed) -> str:
    return f"{listed.bad} 条无法识别，已略过" if listed.bad else ""
