"""One run of one channel: what was planned, how each fetch ended, what came of it.

Every planned fetch ends in exactly one stored outcome. Whatever kills a run, the next one
or the service closes it: what was not settled is `dropped`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crawler import limits
from crawler.intake import Counts, clean
from store.engine import Database
from store.records import Outcome, RunState
from store.tables import channels, fetches, positions, runs

_LEASE = "run"  # the position that says which process runs a channel
DEATH = "采集进程中途退出，已收尾；未完成的抓取下次继续"
MISMATCH = "抓取账目不符"
STOPPED = "收到停止信号，已收尾；未完成的抓取下次继续"
LATE = "采集超过时限被终止；未完成的抓取下次继续"


# Built once: at one statement a page, building them costs more than running them.
_PLAN = fetches.insert().returning(fetches.c.id, sort_by_parameter_order=True)
_SETTLE = fetches.update().where(
    fetches.c.id == sa.bindparam("number"), fetches.c.outcome.is_(None)
)
_COUNT = (
    runs.update()
    .where(runs.c.id == sa.bindparam("run"))
    .values(
        seen=runs.c.seen + sa.bindparam("more_seen"),
        new=runs.c.new + sa.bindparam("more_new"),
        changed=runs.c.changed + sa.bindparam("more_changed"),
    )
)


class Busy(Exception):
    """The channel is being read by another process, or this run has been made before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended."""

    channel: str
    state: RunState
    planned: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    failed: int = 0
    backlog: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    why: str = ""


class LedgerBroken(Exception):
    """Planned fetches and outcomes do not add up: a fault of ours, never of a site."""

    def __init__(self, result: RunResult) -> None:
        super().__init__(
            f"{result.channel}: {result.planned} planned, {sum(result.outcomes.values())} outcomes"
        )
        self.result = result


class NotPlanned(LookupError):
    """A fetch was settled that is not planned, or has its outcome already."""


@dataclass(slots=True)
class _Booking:
    """What one transaction of a run says of its fetches and posts, until the end of it."""

    connection: sa.Connection
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def write(self, run: int) -> None:
        if self.settled:
            self.connection.execute(_SETTLE, list(self.settled.values()))
        _count(self.connection, run, self.counts)


@dataclass(slots=True)
class RunLog:
    """The open record of one run. Its methods may be called from any thread."""

    database: Database
    id: int
    channel: str
    planned_at: datetime
    deadline: datetime
    now: Callable[[], datetime]
    _open: dict[str, int] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _writing: _Booking | None = None

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction; threads of one run take turns.

        What is settled and counted in it is booked at its end, all at once, and is as if it
        had never been said where the transaction fails.
        """
        with self._lock:
            try:
                with self.database.write() as connection:
                    self._writing = booking = _Booking(connection)
                    yield connection
                    booking.write(self.id)
            finally:
                self._writing = None
            for url in booking.settled:
                self._open.pop(url, None)

    def plan(self, urls: Iterable[str], connection: sa.Connection | None = None) -> list[str]:
        """Writes down what will be fetched; answers those not planned before in this run."""
        if connection is None:
            with self.write() as own:
                return self.plan(urls, own)
        fresh = [url for url in dict.fromkeys(urls) if url not in self._seen]
        if not fresh:
            return []
        at = self.now()
        rows = [
            {"run": self.id, "channel": self.channel, "url": clean(url)[: limits.URL], "at": at}
            for url in fresh
        ]
        numbers: sa.ScalarResult[int] = connection.execute(_PLAN, rows).scalars()
        self._open.update(zip(fresh, numbers, strict=True))
        self._seen.update(fresh)
        connection.execute(
            runs.update().where(runs.c.id == self.id).values(planned=runs.c.planned + len(fresh))
        )
        return fresh

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
    ) -> None:
        """Stores how a planned fetch ended; raises NotPlanned for a second outcome."""
        if connection is None:
            with self.write() as own:
                self.settle(
                    url, outcome, status=status, bytes=bytes, ms=ms, why=why, connection=own
                )
                return
        number = self._open.get(url)
        if number is None or not self.is_open(url):
            raise NotPlanned(url[:200])
        ended = {
            "number": number,
            "at": self.now(),
            "outcome": outcome.value,
            "status": status,
            "bytes": bytes,
            "ms": ms,
            "why": clean(why)[: limits.WHY],
        }
        if self._writing is not None and self._writing.connection is connection:
            self._writing.settled[url] = ended
        else:
            connection.execute(_SETTLE, ended)
            del self._open[url]

    def is_open(self, url: str) -> bool:
        """Whether a fetch is planned and has no outcome yet."""
        return url in self._open and not (self._writing and url in self._writing.settled)

    def count(self, counts: Counts, connection: sa.Connection | None = None) -> None:
        """Adds what intake made of a page, so that a killed run still tells it."""
        if connection is None:
            with self.write() as own:
                self.count(counts, own)
                return
        if self._writing is not None and self._writing.connection is connection:
            self._writing.counts += counts
        else:
            _count(connection, self.id, counts)

    def finish(
        self, state: RunState = RunState.DONE, *, why: str = "", backlog: int = 0
    ) -> RunResult:
        """Closes the run: nothing stays unsettled, and the sums are proved.

        `why` is kept on a finished run too: a channel may be read and still have troubles.
        A run that was told to stop before its deadline is no failure of its channel.
        Raises LedgerBroken where planned fetches and outcomes do not add up; the run is
        closed as failed all the same.
        """
        with self.write() as connection:
            self._open.clear()
            now = self.now()
            result = _close(
                connection,
                self.id,
                state,
                now,
                told=state is RunState.KILLED and now < self.deadline,
                why=clean(why)[: limits.WHY],
                backlog=backlog,
            )
        if result.planned != sum(result.outcomes.values()):
            raise LedgerBroken(result)
        return result


