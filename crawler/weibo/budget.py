"""What the platform itself says of the calls that are left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crawler.weibo.notation import whole

_PER_DAY = {"MINUTES": 1440, "MINUTE": 1440, "HOURS": 24, "HOUR": 24, "DAYS": 1, "DAY": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """`account/rate_limit_status` as far as it can be read."""

    left: int | None = None  #: of the account's and the address's hits, the smaller
    per_day: int | None = None  #: the account's limit, over a day
    reset_at: datetime | None = None


def allowed(found: Any, now: datetime) -> Allowed:
    if not isinstance(found, Mapping):
        return Allowed()
    left = [whole(found.get(name)) for name in ("remaining_user_hits", "remaining_ip_hits")]
    known = [hits for hits in left if hits is not None]
    limit = whole(found.get("user_limit"))
    times = _PER_DAY.get(str(found.get("limit_time_unit", "")).upper())
    reset = whole(found.get("reset_time_in_seconds"))
    return Allowed(
        left=min(known) if known else None,
        per_day=limit * times if limit and times else None,
        reset_at=now + timedelta(seconds=min(reset, 86_400)) if reset else None,
    )
