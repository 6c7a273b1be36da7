"""The service ticks on whatever breaks beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.clock import ManualClock
from config.loading import check
from config.plugins import Catalogue
from config.settings import Section, Settings
from crawler.schedule import Crawls, Timetable
from service.lanes import Lane
from service.systemd import notifier
from service.ticks import Service, Work, ticking
from store.engine import Database
from store.leader import AlreadyRunning, Leader
from store.tables import facts, findings


class NoOptions(Section):
    pass


@pytest.fixture
def settings() -> Settings:
    return check(
        {
            "agency": {"name": "示例局", "contact": "http://www.example.gov.cn/"},
            "channels": [
                {"id": "a", "name": "甲", "kind": "toy", "every": "60s", "deadline": "30s"},
                {"id": "b", "name": "乙", "kind": "toy", "every": "60s"},
                {"id": "c", "name": "丙", "kind": "toy", "every": "60s", "disabled": True},
            ],
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["boss@example.gov.cn"]},
            "mail": {"host": "localhost", "security": "none", "from": "t@example.gov.cn"},
        },
        "t",
        Catalogue(channels={"toy": NoOptions}),
    )


class Spawned:
    """A child that runs until told."""

    pid = 4711

    def __init__(self) -> None:
        self.status: int | None = None
        self.signals: list[str] = []

    def poll(self) -> int | None:
        return self.status

    def ask(self) -> None:
        self.signals.append("ask")

    def kill(self) -> None:
        self.signals.append("kill")
        self.status = -9

    def wait(self, seconds: float) -> bool:
        return self.status is not None


@pytest.fixture
def children() -> dict[str, Spawned]:
    return {}


@pytest.fixture
def crawls(settings: Settings, clock: ManualClock, children: dict[str, Spawned]) -> Crawls:
    timetable = Timetable(settings.channels, clock)
    timetable.recover({})

    def spawn(channel: Any, _planned_at: Any) -> Spawned:
        children[channel.id] = Spawned()
        return children[channel.id]

    return Crawls(timetable, spawn, clock, at_once=2)


def test_every_channel_is_read_at_once_after_a_first_start(
    crawls: Crawls, children: dict[str, Spawned]
) -> None:
    crawls.tick()

    assert set(children) == {"a", "b"}


def test_a_channel_is_read_again_when_its_time_has_come(
    crawls: Crawls, children: dict[str, Spawned], clock: ManualClock
) -> None:
    crawls.tick()
    for child in children.values():
        child.status = 0
    clock.advance(59)
    assert sorted(crawls.tick()) == ["a", "b"]
    children.clear()

    clock.advance(1)
    crawls.tick()

    assert set(children) == {"a", "b"}


def test_a_step_of_the_wall_clock_neither_skips_nor_repeats(
    crawls: Crawls, children: dict[str, Spawned], clock: ManualClock
) -> None:
    crawls.tick()
    for child in children.values():
        child.status = 0
    children.clear()

    clock.step(timedelta(days=1))
    crawls.tick()
    assert children == {}
    clock.step(timedelta(days=-2))
    clock.advance(60)
    crawls.tick()

    assert set(children) == {"a", "b"}


def test_a_late_child_is_asked_then_killed(
    crawls: Crawls, children: dict[str, Spawned], clock: ManualClock
) -> None:
    crawls.tick()

    clock.advance(30)
    crawls.tick()
    assert children["a"].signals == ["ask"]
    clock.advance(3)
    crawls.tick()

    assert children["a"].signals == ["ask", "kill"]
    assert crawls.tick() == ["a"]


def test_no_more_children_than_allowed(settings: Settings, clock: ManualClock) -> None:
    started: list[str] = []
    timetable = Timetable(settings.channels, clock)
    timetable.recover({})
    crawls = Crawls(timetable, lambda c, _p: started.append(c.id) or Spawned(), clock, at_once=1)

    crawls.tick()
    crawls.tick()

    assert len(started) == 1


def test_what_was_read_before_a_restart_waits_its_turn(
    settings: Settings, clock: ManualClock
) -> None:
    timetable = Timetable(settings.channels, clock)

    timetable.recover(
        {"a": clock.now() - timedelta(seconds=20), "b": clock.now() - timedelta(days=3)}
    )

    assert [c.id for c in timetable.due()] == ["b"]
    assert timetable.next_in()["a"] == 40


def test_a_last_attempt_in_the_future_cannot_silence_a_channel(
    settings: Settings, clock: ManualClock
) -> None:
    timetable = Timetable(settings.channels, clock)

    timetable.recover({"a": clock.now() + timedelta(days=400)})

    assert timetable.next_in()["a"] <= 60


def test_a_child_that_cannot_start_does_not_stop_the_others(
    settings: Settings, clock: ManualClock
) -> None:
    timetable = Timetable(settings.channels, clock)
    timetable.recover({})
    started = []

    def spawn(channel: Any, _planned_at: Any) -> Spawned:
        if channel.id == "a":
            raise OSError("no more processes")
        started.append(channel.id)
        return Spawned()

    Crawls(timetable, spawn, clock, at_once=2).tick()

    assert started == ["b"]


@pytest.fixture
def make_service(
    settings: Settings, sqlite_database: Database, clock: ManualClock, crawls: Crawls
) -> Callable[..., Service]:
    def make(lanes: dict[str, Callable[[], bool]] | None = None, **more: Any) -> Service:
        leader = Leader(sqlite_database)
        leader.take(clock.now())
        return Service(
            settings=settings,
            database=sqlite_database,
            clock=clock,
            crawls=crawls,
            work=Work(lanes=lanes or {}, limits={"slow": 10.0}),
            leader=leader,
            **more,
        )

    return make


def told(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(findings.c.key)).scalars())


def test_a_jump_of_the_clock_is_told_once(
    make_service: Callable[..., Service], clock: ManualClock, sqlite_database: Database
) -> None:
    service = make_service()
    service.tick()

    clock.step(timedelta(hours=1))
    service.tick()
    service.tick()

    assert len(told(sqlite_database)) == 1


def test_a_small_correction_is_not_told(
    make_service: Callable[..., Service], clock: ManualClock, sqlite_database: Database
) -> None:
    service = make_service()

    clock.step(timedelta(seconds=40))
    service.tick()

    assert told(sqlite_database) == []


def test_a_lane_that_keeps_failing_becomes_a_finding(
    make_service: Callable[..., Service], sqlite_database: Database
) -> None:
    def broken() -> bool:
        raise ValueError("no")

    service = make_service({"assess": broken})
    for _ in range(3):
        service.lanes[0].turn()

    service.tick()

    assert told(sqlite_database) == ["lane:assess:2026-07-15"]


def test_a_lane_that_recovers_starts_counting_anew(clock: ManualClock) -> None:
    answers = iter([ValueError(), ValueError(), False])

    def step() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lane = Lane("x", step, clock)
    for _ in range(3):
        lane.turn()

    assert lane.failures == 0


def test_a_lane_works_until_nothing_is_left(clock: ManualClock) -> None:
    left = [1, 2, 3]

    def step() -> bool:
        left.pop()
        return bool(left)

    Lane("x", step, clock).turn()

    assert left == []


def test_a_hung_lane_starves_the_watchdog(
    make_service: Callable[..., Service], clock: ManualClock
) -> None:
    entered, release = threading.Event(), threading.Event()
    states: list[str] = []

    def stuck() -> bool:
        entered.set()
        release.wait(20)
        return False

    service = make_service({"slow": stuck}, notify=states.append)
    service.start()
    service.tick()
    assert entered.wait(10)
    assert "WATCHDOG=1" in states
    states.clear()

    clock.advance(11)
    service.tick()
    release.set()

    assert states == []
    assert service.stop(within=5)


def test_completed_ticks_leave_a_heartbeat(
    make_service: Callable[..., Service], sqlite_database: Database
) -> None:
    make_service().tick()

    with sqlite_database.read() as connection:
        beat = connection.execute(
            sa.select(facts.c.value).where(facts.c.name == "heartbeat")
        ).scalar_one()
    assert beat["ticks"] == 1


def test_a_database_that_cannot_be_written_is_no_unclean_stop(
    make_service: Callable[..., Service], sqlite_database: Database
) -> None:
    service = make_service()
    service.start()
    service.tick()
    sqlite_database.close()  # so that the next connection is as impatient as we are
    sa.event.listen(
        sqlite_database.engine,
        "connect",
        lambda raw, _record: raw.execute("PRAGMA busy_timeout=50"),
    )

    with closing(Database(str(sqlite_database.url))) as other, other.write():
        assert service.stop(within=20)


def test_a_raised_fence_ends_the_older_service(
    make_service: Callable[..., Service], clock: ManualClock, sqlite_database: Database
) -> None:
    service = make_service()
    with sqlite_database.write() as connection:
        connection.execute(
            facts.update().where(facts.c.name == "fence").values(value={"number": 99})
        )

    clock.advance(20)
    service.tick()

    assert service.lost.is_set()


def test_a_second_leader_is_refused_and_the_first_release_frees_it(
    database: Database, clock: ManualClock
) -> None:
    first, second = Leader(database), Leader(database)
    first.take(clock.now())

    with pytest.raises(AlreadyRunning):
        second.take(clock.now())
    first.release()

    assert second.take(clock.now()) == 2
    second.release()


def test_a_leader_whose_session_was_ended_is_released_without_an_error(
    database: Database, clock: ManualClock
) -> None:
    if database.is_sqlite:
        pytest.skip("a lock on a file has no session")
    first, second = Leader(database), Leader(database)
    first.take(clock.now())
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )

    first.release()

    assert second.take(clock.now()) == 2
    second.release()


def test_systemd_hears_us(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)

        notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})("READY=1")

        assert ear.recv(100) == b"READY=1"


def test_a_tick_that_raises_is_followed_by_the_next(make_service: Callable[..., Service]) -> None:
    service = make_service()
    seen = threading.Event()
    calls = []

    def tick() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("first tick fails")
        seen.set()

    service.tick = tick  # type: ignore[method-assign]
    scheduler = ticking(service, timedelta(seconds=0.05))
    scheduler.start()

    assert seen.wait(10)
    scheduler.shutdown(wait=False)
