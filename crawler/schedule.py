"""When each channel is read, and the child processes that read it.

What is due comes from our own tables at start, and from the monotonic clock while running,
so a step of the wall clock neither skips a channel nor reads it twice. Each run is a process
of its own with a deadline; the service never waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import sqlalchemy as sa

from config.clock import Clock
from config.settings import ChannelSettings
from store.engine import Database
from store.tables import channels

log = logging.getLogger("crawler.schedule")

HASTIEST = 30.0  #: seconds between two readings on key dates, where settings ask for more
GRACE = 3.0  #: seconds between asking a child to stop and killing it


class Child(Protocol):
    """A crawl under way."""

    pid: int

    def poll(self) -> int | None: ...  #: exit status, None while it runs

    def ask(self) -> None: ...  #: to stop

    def kill(self) -> None: ...

    def wait(self, seconds: float) -> bool: ...  #: whether it has ended by then


class Spawn(Protocol):
    def __call__(self, channel: ChannelSettings, planned_at: datetime) -> Child: ...


class Timetable:
    """Next reading of every channel, in monotonic seconds."""

    def __init__(
        self,
        settings: Sequence[ChannelSettings],
        clock: Clock,
        haste: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """`haste`: so many times as often as settings say; for key dates."""
        self._channels = {c.id: c for c in settings if not c.disabled}
        self._haste = haste
        self._clock = clock
        self._next: dict[str, float] = {}

    def recover(self, last_attempts: Mapping[str, datetime | None]) -> None:
        """Takes up where the last service stopped: an overdue channel is due now, once."""
        now, ticks = self._clock.now(), self._clock.monotonic()
        for key, channel in self._channels.items():
            last = last_attempts.get(key)
            every = self._every(channel)
            waited = (now - last).total_seconds() if last else every
            # A last attempt in the future (the clock was set back) must not silence a channel.
            self._next[key] = ticks + min(max(every - waited, 0.0), every)

    def due(self) -> list[ChannelSettings]:
        """The longest overdue first."""
        ticks = self._clock.monotonic()
        late = sorted((at, key) for key, at in self._next.items() if at <= ticks)
        return [self._channels[key] for _, key in late]

    def started(self, channel: str) -> None:
        every = self._every(self._channels[channel])
        self._next[channel] = self._clock.monotonic() + every

    def _every(self, channel: ChannelSettings) -> float:
        """Seconds; haste never goes below half a minute, nor above what settings say."""
        every = channel.every.total_seconds()
        return min(every, max(every / self._haste(), HASTIEST))

    def hurry(self, channel: str) -> None:
        """Something waits to be fetched: do not wait for the interval."""
        if channel in self._next:
            self._next[channel] = self._clock.monotonic()

    def next_in(self) -> dict[str, float]:
        """Channel → seconds until its next reading, for `status`."""
        ticks = self._clock.monotonic()
        return {key: max(0.0, at - ticks) for key, at in self._next.items()}


def last_attempts(database: Database) -> dict[str, datetime | None]:
    with database.read() as connection:
        rows = connection.execute(sa.select(channels.c.id, channels.c.last_attempt_at))
        return {row.id: row.last_attempt_at for row in rows}


@dataclass(slots=True)
class _Running:
    child: Child
    channel: str
    kill_at: float
    asked: bool = False


class Crawls:
    """Starts what is due, collects what has ended, kills what is late; never waits."""

    def __init__(self, timetable: Timetable, spawn: Spawn, clock: Clock, *, at_once: int) -> None:
        self.timetable = timetable
        self._spawn = spawn
        self._clock = clock
        self._at_once = at_once
        self._running: dict[str, _Running] = {}

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self._running)

    def tick(self) -> list[str]:
        """One round; answers the channels whose run has ended since the last one."""
        ended = self._collect()
        for channel in self.timetable.due():
            if len(self._running) >= self._at_once:
                break
            if channel.id in self._running:
                continue
            self.timetable.started(channel.id)
            try:
                child = self._spawn(channel, self._clock.now())
            except OSError:
                log.exception("crawl.not_started", extra={"channel": channel.id})
                continue
            kill_at = self._clock.monotonic() + channel.deadline.total_seconds()
            self._running[channel.id] = _Running(child, channel.id, kill_at)
            log.info("crawl.started", extra={"channel": channel.id, "pid": child.pid})
        return ended

    def stop(self) -> None:
        """Asks every child to stop."""
        for run in self._running.values():
            run.child.ask()

    def wait(self, seconds: float) -> None:
        """Gives asked children up to `seconds`, then kills what is left."""
        for run in self._running.values():
            started = self._clock.monotonic()
            if not run.child.wait(max(0.0, seconds)):
                run.child.kill()
            seconds -= self._clock.monotonic() - started
        self._running.clear()

    def _collect(self) -> list[str]:
        ended = []
        for key, run in list(self._running.items()):
            status = run.child.poll()
            if status is not None:
                del self._running[key]
                ended.append(key)
                log.info("crawl.ended", extra={"channel": key, "status": status})
                continue
            ticks = self._clock.monotonic()
            if not run.asked and ticks >= run.kill_at:
                run.asked = True
                log.warning("crawl.late", extra={"channel": key, "pid": run.child.pid})
                run.child.ask()
            elif run.asked and ticks >= run.kill_at + GRACE:
                run.child.kill()
        return ended


class Process:
    """A real child, in a process group of its own; it ends when our end of its stdin closes."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        status = self._process.poll()
        if status is not None:
            _close(self._process.stdin)
        return status

    def ask(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        _close(self._process.stdin)
        return True

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def spawner(config: Path, environ: Mapping[str, str]) -> Spawn:
    """Children that run `tinglan crawl` on the same settings file."""

    def spawn(channel: ChannelSettings, planned_at: datetime) -> Child:
        return Process(
            [
                sys.executable,
                "-m",
                "tinglan",
                "crawl",
                "--config",
                str(config),
                "--attended",
                "--planned-at",
                planned_at.isoformat(),
                channel.id,
            ],
            environ,
        )

    return spawn


def _close(stream: IO[Any] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
