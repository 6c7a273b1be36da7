"""Works out from duty staff's verdicts how far a channel's thresholds should move, and why.

Nothing here changes anything: it proposes, with what each change would have saved and lost on
the past. A step is small, stays within its bounds, and never loses a case that was confirmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from pydantic import BaseModel

from analysis import concern
from analysis.catalogue import stage_options
from analysis.engines import Engine, judged
from analysis.leaning import Listener
from analysis.precision import Precision, Ruling, interval, precision_of, rulings
from analysis.rules import Rulebook
from analysis.subject import Subject, read_all
from analysis.thresholds import MOVABLE, Movable, Moved, stored
from store.records import Kind, Role, Topic, text_of
from store.tables import assessments, findings, item_posts, items, notices, posts

PAST: Final = timedelta(days=180)  #: verdicts that are learnt from
ENOUGH: Final = 20  #: verdicts on one channel, below which nothing moves
POOR: Final = 0.5  #: surely fewer than these are real: quieter
GOOD: Final = 0.8  #: surely more than these are real: keener
_LOOKED: Final = 5_000  #: unflagged posts of a channel that are heard again, the latest
_LATELY: Final = timedelta(days=30)
_POINTED: Final = "like-complaint"
_COMPLAINTS: Final = "rules.complaint_from"
_SAFE: Final = frozenset({Topic.COMPLAINT.value, Topic.ENQUIRY.value, Topic.THANKS.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One threshold of one channel: how it did, and where it should go."""

    channel: str
    movable: Movable
    now: float
    then: float  #: equal to `now` where it should stay
    confirmed: int
    dismissed: int
    saved: int = 0  #: dismissed cases that would not have been
    mails_saved: int = 0
    lost: int = 0  #: confirmed cases that would not have been; always 0, and said
    more: int = 0  #: posts of the last 30 days that would be pointed at besides
    mails_more: int = 0
    why: str

    @property
    def moves(self) -> bool:
        return self.then != self.now

    @property
    def shown(self) -> str:
        counts = f"属实{self.confirmed}件，不予处置{self.dismissed}件"
        if not self.moves:
            stays = f"{self.movable.label}界限维持{self.now:.2f}"
            return f"{self.channel}：{stays}（{counts}；{self.why}）"
        effect = (
            f"回看可少{self.saved}件、约少发{self.mails_saved}封，漏掉属实的{self.lost}件"
            if self.quieter
            else f"近30天会多提示{self.more}条、约多发{self.mails_more}封"
        )
        return (
            f"{self.channel}：{self.movable.label}界限{self.now:.2f} → {self.then:.2f}"
            f"（{counts}；{self.why}；{effect}）"
        )

    @property
    def quieter(self) -> bool:
        return (self.then - self.now) * self.movable.quieter > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """All proposals, and the rules that a person should look at."""

    proposals: tuple[Proposal, ...]
    doubtful: tuple[Precision, ...]  #: rules that are mostly dismissed

    @property
    def changes(self) -> tuple[Proposal, ...]:
        return tuple(one for one in self.proposals if one.moves)

    def applied(self, moved: Moved) -> dict[str, dict[str, float]]:
        """What holds once the changes are made."""
        made = {channel: dict(some) for channel, some in moved.items()}
        for one in self.changes:
            made.setdefault(one.channel, {})[one.movable.name] = one.then
        return made


@dataclass(slots=True)
class _Cases:
    """Judged cases that hang on one threshold of one channel."""

    confirmed: list[float] = field(default_factory=list)  #: scores
    dismissed: list[tuple[float, int]] = field(default_factory=list)  #: scores, mails sent
    mails: int = 0


def learn(
    connection: sa.Connection,
    *,
    engine: Engine,
    defaults: Mapping[str, float],
    book: Rulebook,
    now: datetime,
) -> Lesson:
    """Reads only. `defaults` are the thresholds that settings give, by the names in MOVABLE."""
    heard = _Hearing(connection, engine, book, now)
    moved = stored(connection)
    cases = _judged_cases(connection, now - PAST, heard)
    proposals = []
    for (channel, name), some in sorted(cases.items()):
        movable = next(one for one in MOVABLE if one.name == name)
        here = moved.get(channel, {}).get(name, defaults[name])
        if defaults[name] < 1:
            proposals.append(_proposal(channel, movable, here, some, heard))
    doubtful = tuple(
        one
        for one in precision_of(connection, since=now - PAST).values()
        if one.is_enough and one.high < POOR
    )
    return Lesson(proposals=tuple(proposals), doubtful=doubtful)