def start(
    database: Database,
    channel: str,
    *,
    planned_at: datetime,
    now: Callable[[], datetime],
    deadline: timedelta,
) -> RunLog:
    """Opens a run, after closing a dead one of the same channel. Raises Busy."""
    at = now()
    with database.write() as connection:
        _reap(connection, at, channel)
        running = connection.execute(
            sa.select(runs.c.id).where(
                runs.c.channel == channel, runs.c.state == RunState.RUNNING.value
            )
        ).first()
        if running is not None:
            raise Busy("上一轮采集还在进行")
        made = connection.execute(
            database.insert(runs)
            .values(
                channel=channel,
                planned_at=planned_at,
                started_at=at,
                deadline_at=at + deadline,
                state=RunState.RUNNING.value,
            )
            .on_conflict_do_nothing(index_elements=["channel", "planned_at"])
            .returning(runs.c.id)
        ).scalar_one_or_none()
        if made is None:
            raise Busy("这一轮采集已经做过")
        _upsert(database, connection, channels, {"id": channel}, {"last_attempt_at": at})
        _upsert(
            database,
            connection,
            positions,
            {"channel": channel, "list": _LEASE},
            {"value": {"run": made, **_this_process()}, "at": at},
        )
    return RunLog(database, int(made), channel, planned_at, at + deadline, now)


def reap(database: Database, now: datetime, channel: str | None = None) -> list[RunResult]:
    """Closes runs found dead: past their deadline, or their process is gone."""
    with database.write() as connection:
        return _reap(connection, now, channel)


def _reap(connection: sa.Connection, now: datetime, channel: str | None) -> list[RunResult]:
    asked = sa.select(runs.c.id, runs.c.channel, runs.c.deadline_at).where(
        runs.c.state == RunState.RUNNING.value
    )
    if channel is not None:
        asked = asked.where(runs.c.channel == channel)
    closed = []
    for run in connection.execute(asked.with_for_update()).all():
        lease = connection.execute(
            sa.select(positions.c.value).where(
                positions.c.channel == run.channel, positions.c.list == _LEASE
            )
        ).scalar_one_or_none()
        late = run.deadline_at is not None and now >= run.deadline_at
        if late or not _alive(lease, run.id):
            closed.append(
                _close(connection, run.id, RunState.KILLED, now, why=LATE if late else DEATH)
            )
    return closed


