"""How an item moves: the table read aloud, the pure decision, and the one function that acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from alerts.headers import clean_text
from alerts.items import Item, find_item
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import shown
from store.engine import Database
from store.ledger import append
from store.records import NoticeState, State
from store.tables import Instant, events, item_posts, items, notices, promises

NEXT: dict[State, frozenset[State]] = {
    State.TO_ASSESS: frozenset({State.TO_REPORT, State.DISMISSED, State.WATCHING, State.MERGED}),
    State.TO_REPORT: frozenset({State.TO_RECEIVE}),
    State.TO_RECEIVE: frozenset({State.HANDLING, State.TO_REPORT}),  # back: not ours
    State.HANDLING: frozenset({State.TO_REVIEW}),
    State.TO_REVIEW: frozenset({State.CLOSED, State.HANDLING}),  # back: not good enough
    State.CLOSED: frozenset({State.TO_ASSESS}),  # 复燃
    State.DISMISSED: frozenset({State.TO_ASSESS}),  # reopened
    State.WATCHING: frozenset({State.TO_ASSESS}),  # grew, or its day has come
    State.MERGED: frozenset(),
}

#: Moves that nobody may make without saying why.
_REASONED = frozenset(
    {
        (State.TO_ASSESS, State.DISMISSED),
        (State.TO_ASSESS, State.WATCHING),
        (State.TO_RECEIVE, State.TO_REPORT),
        (State.TO_REVIEW, State.HANDLING),
        (State.CLOSED, State.TO_ASSESS),
        (State.DISMISSED, State.TO_ASSESS),
        (State.HANDLING, State.TO_REVIEW),
    }
)

#: Moves that those who were alerted are told of, and the stage of that notice.
_TOLD = {
    (State.TO_REPORT, State.TO_RECEIVE): "assign",
    (State.TO_REVIEW, State.CLOSED): "closed",
    (State.CLOSED, State.TO_ASSESS): "reopened",
    (State.DISMISSED, State.TO_ASSESS): "reopened",
    (State.WATCHING, State.TO_ASSESS): "reopened",
}


class NotAllowed(Exception):
    """The table has no such move, or it lacks what it needs; the text says what is possible."""


class AlreadyMoved(Exception):
    """Somebody was first; the text says who, when, and where the item stands now."""

    def __init__(self, text: str, *, by: str, state: State) -> None:
        super().__init__(text)
        self.by = by
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One move, decided: what to write, and which notice it causes ("" for none)."""

    item: int
    number: str
    before: State
    after: State
    version: int  #: of the item, after the move
    by: str
    via: str
    note: str
    at: datetime
    told: str
    merged_into: int | None = None


def move(
    item: Item,
    to: State,
    *,
    by: str,
    via: str,
    note: str,
    now: datetime,
    into: int | None = None,
) -> Moved:
    """Decides one move. Raises NotAllowed."""
    possible = NEXT[item.state]
    if to not in possible:
        names = "、".join(state.label for state in State if state in possible) or "无（终态）"
        raise NotAllowed(
            f"{item.number} 现为“{item.state.label}”，不能转为“{to.label}”；可转为：{names}"
        )
    by, note = clean_text(by, 60), clean_text(note, 2000)
    if not by:
        raise NotAllowed("未写明经办人，不能变更状态")
    if (item.state, to) in _REASONED and not note:
        raise NotAllowed(f"“{item.state.label}”转为“{to.label}”须写明理由或结果")
    if to is State.MERGED and (into is None or into == item.id):
        raise NotAllowed("并入须指明另一条目的编号")
    return Moved(
        item=item.id,
        number=item.number,
        before=item.state,
        after=to,
        version=item.version + 1,
        by=by,
        via=via,
        note=note,
        at=now,
        told=_TOLD.get((item.state, to), ""),
        merged_into=into if to is State.MERGED else None,
    )


class Keeper(Protocol):
    """Keeps the dues of an item that moves; without one the next tick does."""

    def keep(self, connection: sa.Connection, item: int, now: datetime) -> int:
        """Tells what is owed by now and promises what the present stage asks for."""
        ...


def move_item(
    database: Database,
    item_id: int | str,
    to: State,
    *,
    by: str,
    via: str,
    note: str,
    now: datetime,
    expected_version: int | None = None,
    into: int | str | None = None,
    also: Callable[[sa.Connection, Item, Moved], None] | None = None,
    duty: Keeper | None = None,
) -> Moved:
    """Moves an item: state, history, notices and (given `duty`) dues in one transaction.

    `expected_version` is the one the person was looking at; `also` is done in the same
    transaction, with the item as it was. Raises NoSuchItem, NotAllowed, AlreadyMoved.
    """
    with database.write() as connection:
        take_turn(connection)
        return move_within(
            connection, item_id, to, by=by, via=via, note=note, now=now,
            expected_version=expected_version, into=into, also=also, duty=duty,
        )  # fmt: skip


def move_within(
    connection: sa.Connection,
    item_id: int | str,
    to: State,
    *,
    by: str,
    via: str,
    note: str,
    now: datetime,
    expected_version: int | None = None,
    into: int | str | None = None,
    also: Callable[[sa.Connection, Item, Moved], None] | None = None,
    duty: Keeper | None = None,
) -> Moved:
    """The same inside the caller's transaction, which must have taken its turn."""
    item = find_item(connection, item_id)
    if item.state is to or expected_version not in {None, item.version}:
        raise _already(connection, item)
    target = find_item(connection, into) if into is not None else None
    if target is not None and target.state is State.MERGED:
        raise NotAllowed(f"{target.number} 已并入其他条目，请改用最终的条目编号")
    moved = move(item, to, by=by, via=via, note=note, now=now, into=target.id if target else None)
    if duty is not None:
        duty.keep(connection, item.id, now)
    _write(connection, item, moved)
    if also is not None:
        also(connection, item, moved)
    if duty is not None:
        duty.keep(connection, item.id, now)
    return moved


