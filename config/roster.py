"""值班表: who is on duty at a moment, who comes next, and what is wrong with the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from pydantic import Field, model_validator

from config.clock import SHANGHAI
from config.section import Problem, Recipient, Section
from config.workdays import TimeOfDay


class RosterSettings(Section):
    """`[roster]`: the files of the table, when shifts change, and the last resort."""

    fallback: tuple[Recipient, ...] = Field(min_length=1)  #: last resort, and system alarms
    files: tuple[str, ...] = ()  #: .toml or .csv, relative to the settings file
    day_start: TimeOfDay = 8 * 3600 + 1800  #: 白班 begins; so do 带班领导's 24 hours
    night_start: TimeOfDay = 17 * 3600 + 1800  #: 夜班 begins; it lasts until the next day_start

    @model_validator(mode="after")
    def _in_order(self) -> RosterSettings:
        if not self.day_start < self.night_start:
            raise ValueError("night_start: expected a time after day_start")
        return self


class Rank(StrEnum):
    """The chain upwards; 责任处室 stands beside it."""

    OFFICER = "officer"
    LEADER = "leader"
    DEPUTY = "deputy"
    CHIEF = "chief"
    OFFICE = "office"  #: not in the roster: its addresses are the office's

    @property
    def label(self) -> str:
        return _RANK_LABEL[self]


_RANK_LABEL = {
    Rank.OFFICER: "值班员",
    Rank.LEADER: "带班领导",
    Rank.DEPUTY: "分管领导",
    Rank.CHIEF: "主要负责人",
    Rank.OFFICE: "责任处室",
}

#: From the one who watches to the one who answers for everything.
CHAIN = (Rank.OFFICER, Rank.LEADER, Rank.DEPUTY, Rank.CHIEF)


class Shift(StrEnum):
    DAY = "day"
    NIGHT = "night"
    LEADER = "leader"  #: 24 hours from one day_start to the next

    @property
    def label(self) -> str:
        return {"day": "白班", "night": "夜班", "leader": "带班领导"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    rank: Rank
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in one shift, with where it is written."""

    name: str
    file: str
    key: str


@dataclass(frozen=True, slots=True)
class Leave:
    first: date
    last: date
    entry: Entry


@dataclass(frozen=True, slots=True)
class Swap:
    out: Entry
    come: Entry  #: who stands in


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain at one moment."""

    rank: Rank
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Who is told, and why these; to be stored with the event as it stands."""

    asked: Rank
    reached: Rank | None  #: None: nobody in the chain, only the fallback
    people: tuple[Person, ...]
    addresses: tuple[str, ...]
    why: str
    alarm: bool  #: somebody who should be there is not: raise a system alarm

    @property
    def escalated(self) -> bool:
        return self.reached is not self.asked


