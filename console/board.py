"""The five counts and the tasks: what stands on the first page, and what the live stream tells."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.items import Item, item_of
from console.accounts import User
from console.limits import Limits
from console.questions import GIVEN, OPEN, closed_today, visible_to
from console.roles import Role
from store.records import Level, State
from store.tables import events, items, promises

TASKS = 30

_MINE: dict[Role, frozenset[State]] = {
    Role.OFFICER: frozenset({State.TO_ASSESS, State.TO_REPORT}),
    Role.LEADER: frozenset({State.TO_ASSESS, State.TO_REPORT, State.TO_REVIEW}),
    Role.OFFICE: frozenset({State.TO_RECEIVE, State.HANDLING}),
}


def has_tasks(role: Role) -> bool:
    """Others are shown what is open, which is not theirs to do."""
    return role in _MINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Drills are left out. `closed` is today's, by the day in Shanghai."""

    to_assess: int
    to_report: int
    handling: int  #: with the office: 待签收, 处置中, 待审核
    late: int
    closed: int

    def told(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    item: Item
    due_at: datetime | None
    taken_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    counts: Counts
    tasks: tuple[Task, ...]
    left: int  #: tasks beyond those shown


def board(connection: sa.Connection, user: User, limits: Limits, now: datetime) -> Board:
    """Counts of what this person may see, and the tasks of their role by the time left."""
    rows = _open(connection, user)
    mine = _MINE.get(user.role, frozenset(State(state) for state in OPEN))
    dues = [(row, _due(row, limits)) for row in rows]
    tasks = [(row, due) for row, due in dues if State(row.state) in mine]
    soonest = heapq.nsmallest(TASKS, tasks, key=lambda one: _urgency(one[0], one[1]))
    found = with_claims(connection, load(connection, [row.id for row, _ in soonest]), limits)
    states = [row.state for row, _ in dues if not row.drill]
    counts = Counts(
        to_assess=states.count(State.TO_ASSESS.value),
        to_report=states.count(State.TO_REPORT.value),
        handling=sum(states.count(state) for state in GIVEN),
        late=sum(due is not None and now > due for row, due in dues if not row.drill),
        closed=_closed_today(connection, user, now),
    )
    return Board(counts=counts, tasks=tuple(found), left=max(0, len(tasks) - len(found)))


def load(connection: sa.Connection, ids: list[int]) -> list[Item]:
    """The items of these ids, in that order."""
    rows = connection.execute(sa.select(items).where(items.c.id.in_(ids))).mappings()
    by_id = {row["id"]: item_of(row) for row in rows}
    return [by_id[one] for one in ids if one in by_id]


def with_claims(connection: sa.Connection, found: list[Item], limits: Limits) -> list[Task]:
    ids = [item.id for item in found]
    takers = claims(connection, ids)
    rows = connection.execute(sa.select(items.c.id, _PROMISED).where(items.c.id.in_(ids)))
    promised: dict[int, datetime | None] = {row.id: row.promised_at for row in rows}
    return [
        Task(
            item=item,
            due_at=promised.get(item.id) or limits.due_at(item),
            taken_by=takers.get(item.id, ""),
        )
        for item in found
    ]


def promised_for(connection: sa.Connection, item: int) -> dict[State, datetime]:
    """What was promised for each stage of an item, its last visit."""
    rows = connection.execute(
        sa.select(promises.c.stage, promises.c.due_at)
        .where(promises.c.item == item)
        .order_by(promises.c.visit)
    )
    return {State(row.stage): row.due_at for row in rows if row.stage in set(State)}


def claims(connection: sa.Connection, ids: Iterable[int]) -> Mapping[int, str]:
    """Who said "I am on it" since the item last moved."""
    rows = connection.execute(
        sa.select(events.c.item, events.c.kind, events.c.by)
        .where(events.c.item.in_(list(ids)), events.c.kind.in_(["taken", "moved"]))
        .order_by(events.c.id)
    )
    takers: dict[int, str] = {}
    for row in rows:
        if row.kind == "taken":
            takers[row.item] = row.by
        else:
            takers.pop(row.item, None)
    return takers


def by_due(
    connection: sa.Connection, query: sa.Select[Any], limits: Limits, now: datetime, *, late: bool
) -> list[int]:
    """Ids of a query's items by the time left, the latest first; `late`: only those."""
    narrow = query.with_only_columns(*_NARROW).order_by(None)
    dues = [(row, _due(row, limits)) for row in connection.execute(narrow)]
    if late:
        dues = [(row, due) for row, due in dues if due is not None and now > due]
    return [row.id for row, due in sorted(dues, key=lambda one: _urgency(one[0], one[1]))]


#: What was promised for the present visit of the present stage; NULL until the service has.
_PROMISED = (
    sa.select(promises.c.due_at)
    .where(
        promises.c.item == items.c.id,
        promises.c.visit == items.c.version,
        promises.c.stage == items.c.state,
    )
    .scalar_subquery()
    .label("promised_at")
)
_NARROW = (
    items.c.id, items.c.state, items.c.level, items.c.discovered_at, items.c.changed_at,
    items.c.drill, _PROMISED,
)  # fmt: skip


def _open(connection: sa.Connection, user: User) -> list[Any]:
    query = sa.select(*_NARROW).where(items.c.state.in_(OPEN), visible_to(user))
    return list(connection.execute(query))


def _due(row: Any, limits: Limits) -> datetime | None:
    if row.promised_at is not None:
        promised: datetime = row.promised_at
        return promised
    return limits.due_of(State(row.state), Level(row.level), row.discovered_at, row.changed_at)


def _urgency(row: Any, due: datetime | None) -> tuple[bool, datetime, int, int]:
    return (due is None, due or row.discovered_at, Level(row.level).rank, row.id)


def _closed_today(connection: sa.Connection, user: User, now: datetime) -> int:
    return int(
        connection.execute(
            sa.select(sa.func.count())
            .select_from(items)
            .where(closed_today(now), items.c.drill.is_(sa.false()), visible_to(user))
        ).scalar_one()
    )
