"""A year on the real tables, with stops, clock steps and moves of all kinds: no limit passes untold.

`TINGLAN_YEAR_ITEMS=10000` runs the long one; the figures are printed with `-s`.
"""

from __future__ import annotations

import heapq
import os
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from alerts.auditor import audit
from alerts.cases import Case, open_item
from alerts.deadlines import Urge, due, rungs
from alerts.dutywork import Duty, remind
from alerts.lifecycle import move_item
from alerts.routing import Route
from alerts.turns import take_turn
from config.clock import SHANGHAI, ManualClock
from config.roster import Person, Rank, Roster
from config.settings import Settings
from config.workdays import load_calendar
from store.engine import Database
from store.ledger import verify
from store.records import Level, State
from store.schema import upgrade
from store.tables import events, items, notices, promises

ITEMS = int(os.environ.get("TINGLAN_YEAR_ITEMS", "250"))
CALENDAR = load_calendar()
PATH = (State.TO_ASSESS, State.TO_REPORT, State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW)
SETTINGS = Settings.model_validate(
    {
        "agency": {"name": "示例市应急管理局", "contact": "https://www.example.gov.cn/contact"},
        "channels": [{"id": "site", "name": "官网", "kind": "site"}],
        "offices": [{"id": "duty", "name": "值守科", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["fallback@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "tinglan@example.gov.cn"},
    }
)
LAG = 60  #: seconds; as late as a tick may come here


class Year:
    def __init__(self, database, settings, seed):
        self.pick = random.Random(seed)
        self.database, self.settings = database, settings
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=SHANGHAI))
        people = {
            rank.label: Person(name=rank.label, rank=rank, addresses=(f"{rank}@example.gov.cn",))
            for rank in (Rank.OFFICER, Rank.LEADER, Rank.DEPUTY, Rank.CHIEF)
        }
        roster = Roster(settings=settings.roster, people=people)
        self.duty = Duty(settings=settings, roster=roster, calendar=CALENDAR)
        begin, whole = self.clock.now(), 365 * 86_400

        def moments(count):
            return sorted(
                begin + timedelta(seconds=self.pick.randrange(whole)) for _ in range(count)
            )

        self.arrivals = moments(ITEMS)[::-1]
        self.stops, self.steps = moments(25)[::-1], moments(12)[::-1]
        self.leaves: list[tuple[datetime, int, int]] = []
        self.leaps: list[tuple[datetime, datetime]] = []
        self.silent = 0

    def arrive(self):
        now = self.clock.now()
        level = self.pick.choices(list(Level), [1, 3, 10, 20])[0]
        case = Case(
            key=f"post:{len(self.arrivals)}",
            title="一件事",
            level=level,
            topics=("complaint",),
            topic="complaint",
            channel="site",
            discovered_at=now,
        )
        route = Route(recipient="duty@example.gov.cn", transport="smtp", office="duty", why="负责")
        with self.database.write() as connection:
            take_turn(connection)
            item = open_item(connection, case, [route], now)
        self.plan(item.id, level, 0, now)

    def plan(self, item, level, stage, found):
        now = self.clock.now()
        promise = due(
            PATH[stage], level, found, now, rules=self.settings.deadlines, calendar=CALENDAR
        )
        whole = max(promise.at - now, timedelta(minutes=5)).total_seconds()
        share = self.pick.choice([0.1, 0.2, 0.4, 0.6, 0.9, 0.999, 1.001, 1.2, 2.5])
        heapq.heappush(self.leaves, (now + timedelta(seconds=int(whole * share)), item, stage))

    def leave(self, item, stage):
        now = self.clock.now()
        with self.database.read() as connection:
            row = connection.execute(sa.select(items).where(items.c.id == item)).one()
        over = stage == 0 and self.pick.random() < 0.7
        to = State.DISMISSED if over else [*PATH, State.CLOSED][stage + 1]
        move_item(
            self.database,
            item,
            to,
            by="王值班",
            via="desk",
            note="已核实",
            now=now,
            # Every other program knows nothing of dues; the next tick has to notice.
            duty=self.duty if self.pick.random() < 0.5 else None,
        )
        if to in PATH:
            self.plan(item, Level(row.level), stage + 1, row.discovered_at)

    def next_wake(self):
        with self.database.read() as connection:
            wake = connection.execute(sa.select(sa.func.min(promises.c.next_at))).scalar()
        ahead = [wake] if wake else []
        ahead += [self.arrivals[-1]] if self.arrivals else []
        ahead += [self.leaves[0][0]] if self.leaves else []
        return min(ahead)

    def run(self):
        while self.arrivals or self.leaves:
            ahead = max(self.next_wake() - self.clock.now(), timedelta(0))
            self.clock.advance(ahead + timedelta(seconds=self.pick.randrange(LAG)))
            now = self.clock.now()
            if self.stops and self.stops[-1] <= now:
                self.stops.pop()
                self.leap(self.clock.advance, timedelta(hours=self.pick.choice([1, 8, 30, 72])))
            if self.steps and self.steps[-1] <= now:
                self.steps.pop()
                minutes = self.pick.choice([-60, -7, 7, 60, 1440])
                self.leap(self.clock.step, timedelta(minutes=minutes))
            now = self.clock.now()
            while self.arrivals and self.arrivals[-1] <= now:
                self.arrivals.pop()
                self.arrive()
            while self.leaves and self.leaves[0][0] <= now:
                _, item, stage = heapq.heappop(self.leaves)
                self.leave(item, stage)
            remind(self.database, self.duty, now)
            if self.pick.random() < 0.01:
                self.silent += self.silently_late()
        remind(self.database, self.duty, self.clock.now())

    def silently_late(self):
        """What the auditor found; the alarms it raised are dealt with at once."""
        now = self.clock.now()
        audit(self.database, self.settings, now)
        with self.database.read() as connection:
            alarms = connection.execute(
                sa.select(items.c.id, items.c.key).where(
                    items.c.topic == "system", items.c.state == State.TO_ASSESS.value
                )
            ).all()
        for row in alarms:
            move_item(
                self.database,
                row.id,
                State.DISMISSED,
                by="王值班",
                via="desk",
                note="已恢复",
                now=now,
                duty=self.duty,
            )
        return sum(not row.key.startswith("system:audit:stuck") for row in alarms)

    def leap(self, how, by):
        before = self.clock.now()
        how(by)
        now = self.clock.now()
        self.leaps.append((min(before, now), max(before, now)))


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('year')}/tinglan.db")
    upgrade(database)
    database.engine.dispose()
    sa.event.listen(database.engine, "connect", _no_sync)
    made = Year(database, SETTINGS, seed=20260101)
    made.run()
    yield made
    database.close()


