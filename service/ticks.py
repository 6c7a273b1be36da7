"""The service between two ticks: what it looks at, whom it wakes, what it tells.

One coalesced tick decides what is due and wakes the lanes, so a slow mail server delays no
crawl and a long text delays no mail.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from config.clock import Clock
from config.settings import Settings
from crawler.schedule import Crawls
from service.lanes import Lane
from store.engine import Database
from store.leader import Leader
from store.tables import facts, findings

log = logging.getLogger("service.ticks")

STEP_NOTED = 30.0  #: seconds by which wall and monotonic time may part before it is logged
STEP_TOLD = 300.0  #: … before duty staff are told
LEADER_EVERY = 15.0
HEARTBEAT_EVERY = 10.0
TROUBLE_AFTER = 3  #: failures in a row of one lane before duty staff are told
STOP_WITHIN = 8.0  #: seconds for lanes and children to finish after SIGTERM


@dataclass(frozen=True, slots=True)
class Work:
    """What the service does, one callable a lane; each answers whether there is more."""

    lanes: Mapping[str, Callable[[], bool]]
    limits: Mapping[str, float]


class Service:
    """Ticks until stopped. Every collaborator is handed in."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        crawls: Crawls,
        work: Work,
        leader: Leader,
        notify: Callable[[str], None] = lambda _state: None,
    ) -> None:
        self.settings = settings
        self._database = database
        self._clock = clock
        self._crawls = crawls
        self._leader = leader
        self._notify = notify
        self.lanes: Sequence[Lane] = [
            Lane(name, step, clock, limit=work.limits.get(name, 300.0))
            for name, step in work.lanes.items()
        ]
        self._told: set[str] = set()
        self._hands = (clock.now(), clock.monotonic())
        self._leader_at = clock.monotonic()
        self._beat_at = float("-inf")
        self.ticks = 0
        self.lost = threading.Event()  #: set when another service has taken over

    def start(self) -> None:
        for lane in self.lanes:
            lane.start()
        self._notify("READY=1")

    def tick(self) -> None:
        """One round; never blocks on network or children."""
        self._look_at_clock()
        self._crawls.tick()
        for lane in self.lanes:
            lane.wake()
        self._look_at_lanes()
        self._keep_leading()
        self.ticks += 1
        self._beat()

    def hurry(self, channel: str) -> None:
        """A push has stored something: do not wait for the tick."""
        log.info("push.stored", extra={"channel": channel})
        self._crawls.timetable.hurry(channel)
        for lane in self.lanes:
            lane.wake()

    def stop(self, within: float = STOP_WITHIN) -> bool:
        """Finishes or abandons what runs; answers whether every lane ended in time."""
        self._notify("STOPPING=1")
        self._crawls.stop()
        for lane in self.lanes:
            lane.ask_stop()
        until = self._clock.monotonic() + within
        ended = [lane.join(until - self._clock.monotonic()) for lane in self.lanes]
        self._crawls.wait(max(0.0, until - self._clock.monotonic()))
        try:
            with self._database.write() as connection:
                connection.execute(facts.delete().where(facts.c.name == "heartbeat"))
        except sa.exc.OperationalError as error:  # a full disk is no reason to stop uncleanly
            log.error("heartbeat.left", extra={"why": str(error.orig)})
        return all(ended)

    def _look_at_clock(self) -> None:
        now, ticks = self._clock.now(), self._clock.monotonic()
        step = (now - self._hands[0]).total_seconds() - (ticks - self._hands[1])
        self._hands = (now, ticks)
        if abs(step) < STEP_NOTED:
            return
        log.warning("clock.stepped", extra={"seconds": round(step)})
        if abs(step) >= STEP_TOLD:
            way = "拨快" if step > 0 else "拨慢"
            self._tell(
                f"clock:{now:%Y-%m-%dT%H:%M}",
                f"本机时钟被{way}了约{abs(round(step / 60))}分钟，请核对对时服务；"
                "采集间隔不受影响，时限按更正后的时间计算。",
            )

    def _look_at_lanes(self) -> None:
        for lane in self.lanes:
            if lane.failures >= TROUBLE_AFTER:
                self._tell(
                    f"lane:{lane.name}:{self._clock.now():%Y-%m-%d}",
                    f"后台“{lane.name}”连续{lane.failures}次出错，已自动重试，请查看日志。",
                )

    def _keep_leading(self) -> None:
        ticks = self._clock.monotonic()
        if ticks - self._leader_at < LEADER_EVERY:
            return
        self._leader_at = ticks
        if not self._leader.holds():
            log.error("leader.lost")
            self.lost.set()

    def _beat(self) -> None:
        """Fed only by a completed tick with no lane hung: systemd restarts us otherwise."""
        hung = [lane.name for lane in self.lanes if lane.hung]
        if hung:
            log.error("lane.hung", extra={"lanes": hung})
            return
        self._notify("WATCHDOG=1")
        ticks = self._clock.monotonic()
        if ticks - self._beat_at < HEARTBEAT_EVERY:
            return
        self._beat_at = ticks
        now = self._clock.now()
        value = {
            "pid": os.getpid(),
            "ticks": self.ticks,
            "running": sorted(self._crawls.running),
            "failures": {lane.name: lane.failures for lane in self.lanes if lane.failures},
        }
        with self._database.write() as connection:
            upsert = self._database.insert(facts).values(name="heartbeat", value=value, at=now)
            connection.execute(
                upsert.on_conflict_do_update(
                    index_elements=[facts.c.name], set_={"value": value, "at": now}
                )
            )

    def _tell(self, key: str, reason: str) -> None:
        """A finding about the service itself; alerts turns it into an item, once."""
        if key in self._told:
            return
        self._told.add(key)
        with self._database.write() as connection:
            known = connection.execute(
                sa.select(findings.c.id).where(findings.c.key == key)
            ).first()
            if known is None:
                connection.execute(
                    findings.insert().values(
                        key=key,
                        channel="",
                        at=self._clock.now(),
                        stage="service",
                        topic="system",
                        level="III",
                        reason=reason,
                    )
                )


def ticking(service: Service, every: timedelta) -> BackgroundScheduler:
    """One coalesced tick in memory: a late tick is one tick, never a pile of them."""
    scheduler = BackgroundScheduler(
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )

    def tick() -> None:
        try:
            service.tick()
        except Exception:  # the next tick must come
            log.exception("tick.failed")

    scheduler.add_job(tick, "interval", seconds=every.total_seconds(), id="tick")
    return scheduler
