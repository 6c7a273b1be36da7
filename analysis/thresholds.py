"""Thresholds that differ by channel because duty staff's verdicts moved them, and their history.

Settings say where every channel begins; what is stored here is how far one has moved. A few
thresholds may move, each within its bounds: none of them can quieten a danger to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # `tinglan assess` asks for thresholds and has no database
    import sqlalchemy as sa

_NAME: Final = "thresholds"
_REMEMBERED: Final = 20  #: changes that can be undone one by one

Moved = Mapping[str, Mapping[str, float]]  #: channel → name → value


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """One threshold that learning may move."""

    name: str  #: stage.option
    label: str  #: Chinese
    lowest: float
    highest: float
    step: float  #: at most so far in one go
    quieter: int  #: +1: a higher value points less often; -1: a lower one


MOVABLE: Final = (
    Movable(
        name="rules.complaint_from", label="投诉提醒",
        lowest=0.3, highest=0.95, step=0.05, quieter=1,
    ),
)  # fmt: skip


class Thresholds:
    """What stages ask for; `refresh` reads what was stored since."""

    def __init__(self, moved: Moved | None = None) -> None:
        self._moved: Moved = moved or {}

    def of(self, channel: str, name: str, default: float) -> float:
        """1 in settings means never, and stays so."""
        if default >= 1:
            return default
        return self._moved.get(channel, {}).get(name, default)

    def refresh(self, connection: sa.Connection) -> None:
        self._moved = stored(connection)


def stored(connection: sa.Connection) -> Moved:
    from store.facts import fact

    value = fact(connection, _NAME)
    return {
        str(channel): {str(name): float(one) for name, one in some.items()}
        for channel, some in value.get("moved", {}).items()
    }


def store(
    connection: sa.Connection,
    moved: Moved,
    *,
    by: str,
    via: str,
    note: str,
    now: datetime,
) -> None:
    """Puts these in force, in the caller's transaction: with a line in the ledger, undoable."""
    from store.facts import fact, put_fact

    value = fact(connection, _NAME)
    before = value.get("moved", {})
    history = [*value.get("history", []), before][-_REMEMBERED:]
    put_fact(connection, _NAME, {"moved": moved, "history": history}, now)
    _record(connection, before, moved, by=by, via=via, note=note, now=now)


def undo(connection: sa.Connection, *, by: str, via: str, now: datetime) -> Moved | None:
    """Takes the last change back and answers what holds now; None where there is none."""
    from store.facts import fact, put_fact

    value = fact(connection, _NAME)
    history = list(value.get("history", []))
    if not history:
        return None
    before, after = value.get("moved", {}), history.pop()
    put_fact(connection, _NAME, {"moved": after, "history": history}, now)
    _record(connection, before, after, by=by, via=via, note="撤销上一次界限调整", now=now)
    return stored(connection)


def _record(
    connection: sa.Connection,
    before: Any,
    after: Any,
    *,
    by: str,
    via: str,
    note: str,
    now: datetime,
) -> None:
    from store.ledger import append

    detail = {"before": before, "after": after}
    append(
        connection, item=None, at=now, kind="thresholds", by=by, via=via, note=note, detail=detail
    )