def _no_sync(connection, _record):
    connection.execute("PRAGMA synchronous=OFF")  # a year of fsyncs proves nothing about dues


@pytest.fixture(scope="module")
def visits(year):
    """Every visit, reckoned from the ledger alone: (item, number, due, left, told at)."""
    with year.database.read() as connection:
        cases = {
            row.id: row
            for row in connection.execute(sa.select(items).where(items.c.topic != "system"))
        }
        lines = defaultdict(list)
        moved = sa.select(events).where(events.c.kind.in_(["opened", "moved"]))
        for row in connection.execute(moved.order_by(events.c.id)):
            lines[row.item].append(row)
        told = defaultdict(list)
        late = sa.select(notices).where(
            notices.c.stage == "overdue", notices.c.rung % 100_000 >= 100
        )
        for row in connection.execute(late):
            told[row.item, row.visit].append(row.created_at)
    made = []
    for item, case in cases.items():
        for number, (line, after) in enumerate(pairwise(lines[item]), 1):
            promise = due(
                line.after,
                Level(case.level),
                case.discovered_at,
                line.at,
                rules=SETTINGS.deadlines,
                calendar=CALENDAR,
            )
            made.append((item, number, max(promise.at, line.at), after.at, told[item, number]))
    return made


class Announced(NamedTuple):
    due: datetime
    left: datetime
    ladder: list[datetime]  #: when reminders fell due, at least a tick before the limit
    reminded: list[datetime]


