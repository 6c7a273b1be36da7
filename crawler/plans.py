"""What each channel may still ask today, and how often it is really asked; asks nobody.

A kind that counts its calls has, in its module,
`plans(settings: ChannelSettings, database: Database, now: datetime) -> list[Plan]`.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from config.settings import Settings
from crawler.catalogue import channel_kinds
from crawler.quota import Plan
from store.engine import Database

log = logging.getLogger("crawler.plans")


def plans(settings: Settings, database: Database, now: datetime) -> dict[str, list[Plan]]:
    """Channel id → its plans; none for a channel that is disabled or counts nothing."""
    kinds = channel_kinds()
    found = {}
    for channel in settings.channels:
        plan = getattr(kinds.get(channel.kind), "plans", None)
        if plan is None or channel.disabled:
            continue
        try:
            found[channel.id] = plan(channel, database, now)
        except Exception:  # a plug-in may be anybody's file, and status must be shown
            log.exception("plans.failed", extra={"channel": channel.id})
    return found


def as_told(plan: Plan) -> dict[str, Any]:
    """One plan for `status --json`."""
    return {
        "call": plan.call,
        "what": plan.what,
        "per_day": plan.per_day,
        "reserve": plan.reserve,
        "used": plan.used,
        "left": plan.left,
        "every_seconds": round(plan.every.total_seconds()),
        "spacing_seconds": round(max(plan.every, plan.spread).total_seconds()),
        "thinned": plan.thinned,
        "next_at": plan.next_at,
        "why": plan.why,
        "text": plan.text,
    }