def _write(connection: sa.Connection, item: Item, moved: Moved) -> None:
    values: dict[str, Any] = {
        "state": moved.after.value,
        "version": moved.version,
        "changed_at": moved.at,
        "closed_at": None if moved.after.is_open else moved.at,
        "merged_into": moved.merged_into,
    }
    updated = connection.execute(
        items.update().where(items.c.id == item.id, items.c.version == item.version).values(values)
    )
    if updated.rowcount != 1:
        raise _already(connection, find_item(connection, item.id))
    event = append(
        connection,
        item=item.id,
        at=moved.at,
        kind="moved",
        by=moved.by,
        via=moved.via,
        before=moved.before.value,
        after=moved.after.value,
        note=moved.note,
        detail={"version": moved.version, "into": moved.merged_into},
    )
    if moved.merged_into is not None:
        _absorb(connection, item, moved)
    if not moved.after.is_open:
        _supersede(connection, item, moved)
    if moved.told:
        _tell(connection, item, moved, event)


def _absorb(connection: sa.Connection, item: Item, moved: Moved) -> None:
    """The surviving item takes over the posts and the stricter level."""
    target = find_item(connection, moved.merged_into or 0)
    known = sa.select(item_posts.c.post).where(item_posts.c.item == target.id)
    taken = sa.select(sa.literal(target.id), item_posts.c.post, sa.literal(moved.at, Instant))
    connection.execute(
        item_posts.insert().from_select(
            ["item", "post", "at"],
            taken.where(item_posts.c.item == item.id, item_posts.c.post.not_in(known)),
        )
    )
    level = min(item.level, target.level, key=lambda one: one.rank)
    # Its dues are worked out anew: the stricter level and the earlier discovery hold.
    connection.execute(
        items.update().where(items.c.id == target.id).values(level=level.value, promised=0)
    )
    _inherit_due(connection, item, target)
    append(
        connection,
        item=target.id,
        at=moved.at,
        kind="absorbed",
        by=moved.by,
        via=moved.via,
        before=target.level.value,
        after=level.value,
        note=moved.note,
        detail={"item": item.id, "number": item.number},
    )


def _inherit_due(connection: sa.Connection, item: Item, target: Item) -> None:
    """A due that was promised for the same stage of the absorbed item holds for the other."""
    mine, theirs = (
        connection.execute(
            sa.select(promises).where(
                promises.c.item == one.id,
                promises.c.visit == one.version,
                promises.c.stage == one.state.value,
            )
        ).one_or_none()
        for one in (item, target)
    )
    if mine is None or theirs is None or item.state is not target.state:
        return
    if mine.due_at < theirs.due_at:
        connection.execute(
            promises.update()
            .where(promises.c.id == theirs.id)
            .values(
                due_at=mine.due_at,
                seconds=mine.seconds,
                working=mine.working,
                rule=f"{mine.rule}, taken over from {item.number}",
                calendar=mine.calendar,
                source=mine.source,
                next_at=min(mine.next_at or mine.due_at, theirs.next_at or mine.due_at),
            )
        )


def _supersede(connection: sa.Connection, item: Item, moved: Moved) -> None:
    """What only urged is no longer owed; the first alert still is, whatever has happened."""
    owed = [state.value for state in (NoticeState.PENDING, NoticeState.DEFERRED)]
    connection.execute(
        notices.update()
        .where(
            notices.c.item == item.id,
            notices.c.stage.in_(URGING),
            notices.c.state.in_(owed),
        )
        .values(
            state=NoticeState.SUPERSEDED.value,
            settled_at=moved.at,
            reply=f"条目已{moved.after.label}，不再需要",
        )
    )


#: Notices that only make sense while the item is open.
URGING = frozenset({"growth", "update", "assign", "review", "reminder", "overdue", "progress"})

#: Of these, the ones that speak of one stage and lose their point when the item leaves it.
STAGED = frozenset({"review", "reminder", "overdue", "progress"})


def _tell(connection: sa.Connection, item: Item, moved: Moved, event: int) -> None:
    """Everybody who was told of the item is told of this; a bell once rung must be unrung."""
    told = connection.execute(
        sa.select(notices.c.recipient, notices.c.transport, notices.c.office)
        .where(notices.c.item == item.id, notices.c.stage.in_(["alert", "fallback"]))
        .order_by(notices.c.created_at, notices.c.id)
    ).all()
    detail: Mapping[str, Any] = {
        "event": event,
        "by": moved.by,
        "note": moved.note,
        "before": moved.before.value,
        "after": moved.after.value,
        "why": f"您此前收到过 {item.number} 的预警",
    }
    for one in told:
        owe(
            connection,
            subject_key=f"item:{item.id}",
            stage=moved.told,
            visit=moved.version,
            recipient=one.recipient,
            transport=one.transport,
            office=one.office,
            item=item.id,
            level=item.level,
            now=moved.at,
            detail=detail,
        )


def _already(connection: sa.Connection, item: Item) -> AlreadyMoved:
    last = connection.execute(
        sa.select(events.c.by, events.c.at)
        .where(events.c.item == item.id, events.c.kind.in_(["moved", "opened"]))
        .order_by(events.c.id.desc())
        .limit(1)
    ).one_or_none()
    by = str(last.by) if last else ""
    at = last.at if last else item.changed_at
    return AlreadyMoved(
        f"{item.number} 已由 {by or '系统'} 于 {shown(at)} 转为“{item.state.label}”",
        by=by,
        state=item.state,
    )
