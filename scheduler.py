"""The background service: picks the real clock, database, mail and HTTP, and runs until told.

Everything it uses is built here and handed in; `service/` keeps it ticking.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from random import Random

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from alerts.auditor import audit
from alerts.catalogue import build_transports
from alerts.digest.build import build_digest, due_week
from alerts.dutywork import duty_of, remind
from alerts.opening import open_items
from alerts.outbox import deliver_one, recover
from alerts.second import pass_on
from analysis.catalogue import build_engine, build_stages
from analysis.pending import assess_pending
from analysis.tools import Tools as StageTools
from analysis.watching import Tools as WatchTools
from analysis.watching import Watching, build_watches
from config.clock import Clock
from config.house import House
from config.keys import author_key
from config.loading import SettingsWrong
from config.plugins import PluginBroken
from config.settings import Settings
from config.version import VERSION
from console.app import build_app
from console.search import index_pending
from console.trying import channel_tools
from crawler.callbacks import routes as push_routes
from crawler.runs import reap
from crawler.schedule import Crawls, Timetable, last_attempts, spawner
from service.systemd import notifier
from service.ticks import Service, Work, ticking
from service.web import serving
from store.leader import Leader
from store.retention import purge
from store.tables import facts

log = logging.getLogger("scheduler")


TICK_MISSED = 30.0  #: seconds without a tick before it is logged
TIDY_EVERY = 86_400.0
AUDIT_EVERY = 300.0
PING_EVERY = 60.0
DELIVERERS = 2  #: a slow mail server must not hold up everything that is owed


def serve(
    house: House, *, reload: Callable[[], Settings], stop: threading.Event | None = None
) -> int:
    """Runs the service until SIGTERM or SIGINT (or `stop`); SIGHUP reads the settings again.

    Answers 0 after a clean stop, 1 where something had to be abandoned or another service took
    over. Raises AlreadyRunning.
    """
    leader = Leader(house.database)
    leader.take(house.clock.now())
    recover(house.database, house.clock.now())
    ended, again = stop or threading.Event(), threading.Event()
    _on_signals(ended, again)
    try:
        while True:
            clean = _until_told(house, leader, ended, again)
            if ended.is_set() or not clean:
                return 0 if clean else 1
            again.clear()
            house = replace(house, settings=_renewed(house, reload))
    finally:
        leader.release()


def _until_told(
    house: House, leader: Leader, ended: threading.Event, again: threading.Event
) -> bool:
    """One life of the service on one set of settings; answers whether it ended cleanly."""
    settings, clock = house.settings, house.clock
    timetable = Timetable(settings.channels, clock)
    timetable.recover(last_attempts(house.database))
    spawn = spawner(house.path, house.environ)
    crawls = Crawls(timetable, spawn, clock, at_once=settings.service.crawls_at_once)
    with ExitStack() as cleanup:
        service = Service(
            settings=settings,
            database=house.database,
            clock=clock,
            crawls=crawls,
            work=_work(house, cleanup),
            leader=leader,
            notify=notifier(house.environ),
        )
        cleanup.enter_context(serving(_web(house, service), settings.console.listen))
        service.start()
        scheduler = ticking(service, settings.service.tick)
        scheduler.start()
        log.info("service.started", extra={"fence": leader.fence, "database": house.database.shown})
        service.tick()
        log.info("service.ticked")
        _watch(service, clock, settings.service.tick.total_seconds(), ended, again)
        scheduler.shutdown(wait=False)
        clean = service.stop()
        log.info("service.stopped", extra={"clean": clean})
        return clean and not service.lost.is_set()


def _web(house: House, service: Service) -> Starlette:
    """The duty desk, and the routes that platforms push to."""
    pushes = push_routes(house.settings, channel_tools(house), wake=service.hurry)
    desk = Mount("/", build_app(house, version=VERSION))
    return Starlette(routes=[*pushes, desk])


def _watch(
    service: Service, clock: Clock, every: float, ended: threading.Event, again: threading.Event
) -> None:
    """The second pair of eyes: notices by the monotonic clock that ticks have stopped coming."""
    seen, since = service.ticks, clock.monotonic()
    while not (ended.is_set() or again.is_set() or service.lost.is_set()):
        ended.wait(0.2)
        if service.ticks != seen:
            seen, since = service.ticks, clock.monotonic()
        elif clock.monotonic() - since > max(TICK_MISSED, 5 * every):
            log.error("tick.missed", extra={"seconds": round(clock.monotonic() - since)})
            since = clock.monotonic()


def _work(house: House, cleanup: ExitStack) -> Work:
    """What each lane does, on the real parts."""
    settings, database, clock = house.settings, house.database, house.clock
    engine = cleanup.enter_context(closing(build_engine(settings.stages)))
    stages = build_stages(settings.stages, StageTools())
    transports = build_transports(settings, house.environ)
    random = Random()  # noqa: S311 - jitter, no secret
    author_key(settings.privacy, house.environ)  # missing? fail here, not at 3 a.m.

    def assess() -> bool:
        read = assess_pending(database, stages=stages, engine=engine, now=clock.now())
        told = open_items(database, settings, clock.now())
        return bool(read or told)

    def deliver() -> bool:
        return deliver_one(
            database,
            transports,
            settings,
            clock=clock,
            random=random,
            worker=f"{os.getpid()}-{threading.get_ident()}",
        )

    duty = duty_of(settings, house.base)
    audited = float("-inf")

    def chase() -> bool:
        """Deadlines: whoever is late hears of it, and so does the next person up."""
        return remind(database, duty, clock.now()) > 0

    def second() -> bool:
        """A lane of its own, so that a failing reminder cannot stop the second way."""
        return pass_on(database, settings, clock.now()) > 0

    def look_after() -> bool:
        """A lane of its own, so that nothing slow can switch the auditor off."""
        nonlocal audited
        if clock.monotonic() - audited >= AUDIT_EVERY:
            audited = clock.monotonic()
            audit(database, settings, clock.now())
        return False

    folder = (database.file or house.path).parent
    eyes = WatchTools(started=clock.now(), base=house.base, folder=folder)
    watching = Watching(database, build_watches(settings.watches, eyes), settings, clock)

    def tend() -> bool:
        reap(database, clock.now())
        watching()
        week = due_week(clock.now(), settings, database)
        if week is not None:
            build_digest(database, settings, week, clock.now(), send=True)
        return False

    tidied = float("-inf")

    def tidy() -> bool:
        nonlocal tidied
        if clock.monotonic() - tidied >= TIDY_EVERY:
            tidied = clock.monotonic()
            keep = settings.retention
            purge(
                database,
                now=clock.now(),
                unflagged=keep.unflagged,
                closed=keep.closed,
                logs=keep.logs,
            )
        return False

    def index() -> bool:
        return index_pending(database) > 0

    lanes = {
        "index": index,
        "assess": assess,
        "tend": tend,
        "tidy": tidy,
        "chase": chase,
        "second": second,
        "audit": look_after,
    }
    if settings.service.heartbeat_url:
        lanes["heartbeat"] = _pinger(settings.service.heartbeat_url, clock)
    lanes |= {f"deliver-{number}": deliver for number in range(1, DELIVERERS + 1)}
    return Work(lanes=lanes, limits={})


def _pinger(url: str, clock: Clock) -> Callable[[], bool]:
    """Tells an outside watcher that we live; its silence is what raises the alarm over there."""
    last = float("-inf")

    def ping() -> bool:
        nonlocal last
        if clock.monotonic() - last >= PING_EVERY:
            last = clock.monotonic()
            httpx.get(url, timeout=10).raise_for_status()
        return False

    return ping


def _renewed(house: House, reload: Callable[[], Settings]) -> Settings:
    """All or nothing: settings with one mistake leave the old ones in force, and say so."""
    try:
        fresh = reload()
    except (SettingsWrong, PluginBroken) as error:
        log.error("settings.refused", extra={"mistakes": str(error).splitlines()})
        _note_settings(house, str(error))
        return house.settings
    log.info("settings.renewed")
    _note_settings(house, "")
    return fresh


def _note_settings(house: House, why: str) -> None:
    with house.database.write() as connection:
        value, now = {"refused": why}, house.clock.now()
        upsert = house.database.insert(facts).values(name="settings", value=value, at=now)
        connection.execute(
            upsert.on_conflict_do_update(
                index_elements=[facts.c.name], set_={"value": value, "at": now}
            )
        )


def _on_signals(ended: threading.Event, again: threading.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    signal.signal(signal.SIGHUP, lambda _number, _frame: again.set())
