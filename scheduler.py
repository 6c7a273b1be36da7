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

from alerts.actionlinks import linker
from alerts.auditor import audit
from alerts.catalogue import build_transports
from alerts.digest.rounds import issue_due
from alerts.dutywork import Duty, duty_of, remind
from alerts.handover import hand_over
from alerts.keydays import leader_too
from alerts.opening import open_items
from alerts.outbox import deliver_one, recover
from alerts.second import pass_on
from analysis.catalogue import build_engine, build_stages
from analysis.drafting import draft_one
from analysis.fresh import FreshStages
from analysis.kinship import Kinship
from analysis.pending import assess_pending
from analysis.thresholds import Thresholds
from analysis.tools import Tools as StageTools
from analysis.watching import Tools as WatchTools
from analysis.watching import Watching, build_watches
from config.clock import Clock
from config.house import House
from config.keydates import Watch, in_force
from config.keys import author_key, link_keys
from config.loading import SettingsWrong
from config.plugins import PluginBroken
from config.secrets import read_secret
from config.settings import Settings
from config.version import VERSION
from config.workdays import load_calendar
from console.app import build_app
from console.packs import folder_of, options_of
from console.search import index_pending
from console.trying import channel_tools
from crawler.callbacks import routes as push_routes
from crawler.masking import mask
from crawler.runs import reap
from crawler.schedule import Crawls, Timetable, last_attempts, spawner
from service.returned import reader
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
DIGEST_EVERY = 15.0
ROSTER_EVERY = 60.0
THRESHOLDS_EVERY = 60.0
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
    before: House | None = None  # what was in force until the last reload
    try:
        while True:
            try:
                clean = _until_told(house, leader, ended, again)
            except NotBegun as error:
                if before is None:
                    raise error.why from None
                log.error("settings.refused", extra={"mistakes": str(error.why).splitlines()})
                _note(house, "settings", str(error.why))
                house, before = before, None
                continue
            if ended.is_set() or not clean:
                return 0 if clean else 1
            again.clear()
            before, house = house, replace(house, settings=_renewed(house, reload))
    finally:
        leader.release()


class NotBegun(Exception):
    """The service could not begin on these settings: a secret, a rule pack, a port, …"""

    def __init__(self, why: Exception) -> None:
        super().__init__(str(why))
        self.why = why


def _until_told(
    house: House, leader: Leader, ended: threading.Event, again: threading.Event
) -> bool:
    """One life of the service on one set of settings; answers whether it ended cleanly.

    Raises NotBegun.
    """
    settings, clock = house.settings, house.clock
    with ExitStack() as cleanup:
        try:
            service = _built(house, leader, cleanup)
            cleanup.enter_context(serving(_web(house, service), settings.console.listen))
        except Exception as error:  # whatever settings may ask for that is not there
            raise NotBegun(error) from error
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


def _built(house: House, leader: Leader, cleanup: ExitStack) -> Service:
    settings, clock = house.settings, house.clock
    watch = _key_dates(house)
    timetable = Timetable(
        settings.channels, clock, haste=lambda: period.polling if (period := watch()) else 1.0
    )
    timetable.recover(last_attempts(house.database))
    spawn = spawner(house.path, house.environ)
    crawls = Crawls(timetable, spawn, clock, at_once=settings.service.crawls_at_once)
    return Service(
        settings=settings,
        database=house.database,
        clock=clock,
        crawls=crawls,
        work=_work(house, cleanup),
        leader=leader,
        notify=notifier(house.environ),
    )


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


Turn = Callable[[], bool]  #: one turn of a lane; says whether there may be more to do


