"""How long the authorisation lasts, and who is told before it ends."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.clock import shown
from config.duration import spoken
from crawler.weibo.notation import whole
from store.records import Level

FAR = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Warned:
    """What duty staff are told about the authorisation, once under its key."""

    key: str
    reason: str
    level: Level


def lasts_until(info: Any, now: datetime) -> datetime | None:
    """When the token ends: the smallest of the lifetimes named; None where none is.

    The platform changed the name of the field once, so all of them are read.
    """
    if not isinstance(info, Mapping):
        return None
    left = [_seconds(info.get(name)) for name in ("expire_in", "expires_in", "remind_in")]
    known = [seconds for seconds in left if seconds is not None]
    return now + timedelta(seconds=min(known)) if known else None


def warning(
    channel: str, name: str, until: datetime | None, now: datetime, before: timedelta
) -> Warned | None:
    """What to tell, if it is time: once when the warning time begins, once on the last day."""
    if until is None or until - now > before:
        return None
    day = shown(until)[:10]
    if until <= now:
        return expired(channel, name, day)
    urgent = until - now <= timedelta(days=1)
    return Warned(
        key=f"weibo:{channel}:token:{day}:{'last' if urgent else 'soon'}",
        reason=(
            f"“{name}”的微博授权将于 {shown(until)} 到期（还有{spoken(until - now)}）。"
            "到期后读不到评论和@，请管理员用本单位账号重新授权，并更换访问令牌。"
        ),
        level=Level.II if urgent else Level.III,
    )


def expired(channel: str, name: str, day: str) -> Warned:
    return Warned(
        key=f"weibo:{channel}:token:{day}:over",
        reason=(
            f"“{name}”的微博授权已失效，评论、@和本账号微博都读不到。"
            "请管理员用本单位账号重新授权，并更换访问令牌；换好后从中断处接着读，不会漏。"
        ),
        level=Level.II,
    )


def mark(token: str, key: bytes) -> str:
    """Tells one token from the next without keeping either."""
    return hmac.new(key, b"weibo token\x1f" + token.encode(), hashlib.sha256).hexdigest()[:16]


def _seconds(value: Any) -> int | None:
    """A lifetime; what is past counts as 0."""
    if isinstance(value, str) and value.strip().startswith("-") and value.strip()[1:].isdigit():
        return 0
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return 0
    seconds = whole(value)
    return None if seconds is None else min(seconds, int(FAR.total_seconds()))
