"""时限: how long each stage may last, with where the number comes from.

First version: natural time only, as facts/lifecycle §8 proposes; where the proposal counts
working hours, `longest` is the natural time after which it is late beyond any doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from store.records import Level, State

_OPINION = "国办发〔2016〕61号"
_RULES = "国办发〔2016〕80号"
_PROPOSED = "建议值，可由本单位调整"


@dataclass(frozen=True, slots=True)
class Due:
    """One limit. Counted from discovery, or else from when the stage began."""

    stage: State
    label: str  #: 研判, 报告 …
    words: str  #: 15分钟内, 4个工作小时内
    longest: timedelta
    from_discovery: bool
    working: bool  #: the words count working time; the instant is only a bound
    source: str

    def instant(self, discovered_at: datetime, began_at: datetime) -> datetime:
        return (discovered_at if self.from_discovery else began_at) + self.longest


def due_of(state: State, level: Level) -> Due | None:
    """The limit of one stage at one level; None where none is set."""
    return _DUES.get((state, level))


def dues_of(level: Level) -> list[Due]:
    """The limits a reader of the first alert should know: assess, report, reply."""
    return [_DUES[(state, level)] for state in (State.TO_ASSESS, State.TO_REPORT, State.HANDLING)]


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def _hours(number: int) -> timedelta:
    return timedelta(hours=number)


def _days(number: int) -> timedelta:
    return timedelta(days=number)


def _row(
    stage: State, label: str, from_discovery: bool, *cells: tuple[str, timedelta, bool, str]
) -> dict[tuple[State, Level], Due]:
    return {
        (stage, level): Due(stage, label, words, longest, from_discovery, working, source)
        for level, (words, longest, working, source) in zip(Level, cells, strict=True)
    }


_DUES: dict[tuple[State, Level], Due] = {
    **_row(
        State.TO_ASSESS,
        "研判",
        False,
        ("10分钟内", _minutes(10), False, _PROPOSED),
        ("15分钟内", _minutes(15), False, _PROPOSED),
        ("30分钟内", _minutes(30), False, _PROPOSED),
        ("4个工作小时内", _days(3), True, _PROPOSED),
    ),
    **_row(
        State.TO_REPORT,
        "报告",
        True,
        ("发现后30分钟内", _minutes(30), False, _PROPOSED),
        ("发现后1小时内", _hours(1), False, _PROPOSED),
        ("发现后2小时内", _hours(2), False, _PROPOSED),
        ("1个工作日内", _days(4), True, _PROPOSED),
    ),
    **_row(
        State.TO_RECEIVE,
        "签收",
        False,
        ("15分钟内", _minutes(15), False, _PROPOSED),
        ("30分钟内", _minutes(30), False, _PROPOSED),
        ("2小时内", _hours(2), False, _PROPOSED),
        ("4个工作小时内", _days(3), True, _PROPOSED),
    ),
    **_row(
        State.HANDLING,
        "回应",
        True,
        ("发现后5小时内发布权威信息", _hours(5), False, _RULES),
        ("发现后24小时内", _hours(24), False, _OPINION),
        ("发现后48小时内", _hours(48), False, _OPINION),
        ("5个工作日内", _days(9), True, _PROPOSED),
    ),
    **_row(
        State.TO_REVIEW,
        "审核",
        False,
        ("1小时内", _hours(1), False, _PROPOSED),
        ("2小时内", _hours(2), False, _PROPOSED),
        ("1个工作日内", _days(4), True, _PROPOSED),
        ("2个工作日内", _days(5), True, _PROPOSED),
    ),
}
