"""Where we stand in one list: what is known at its top, and which gaps below are still unread.

Ids grow with time; since_id is exclusive, max_id inclusive. We always ask so that one row
comes that we know already: it proves that nothing lies between, and that an answer with
nothing in it is no answer. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

EMPTY_ENDS = 2  #: empty answers in a row after which a gap's end is believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Unread ground between two known rows."""

    below: int  #: the lowest known row above it; asked for again, and dropped
    stop: int  #: the highest known row below it; 0: to the end of the list
    taken: int = 0  #: rows read in it so far
    empty: int = 0  #: answers in a row with nothing in them
    stuck: bool = False  #: the page repeated the last one; ask for one id less


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A list's durable position."""

    top: int = 0  #: the highest row ever seen; 0: none yet
    gaps: tuple[Gap, ...] = ()  #: newest first
    empty: int = 0  #: readings in a row that found nothing where there was something
    cut: tuple[int, ...] = ()  #: rows whose full text is still owed
    polled_at: datetime | None = None
    whole_at: datetime | None = None  #: when the first page was last read without since_id
    rest_until: datetime | None = None
    rest_why: str = ""

    def packed(self) -> dict[str, Any]:
        row = asdict(self)
        row["gaps"] = [asdict(gap) for gap in self.gaps]
        for name in ("polled_at", "whole_at", "rest_until"):
            value = row[name]
            row[name] = value.isoformat() if value else None
        return row

    @classmethod
    def unpacked(cls, row: Mapping[str, Any]) -> Place:
        """A position as stored; one that cannot be read counts as none."""
        try:
            return cls(
                top=int(row["top"]),
                gaps=tuple(Gap(**gap) for gap in row["gaps"]),
                empty=int(row["empty"]),
                cut=tuple(int(number) for number in row["cut"]),
                polled_at=_moment(row["polled_at"]),
                whole_at=_moment(row["whole_at"]),
                rest_until=_moment(row["rest_until"]),
                rest_why=str(row["rest_why"]),
            )
        except (KeyError, TypeError, ValueError):
            return cls()


def head_params(place: Place, *, whole: bool) -> dict[str, str]:
    """What to ask for to see what is new: everything from the known top on."""
    return {} if whole or not place.top else {"since_id": str(place.top - 1)}


def gap_params(gap: Gap) -> dict[str, str]:
    """What to ask for to read on in a gap."""
    asked = {"max_id": str(gap.below - 1 if gap.stuck else gap.below)}
    return asked | ({"since_id": str(gap.stop - 1)} if gap.stop else {})


def after_head(place: Place, ids: Sequence[int]) -> Place:
    """The place once a first page is stored. `ids` in the platform's order, not empty."""
    top = max(place.top, *ids)
    if place.top and (place.top in ids or ids[-1] <= place.top):
        return replace(place, top=top, empty=0)
    gap = Gap(below=_lowest(ids, place.top), stop=place.top, taken=len(ids))
    return replace(place, top=top, empty=0, gaps=(gap, *place.gaps))


def after_page(gap: Gap, ids: Sequence[int], *, cursor: int = 0, alive: bool) -> Gap | None:
    """The gap once one of its pages is stored; None where it is closed.

    `alive`: other answers of this list had something in them, so an empty one may be true.
    """
    if gap.stop and ids and (gap.stop in ids or ids[-1] <= gap.stop):
        return None
    fresh = [number for number in ids if number < gap.below]
    if fresh:
        return Gap(below=_lowest(fresh, gap.stop), stop=gap.stop, taken=gap.taken + len(fresh))
    if set(ids) == {gap.below}:
        return None  # only the row we know: the list ends here, or what was there is gone
    if 0 < cursor < gap.below:
        return replace(gap, below=cursor, empty=0, stuck=False)
    if ids:  # the last page again
        return replace(gap, stuck=True, empty=0)
    if gap.empty + 1 >= EMPTY_ENDS and alive:
        return None
    return replace(gap, empty=gap.empty + 1)


def _lowest(ids: Sequence[int], floor: int) -> int:
    """The lowest row, leaving out those pinned above newer ones at the head of a page."""
    rest = [number for number in ids if number > floor] or list(ids)
    for pinned in range(min(3, len(rest) - 1)):
        tail = rest[pinned:]
        if all(a > b for a, b in pairwise(tail)):
            return tail[-1]
    return min(rest)


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
