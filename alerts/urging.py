"""Who is told at a rung of the chain: one line of the ledger, one notice a person, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.cases import latest, raise_alarm
from alerts.deadlines import PROGRESS, REPEATED, Rung, Urge
from alerts.notices import owe
from alerts.visits import Work
from config.clock import shown
from config.roster import CHAIN, Rank
from config.settings import split_recipient
from store.ledger import append
from store.records import Level, Topic
from store.tables import promises

#: Beyond the highest rung number, so that a stage begun anew has rungs of its own.
TURN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    addresses: tuple[tuple[str, str, str], ...]  #: recipient, transport, office
    why: str
    asked: Rank
    reached: str
    alarm: bool


def recipients(work: Work, rank: Rank) -> Told:
    if rank is Rank.OFFICE:
        office = next((one for one in work.settings.offices if one.id == work.item.office), None)
        if office is not None:
            return Told(
                addresses=tuple(
                    (recipient, transport, office.id)
                    for transport, recipient in map(split_recipient, office.addresses)
                ),
                why=f"{work.item.number} 由{office.name}办理",
                asked=rank,
                reached=rank.value,
                alarm=False,
            )
        rank = Rank.OFFICER  # nobody has been given it: whoever is on duty must see to that
    if work.item.topic is Topic.SYSTEM and CHAIN.index(rank) > CHAIN.index(Rank.LEADER):
        rank = Rank.LEADER  # a fault of the service is not mended by the head of office
    reached = work.roster.reachable(work.now, rank)
    return Told(
        addresses=tuple(
            (recipient, transport, "")
            for transport, recipient in map(split_recipient, reached.addresses)
        ),
        why=reached.why,
        asked=rank,
        reached=reached.reached.value if reached.reached else "fallback",
        alarm=reached.alarm,
    )


def tell(
    work: Work,
    row: Mapping[Any, Any],
    rung: Rung,
    rest: Sequence[Rung],
    *,
    ended: datetime | None = None,
) -> None:
    """One line of the ledger and one notice a person, for one rung, once."""
    told = recipients(work, rung.to)
    missed = [_missed(one) for one in rest if one.number < REPEATED]  # repeats are counted
    detail: dict[str, Any] = {
        "kind": rung.kind.value,
        "stage": row["stage"],
        "turn": row["turn"],
        "rung": rung.number,
        "due_at": row["due_at"].isoformat(),
        "what": rung.why,
        "missed": missed,
        "missed_count": len(rest),
        "asked": told.asked.value,
        "reached": told.reached,
        "why": told.why,
    }
    if ended is not None:
        detail["ended"] = ended.isoformat()
    event = append(
        work.connection,
        item=work.item.id,
        at=work.now,
        kind="reminded" if rung.kind is Urge.REMINDER else "overdue",
        by="系统",
        before=row["stage"],
        after=row["stage"],
        note=f"{rung.why}；通知{told.asked.label}：{told.why}",
        detail={
            **detail,
            "visit": row["visit"],
            "rule": row["rule"],
            "calendar": row["calendar"],
            "source": row["source"],
            "level": row["level"],
            "addresses": [f"{transport}:{to}" for to, transport, _ in told.addresses],
        },
    )
    for recipient, transport, office in told.addresses:
        owe(
            work.connection,
            subject_key=f"item:{work.item.id}",
            stage="progress" if row["stage"] == PROGRESS else rung.kind.value,
            visit=row["visit"],
            rung=row["turn"] * TURN + rung.number,
            recipient=recipient,
            transport=transport,
            office=office,
            item=work.item.id,
            level=work.item.level,
            now=work.now,
            detail={**detail, "event": event},
        )
    work.connection.execute(
        promises.update()
        .where(promises.c.id == row["id"])
        .values(told=max(rung.number, row["told"]), told_at=work.now)
    )
    if told.alarm:
        _alarm_empty(work, told)


def _missed(rung: Rung) -> str:
    kind = "催办" if rung.kind is Urge.REMINDER else f"超时，通知{rung.to.label}"
    return f"{shown(rung.at)} 应发{kind}"


def _alarm_empty(work: Work, told: Told) -> None:
    key = f"roster:{told.asked.value}"
    known = latest(work.connection, f"system:{key}")
    if known is not None and known.state.is_open:
        return
    raise_alarm(
        work.connection,
        work.settings,
        key=key,
        title=f"值班链条缺人：{told.asked.label}通知不到",
        reason=f"{told.why}。请核对值班表，并运行 tinglan check 查看今后14天的空班。",
        level=Level.II,
        now=work.now,
    )
