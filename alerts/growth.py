"""动态与复燃: what more posts of the same event do to a case: tell of it now and then, or wake it.

A new post changes neither state nor notes nor level nor acknowledgement of an open case
(keep#2292). Two kinds of case do wake up: one that is watched, and one closed not long ago.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from alerts.cases import Case
from alerts.items import Item, find_item
from alerts.lifecycle import move_within
from alerts.notices import owe
from config.settings import Settings
from store.records import NoticeState, State
from store.tables import item_posts, notices

REKINDLED = timedelta(days=14)  #: a case closed for longer is history


def grow(connection: sa.Connection, settings: Settings, item: Item, now: datetime) -> None:
    """Owes everybody who was alerted one word on the growth, once in `[calm] growth`."""
    if not item.state.is_open:
        return
    count: int = connection.execute(
        sa.select(sa.func.count()).where(item_posts.c.item == item.id)
    ).scalar_one()
    told = connection.execute(
        sa.select(
            notices.c.recipient,
            notices.c.transport,
            notices.c.office,
            sa.func.max(notices.c.next_at).label("last"),
        )
        .where(
            notices.c.item == item.id,
            notices.c.stage.in_(["alert", "growth", "update", "fallback"]),
            notices.c.state != NoticeState.SUPERSEDED.value,
        )
        .group_by(notices.c.recipient, notices.c.transport, notices.c.office)
    ).all()
    for one in told:
        if one.last > now:
            continue  # one is waiting already; it will say how many posts there are by then
        owe(
            connection,
            subject_key=f"item:{item.id}",
            stage="update",
            visit=count,
            recipient=one.recipient,
            transport=one.transport,
            office=one.office,
            item=item.id,
            level=item.level,
            now=now,
            due_at=max(now, one.last + settings.calm.growth),
            detail={"why": f"您此前收到过 {item.number} 的预警，又有同一事件的帖文"},
        )


def flares_up(
    connection: sa.Connection, item: Item, case: Case, now: datetime, *, new_post: bool
) -> bool:
    """Moves a watched or lately closed case back to assessment; answers whether it did.

    A dismissed one stays: near-copies of a false alarm are false alarms, unless graver.
    """
    item = find_item(connection, item.id)
    graver = case.level.rank < item.level.rank
    if item.state is State.WATCHING:
        wakes = new_post or graver
    elif item.state is State.CLOSED:
        young = item.closed_at is not None and now - item.closed_at <= REKINDLED
        wakes = young and new_post
    else:
        wakes = item.state is State.DISMISSED and graver
    if wakes:
        why = "复燃：又有同一事件的帖文" if new_post else "复燃：帖文更新后等级更高"
        move_within(
            connection, item.id, State.TO_ASSESS, by="系统", via="service", note=why, now=now
        )
    return wakes
