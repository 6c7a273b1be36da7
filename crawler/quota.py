"""How often a platform may still be asked today: counts, spreads over the day, keeps a reserve.

Platforms count by the Beijing day. What was asked is counted in the database before it is
asked, so neither a crash nor a second process can spend more than there is. Polls live on
credit that trickles in over what is left of the day: a list that may be asked 100 times and
should be read "every 5m" is asked about every 16 minutes instead, and `plan` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from config.clock import SHANGHAI, shown
from config.duration import spoken
from store.engine import Database
from store.tables import positions

DAY = timedelta(days=1)
_LIST = "quota:"  # prefix of the position that holds a counter


class Purpose(StrEnum):
    """What a call is for decides what it may spend."""

    POLL = "poll"  #: looking whether there is anything new: only from trickled credit
    FOLLOW = "follow"  #: there is something: all but an hourly poll until midnight
    MANUAL = "manual"  #: a person waits for it: also the reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one kind of call may cost."""

    call: str  #: as the counter is named, such as "published"
    what: str  #: Chinese, as duty staff read it
    per_day: int
    reserve: int = 0  #: of these, kept for a person's own refresh

    @property
    def budget(self) -> int:
        """What the service itself may spend in a day."""
        return max(0, self.per_day - self.reserve)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How much of an allowance is used; `credit` is what polls may spend now."""

    day: str  #: Beijing, ISO
    used: int = 0
    credit: float
    at: datetime  #: when credit was last settled
    hold_until: datetime | None = None  #: the platform said: not before
    why: str = ""  #: Chinese: why it is held


@dataclass(frozen=True, slots=True)
class Granted:
    """The call is counted; make it."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Not now; `thinned` means nothing is wrong, the poll is only spread over the day."""

    until: datetime
    why: str  #: Chinese
    thinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One line of `status`: what a call may cost and how often it is really made."""

    call: str
    what: str
    per_day: int
    reserve: int
    used: int
    left: int  #: of the service's own budget
    every: timedelta  #: asked for in the settings
    spread: timedelta  #: what the budget allows from now to midnight
    next_at: datetime
    why: str = ""

    @property
    def thinned(self) -> bool:
        return self.spread > self.every

    @property
    def text(self) -> str:
        """As duty staff read it."""
        line = f"{self.what}：每天 {self.per_day} 次"
        if self.reserve:
            line += f"（留 {self.reserve} 次供人工刷新）"
        line += f"，今日已用 {self.used} 次，还可用 {self.left} 次"
        if self.why:
            return f"{line}；{self.why}，{shown(self.next_at)} 起恢复"
        if self.thinned:
            wanted = -(-DAY // self.every)
            line += (
                f"；设置为每{spoken(self.every)}一次，一天要 {wanted} 次，超出额度，"
                f"已摊匀为约每{spoken(self.spread)}一次"
            )
        return line


def settled(meter: Meter | None, allowance: Allowance, now: datetime) -> Meter:
    """The meter at `now`: a new Beijing day counts from nothing; credit has trickled in."""
    day = beijing_day(now).isoformat()
    cap = max(1.0, allowance.budget / 24)  # an hour's worth at once: after a stop, no burst
    if meter is None or (meter.day != day and now >= meter.at):
        return Meter(day=day, at=now, credit=cap)
    if meter.hold_until is not None and now >= meter.hold_until:
        meter = replace(meter, hold_until=None, why="")
    if meter.day != day or now <= meter.at:
        # The clock was set back. Counting today as used up to now is the careful reading.
        return replace(meter, day=day, at=now)
    left = max(0, allowance.budget - meter.used)
    rest = (next_midnight(meter.at) - meter.at).total_seconds()
    gained = left * (now - meter.at).total_seconds() / rest if rest > 0 else 0.0
    return replace(meter, at=now, credit=min(cap, meter.credit + gained))


def decide(meter: Meter, allowance: Allowance, purpose: Purpose, now: datetime) -> Granted | Denied:
    """Whether a settled meter allows one more call. Pure."""
    if meter.hold_until is not None and purpose is not Purpose.MANUAL:
        return Denied(meter.hold_until, meter.why)
    midnight = next_midnight(now)
    ceiling = allowance.per_day if purpose is Purpose.MANUAL else allowance.budget
    if meter.used >= ceiling:
        last = min(timedelta(hours=1), 2 * DAY / max(1, allowance.budget))
        if purpose is Purpose.POLL and midnight - now <= last:
            # Spread evenly, the last call of a day is made in one of its last intervals.
            return Denied(midnight, "按额度摊匀，今日最后一次已查过", thinned=True)
        return Denied(midnight, f"{allowance.what}今日额度 {ceiling} 次已用完")
    if purpose is Purpose.POLL and meter.credit < 1:
        return Denied(_credit_at(meter, allowance, now), "按额度摊匀，尚未到查询时间", thinned=True)
    if purpose is Purpose.FOLLOW:
        hours = -(-(midnight - now) // timedelta(hours=1))
        if allowance.budget - meter.used <= min(hours, allowance.budget // 2):
            return Denied(midnight, f"{allowance.what}余下额度留给每小时的查询")
    return Granted()


def spent(meter: Meter) -> Meter:
    """The meter after one more call; what comes out of turn costs credit too."""
    return replace(meter, used=meter.used + 1, credit=max(0.0, meter.credit - 1))


class Governor:
    """The meters of one channel, kept in its positions; safe across threads and processes."""

    def __init__(self, database: Database, channel: str, allowances: Sequence[Allowance]) -> None:
        self._database = database
        self._channel = channel
        self.allowances: Mapping[str, Allowance] = {one.call: one for one in allowances}

    def take(self, call: str, purpose: Purpose, now: datetime) -> Granted | Denied:
        """Counts one call if it may be made. Raises KeyError for a call without allowance."""
        allowance = self.allowances[call]
        with self._meter(call, now) as (connection, meter):
            answer = decide(meter, allowance, purpose, now)
            after = spent(meter) if isinstance(answer, Granted) else meter
            self._keep(connection, call, after, now)
        return answer

    def would(self, call: str, purpose: Purpose, now: datetime) -> Granted | Denied:
        """What `take` would answer now; counts nothing."""
        allowance = self.allowances[call]
        return decide(settled(self._read(call), allowance, now), allowance, purpose, now)

    def hold(self, call: str, until: datetime, why: str, now: datetime) -> None:
        """The platform itself said no more: nobody but a person asks again before `until`, nor
        before a later moment that it named earlier."""
        with self._meter(call, now) as (connection, meter):
            if meter.hold_until is None or meter.hold_until < until:
                held = replace(meter, hold_until=until, why=why)
                self._keep(connection, call, held, now)

    def used(self, call: str, now: datetime) -> int:
        """Calls of the Beijing day so far."""
        return settled(self._read(call), self.allowances[call], now).used

    def plan(self, call: str, every: timedelta, now: datetime) -> Plan:
        """What `status` shows of one call."""
        allowance = self.allowances[call]
        meter = settled(self._read(call), allowance, now)
        left = max(0, allowance.budget - meter.used)
        rest = next_midnight(now) - now
        spread = DAY / allowance.budget if allowance.budget else DAY
        if meter.used:
            spread = rest / left if left else rest
        answer = decide(meter, allowance, Purpose.POLL, now)
        denied = answer if isinstance(answer, Denied) else None
        return Plan(
            call=call,
            what=allowance.what,
            per_day=allowance.per_day,
            reserve=allowance.reserve,
            used=meter.used,
            left=left,
            every=every,
            spread=spread,
            next_at=denied.until if denied else now,
            why=denied.why if denied and not denied.thinned else "",
        )

    @contextmanager
    def _meter(self, call: str, now: datetime) -> Iterator[tuple[sa.Connection, Meter]]:
        key = {"channel": self._channel, "list": _LIST + call}
        with self._database.write() as connection:
            connection.execute(
                self._database.insert(positions)
                .values(**key, value={}, at=now)
                .on_conflict_do_nothing(index_elements=list(key))
            )
            value: Any = connection.execute(self._select(call).with_for_update()).scalar_one()
            yield connection, settled(_unpacked(value), self.allowances[call], now)

    def _keep(self, connection: sa.Connection, call: str, meter: Meter, now: datetime) -> None:
        connection.execute(
            positions.update()
            .where(positions.c.channel == self._channel, positions.c.list == _LIST + call)
            .values(value=_packed(meter), at=now)
        )

    def _read(self, call: str) -> Meter | None:
        with self._database.read() as connection:
            return _unpacked(connection.execute(self._select(call)).scalar_one_or_none())

    def _select(self, call: str) -> sa.Select[tuple[Any]]:
        return sa.select(positions.c.value).where(
            positions.c.channel == self._channel, positions.c.list == _LIST + call
        )


def beijing_day(now: datetime) -> date:
    """The day by which platforms count."""
    return now.astimezone(SHANGHAI).date()


def next_midnight(now: datetime) -> datetime:
    """When the Beijing day of `now` ends."""
    return datetime.combine(beijing_day(now) + DAY, time(), SHANGHAI).astimezone(now.tzinfo)


def next_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _credit_at(meter: Meter, allowance: Allowance, now: datetime) -> datetime:
    """When a whole poll's credit will have come together; midnight at the latest."""
    midnight = next_midnight(now)
    left = max(0, allowance.budget - meter.used)
    if not left:
        return midnight
    wait = (1 - meter.credit) * (midnight - now) / left
    return min(midnight, now + wait)


def _packed(meter: Meter) -> dict[str, Any]:
    row = asdict(meter)
    row["at"] = meter.at.isoformat()
    row["hold_until"] = meter.hold_until.isoformat() if meter.hold_until else None
    return row


def _unpacked(value: Any) -> Meter | None:
    """A meter as stored; one that cannot be read counts as none."""
    try:
        until = value["hold_until"]
        return Meter(
            day=value["day"],
            used=int(value["used"]),
            credit=float(value["credit"]),
            at=datetime.fromisoformat(value["at"]),
            hold_until=datetime.fromisoformat(until) if until else None,
            why=str(value["why"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
