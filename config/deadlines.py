"""How long each stage may last at each level, where the number comes from, and who is told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from config.duration import Duration, parse
from config.section import Section
from config.workdays import Hours
from store.records import Level, State

#: The stages with a limit, in the order an item takes them; `progress` is a note while handling.
STAGES = ("to_assess", "to_report", "to_receive", "handling", "to_review", "progress")

Clock = Literal["natural", "working"]
Since = Literal["discovery", "entry"]

_PROPOSED = "建议值，由本单位核定"
_OPINION = "国办发〔2016〕61号：对涉及特别重大、重大突发事件以外的其他政务舆情，48小时内予以回应"
_RULES = (
    "国办发〔2016〕80号：对涉及特别重大、重大突发事件的政务舆情，最迟5小时内发布权威信息"
    "（国办发〔2016〕61号：最迟24小时内举行新闻发布会）"
)


def _length(text: str) -> str:
    if not parse(text):
        raise ValueError("expected a duration longer than nothing")
    return re.sub(r"\s", "", text)


class Limit(Section):
    """One limit: `30m`, `4h`, `1d`; where the clock is working time, a day is a working day."""

    limit: Annotated[str, AfterValidator(_length)]
    clock: Clock = "natural"
    since: Since = Field(default="entry", validation_alias="from", serialization_alias="from")
    source: str = Field(min_length=2, max_length=200)  #: the document, or 建议值

    @property
    def working(self) -> bool:
        return self.clock == "working"

    @property
    def natural(self) -> timedelta:
        """Its length read as natural time."""
        return parse(self.limit)

    def length(self, hours: Hours) -> timedelta:
        """In time of its own clock."""
        number, unit = int(self.limit[:-1]), self.limit[-1]
        return hours.day * number if self.working and unit == "d" else self.natural

    @property
    def words(self) -> str:
        """发现后2个工作小时内, 15分钟内; the number stays as the document has it."""
        number, unit = self.limit[:-1], self.limit[-1]
        if self.working and unit in "hd":
            amount = f"{number}个工作{'小时' if unit == 'h' else '日'}"
        else:
            amount = number + {"s": "秒", "m": "分钟", "h": "小时", "d": "天"}[unit]
            amount += "（工作时间）" if self.working else ""
        return f"{'发现后' if self.since == 'discovery' else ''}{amount}内"


class LevelLimits(Section):
    """The limits of one level."""

    to_assess: Limit
    to_report: Limit
    to_receive: Limit
    handling: Limit
    to_review: Limit
    progress: Limit | None = None  #: false: no progress note is asked for

    def of(self, stage: str) -> Limit | None:
        """Raises KeyError where `stage` is not one of STAGES."""
        if stage not in STAGES:
            raise KeyError(stage)
        found: Limit | None = getattr(self, stage)
        return found


def _limits(*cells: str, clock: Clock, reply: Limit) -> LevelLimits:
    assess, report, receive, review, progress = cells

    def limit(text: str, since: Since = "entry") -> Limit:
        return Limit(limit=text, clock=clock, since=since, source=_PROPOSED)

    return LevelLimits(
        to_assess=limit(assess),
        to_report=limit(report, "discovery"),
        to_receive=limit(receive),
        handling=reply,
        to_review=limit(review),
        progress=limit(progress) if progress else None,
    )


def _reply(text: str, source: str, clock: Clock = "natural") -> Limit:
    return Limit(limit=text, clock=clock, since="discovery", source=source)


#: As shipped. 80号 speaks of 特别重大 and 重大 alike, so both Ⅰ and Ⅱ have its five hours; the 48
#: hours of 61号 do not stop for a holiday, so they are natural time although Ⅲ counts working time.
DEFAULTS: dict[Level, LevelLimits] = {
    Level.I: _limits("10m", "30m", "15m", "1h", "1h", clock="natural", reply=_reply("5h", _RULES)),
    Level.II: _limits("15m", "1h", "30m", "2h", "2h", clock="natural", reply=_reply("5h", _RULES)),
    Level.III: _limits(
        "30m", "2h", "2h", "1d", "1d", clock="working", reply=_reply("48h", _OPINION)
    ),
    Level.IV: _limits(
        "4h",
        "1d",
        "4h",
        "2d",
        "",
        clock="working",
        reply=_reply(
            "5d", _PROPOSED + "；个别诉求按此办理，研判为政务舆情的应提级，按48小时回应", "working"
        ),
    ),
}

Percent = Annotated[int, Field(ge=100, le=900)]


class Overdue(Section):
    """At which share of the limit, in percent, each rung of the chain is told."""

    leader: Percent = 100  #: 带班领导
    deputy: Percent = 150  #: 分管领导
    chief: Percent = 200  #: 主要负责人

    @model_validator(mode="after")
    def _upwards(self) -> Overdue:
        if self.leader != 100:
            raise ValueError("leader: expected 100: whoever is late, it is told at the limit")
        if not self.leader < self.deputy < self.chief:
            raise ValueError("expected leader < deputy < chief")
        return self


class Deadlines(Section):
    """时限. A given stage replaces the shipped one and must bring its own `limit` and `source`."""

    hours: Hours = Hours()
    I: LevelLimits = DEFAULTS[Level.I]  # noqa: E741
    II: LevelLimits = DEFAULTS[Level.II]
    III: LevelLimits = DEFAULTS[Level.III]
    IV: LevelLimits = DEFAULTS[Level.IV]
    reminders: tuple[Annotated[int, Field(ge=1, le=99)], ...] = (50, 80)  #: percent
    overdue: Overdue = Overdue()
    repeat: Duration = timedelta(hours=24)  #: after the last rung, Ⅲ and Ⅳ
    repeat_urgent: Duration = timedelta(hours=1)  #: the same, Ⅰ and Ⅱ
    #: Percent of a reply limit in natural time by which 研判, 报告 and 签收 must be done, where
    #: theirs is working time: a holiday must not eat the 48 hours before anybody has looked.
    before_reply: int = Field(default=50, ge=10, le=100)
    grace: Duration = timedelta(minutes=5)  #: an open item silent for longer is the auditor's

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            key: _merged(Level(key), value) if key in set(Level) else value
            for key, value in given.items()
        }

    @field_validator("reminders")
    @classmethod
    def _rising(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if list(given) != sorted(set(given)):
            raise ValueError("expected rising percentages such as [50, 80]")
        return given

    @field_validator("I", "II")
    @classmethod
    def _never_sleeps(cls, given: LevelLimits) -> LevelLimits:
        for stage in STAGES:
            limit = given.of(stage)
            if limit is not None and limit.working:
                raise ValueError(
                    f"{stage}.clock: expected natural: 特别重大 and 重大 wait for no office hours"
                )
        return given

    @field_validator("repeat", "repeat_urgent")
    @classmethod
    def _not_a_storm(cls, given: timedelta) -> timedelta:
        if given < timedelta(minutes=10):
            raise ValueError("expected 10m or more")
        return given

    def limits(self, level: Level) -> LevelLimits:
        found: LevelLimits = getattr(self, level.value)
        return found

    def limit(self, stage: State | str, level: Level) -> Limit | None:
        """Of one stage at one level; None where none is set (a progress note, a closed item)."""
        name = stage.value if isinstance(stage, State) else stage
        return self.limits(level).of(name) if name in STAGES else None


def _merged(level: Level, given: Any) -> Any:
    """What an office wrote for one level, over what is shipped."""
    if not isinstance(given, dict):
        return given
    shipped = DEFAULTS[level]
    made: dict[str, Any] = {stage: shipped.of(stage) for stage in STAGES}
    for stage, table in given.items():
        if stage == "progress" and table is False:
            made[stage] = None
        elif stage in STAGES and isinstance(table, dict):
            old = shipped.of(stage)
            rest: dict[str, str] = {"clock": old.clock} if old else {}
            if old and not {"from", "since"} & table.keys():
                rest["from"] = old.since
            made[stage] = {**rest, **table}
        else:
            made[stage] = table
    return made