@dataclass(frozen=True, slots=True)
class Roster:
    """The table as it was read. Nothing in it raises: what is wrong is in `problems`."""

    settings: RosterSettings
    people: Mapping[str, Person] = field(default_factory=dict)
    weekly: Mapping[tuple[int, Shift], tuple[Entry, ...]] = field(default_factory=dict)
    dated: Mapping[tuple[date, Shift], tuple[Entry, ...]] = field(default_factory=dict)
    swaps: Mapping[tuple[date, Shift], tuple[Swap, ...]] = field(default_factory=dict)
    leaves: tuple[Leave, ...] = ()
    found: tuple[Problem, ...] = ()  #: while reading

    def shift_at(self, moment: datetime) -> tuple[date, Shift]:
        """The duty day and 白班 or 夜班; after midnight it is still the night of the day before."""
        local = moment.astimezone(SHANGHAI)
        second = local.hour * 3600 + local.minute * 60 + local.second
        if second < self.settings.day_start:
            return local.date() - timedelta(days=1), Shift.NIGHT
        return local.date(), Shift.DAY if second < self.settings.night_start else Shift.NIGHT

    def next_switch(self, moment: datetime) -> datetime:
        """The next change of shift after `moment`, UTC: when 交接班 is due."""
        day = moment.astimezone(SHANGHAI).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        switches = (
            midnight + timedelta(days=extra, seconds=second)
            for extra in (0, 1)
            for second in (self.settings.day_start, self.settings.night_start)
        )
        return next(at.astimezone(UTC) for at in switches if at > moment)

    def last_switch(self, moment: datetime) -> datetime:
        """The change of shift at or before `moment`, UTC: since when this shift is on."""
        day, shift = self.shift_at(moment)
        second = self.settings.day_start if shift is Shift.DAY else self.settings.night_start
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        return (midnight + timedelta(seconds=second)).astimezone(UTC)

    def on_duty(self, moment: datetime, role: Rank) -> tuple[Person, ...]:
        """Who holds that role now, in the order written; those on leave are left out.

        分管领导 and 主要负责人 are on duty always. So are 值班员 and 带班领导 where no shift of
        theirs is written at all. Raises ValueError for 责任处室, which has no roster.
        """
        if role not in CHAIN:
            raise ValueError(f"{role.label} has no place in the roster; ask the offices")
        day, shift = self.shift_at(moment)
        if role is Rank.LEADER:
            shift = Shift.LEADER
        if not self._has_shifts(role):
            return tuple(
                person
                for person in self.people.values()
                if person.rank is role and not self._away(person.name, day)
            )
        names = dict.fromkeys(entry.name for entry in self.slot(day, shift))
        return tuple(
            self.people[name] for name in names if name in self.people and not self._away(name, day)
        )

    def chain(self, moment: datetime) -> tuple[Step, ...]:
        """值班员 → 带班领导 → 分管领导 → 主要负责人, as it stands at the moment."""
        return tuple(Step(rank, self.on_duty(moment, rank)) for rank in CHAIN)

    def reachable(self, moment: datetime, rung: Rank) -> Recipients:
        """Who is told when `rung` is to be told.

        Where nobody there can be reached, the next rung up at once and the fallback besides;
        where nobody above can be either, the fallback alone. Never empty: the fallback is a
        required setting.
        """
        if rung not in CHAIN:
            raise ValueError(f"{rung.label} has no place in the roster; ask the offices")
        skipped: list[str] = []
        for rank in CHAIN[CHAIN.index(rung) :]:
            people = self.on_duty(moment, rank)
            able = tuple(person for person in people if person.addresses)
            if able:
                return self._reached(rung, rank, people, able, skipped)
            names = "、".join(person.name for person in people)
            skipped.append(
                f"{rank.label}（{names}）没有可用地址" if names else f"{rank.label}此时无人当班"
            )
        return Recipients(
            asked=rung,
            reached=None,
            people=(),
            addresses=tuple(dict.fromkeys(self.settings.fallback)),
            why="；".join([*skipped, "发往兜底地址"]),
            alarm=True,
        )

    def problems(self, from_day: date, days: int = 14) -> list[Problem]:
        """What is wrong with the files, and with each of the next `days` duty days."""
        made = list(self.found)
        made += self._about_people()
        for offset in range(days):
            made += self._about_day(from_day + timedelta(days=offset))
        return made

    def slot(self, day: date, shift: Shift) -> tuple[Entry, ...]:
        """The names of one shift after swaps; a dated line stands in place of the weekly ones."""
        entries = self.dated.get((day, shift))
        if entries is None:
            entries = self.weekly.get((day.isoweekday(), shift), ())
        for swap in self.swaps.get((day, shift), ()):
            entries = tuple(
                swap.come if entry.name == swap.out.name else entry for entry in entries
            )
        return entries

    def _reached(
        self,
        asked: Rank,
        rank: Rank,
        people: tuple[Person, ...],
        able: tuple[Person, ...],
        skipped: list[str],
    ) -> Recipients:
        addresses = [address for person in able for address in person.addresses]
        why = [*skipped]
        if skipped:
            addresses += self.settings.fallback
            why.append(f"改发{rank.label} {_names(able)}，并抄送兜底地址")
        else:
            why.append(f"当班{rank.label} {_names(able)}")
        silent = [person for person in people if not person.addresses]
        if silent:
            why.append(f"{_names(silent)}没有可用地址，未能发送")
        return Recipients(
            asked=asked,
            reached=rank,
            people=able,
            addresses=tuple(dict.fromkeys(addresses)),
            why="；".join(why),
            alarm=bool(skipped or silent),
        )

    def _away(self, name: str, day: date) -> bool:
        return any(
            leave.entry.name == name and leave.first <= day <= leave.last for leave in self.leaves
        )

    def _has_shifts(self, role: Rank) -> bool:
        if role in {Rank.DEPUTY, Rank.CHIEF}:
            return False
        wanted = {Shift.LEADER} if role is Rank.LEADER else {Shift.DAY, Shift.NIGHT}
        return any(shift in wanted for _, shift in (*self.weekly, *self.dated))

    def _about_people(self) -> Iterator[Problem]:
        """Unknown names and steps of the chain that nobody holds, once each."""
        named = (
            *(entry for entries in self.weekly.values() for entry in entries),
            *(entry for entries in self.dated.values() for entry in entries),
            *(entry for swaps in self.swaps.values() for s in swaps for entry in (s.out, s.come)),
            *(leave.entry for leave in self.leaves),
        )
        for entry in dict.fromkeys(named):
            if entry.name not in self.people:
                yield Problem(
                    entry.file, entry.key, f"人员“{entry.name}”", "[[people]] 中登记过的姓名"
                )
        for (day, shift), swaps in self.swaps.items():
            rostered = self.dated.get((day, shift)) or self.weekly.get(
                (day.isoweekday(), shift), ()
            )
            for swap in swaps:
                if all(entry.name != swap.out.name for entry in rostered):
                    yield Problem(
                        swap.out.file,
                        swap.out.key,
                        f"{swap.out.name}不在{day.isoformat()}{shift.label}上",
                        "换出的人当天在该班次上",
                        day,
                    )
        for rank in CHAIN:
            if not self._has_shifts(rank) and not any(
                person.rank is rank for person in self.people.values()
            ):
                yield Problem(self._file(), f"people（{rank.label}）", "没有人", "至少一人，附地址")

    def _about_day(self, day: date) -> Iterator[Problem]:
        for rank, shifts in (
            (Rank.OFFICER, (Shift.DAY, Shift.NIGHT)),
            (Rank.LEADER, (Shift.LEADER,)),
        ):
            if self._has_shifts(rank):
                for shift in shifts:
                    yield from self._about_slot(day, shift)
        for rank in CHAIN:
            holders = [p for p in self.people.values() if p.rank is rank]
            if holders and not self._has_shifts(rank):
                here = [p for p in holders if p.addresses and not self._away(p.name, day)]
                if not here:
                    yield Problem(
                        self._file(),
                        f"{day.isoformat()} {rank.label}",
                        f"{_names(holders)}均请假或没有地址",
                        "至少一人可以通知到",
                        day,
                    )
        leaders = {entry.name for entry in self.slot(day, Shift.LEADER)}
        for shift in (Shift.DAY, Shift.NIGHT):
            for entry in self.slot(day, shift):
                if entry.name in leaders:
                    yield Problem(
                        entry.file,
                        entry.key,
                        f"{entry.name}在{day.isoformat()}同时排了{shift.label}和带班领导",
                        "两个人，否则催办升级后仍是同一人",
                        day,
                    )

    def _about_slot(self, day: date, shift: Shift) -> Iterator[Problem]:
        entries = self.slot(day, shift)
        place = f"{day.isoformat()} {shift.label}"
        if not entries:
            yield Problem(
                self._file(), place, "没有排班", "至少一人（空班期间直接通知上一级）", day
            )
            return
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen:
                yield Problem(
                    entry.file, entry.key, f"{entry.name}在{place}重复", "每班每人写一次", day
                )
            seen.add(entry.name)
            if self._away(entry.name, day):
                yield Problem(
                    entry.file,
                    entry.key,
                    f"{entry.name}在{place}请假",
                    "换班（[[swap]]）或改排他人",
                    day,
                )
            person = self.people.get(entry.name)
            if person and not person.addresses:
                yield Problem(
                    entry.file, entry.key, f"{place} {person.name}没有地址", "至少一个可用地址", day
                )
        able = [
            name
            for name in seen
            if name in self.people and self.people[name].addresses and not self._away(name, day)
        ]
        if not able:
            first = entries[0]
            yield Problem(
                first.file,
                f"{place}（{first.key}）",
                "空班：所排人员均不能通知到",
                "至少一人可以通知到（空班期间直接通知上一级）",
                day,
            )

    def _file(self) -> str:
        return self.settings.files[0] if self.settings.files else "[roster] files"


def _names(people: Iterable[Person]) -> str:
    return "、".join(person.name for person in people)
