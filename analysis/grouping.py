"""`tinglan group`: JSON Lines in, the event of each line out, in order; stores nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from analysis import limits
from analysis.events import EventIndex

__all__ = ["group_lines"]


def group_lines(lines: Iterable[str], places: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """`{"id", "event"}` a line; a line that cannot be used is answered with its error.

    Events are numbered e1, e2 … as they first appear. `places`: names of units and places that
    settings know, beside those the general pattern finds.
    """
    index = EventIndex(places=places)
    names: dict[Any, str] = {}
    for number, line in enumerate(lines, start=1):
        try:
            id, text, at = _read(line)
        except _LineWrong as error:
            yield {"id": error.id, "error": f"line {number}: {error}"}
            continue
        event = index.add(number, text, at).event
        yield {"id": id, "event": names.setdefault(event, f"e{len(names) + 1}")}


class _LineWrong(Exception):
    def __init__(self, why: str, id: Any = None) -> None:
        super().__init__(why)
        self.id = id


def _read(line: str) -> tuple[Any, str, datetime | None]:
    if len(line) > limits.LINE_BYTES:
        raise _LineWrong(f"found {len(line)} characters, expected at most {limits.LINE_BYTES}")
    if any("\udc80" <= c <= "\udcff" for c in line):
        raise _LineWrong("found bytes that are not UTF-8, expected UTF-8")
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise _LineWrong(f"found no JSON ({said}), expected one JSON object") from None
    if not isinstance(raw, dict):
        raise _LineWrong(f"found a {type(raw).__name__}, expected a JSON object")
    id = raw.get("id")
    if "id" not in raw or isinstance(id, dict | list):
        raise _LineWrong("id: found nothing usable, expected text or a number")
    text = raw.get("text")
    if not isinstance(text, str):
        found = "nothing" if "text" not in raw else f"a {type(text).__name__}"
        raise _LineWrong(f"text: found {found}, expected text", id)
    return id, text, _moment(raw.get("published_at"), id)


def _moment(value: Any, id: Any) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("no offset")
    except (TypeError, ValueError):
        raise _LineWrong(
            f"published_at: found {value!r}, expected ISO 8601 such as 2026-11-22T08:00:00+08:00",
            id,
        ) from None
    return at
