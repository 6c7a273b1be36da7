"""A year of items on a hand-turned clock that stops and jumps: no limit passes untold."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from alerts.deadlines import Due, Watched, audit, due, next_at, owed, rungs
from config.clock import SHANGHAI, ManualClock
from config.deadlines import Deadlines
from config.workdays import load_calendar
from store.records import Level, State

RULES = Deadlines()
CALENDAR = load_calendar()
PATH = (State.TO_ASSESS, State.TO_REPORT, State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW)
ITEMS = 1_000
TICK = timedelta(minutes=1)


@dataclass
class Visit:
    """One item in one stage, as the table of items would keep it."""

    item: int
    level: Level
    stage: int
    found: datetime
    entered: datetime
    leaves: datetime
    promise: Due
    next_at: datetime
    sent: dict[int, datetime] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)


class Year:
    """The acting part in miniature: ticks, moves, stops and clock steps, and a book of it all."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=SHANGHAI))
        self.open: dict[int, Visit] = {}
        self.done: list[Visit] = []
        self.wakes: list[tuple[datetime, int]] = []
        first = self.clock.now()
        self.arrivals = sorted(
            (first + timedelta(seconds=self.pick.randrange(365 * 86_400)), number)
            for number in range(ITEMS)
        )
        self.stops = sorted(
            first + timedelta(seconds=self.pick.randrange(365 * 86_400)) for _ in range(25)
        )
        self.steps = sorted(
            first + timedelta(seconds=self.pick.randrange(365 * 86_400)) for _ in range(12)
        )
        self.audits = 0
        self.leaps: list[tuple[datetime, datetime]] = []

    def enter(self, item: int, level: Level, stage: int, found: datetime) -> None:
        now = self.clock.now()
        promise = due(PATH[stage], level, found, now, rules=RULES, calendar=CALENDAR)
        whole = max(promise.at - now, timedelta(minutes=5))
        share = self.pick.choice([0.2, 0.5, 0.9, 0.999, 1.001, 1.2, 1.7, 2.5, 6.0])
        made = rungs(promise, now, RULES, CALENDAR, now)
        visit = Visit(
            item,
            level,
            stage,
            found,
            now,
            now + timedelta(seconds=int(whole.total_seconds() * share)),
            promise,
            next_at(made, now) or now,
        )
        if promise.at <= now:
            visit.next_at = now
        self.open[item] = visit
        self.wake(visit)

    def wake(self, visit: Visit) -> None:
        heapq.heappush(self.wakes, (min(visit.next_at, visit.leaves), visit.item))

    def tell(self, visit: Visit) -> None:
        now = self.clock.now()
        reached = max(visit.sent, default=0)
        made = rungs(visit.promise, visit.entered, RULES, CALENDAR, now, after=reached)
        top, rest = owed(made, now, visit.sent.keys())
        if top is not None:
            assert top.number not in visit.sent
            visit.sent[top.number] = now
            visit.skipped += [rung.number for rung in rest]
        visit.next_at = next_at(made, now) or now

    def tick(self) -> None:
        now = self.clock.now()
        while self.arrivals and self.arrivals[0][0] <= now:
            _, number = self.arrivals.pop(0)
            level = self.pick.choices(list(Level), [1, 3, 10, 20])[0]
            self.enter(number, level, 0, now)
        while self.wakes and self.wakes[0][0] <= now:
            _, number = heapq.heappop(self.wakes)
            visit = self.open.get(number)
            if visit is None or (visit.next_at > now and visit.leaves > now):
                continue
            self.tell(visit)  # before a move as well: what ended late between two ticks was late
            if visit.leaves > now:
                self.wake(visit)
                continue
            self.done.append(self.open.pop(number))
            visit.leaves = now
            if visit.stage + 1 < len(PATH):
                self.enter(number, visit.level, visit.stage + 1, visit.found)

    def run(self) -> None:
        while self.arrivals or self.open:
            due_next = [self.arrivals[0][0]] if self.arrivals else []
            due_next += [self.wakes[0][0]] if self.wakes else []
            ahead = min(due_next) - self.clock.now()
            lag = timedelta(seconds=self.pick.randrange(int(TICK.total_seconds())))
            self.clock.advance(max(ahead, timedelta(0)) + lag)
            if self.stops and self.stops[0] <= self.clock.now():
                self.stops.pop(0)
                self.leap(self.clock.advance, timedelta(hours=self.pick.choice([1, 8, 30, 72])))
            if self.steps and self.steps[0] <= self.clock.now():
                self.steps.pop(0)
                self.leap(
                    self.clock.step, timedelta(minutes=self.pick.choice([-60, -7, 7, 60, 1440]))
                )
            self.tick()
            if self.pick.random() < 0.01:
                self.look()

    def leap(self, how: Callable[[timedelta], None], by: timedelta) -> None:
        before = self.clock.now()
        how(by)
        self.leaps.append((min(before, self.clock.now()), max(before, self.clock.now())))

    def look(self) -> None:
        """What the auditor reads from the database, right after a tick."""
        self.audits += 1
        watched = [
            Watched(
                item=visit.item,
                state=PATH[visit.stage],
                next_at=visit.next_at,
                told_at=max(visit.sent.values(), default=None),
            )
            for visit in self.open.values()
        ]
        assert audit(watched, self.clock.now()) == []


@pytest.fixture(scope="module")
def year() -> Year:
    made = Year(seed=20260101)
    made.run()
    return made


def test_no_limit_of_the_year_passed_without_a_notice(year):
    late = [visit for visit in year.done if visit.promise.at <= visit.leaves]
    untold = [visit for visit in late if not any(number >= 100 for number in visit.sent)]

    assert len(year.done) == ITEMS * len(PATH)
    assert len(late) > ITEMS / 2
    assert untold == []
    assert year.audits > 50


def test_the_notice_comes_within_a_tick_unless_nobody_was_there_to_send_it(year):
    slow = []
    for visit in year.done:
        passed = max(visit.promise.at, visit.entered)
        told = min((at for n, at in visit.sent.items() if n >= 100), default=None)
        if told is None or told - passed < TICK:
            continue
        if not any(begin <= told and passed - TICK <= end for begin, end in year.leaps):
            slow.append((visit, told - passed))

    assert slow == []


def test_nobody_is_told_of_a_limit_before_it_has_passed(year):
    early = [
        (visit, number)
        for visit in year.done
        for number, moment in visit.sent.items()
        if number >= 100 and moment < visit.promise.at
    ]

    assert early == []


def test_rungs_only_climb_and_none_is_both_sent_and_skipped(year):
    for visit in year.done:
        assert list(visit.sent) == sorted(visit.sent)
        assert not set(visit.sent) & set(visit.skipped)


def test_stops_were_caught_up_with_one_notice_each(year):
    assert any(len(visit.skipped) > 3 for visit in year.done)
    assert year.clock.now() > datetime(2026, 12, 31, tzinfo=UTC)
    for visit in year.done:
        assert len(set(visit.sent.values())) == len(visit.sent)
