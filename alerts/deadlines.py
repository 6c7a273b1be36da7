"""时限: when a stage is due, who is told at which share of it, what is owed after a stop.

Pure: every answer follows from the arguments, so a stop, a crash or a second worker changes
nothing. Ask `owed` on every tick and also just before an item is moved: a stage that ended
late between two ticks must still have been told of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from config.clock import shown
from config.deadlines import Deadlines, Limit
from config.duration import spoken
from config.roster import Rank
from config.workdays import (
    Calendar,
    add_working_time,
    is_working,
    local_day,
    working_time_between,
)
from store.records import Level, State

PROGRESS = "progress"  #: a note on how far the handling is; beside the limit of the handling itself

#: Repeats count from here; below it a rung's number is its percentage.
REPEATED = 1000

_LONGEST_PAUSE = timedelta(days=3)
_UNRENEWED = timedelta(hours=1)

_TO = {
    "to_assess": Rank.OFFICER,
    "to_report": Rank.OFFICER,
    "to_receive": Rank.OFFICE,
    "handling": Rank.OFFICE,
    "to_review": Rank.LEADER,
    "watching": Rank.OFFICER,
    PROGRESS: Rank.OFFICE,
}

_WORDS = {
    "to_assess": "研判",
    "to_report": "报告",
    "to_receive": "签收",
    "handling": "回应",
    "to_review": "审核",
    "watching": "复查",
    PROGRESS: "进展报告",
}


class NotPaused(Exception):
    """The clock of this stage may not be stopped; the text says why, in Chinese."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What was promised for one visit of one stage; to be stored as it stands."""

    stage: str  #: a State's value, or `progress`
    level: Level
    at: datetime  #: UTC
    limit: timedelta  #: the whole limit, in time of its own clock
    working: bool  #: that clock is working time
    rule: str  #: the rule as it was applied, readable on its own
    calendar_version: str  #: of the years touched; empty in natural time
    source: str


class Urge(StrEnum):
    REMINDER = "reminder"  #: 催办, while there is time
    OVERDUE = "overdue"  #: 超时


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One notice that falls due at one instant; `number` is unique in one visit of one stage."""

    number: int  #: the percentage of the limit; from REPEATED on, the n-th repeat
    at: datetime  #: UTC
    kind: Urge
    to: Rank
    why: str  #: Chinese, as the notice says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the auditor must know of one item; read from the database, not from the ticks."""

    item: int
    state: State
    next_at: datetime | None  #: the next instant at which something must happen
    told_at: datetime | None  #: of the last notice or move; a note or a new post is neither


def due(
    stage: State | str,
    level: Level,
    discovered_at: datetime,
    entered_at: datetime,
    *,
    rules: Deadlines,
    calendar: Calendar,
) -> Due:
    """When one visit of a stage is due.

    `discovered_at` is when it was found, or when it flared up again (复燃): an old discovery
    would make a reopened item late at once. For `progress`, `entered_at` is the last note.
    Raises ValueError where the stage has no limit at that level.
    """
    name = stage.value if isinstance(stage, State) else stage
    limit = rules.limit(name, level)
    if limit is None:
        raise ValueError(f"no limit is set for {name} at level {level.value}")
    began = discovered_at if limit.since == "discovery" else entered_at
    rule = f"{level.value}.{name} {limit.limit}/{limit.clock}/{limit.since}"
    if not limit.working:
        at = began.astimezone(UTC) + limit.natural
        return Due(
            stage=name,
            level=level,
            at=at,
            limit=limit.natural,
            working=False,
            rule=rule,
            calendar_version="",
            source=limit.source,
        )
    length = limit.length(rules.hours)
    at = add_working_time(began, length, calendar, rules.hours)
    made = Due(
        stage=name,
        level=level,
        at=at,
        limit=length,
        working=True,
        rule=rule,
        calendar_version=calendar.version(local_day(began), local_day(at)),
        source=limit.source,
    )
    return _before_the_reply(made, limit, discovered_at, entered_at, rules)