def _work(house: House, cleanup: ExitStack) -> Work:
    """What each lane does, on the real parts. To add a lane: one small maker, one line here."""
    author_key(house.settings.privacy, house.environ)  # missing? fail here, not at 3 a.m.
    lanes = {
        "index": _indexing(house),
        "assess": _assessing(house, cleanup),
        "tend": _tending(house),
        "tidy": _tidying(house),
        "chase": _chasing(house),
        "second": _passing_on(house),
        "audit": _auditing(house),
        "digest": _telling(house),
    }
    if house.settings.mail.bounces is not None:
        lanes["bounces"] = reader(house, house.settings.mail.bounces)
    if house.settings.draft.url:
        lanes["draft"] = _drafting(house, cleanup)
    if house.settings.service.heartbeat_url:
        lanes["heartbeat"] = _pinging(house)
    deliver = _delivering(house)
    lanes |= {f"deliver-{number}": deliver for number in range(1, DELIVERERS + 1)}
    return Work(lanes=lanes, limits={})


def _every(seconds: float, clock: Clock, act: Callable[[], object]) -> Turn:
    """Acts at once, then not again before so many seconds, whether or not it failed."""
    last = float("-inf")

    def lane() -> bool:
        nonlocal last
        if clock.monotonic() - last >= seconds:
            last = clock.monotonic()
            act()
        return False

    return lane


def _indexing(house: House) -> Turn:
    """The desk's search finds what was stored."""
    return lambda: index_pending(house.database) > 0


def _assessing(house: House, cleanup: ExitStack) -> Turn:
    """Posts are judged, and what matters becomes an item."""
    engine = cleanup.enter_context(closing(build_engine(house.settings.stages)))
    moved = Thresholds()
    stages = _fresh_stages(house, moved)
    follow = _every(THRESHOLDS_EVERY, house.clock, lambda: _follow(house, moved))
    kin = Kinship(places=house.settings.agency.units, window=house.settings.calm.event)
    kin.rebuild(house.database, house.clock.now())
    watch, also = _key_dates(house), leader_too(_duty(house))

    def assess() -> bool:
        follow()
        now, period = house.clock.now, watch()
        keen = period.raises if period else None
        read = assess_pending(house.database, stages=stages(), engine=engine, now=now(), keen=keen)
        told = open_items(house.database, house.settings, now(), kin=kin, also=also)
        return bool(read or told)

    return assess


def _follow(house: House, moved: Thresholds) -> None:
    """`rules learn --apply` works on the running service."""
    with house.database.read() as connection:
        moved.refresh(connection)


def _fresh_stages(house: House, moved: Thresholds) -> FreshStages:
    """The stages, which follow the office's rule files; a refusal stands on the desk."""
    return FreshStages(
        lambda: build_stages(house.settings.stages, StageTools(thresholds=moved)),
        folder_of(options_of(house.settings.stages)),
        refused=lambda why: _note(house, "rules", why),
    )


def _delivering(house: House) -> Turn:
    """What is owed is sent; several lanes share it."""
    transports = build_transports(house.settings, house.environ)
    random = Random()  # noqa: S311 - jitter, no secret
    links, console = None, house.settings.console
    if console.public_url:
        links = linker(link_keys(console, house.environ), console.public_url)

    def deliver() -> bool:
        return deliver_one(
            house.database,
            transports,
            house.settings,
            clock=house.clock,
            random=random,
            worker=f"{os.getpid()}-{threading.get_ident()}",
            links=links,
        )

    return deliver


def _key_dates(house: House) -> Callable[[], Watch | None]:
    """What 重点时段 ask for now; nothing on an ordinary day."""
    calendar = load_calendar(house.base / "holidays")
    return lambda: in_force(house.settings.keydates, house.clock.now(), calendar)


def _duty(house: House) -> Callable[[], Duty]:
    """Who is on duty, read again each minute: an edited roster needs no restart."""
    kept, read = duty_of(house.settings, house.base), house.clock.monotonic()

    def duty() -> Duty:
        nonlocal kept, read
        if house.clock.monotonic() - read >= ROSTER_EVERY:
            kept, read = duty_of(house.settings, house.base), house.clock.monotonic()
        return kept

    return duty


