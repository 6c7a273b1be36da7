"""Lengths of time as people write them in settings: 30s, 5m, 2h, 1d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM = re.compile(r"(\d{1,6})\s*([smhd])")


def parse(text: Any) -> timedelta:
    """A positive duration. Raises ValueError saying what was expected."""
    if isinstance(text, timedelta):
        return text
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError('expected a duration such as "30s", "5m", "2h" or "1d"')
    return timedelta(seconds=int(found[1]) * _UNIT[found[2]])


def written(value: timedelta) -> str:
    """The shortest exact way to write it."""
    seconds = int(value.total_seconds())
    for unit in "dhm":
        if seconds and seconds % _UNIT[unit] == 0:
            return f"{seconds // _UNIT[unit]}{unit}"
    return f"{seconds}s"


def spoken(value: timedelta) -> str:
    """In Chinese, coarse: 45秒, 12分钟, 3小时05分, 2天4小时."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < 60:
        return f"{seconds}秒"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 60:
        return f"{minutes}分钟"
    if hours < 24:
        rest = minutes % 60
        return f"{hours}小时{rest:02d}分" if rest else f"{hours}小时"
    rest = hours % 24
    return f"{hours // 24}天{rest}小时" if rest else f"{hours // 24}天"


Duration = Annotated[timedelta, BeforeValidator(parse), PlainSerializer(written)]