def _proposal(
    channel: str, movable: Movable, here: float, cases: _Cases, heard: _Hearing
) -> Proposal:
    good, bad = len(cases.confirmed), len(cases.dismissed)
    said: dict[str, Any] = {
        "channel": channel, "movable": movable, "now": here, "confirmed": good, "dismissed": bad,
    }  # fmt: skip
    low, high = interval(good, good + bad)
    if good + bad < ENOUGH:
        return Proposal(**said, then=here, why=f"不足{ENOUGH}件，不调整")
    sign = movable.quieter
    if high < POOR:
        # No further than the least certain of the confirmed ones, which is still pointed at.
        ends = [here + sign * movable.step, movable.highest if sign > 0 else movable.lowest]
        ends += cases.confirmed if sign > 0 else [score + 1e-6 for score in cases.confirmed]
        then = _rounded(min(ends) if sign > 0 else max(ends), sign)
        if (then - here) * sign <= 0:
            return Proposal(**said, then=here, why="再收紧会漏掉属实的，请改规则")
        gone = [mails for score, mails in cases.dismissed if (score - then) * sign < 0]
        return Proposal(
            **said, then=then, saved=len(gone), mails_saved=sum(gone), why="多数不属实，收紧一步"
        )
    if low > GOOD:
        limit = movable.lowest if sign > 0 else movable.highest
        then = _rounded(
            max(here - movable.step, limit) if sign > 0 else min(here + movable.step, limit), sign
        )
        if (here - then) * sign <= 0:
            return Proposal(**said, then=here, why="已到最灵敏")
        more = heard.between(channel, then, here)
        each = cases.mails / max(1, good + bad)
        return Proposal(
            **said,
            then=then,
            more=more,
            mails_more=round(more * each),
            why="绝大多数属实，放宽一步",
        )
    return Proposal(**said, then=here, why="准确率适中，不调整")


def _rounded(value: float, sign: int) -> float:
    """Two places, never beyond the value itself: what was confirmed stays on this side."""
    hundredths = int(value * 100 + 1e-9)
    if sign < 0 and hundredths / 100 < value - 1e-9:
        hundredths += 1
    return hundredths / 100


def _judged_cases(
    connection: sa.Connection, since: datetime, heard: _Hearing
) -> dict[tuple[str, str], _Cases]:
    ruled = {
        item: ruling
        for item, ruling in rulings(connection, since=since).items()
        if ruling is not Ruling.WAITING
    }
    reasons = _reasons(connection)  # what a graver rule flagged hangs on no threshold
    chosen = {
        item: names for item, names in reasons.items() if item in ruled and names <= heard.weighed
    }
    made: dict[tuple[str, str], _Cases] = defaultdict(_Cases)
    rows = _first_posts(connection, chosen)
    mails = _mails(connection, chosen)
    for row, score in zip(rows, heard.scores(rows), strict=True):
        if score is None:
            continue
        some = made[row.channel, _COMPLAINTS]
        some.mails += mails.get(row.item, 0)
        if ruled[row.item] is Ruling.CONFIRMED:
            some.confirmed.append(score)
        else:
            some.dismissed.append((score, mails.get(row.item, 0)))
    return made


def _reasons(connection: sa.Connection) -> dict[int, set[str]]:
    """item → names of what flagged it; what is about a danger is in nobody's list."""
    rows = connection.execute(
        sa.select(item_posts.c.item, findings.c.stage, findings.c.rule, findings.c.topic)
        .join(assessments, assessments.c.id == findings.c.assessment)
        .join(item_posts, item_posts.c.post == findings.c.post)
        .where(findings.c.level.is_not(None), findings.c.stage != "level", assessments.c.flagged)
        .distinct()
    ).all()
    made: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        safe = row.topic in _SAFE
        made[row.item].add(row.rule if safe else f"grave:{row.rule}")
    return made


