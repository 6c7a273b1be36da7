"""What duty staff made of each rule's hits: how many were real, how many were dismissed.

Items are counted, not posts: a rule is credited once an item, wherever one of its findings
carried a level. Few verdicts say little, so the interval is told with the share.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from store.records import State
from store.tables import assessments, events, findings, item_posts, items

ENOUGH: Final = 10  #: verdicts; fewer are told as too few
_Z: Final = 1.96  #: of a 95 % interval
#: Dismissed for these reasons says nothing against the rule that pointed at it.
_NOT_FALSE: Final = ("重复", "已处理")


class Ruling(StrEnum):
    """What became of an item, as far as its rules are concerned."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    WAITING = "waiting"  #: nobody has judged it, or it is being watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """One rule at this desk."""

    rule: str  #: as in findings: pack/id, or a stage's own name such as like-complaint
    confirmed: int = 0
    dismissed: int = 0
    waiting: int = 0

    @property
    def judged(self) -> int:
        return self.confirmed + self.dismissed

    @property
    def is_enough(self) -> bool:
        return self.judged >= ENOUGH

    @property
    def share(self) -> float | None:
        """Of the judged items those confirmed; None where nothing was judged."""
        return self.confirmed / self.judged if self.judged else None

    @property
    def low(self) -> float:
        return interval(self.confirmed, self.judged)[0]

    @property
    def high(self) -> float:
        return interval(self.confirmed, self.judged)[1]

    @property
    def shown(self) -> str:
        """For the desk and `rules list`."""
        if self.share is None:
            return "尚无处置结果"
        counts = f"属实{self.confirmed}件，不予处置{self.dismissed}件"
        if not self.is_enough:
            return f"样本少：{counts}"
        return f"准确率{self.share:.0%}（{counts}，可信区间{self.low:.0%}至{self.high:.0%}）"


def interval(good: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share: honest where there are few; (0, 1) where there is none."""
    if not of:
        return 0.0, 1.0
    share, extra = good / of, _Z * _Z / of
    middle = (share + extra / 2) / (1 + extra)
    reach = _Z * math.sqrt(share * (1 - share) / of + extra / (4 * of)) / (1 + extra)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def precision_of(
    connection: sa.Connection, *, since: datetime | None = None
) -> dict[str, Precision]:
    """Every rule that ever flagged an item (discovered since, where given), by its name.

    Drills are left out; a merged item counts as what it was merged into.
    """
    ruled = rulings(connection, since=since)
    pointed = connection.execute(
        sa.select(findings.c.rule, item_posts.c.item)
        .join(assessments, assessments.c.id == findings.c.assessment)
        .join(item_posts, item_posts.c.post == findings.c.post)
        .where(findings.c.level.is_not(None), findings.c.rule != "", assessments.c.flagged)
        .distinct()
    ).all()
    counts: defaultdict[str, Counter[Ruling]] = defaultdict(Counter)
    for row in pointed:
        if row.item in ruled:
            counts[str(row.rule)][ruled[row.item]] += 1
    return {
        rule: Precision(
            rule=rule,
            confirmed=some[Ruling.CONFIRMED],
            dismissed=some[Ruling.DISMISSED],
            waiting=some[Ruling.WAITING],
        )
        for rule, some in sorted(counts.items())
    }


def rulings(connection: sa.Connection, *, since: datetime | None = None) -> dict[int, Ruling]:
    """What became of each item about posts; those dismissed as repeated are left out."""
    query = sa.select(items.c.id, items.c.state, items.c.merged_into).where(
        items.c.post.is_not(None), items.c.drill == sa.false()
    )
    if since is not None:
        query = query.where(items.c.discovered_at >= since)
    rows = connection.execute(query).all()
    states = {row.id: State(row.state) for row in rows}
    into = {row.id: row.merged_into for row in rows if row.merged_into is not None}
    excused = _dismissed_otherwise(connection)
    made: dict[int, Ruling] = {}
    for item in states:
        last = _last(item, into)
        state = states.get(last)
        if state is None or (state is State.DISMISSED and last in excused):
            continue
        made[item] = _RULING.get(state, Ruling.CONFIRMED)
    return made


_RULING: Final[Mapping[State, Ruling]] = {
    State.TO_ASSESS: Ruling.WAITING,
    State.WATCHING: Ruling.WAITING,
    State.MERGED: Ruling.WAITING,
    State.DISMISSED: Ruling.DISMISSED,
}


def _last(item: int, into: Mapping[int, int]) -> int:
    seen = {item}
    while (after := into.get(item)) is not None and after not in seen:
        item = after
        seen.add(item)
    return item


def _dismissed_otherwise(connection: sa.Connection) -> set[int]:
    """Items last dismissed because they were known already, not because they were wrong."""
    rows = connection.execute(
        sa.select(events.c.item, events.c.note)
        .where(events.c.kind == "moved", events.c.after == State.DISMISSED.value)
        .order_by(events.c.id)
    ).all()
    last = {row.item: row.note for row in rows}
    return {item for item, note in last.items() if note.lstrip().startswith(_NOT_FALSE)}
