"""重点时段: while one is on, the leader in charge hears of a grave case as the office does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from alerts.cases import Case
from alerts.dutywork import Duty
from alerts.opening import Also
from alerts.routing import Route
from config.keydates import in_force
from config.roster import Rank
from config.settings import split_recipient
from store.records import Level


def leader_too(duty: Callable[[], Duty]) -> Also:
    """带班领导 on duty, for Ⅰ to Ⅲ, on key dates that ask for it."""

    def also(case: Case, now: datetime) -> list[Route]:
        at = duty()
        watch = in_force(at.settings.keydates, now, at.calendar)
        if watch is None or not watch.leader or case.level is Level.IV:
            return []
        return [
            Route(
                recipient=recipient,
                transport=transport,
                office="",
                why=f"正值{'、'.join(watch.names)}，同时通知当班带班领导{person.name}",
            )
            for person in at.roster.on_duty(now, Rank.LEADER)
            for transport, recipient in map(split_recipient, person.addresses)
        ]

    return also