@pytest.fixture(scope="module")
def announced(year):
    """Every visit with the reminders it was to have and those it had."""
    with year.database.read() as connection:
        levels = {
            row.id: (Level(row.level), row.discovered_at)
            for row in connection.execute(sa.select(items).where(items.c.topic != "system"))
        }
        lines, reminded = defaultdict(list), defaultdict(list)
        moved = sa.select(events).where(events.c.kind.in_(["opened", "moved"]))
        for row in connection.execute(moved.order_by(events.c.id)):
            lines[row.item].append(row)
        told = sa.select(notices).where(notices.c.stage == "reminder")
        for row in connection.execute(told):
            reminded[row.item, row.visit].append(row.created_at)
    made = []
    for item, (level, found) in levels.items():
        for number, (line, after) in enumerate(pairwise(lines[item]), 1):
            promise = due(
                line.after, level, found, line.at, rules=SETTINGS.deadlines, calendar=CALENDAR
            )
            ladder = [
                rung.at
                for rung in rungs(promise, line.at, SETTINGS.deadlines, CALENDAR, line.at)
                if rung.kind is Urge.REMINDER and rung.at + timedelta(seconds=LAG) < promise.at
            ]
            made.append(Announced(promise.at, after.at, ladder, reminded[item, number]))
    return made


def test_limits_passed_without_a_notice_are_none(year, visits):
    late = [one for one in visits if one[2] <= one[3]]
    untold = [one for one in late if not one[4]]
    with year.database.read() as connection:
        per_day = Counter(
            (row.recipient, row.created_at.date())
            for row in connection.execute(
                sa.select(notices.c.recipient, notices.c.created_at).where(
                    notices.c.stage.in_(["reminder", "overdue", "progress"])
                )
            )
        )
    print(
        f"\nitems {ITEMS}, visits {len(visits)}, late {len(late)}, untold {len(untold)}, "
        f"notices a person and day at most {max(per_day.values())}"
    )

    assert len(visits) > ITEMS
    assert len(late) > ITEMS / 4
    assert untold == []
    assert year.silent == 0


def test_limits_that_passed_were_announced_before_unless_nobody_was_there(year, announced):
    """Before: a reminder while there was time. Late on arrival, or all of it slept: no time was."""
    lag = timedelta(seconds=LAG)
    late = [one for one in announced if one.due <= one.left and one.ladder]
    asleep = [
        one
        for one in late
        if any(a <= one.ladder[0] + lag and one.due - lag <= b for a, b in year.leaps)
    ]
    silent = [
        one for one in late if one not in asleep and not any(at <= one.due for at in one.reminded)
    ]
    print(f"\nlate with time to be reminded {len(late)}, of these in a stop {len(asleep)}")

    assert len(late) > ITEMS / 4
    assert len(asleep) < len(late) / 10
    assert silent == []


def test_nobody_is_told_of_a_limit_that_has_not_passed(visits):
    assert [one for one in visits if any(at < one[2] for at in one[4])] == []


def test_told_within_a_tick_unless_nobody_was_there_to_tell(year, visits):
    slow = [
        one
        for one in visits
        if one[4]
        and min(one[4]) - one[2] > timedelta(seconds=2 * LAG)
        and not any(
            a <= min(one[4]) and one[2] - timedelta(seconds=LAG) <= b for a, b in year.leaps
        )
    ]

    assert slow == []


def test_no_rung_was_told_twice_and_the_ledger_holds(year):
    with year.database.read() as connection:
        lines = connection.execute(
            sa.select(events.c.item, events.c.detail).where(
                events.c.kind.in_(["overdue", "reminded"])
            )
        ).all()
    keys = [(x.item, *(x.detail[k] for k in ("visit", "stage", "turn", "rung"))) for x in lines]

    assert len(keys) == len(set(keys))
    assert verify(year.database)[1] == []


def test_every_promise_is_over_when_the_year_is(year):
    with year.database.read() as connection:
        left = connection.execute(
            sa.select(promises.c.id)
            .join(items, items.c.id == promises.c.item)
            .where(promises.c.ended_at.is_(None), items.c.topic != "system")
        ).all()

    assert left == []