def _close(
    connection: sa.Connection,
    run: int,
    state: RunState,
    now: datetime,
    *,
    why: str = "",
    backlog: int | None = None,
    told: bool = False,
) -> RunResult:
    """`told`: to stop, by us; says nothing about the channel."""
    connection.execute(
        fetches.update()
        .where(fetches.c.run == run, fetches.c.outcome.is_(None))
        .values(outcome=Outcome.DROPPED.value, at=now, why=why[: limits.WHY] or "本轮未及抓取")
    )
    outcomes: dict[str, int] = {
        row.outcome: row.n
        for row in connection.execute(
            sa.select(fetches.c.outcome, sa.func.count().label("n"))
            .where(fetches.c.run == run)
            .group_by(fetches.c.outcome)
            .order_by(fetches.c.outcome)
        )
    }
    row = dict(connection.execute(sa.select(runs).where(runs.c.id == run)).mappings().one())
    if state is RunState.DONE and not row["planned"] and why:
        state, why = _as_it_was(connection, row, state, why)
    if row["planned"] != sum(outcomes.values()):
        state = RunState.FAILED
        why = f"{MISMATCH}：计划 {row['planned']} 次，有结果 {sum(outcomes.values())} 次"
    failed = sum(n for outcome, n in outcomes.items() if not Outcome(outcome).is_ok)
    changes: dict[str, Any] = {
        "state": state.value,
        "finished_at": now,
        "failed": failed,
        "why": why,
    }
    if backlog is not None:
        changes["backlog"] = backlog
    done = connection.execute(
        runs.update()
        .where(runs.c.id == run, runs.c.state == RunState.RUNNING.value)
        .values(**changes)
    ).rowcount
    if done:
        told = told and state is RunState.KILLED
        _tell_channel(connection, row, None if told else state, now, "" if told else why)
        final = {**row, **changes}
    else:  # somebody closed it before us; what they wrote stands
        final = row
    return RunResult(
        channel=row["channel"],
        state=RunState(final["state"]),
        planned=row["planned"],
        seen=row["seen"],
        new=row["new"],
        changed=row["changed"],
        failed=failed,
        backlog=final["backlog"],
        outcomes=outcomes,
        why=final["why"],
    )


def _as_it_was(
    connection: sa.Connection, run: Mapping[str, Any], state: RunState, why: str
) -> tuple[RunState, str]:
    """A run that asked nothing and says why (its quota is spread thin) has seen no recovery
    either: what failed before it still fails."""
    before = connection.execute(
        sa.select(runs.c.state, runs.c.why)
        .where(
            runs.c.channel == run["channel"],
            runs.c.id < run["id"],
            runs.c.state.in_([RunState.DONE.value, RunState.FAILED.value]),
        )
        .order_by(runs.c.id.desc())
        .limit(1)
    ).first()
    if before is None or before.state != RunState.FAILED.value:
        return state, why
    return RunState.FAILED, before.why


def _tell_channel(
    connection: sa.Connection,
    run: Mapping[str, Any],
    state: RunState | None,
    now: datetime,
    why: str,
) -> None:
    changes: dict[str, Any] = {"why": why}
    if state is RunState.DONE:
        changes["failures"] = 0
        if run["planned"]:  # a run that quota thinned to nothing has looked at nothing
            changes["last_success_at"] = now
    elif state is not None:
        changes["failures"] = channels.c.failures + 1
    if run["new"]:
        changes["last_new_at"] = now
    connection.execute(channels.update().where(channels.c.id == run["channel"]).values(**changes))


def _count(connection: sa.Connection, run: int, counts: Counts) -> None:
    if counts != Counts():
        connection.execute(
            _COUNT,
            {
                "run": run,
                "more_seen": counts.seen,
                "more_new": counts.new,
                "more_changed": counts.changed,
            },
        )


def _upsert(
    database: Database,
    connection: sa.Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    connection.execute(
        database.insert(table)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=list(key), set_=dict(values))
    )


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid())}


def _alive(lease: Any, run: int) -> bool:
    """Whether the process that runs this run still exists; another host is believed."""
    if not isinstance(lease, dict) or lease.get("run") != run:
        return False
    if lease.get("host") != socket.gethostname():
        return True
    pid = lease.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _born(pid) == lease.get("born")


def _born(pid: int) -> str:
    """When a process began, so that a number used again is not taken for it; "" if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] == "Z":
        return ""
    return f"{boot}:{fields[19]}"