def _chasing(house: House) -> Turn:
    """Deadlines: whoever is late hears of it, and so does the next person up."""
    duty = _duty(house)
    return lambda: remind(house.database, duty(), house.clock.now()) > 0


def _handing_over(house: House) -> Turn:
    """交接班: who leaves and who comes get the same sheet, once a change."""
    duty = _duty(house)
    return lambda: hand_over(house.database, duty(), house.clock.now()) < 0


def _passing_on(house: House) -> Turn:
    """A lane of its own, so that a failing reminder cannot stop the second way."""
    return lambda: pass_on(house.database, house.settings, house.clock.now()) > 0


def _auditing(house: House) -> Turn:
    """A lane of its own, so that nothing slow can switch the auditor off."""
    return _every(
        AUDIT_EVERY,
        house.clock,
        lambda: audit(house.database, house.settings, house.clock.now()),
    )


def _telling(house: House) -> Turn:
    """The digest: a lane of its own, so that a long one holds nothing else up."""
    calendar = load_calendar(house.base / "holidays")
    return _every(
        DIGEST_EVERY,
        house.clock,
        lambda: issue_due(house.database, house.settings, house.clock.now(), calendar),
    )


def _tending(house: House) -> Turn:
    """Dead crawls are closed, the watches look round."""
    settings, database, clock = house.settings, house.database, house.clock
    folder = (database.file or house.path).parent
    eyes = WatchTools(started=clock.now(), base=house.base, folder=folder)
    watching = Watching(database, build_watches(settings.watches, eyes), settings, clock)

    def tend() -> bool:
        reap(database, clock.now())
        watching()
        return False

    return tend


def _tidying(house: House) -> Turn:
    """What has been kept long enough goes."""
    keep = house.settings.retention

    def tidy() -> None:
        purge(
            house.database,
            now=house.clock.now(),
            unflagged=keep.unflagged,
            closed=keep.closed,
            logs=keep.logs,
        )

    return _every(TIDY_EVERY, house.clock, tidy)


def _drafting(house: House, cleanup: ExitStack) -> Turn:
    """A language model drafts for the person who assesses; a lane of its own, so it blocks none."""
    settings = house.settings.draft
    key = (
        read_secret(settings.key_env, house.environ).get_secret_value() if settings.key_env else ""
    )
    client = cleanup.enter_context(httpx.Client(trust_env=False))
    return lambda: draft_one(
        house.database, settings, client, mask=mask, key=key, now=house.clock.now
    )


def _pinging(house: House) -> Turn:
    """Tells an outside watcher that we live; its silence is what raises the alarm over there.

    Its address often is the secret itself, so no error that quotes it reaches the log.
    """
    url = house.settings.service.heartbeat_url

    def ping() -> None:
        try:
            status = httpx.get(url, timeout=10).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("heartbeat.unheard", extra={"why": type(error).__name__})
            return
        if status >= 300:
            log.warning("heartbeat.unheard", extra={"why": f"status {status}"})

    return _every(PING_EVERY, house.clock, ping)


def _renewed(house: House, reload: Callable[[], Settings]) -> Settings:
    """All or nothing: settings with one mistake leave the old ones in force, and say so."""
    try:
        fresh = reload()
    except (SettingsWrong, PluginBroken) as error:
        log.error("settings.refused", extra={"mistakes": str(error).splitlines()})
        _note(house, "settings", str(error))
        return house.settings
    if fresh.database != house.settings.database:
        why = "database.url: 改数据库要停止并重新启动服务，其余改动也没有采用"
        log.error("settings.refused", extra={"mistakes": [why]})
        _note(house, "settings", why)
        return house.settings
    log.info("settings.renewed")
    _note(house, "settings", "")
    return fresh


def _note(house: House, name: str, why: str) -> None:
    """Keeps for the desk whether files were refused, and why; "" where they are in force."""
    with house.database.write() as connection:
        value, now = {"refused": why}, house.clock.now()
        upsert = house.database.insert(facts).values(name=name, value=value, at=now)
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
