"""One report as its sections see it: figures, words, and where a number leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from alerts.digest.model import Block, Run, Text, note
from config.clock import SHANGHAI
from config.settings import Settings

LATE = 30  #: lines of a list inside the text
_SEEN = 14  #: numbers of the appendix written out in one cell


class Report:
    """One report being written: its figures, its words, and where each number leads."""

    def __init__(
        self,
        row: Mapping[str, Any],
        told: Mapping[str, Any],
        settings: Settings,
        words: Mapping[str, str],
        listed: int,
    ) -> None:
        self.row, self.told, self.settings, self.words = row, told, settings, words
        self.listed = told["items"]["list"][:listed]
        self.base = settings.console.public_url.rstrip("/")
        self.none = f"{words['this']}无"

    def where(self, key: str, value: Any) -> Text:
        """The places in the appendix, as links: 1–3、7."""
        found = [n for n, row in enumerate(self.listed, 1) if row.get(key, "") == value]
        runs: list[Run] = []
        for first, last in _stretches(found)[:_SEEN]:
            words = str(first) if first == last else f"{first}–{last}"
            runs += [Run("、")] if runs else []
            runs.append(Run(words, to=f"n{first}"))
        if len(_stretches(found)) > _SEEN:
            runs.append(Run("等"))
        return tuple(runs) or (Run("—"),)

    def items(self, count: int) -> Run:
        """So many items, leading to the appendix."""
        return Run(str(count), to="list" if count else "")

    def total(self, key: str, count: int) -> Run:
        """So many posts or items, leading to what was counted."""
        if key in {"posts", "negative"}:
            return self.posts(count, **({"tone": "negative"} if key == "negative" else {}))
        return self.items(count)

    def posts(self, count: int, **asked: str) -> Run:
        """So many posts, leading to the desk's search for them."""
        if not (self.base and count):
            return Run(str(count))
        first, last = self.row["starts_at"], self.row["ends_at"]
        days = {
            "from": first.astimezone(SHANGHAI).date().isoformat(),
            "to": _last_day(last),
        }
        return Run(str(count), url=f"{self.base}/posts?{urlencode({**asked, **days})}")

    def number(self, number: str) -> Run:
        """An item, leading to its line in the appendix, else to the desk."""
        for at, row in enumerate(self.listed, 1):
            if row["number"] == number:
                return Run(number, to=f"n{at}")
        return self.desk(number)

    def numbers(self, numbers: Iterable[str]) -> list[str | Run]:
        """The same of several."""
        pieces: list[str | Run] = []
        for number in numbers:
            pieces += ["、"] if pieces else []
            pieces.append(self.number(number))
        return pieces

    def desk(self, number: str) -> Run:
        """An item, leading to the desk."""
        return Run(number, url=f"{self.base}/items/{number}" if self.base else "")


def beyond(total: int) -> Iterable[Block]:
    """How many of a list were left out."""
    if total > LATE:
        yield note(f"另有 {total - LATE} 条，见值班台。")


def when(rows: Sequence[Mapping[str, Any]]) -> slice:
    """Of each `discovered`: without the year where it is the same in all lines of a list."""
    return slice(5 if len({row["discovered"][:4] for row in rows}) == 1 else 0, None)


def _stretches(found: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for at in found:
        if runs and runs[-1][1] == at - 1:
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return runs


def _last_day(ends_at: Any) -> str:
    return str((ends_at.astimezone(SHANGHAI) - timedelta(seconds=1)).date().isoformat())
