"""What can be done to an item from its page beside the next step; and its evidence copy."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from starlette.responses import Response

from alerts.acts import Act as Record
from alerts.items import Item, NoSuchItem
from alerts.lifecycle import AlreadyMoved, NotAllowed
from alerts.routing import channel_name
from console import handling
from console.desk import Ask, Refused
from console.directing import change_level, direct, stop_clock
from console.evidence import copy_of, versions_of
from console.pages.cases import seen, shown_item
from store.ledger import append
from store.tables import item_posts, posts


def note(ask: Ask) -> Response:
    item = seen(ask)

    def act() -> None:
        handling.write_note(
            ask.desk.database, ask.user, number=item.number, text=ask.field("note"),
            now=ask.desk.now(),
        )  # fmt: skip

    return _done(ask, item, "note", act, "noted")


def take(ask: Ask) -> Response:
    item = seen(ask)
    handling.claim(ask.desk.database, ask.user, number=item.number, now=ask.desk.now())
    return ask.to(f"/items/{item.number}", "taken")


def level(ask: Ask) -> Response:
    """The level alone; the state stays, the dues are worked out anew."""
    item = seen(ask)
    desk, version = ask.desk, ask.field("version", 10)

    def act() -> None:
        change_level(
            desk.database, desk.duty(), ask.user, item, level=ask.field("level", 5),
            version=int(version) if version.isdecimal() else -1, note=ask.field("note"),
            now=desk.now(),
        )  # fmt: skip

    return _done(ask, item, "level", act, "levelled")


def pause(ask: Ask) -> Response:
    item = seen(ask)
    desk = ask.desk

    def act() -> None:
        stop_clock(
            desk.database, desk.duty(), ask.user, item, until=ask.field("until", 30),
            note=ask.field("note"), now=desk.now(),
        )  # fmt: skip

    return _done(ask, item, "pause", act, "paused")


def instruction(ask: Ask) -> Response:
    return _directed(ask, Record.INSTRUCTION)


def order(ask: Ask) -> Response:
    return _directed(ask, Record.ORDER)


def supervision(ask: Ask) -> Response:
    return _directed(ask, Record.SUPERVISION)


def _directed(ask: Ask, record: Record) -> Response:
    item = seen(ask)
    desk = ask.desk

    def act() -> None:
        direct(
            desk.database, desk.duty(), ask.user, item, act=record, text=ask.field("note"),
            offices=ask.form.get("offices", ()), now=desk.now(),
        )  # fmt: skip

    return _done(ask, item, record.value, act, "told")


def _done(ask: Ask, item: Item, form: str, act: Callable[[], None], said: str) -> Response:
    """303 back to the item, or its page with what is wrong and what was typed."""
    typed = {name: ask.field(name) for name in ask.form}
    try:
        act()
    except AlreadyMoved as error:
        return shown_item(ask, status=409, why=str(error), form=form, typed=typed)
    except (NotAllowed, NoSuchItem) as error:
        return shown_item(ask, status=422, why=str(error), form=form, typed=typed)
    return ask.to(f"/items/{item.number}", said)


def evidence(ask: Ask) -> Response:
    """The stored words of one post of the item, every version, as a text file to keep."""
    item, number = seen(ask), ask.part("post")
    desk = ask.desk
    with desk.database.read() as connection:
        row = (
            connection.execute(
                sa.select(posts)
                .join(item_posts, item_posts.c.post == posts.c.id)
                .where(
                    item_posts.c.item == item.id,
                    posts.c.id == (int(number) if number.isdecimal() and len(number) < 18 else 0),
                )
            )
            .mappings()
            .one_or_none()
        )
        if row is None:
            raise Refused(404, "这一条目里没有这篇帖文。")
        older = versions_of(connection, [row["id"]]).get(row["id"], [])
    text = copy_of(
        row, older, number=item.number, agency=desk.settings.agency.name,
        channel=channel_name(desk.settings, row["channel"]), by=ask.user.shown, now=desk.now(),
    )  # fmt: skip
    with desk.database.write() as connection:
        append(
            connection, item=item.id, at=desk.now(), kind="evidence", by=ask.user.shown,
            via="desk", note=f"帖文 {row['id']}，第 {row['version']} 版",
            detail={"post": row["id"], "address": ask.address},
        )  # fmt: skip
    return Response(
        text.encode("utf-8-sig"),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{item.number}-{row["id"]}.txt"'},
    )