def _before_the_reply(
    made: Due, limit: Limit, discovered_at: datetime, entered_at: datetime, rules: Deadlines
) -> Due:
    """A reply owed in natural time leaves the stages before it no holiday to sleep through."""
    reply = rules.limits(made.level).handling
    if reply.working or made.stage not in {"to_assess", "to_report", "to_receive"}:
        return made
    began = discovered_at if reply.since == "discovery" else entered_at
    share = timedelta(seconds=int(reply.natural.total_seconds()) * rules.before_reply // 100)
    # Entered after that share has passed, the stage has its own length, by the wall clock.
    latest = max(began + share, entered_at + limit.natural).astimezone(UTC)
    if made.at <= latest:
        return made
    return replace(
        made,
        at=latest,
        limit=max(latest - entered_at, limit.natural),
        working=False,
        rule=f"{made.rule}, at most {rules.before_reply}% of handling {reply.limit}/natural",
        source=f"{made.source}；不得挤占回应时限（{reply.source}）",
    )


def review(level: Level | None, entered_at: datetime, review_by: datetime) -> Due:
    """The due of a watched item: the day somebody named."""
    return Due(
        stage=State.WATCHING.value,
        level=level or Level.IV,
        at=review_by.astimezone(UTC),
        limit=max(review_by - entered_at, timedelta(hours=1)),
        working=False,
        rule=f"watching until {shown(review_by)}",
        calendar_version="",
        source="转为关注时约定的复查时间",
    )


def promised(before: Due | None, now: Due, *, by_leader: bool = False) -> Due:
    """What holds after a level or a rule has changed, or an item was merged in.

    Never later than what was promised before, unless a leader says so.
    """
    return now if before is None or by_leader or now.at <= before.at else before


def paused(
    promise: Due,
    since: datetime,
    until: datetime,
    rules: Deadlines,
    calendar: Calendar,
    *,
    by: Rank,
    before: bool = False,
) -> Due:
    """The due with its clock stopped from `since` to `until`. Raises NotPaused."""
    if promise.level.rank <= 2:
        raise NotPaused("特别重大、重大舆情的时限不得中止")
    if by not in {Rank.LEADER, Rank.DEPUTY, Rank.CHIEF}:
        raise NotPaused("中止计时须由带班领导以上决定")
    if before:
        raise NotPaused("本环节已中止过一次，不得再次中止")
    if not timedelta(0) < until - since <= _LONGEST_PAUSE:
        raise NotPaused("中止时间须在3天以内")
    if since >= promise.at:
        raise NotPaused("已经超时，不能再中止计时")
    if promise.working:
        left = working_time_between(since, promise.at, calendar, rules.hours)
        at = add_working_time(until, left, calendar, rules.hours)
        version = calendar.version(local_day(since), local_day(at))
    else:
        at, version = promise.at + (until - since), promise.calendar_version
    rule = f"{promise.rule}, paused {shown(since)} to {shown(until)}"
    return replace(promise, at=at.astimezone(UTC), rule=rule, calendar_version=version)


def rungs(
    promise: Due,
    entered_at: datetime,
    rules: Deadlines,
    calendar: Calendar,
    until: datetime,
    *,
    after: int = 0,
) -> list[Rung]:
    """Every rung of one visit, in order; repeats as far as the first one after `until`.

    Reminders share out the time between entering and the due. Overdue rungs count from the
    due, or from entering where the stage was late on arrival: it is told of at once, and its
    people still have their turn before the next rung up. Numbers up to `after` are left out.
    """
    hours = rules.hours

    def later(start: datetime, share: timedelta) -> datetime:
        whole = timedelta(seconds=int(share.total_seconds()))
        if promise.working:
            return add_working_time(start, whole, calendar, hours)
        return start.astimezone(UTC) + whole

    words, until_text = _WORDS[promise.stage], shown(promise.at)
    made: list[Rung] = []
    if promise.at > entered_at:
        room = (
            working_time_between(entered_at, promise.at, calendar, hours)
            if promise.working
            else promise.at - entered_at
        )
        for percent in (one for one in rules.reminders if one > after):
            at = later(entered_at, room * percent / 100)
            if entered_at < at < promise.at:
                why = f"{words}时限已用{percent}%，{until_text} 到期（依据：{promise.source}）"
                made.append(
                    Rung(
                        number=percent,
                        at=at,
                        kind=Urge.REMINDER,
                        to=_TO[promise.stage],
                        why=why,
                    )
                )
    late = max(promise.at, entered_at).astimezone(UTC)
    steps = (
        (rules.overdue.leader, Rank.LEADER),
        (rules.overdue.deputy, Rank.DEPUTY),
        (rules.overdue.chief, Rank.CHIEF),
    )

    def overdue_at(percent: int) -> datetime:
        # At 100 % no sum: a due at the end of a working day must not slip to the next morning.
        return later(late, promise.limit * (percent - 100) / 100) if percent > 100 else late

    for percent, to in steps:
        if percent <= after:
            continue
        head = f"{words}已超时" if percent == 100 else f"{words}已超时，达时限的{percent}%"
        why = f"{head}：应于 {until_text} 前完成（依据：{promise.source}）"
        made.append(Rung(number=percent, at=overdue_at(percent), kind=Urge.OVERDUE, to=to, why=why))
    last = overdue_at(rules.overdue.chief)
    return made + _repeats(promise, last, rules, calendar, until=until, after=after)


def _repeats(
    promise: Due,
    last: datetime,
    rules: Deadlines,
    calendar: Calendar,
    *,
    until: datetime,
    after: int,
) -> list[Rung]:
    every = rules.repeat_urgent if promise.level.rank <= 2 else rules.repeat
    made: list[Rung] = []
    count = max(0, after - REPEATED) + 1
    while True:
        at = last + every * count
        # A working-time limit is not repeated on days off; the number stays the same all the same.
        if not promise.working or is_working(at, calendar, rules.hours):
            why = (
                f"{_WORDS[promise.stage]}已超时{spoken(at - promise.at)}仍未完成，"
                f"每{spoken(every)}提醒一次：应于 {shown(promise.at)} 前完成"
                f"（依据：{promise.source}）"
            )
            made.append(
                Rung(number=REPEATED + count, at=at, kind=Urge.OVERDUE, to=Rank.CHIEF, why=why)
            )
            if at > until:
                return made
        count += 1


def owed(
    ladder: Sequence[Rung],
    now: datetime,
    already: Collection[int],
    *,
    acknowledged: bool = False,
) -> tuple[Rung | None, list[Rung]]:
    """The one rung to send now, and those it stands for because nobody was there to send them.

    Only the highest missed rung goes out; what lies below one that was sent is never owed
    again. An acknowledged stage (签收) gets no more reminders, but its limit stands.
    """
    reached = max(already, default=0)
    missed = [
        rung
        for rung in ladder
        if rung.at <= now
        and rung.number > reached
        and not (acknowledged and rung.kind is Urge.REMINDER)
    ]
    if not missed:
        return None, []
    top = max(missed, key=lambda rung: rung.number)
    return top, [rung for rung in missed if rung is not top]


def next_at(ladder: Sequence[Rung], now: datetime) -> datetime | None:
    """When something must happen next if nobody acts; None where the ladder ends before."""
    return min((rung.at for rung in ladder if rung.at > now), default=None)


def audit(
    items: Iterable[Watched], now: datetime, grace: timedelta = timedelta(minutes=5)
) -> list[Watched]:
    """Open items whose next due has passed without an event, that have none, or a stale one.

    A stale next due, which nobody has renewed for an hour, means that the planner stands still
    even if somebody was told meanwhile.
    """
    return [
        item
        for item in items
        if item.state.is_open
        and (
            item.next_at is None
            or (
                item.next_at + grace <= now
                and (item.told_at is None or item.told_at < item.next_at)
            )
            or item.next_at + _UNRENEWED <= now
        )
    ]
