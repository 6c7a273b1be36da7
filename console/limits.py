"""时限 as the desk shows them: when a stage is due, how much of it is gone, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from alerts import deadlines
from alerts.items import Item
from config.deadlines import Deadlines
from config.duration import spoken
from config.workdays import Calendar
from store.records import Level, State

_STAGES = (
    State.TO_ASSESS, State.TO_REPORT, State.TO_RECEIVE, State.HANDLING, State.TO_REVIEW
)  # fmt: skip
WORDS = {
    State.TO_ASSESS: "研判",
    State.TO_REPORT: "报告",
    State.TO_RECEIVE: "签收",
    State.HANDLING: "处置回应",
    State.TO_REVIEW: "审核",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stage of one item against its limit."""

    stage: State
    words: str
    limit: str  #: 发现后2小时内
    source: str
    entered_at: datetime | None  #: None: it has not come so far
    left_at: datetime | None
    due_at: datetime | None
    share: int  #: percent of the time that is gone, 100 at most
    state: str  #: ahead, done, late-done, running, near, late
    said: str  #: 剩余12分钟, 超时1小时, 用时…


class Limits:
    """Answers for one set of rules and one calendar; remembers what it has worked out."""

    def __init__(self, rules: Deadlines, calendar: Calendar) -> None:
        self._rules = rules
        self._calendar = calendar
        self._known = lru_cache(maxsize=100_000)(self._due)

    def due_at(self, item: Item) -> datetime | None:
        """Of the stage the item is in; None where none is set."""
        return self._known(item.state, item.level, item.discovered_at, item.changed_at)

    def due_of(
        self, state: State, level: Level, discovered_at: datetime, changed_at: datetime
    ) -> datetime | None:
        return self._known(state, level, discovered_at, changed_at)

    def is_late(self, item: Item, now: datetime) -> bool:
        due = self.due_at(item)
        return due is not None and now > due

    def bars(
        self,
        item: Item,
        events: Iterable[Mapping[str, Any]],
        now: datetime,
        *,
        promised: Mapping[State, datetime],
    ) -> list[Bar]:
        """One bar a stage, the last visit of each; what was promised goes before any sum."""
        visits = _visits(item, events)
        return [
            self._bar(item, stage, visits.get(stage), now, promised=promised.get(stage))
            for stage in _STAGES
        ]

    def _bar(
        self,
        item: Item,
        stage: State,
        visit: tuple[datetime, datetime | None] | None,
        now: datetime,
        *,
        promised: datetime | None,
    ) -> Bar:
        limit = self._rules.limit(stage, item.level)
        entered, left = visit or (None, None)
        due = promised or self._known(stage, item.level, item.discovered_at, entered or now)
        share, state, said = 0, "ahead", ""
        if entered is not None and due is not None:
            whole = (due - entered).total_seconds()
            gone = ((left or now) - entered).total_seconds()
            share = 100 if whole <= 0 else max(0, min(100, round(100 * gone / whole)))
            if left is not None:
                state = "late-done" if left > due else "done"
                said = f"用时{spoken(left - entered)}"
                said += f"，超时{spoken(left - due)}" if left > due else ""
            elif now > due:
                state, said = "late", f"已超时{spoken(now - due)}"
            else:
                state = "near" if share >= 80 else "running"
                said = f"剩余{spoken(due - now)}"
        elif entered is not None and left is not None:
            state, said = "done", f"用时{spoken(left - entered)}"
        return Bar(
            stage=stage,
            words=WORDS[stage],
            limit=limit.words if limit else "未设时限",
            source=limit.source if limit else "",
            entered_at=entered,
            left_at=left,
            due_at=due if entered is not None or (limit and limit.since == "discovery") else None,
            share=share,
            state=state,
            said=said,
        )

    def _due(
        self, stage: State, level: Level, discovered_at: datetime, entered_at: datetime
    ) -> datetime | None:
        if self._rules.limit(stage, level) is None:
            return None
        return deadlines.due(
            stage, level, discovered_at, entered_at, rules=self._rules, calendar=self._calendar
        ).at


def left_words(due: datetime | None, now: datetime) -> str:
    """剩余12分钟 or 已超时1小时; "" where no limit is set."""
    if due is None:
        return ""
    return f"已超时{spoken(now - due)}" if now > due else f"剩余{spoken(due - now)}"


def _visits(
    item: Item, events: Iterable[Mapping[str, Any]]
) -> dict[State, tuple[datetime, datetime | None]]:
    """When each stage was entered and left, the last time."""
    made: dict[State, tuple[datetime, datetime | None]] = {}
    at, since = State.TO_ASSESS, item.discovered_at
    for event in events:
        if event["kind"] != "moved":
            continue
        try:
            after = State(event["after"])
        except ValueError:
            continue
        made[at] = (since, event["at"])
        at, since = after, event["at"]
    if item.state.is_open:
        made[at] = (since, None)
    return made
