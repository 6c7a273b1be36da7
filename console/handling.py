"""What a person does to an item from a page: each act one transaction, each on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

import sqlalchemy as sa

from alerts.acts import Ruling, relevel_within
from alerts.dutywork import Duty
from alerts.headers import clean_text
from alerts.items import Item, find_item
from alerts.lifecycle import NEXT, AlreadyMoved, Moved, NotAllowed, move_item
from alerts.notices import owe
from alerts.turns import take_turn
from config.clock import SHANGHAI
from config.roster import Rank
from config.settings import Settings, split_recipient
from console.accounts import User
from console.roles import Role, act_of, may
from store.engine import Database
from store.ledger import append
from store.records import Level, State
from store.tables import events, items

MOST = 200  #: items dismissed by one form


@dataclass(frozen=True, slots=True)
class Step:
    """One legal next step, as a button says it."""

    to: State
    words: str
    hint: str
    reasoned: bool  #: nothing is registered without a reason


_STEPS: dict[tuple[State, State], tuple[str, str, bool]] = {
    (State.TO_ASSESS, State.TO_REPORT): ("需要报告", "属实或须核查：核定等级，转报告", False),
    (State.TO_ASSESS, State.WATCHING): ("继续关注", "暂不报告，到期再看", True),
    (State.TO_ASSESS, State.DISMISSED): ("不予处置", "误报、无关或已处理", True),
    (State.TO_ASSESS, State.MERGED): ("并入其他条目", "同一件事已有条目", False),
    (State.TO_REPORT, State.TO_RECEIVE): ("登记报送", "已报告并交责任处室", False),
    (State.TO_RECEIVE, State.HANDLING): ("签收", "本处室已收到并开始处置", False),
    (State.TO_RECEIVE, State.TO_REPORT): ("退回", "不属本处室职责", True),
    (State.HANDLING, State.TO_REVIEW): ("报处置结果", "回应链接、处置情况或不回应的理由", True),
    (State.TO_REVIEW, State.CLOSED): ("审核通过，办结", "处置到位，可以办结", False),
    (State.TO_REVIEW, State.HANDLING): ("退回补充", "处置不到位，说明还差什么", True),
    (State.CLOSED, State.TO_ASSESS): ("重新研判", "复燃或有新情况", True),
    (State.DISMISSED, State.TO_ASSESS): ("重新研判", "当时判断有误或有新情况", True),
    (State.WATCHING, State.TO_ASSESS): ("转入研判", "有新情况，或复查时间已到", False),
}


def steps_of(item: Item, user: User) -> list[Step]:
    """The legal next steps that this person may take, the usual one first."""
    act = act_of(item.state)
    if act is None or not may(user.role, act):
        return []
    return [
        Step(to, *told)
        for (before, to), told in _STEPS.items()
        if before is item.state and to in NEXT[before]
    ]


_RANKS = {Role.LEADER: Rank.LEADER, Role.OFFICE: Rank.OFFICE}


def rank_of(user: User) -> Rank:
    """As whom the chain of duty knows this account; at the desk nobody outranks 带班领导."""
    return _RANKS.get(user.role, Rank.OFFICER)


def take_step(
    database: Database,
    duty: Duty,
    user: User,
    *,
    number: str,
    version: int,
    to: State,
    form: Mapping[str, str],
    now: datetime,
) -> Moved:
    """One move with what its form says; its dues follow in the same transaction.

    Raises NoSuchItem, NotAllowed, AlreadyMoved.
    """
    settings = duty.settings
    note = clean_text(form.get("note", ""), 2000)
    with database.read() as connection:
        item = find_item(connection, number)
    if item.version != version:
        # move_item words who was first; it is asked even for a step that no longer exists.
        return move_item(
            database, item.id, to, by=user.shown, via="desk", note=note, now=now,
            expected_version=version, duty=duty,
        )  # fmt: skip
    _reviewed_by_another(database, item, to, user)
    changes = _changes(settings, item, to=to, form=form, now=now)

    def also(connection: sa.Connection, before: Item, moved: Moved) -> None:
        if changes.level is not None:
            ruling = Ruling(by=moved.by, rank=rank_of(user), note=note, now=now)
            relevel_within(connection, item.id, changes.level, ruling)
        _apply(connection, settings, before, moved, changes)

    return move_item(
        database,
        item.id,
        to,
        by=user.shown,
        via="desk",
        note="；".join(part for part in (*changes.told, note) if part),
        now=now,
        expected_version=version,
        into=form.get("into", "").strip() or None if to is State.MERGED else None,
        also=also,
        duty=duty,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    level: Level | None = None
    office: str = ""
    review_by: datetime | None = None
    told: tuple[str, ...] = ()  #: put before the note, so that the ledger reads by itself


def _changes(
    settings: Settings, item: Item, *, to: State, form: Mapping[str, str], now: datetime
) -> _Changes:
    """What the form of this step brings beside a note. Raises NotAllowed."""
    if (item.state, to) == (State.TO_ASSESS, State.TO_REPORT):
        return _levelled(item, form.get("level", ""))
    if to is State.TO_RECEIVE:
        return _reported(settings, item, form)
    if to is State.WATCHING:
        return _watched(form.get("review_by", ""), now)
    if to is State.DISMISSED and form.get("kind"):
        return _Changes(told=(clean_text(form["kind"], 20),))
    if to is State.MERGED and not form.get("into", "").strip():
        raise NotAllowed("请填写并入哪个条目的编号，例如 TL-2026-0012")
    if to is State.TO_REVIEW and form.get("reply_url", "").strip():
        return _Changes(told=(f"回应链接：{clean_text(form['reply_url'], 500)}",))
    return _Changes()


def _levelled(item: Item, text: str) -> _Changes:
    level = level_named(text) if text else item.level
    if level is item.level:
        return _Changes()
    return _Changes(level=level, told=(f"等级由{item.level.label}核定为{level.label}",))


def level_named(text: str) -> Level:
    """Raises NotAllowed."""
    try:
        return Level(text)
    except ValueError:
        raise NotAllowed("请选定等级") from None


def _reported(settings: Settings, item: Item, form: Mapping[str, str]) -> _Changes:
    office = form.get("office", "")
    if office not in {one.id for one in settings.offices}:
        raise NotAllowed("请选择交由哪个处室处置")
    to_whom = clean_text(form.get("to_whom", ""), 60)
    if not to_whom:
        raise NotAllowed("请写明报告给谁（单位或领导）")
    told = [f"报送{to_whom}", clean_text(form.get("how", ""), 20)]
    signer = clean_text(form.get("signer", ""), 20)
    if item.level.rank <= 2:
        if not signer:
            raise NotAllowed(f"“{item.level.label}”的报告须由带班领导签发，请填写签发人")
        told.append(f"{signer}签发")
    return _Changes(office=office, told=("，".join(part for part in told if part),))


def _watched(text: str, now: datetime) -> _Changes:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotAllowed("请选定复查日期") from None
    at = datetime.combine(day, time(9, 0), SHANGHAI)
    if at <= now:
        raise NotAllowed("复查日期须在今天之后")
    return _Changes(review_by=at, told=(f"{day.isoformat()} 复查",))


def _apply(
    connection: sa.Connection, settings: Settings, item: Item, moved: Moved, changes: _Changes
) -> None:
    if changes.office:
        append(
            connection, item=item.id, at=moved.at, kind="assigned", by=moved.by, via=moved.via,
            before=item.office, after=changes.office,
        )  # fmt: skip
        connection.execute(
            items.update().where(items.c.id == item.id).values(office=changes.office)
        )
        _tell_office(connection, settings, item, moved, changes.office)
    if changes.review_by is not None:
        append(
            connection, item=item.id, at=moved.at, kind="watched", by=moved.by, via=moved.via,
            detail={"review_by": changes.review_by.isoformat()},
        )  # fmt: skip


def _tell_office(
    connection: sa.Connection, settings: Settings, item: Item, moved: Moved, office: str
) -> None:
    """The office that was given the item is told, whether the first alert went to it or not."""
    found = next(one for one in settings.offices if one.id == office)
    for address in found.addresses:
        transport, recipient = split_recipient(address)
        owe(
            connection,
            subject_key=f"item:{item.id}",
            stage="assign",
            visit=moved.version,
            recipient=recipient,
            transport=transport,
            office=office,
            item=item.id,
            level=item.level,
            now=moved.at,
            detail={
                "by": moved.by,
                "note": moved.note,
                "before": moved.before.value,
                "after": moved.after.value,
                "why": f"{item.number} 交由{found.name}处置",
            },
        )


def _reviewed_by_another(database: Database, item: Item, to: State, user: User) -> None:
    """Who filed the outcome of a grave item does not review it. Raises NotAllowed."""
    if item.state is not State.TO_REVIEW or to is not State.CLOSED or item.level.rank > 2:
        return
    with database.read() as connection:
        filer = connection.execute(
            sa.select(events.c.by)
            .where(events.c.item == item.id, events.c.after == State.TO_REVIEW.value)
            .order_by(events.c.id.desc())
            .limit(1)
        ).scalar_one_or_none()
    if filer == user.shown:
        raise NotAllowed(f"“{item.level.label}”的处置结果不能由填报人本人审核")


def write_note(
    database: Database, user: User, *, number: str, text: str, now: datetime, kind: str = "noted"
) -> None:
    """A line in the item's history; state and limits stay. Raises NoSuchItem, NotAllowed."""
    note = clean_text(text, 2000)
    if not note and kind == "noted":
        raise NotAllowed("请写下要记录的内容")
    with database.write() as connection:
        take_turn(connection)
        item = find_item(connection, number)
        append(connection, item=item.id, at=now, kind=kind, by=user.shown, via="desk", note=note)


def claim(database: Database, user: User, *, number: str, now: datetime) -> None:
    """我来办理: the others see who is on it. It stops no clock. Raises NoSuchItem."""
    write_note(database, user, number=number, text="", now=now, kind="taken")


def dismiss_many(
    database: Database,
    duty: Duty,
    user: User,
    *,
    chosen: Iterable[tuple[str, int]],
    reason: str,
    now: datetime,
) -> tuple[int, list[str]]:
    """Dismisses each (number, version); answers how many, and why the others were not.

    Raises NotAllowed where no reason is given.
    """
    if not clean_text(reason, 500):
        raise NotAllowed("批量不予处置须写明理由")
    done, not_done = 0, []
    for number, version in list(chosen)[:MOST]:
        try:
            with database.read() as connection:
                item = find_item(connection, number)
            if item.level.rank <= 2:
                raise NotAllowed(f"{number} 为“{item.level.label}”，须逐条研判")
            move_item(
                database, number, State.DISMISSED, by=user.shown, via="desk",
                note=clean_text(reason, 500), now=now, expected_version=version, duty=duty,
            )  # fmt: skip
            done += 1
        except (NotAllowed, AlreadyMoved, LookupError) as error:
            not_done.append(str(error))
    return done, not_done