def _first_posts(connection: sa.Connection, chosen: Iterable[int]) -> Sequence[Any]:
    wanted = sorted(chosen)
    rows: list[Any] = []
    for first in range(0, len(wanted), 500):  # SQLite takes no more variables than it takes
        rows += connection.execute(
            sa.select(
                items.c.id.label("item"), posts.c.channel, posts.c.kind, posts.c.role,
                posts.c.title, posts.c.text,
            )
            .join(posts, posts.c.id == items.c.post)
            .where(items.c.id.in_(wanted[first : first + 500]))
            .order_by(items.c.id)
        ).all()  # fmt: skip
    return rows


def _mails(connection: sa.Connection, chosen: Iterable[int]) -> dict[int, int]:
    rows = connection.execute(
        sa.select(notices.c.item, sa.func.count().label("mails"))
        .where(notices.c.item.is_not(None), notices.c.state == "sent")
        .group_by(notices.c.item)
    ).all()
    wanted = set(chosen)
    return {row.item: row.mails for row in rows if row.item in wanted}


class _Hearing:
    """Hears stored posts again with the model of today."""

    def __init__(
        self, connection: sa.Connection, engine: Engine, book: Rulebook, now: datetime
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._book = book
        self._listener = Listener()
        self._now = now
        self.weighed = complaint_rules(book) | {_POINTED}

    def scores(self, rows: Sequence[Any]) -> list[float | None]:
        """The highest threshold with which each is told of; None where that is no matter."""
        subjects = self._heard(rows)
        names = [rule.name for rule in self._book.rules]
        hits = [{names[one.rule] for one in some} for some in self._book.sift(subjects)]
        cuts = concern.shipped_cuts()
        concern.weigh_all(subjects, hits, lambda channel: cuts)
        opinions = map(concern.opinion_on, subjects)
        return [None if one is None else one.complaint_up_to for one in opinions]

    def between(self, channel: str, then: float, here: float) -> int:
        """Unflagged posts of the last 30 days that the new threshold would point at."""
        current = sa.and_(
            assessments.c.post == posts.c.id, assessments.c.version == posts.c.version
        )
        query = (
            sa.select(posts.c.channel, posts.c.kind, posts.c.role, posts.c.title, posts.c.text)
            .join(assessments, current)
            .where(
                posts.c.channel == channel,
                posts.c.role == Role.PUBLIC.value,
                posts.c.captured_at >= self._now - _LATELY,
                assessments.c.flagged == sa.false(),
            )
            .order_by(posts.c.id.desc())
            .limit(_LOOKED)
        )
        rows = self._connection.execute(query).all()
        low, high = min(then, here), max(then, here)
        return sum(score is not None and low <= score < high for score in self.scores(rows))

    def _heard(self, rows: Sequence[Any]) -> list[Subject]:
        subjects = read_all(
            [
                Subject(
                    text=text_of(row.title, row.text),
                    title=row.title,
                    kind=Kind(row.kind),
                    role=Role(row.role),
                    channel=row.channel,
                )
                for row in rows
            ]
        )
        verdicts = judged(self._engine, subjects)
        heard = [
            subject.having(leaning=verdict.leaning) if verdict.leaning else subject
            for subject, verdict in zip(subjects, verdicts, strict=True)
        ]
        return self._listener.lean(heard)


def beginnings(stages: Mapping[str, Any]) -> dict[str, float]:
    """The thresholds that settings give, by the names in MOVABLE; `stages` as in Settings."""
    known = stage_options()
    made = {}
    for one in MOVABLE:
        stage, _, option = one.name.partition(".")
        given = stages.get(stage)
        options = (
            given if isinstance(given, BaseModel) else known[stage].model_validate(given or {})
        )
        made[one.name] = float(getattr(options, option))
    return made


def complaint_rules(book: Rulebook) -> frozenset[str]:
    """Rules that verdicts may quieten: those about complaints alone that are weighed."""
    return frozenset(
        one.name
        for one in book.rules
        if one.topic is Topic.COMPLAINT and (one.rule.weak or concern.is_known(one.name))
    )
