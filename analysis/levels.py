"""Proposes a level from what was found; a person confirms it.

The table below is meant to be read aloud. A rule carries its own level; the floors say what a
combination is at least. Tone never lowers a level and never decides whether a post is flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

from store.records import Finding, Kind, Level, Role, Tone, Topic

HAZARDS: Final = frozenset({Topic.FIRE, Topic.FLOOD, Topic.ACCIDENT})
#: Of the agency's own posts only these are looked at: they are bulletins by construction.
OWN_TOPICS: Final = frozenset({Topic.INTEGRITY, Topic.WARNING_ERROR, Topic.SYSTEM})


@dataclass(frozen=True, slots=True)
class Floor:
    """Where each of these sets has a topic in common with what was found, at least this level."""

    topics: tuple[frozenset[Topic], ...]
    level: Level
    why: str


FLOORS: Final = (
    Floor(
        (HAZARDS, frozenset({Topic.CASUALTY})),
        Level.II,
        "灾情或事故中有人身危险，不论语气，至少为Ⅱ级。",
    ),
    Floor((frozenset({Topic.CASUALTY}),), Level.II, "涉及人员伤亡或求助，至少为Ⅱ级。"),
    Floor(
        (frozenset({Topic.RUMOUR}), HAZARDS | {Topic.WARNING_ERROR}),
        Level.III,
        "传闻涉及灾情或预警，至少为Ⅲ级。",
    ),
    Floor(
        (frozenset({Topic.COMPLAINT}), frozenset({Topic.WARNING_ERROR})),
        Level.III,
        "投诉涉及预警发布，至少为Ⅲ级。",
    ),
)

#: So many different complaint rules, with a negative tone, make a complaint graver by one.
HARSH_RULES: Final = 3


class Proposal(NamedTuple):
    level: Level | None
    flagged: bool
    reasons: tuple[str, ...]  #: Chinese; why the level is not simply the gravest rule's


_NOTHING: Final = Proposal(None, False, ())
_rank: Final = attrgetter("rank")


def propose(
    findings: Sequence[Finding],
    tone: Tone,
    role: Role,
    kind: Kind,
    *,
    key_period: str | bool = False,
) -> Proposal:
    """The level of one post; None and not flagged where nothing found carries a level.

    `key_period`: a key date is on (高考, 汛期 …; its name), everything flagged counts one graver,
    not beyond Ⅱ.
    """
    if not findings:
        return _NOTHING
    counted = [f for f in findings if f.level is not None]
    if role is not Role.PUBLIC:
        counted = [f for f in counted if is_counted(f, role)]
    if not counted:
        return _NOTHING
    level = min({f.level for f in counted if f.level is not None}, key=_rank)
    reasons: list[str] = []
    topics = {f.topic for f in counted}
    for floor in _floors_of(frozenset(topics)):
        if floor.level.rank < level.rank:
            level = floor.level
            reasons.append(floor.why)
    if level is Level.IV and tone is Tone.NEGATIVE and len(counted) >= HARSH_RULES:
        harsh = {f.rule for f in counted if f.topic is Topic.COMPLAINT}
        if len(harsh) >= HARSH_RULES:
            level = Level.III
            reasons.append("多项不满且语气强烈，提为Ⅲ级。")
    if key_period and level in {Level.III, Level.IV}:
        level = Level.II if level is Level.III else Level.III
        name = key_period if isinstance(key_period, str) else "重点时段"
        reasons.append(f"正值{name}，提高一级。")
    return Proposal(level, True, tuple(reasons))


@lru_cache(maxsize=1_000)
def _floors_of(topics: frozenset[Topic | None]) -> tuple[Floor, ...]:
    return tuple(floor for floor in FLOORS if all(group & topics for group in floor.topics))


def is_counted(finding: Finding, role: Role) -> bool:
    """False for what the agency's own posts are not looked at for."""
    return role is Role.PUBLIC or finding.topic in OWN_TOPICS or finding.topic is None


def settle(
    heard: Tone, score: float, findings: Sequence[Finding], role: Role
) -> tuple[Tone, float]:
    """The tone to show, after rules have had their say over the engine.

    The agency's own posts are neutral; thanks with nothing flagged are not negative, whatever
    the engine heard in the words for storm and fire; what reports deaths is not positive.
    """
    if role is Role.OWN:
        return Tone.NEUTRAL, 0.0
    if heard is Tone.UNKNOWN:
        return Tone.UNKNOWN, 0.0
    if not findings:
        return heard, score
    topics = {f.topic for f in findings if f.topic is not None}
    if not topics:
        return heard, score
    flagged = {f.topic for f in findings if f.level is not None}
    if Topic.THANKS in topics and not flagged:
        return Tone.POSITIVE, max(score, 0.5)
    if Topic.COMPLAINT in flagged and Topic.THANKS not in topics:
        return Tone.NEGATIVE, min(score, -0.3)
    if flagged & (HAZARDS | {Topic.CASUALTY, Topic.RUMOUR}) and heard is Tone.POSITIVE:
        return Tone.NEUTRAL, min(score, 0.0)
    return heard, score
