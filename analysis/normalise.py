"""Brings a text into the one spelling rules are written in, and remembers where each character was.

NFKC, case, traditional → simplified, invisible and bidi characters removed, stretched characters
collapsed (！！！！ → !, 啊啊啊啊 → 啊啊), separators put between characters to evade (燃*气 泄-漏)
left out. Offsets always lead back to the original text. Everything is a table look-up over a
whole batch of texts at once; a single text is a batch of one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_BOUNDARY: Final = 0x110000  #: stands between two texts of a batch; nothing crosses it
_SEPARATORS: Final = 3  #: more than this in a row is layout, not evasion
_LETTERS: Final = 3  #: of the same foreign letter in a row (www)


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """A text in matching spelling.

    `starts[i]` is the original offset of the character that became `text[i]`; an original
    character can become several, and several can become one.
    """

    text: str
    starts: Ints
    length: int  #: of the original text, in characters

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original [start, end) of the non-empty normalised [start, end)."""
        return int(self.starts[start]), int(self.starts[end - 1]) + 1

    def place(self, original: int) -> int:
        """The first normalised index at or behind an original offset."""
        return int(np.searchsorted(self.starts, original, side="left"))


class TableBroken(Exception):
    """The shipped character table is not the one that was built."""


def normalise(text: str) -> Normalised:
    """One text. Never raises, whatever the text: lone surrogates become U+FFFD, NUL goes."""
    return normalise_all([text])[0]


def normalise_all(texts: Sequence[str]) -> list[Normalised]:
    """A batch of texts, in order."""
    if not texts:
        return []
    table = _table()
    lengths = np.array([len(t) for t in texts], dtype=np.int64)
    codes, owners_at = _joined(texts, lengths)
    sizes = table.size[codes]
    at = np.repeat(np.arange(len(codes), dtype=np.int64), sizes)
    values = table.to[codes[at]]
    if (sizes > 1).any():
        _expand(values, at, codes, table)
    keep = _unstretched(values, table)
    values, at = values[keep], at[keep]
    keep = _without_separators(values, table)
    values, at = values[keep], at[keep]
    # Leaving a separator out can bring equal characters together: 啊-啊-啊-啊.
    keep = _unstretched(values, table)
    values, at = values[keep], at[keep]

    ends = np.flatnonzero(values == _BOUNDARY)
    made: list[Normalised] = []
    begin = 0
    for i, end in enumerate(ends):
        piece = values[begin:end].astype("<u4").tobytes().decode("utf-32-le")
        made.append(Normalised(piece, at[begin:end] - owners_at[i], int(lengths[i])))
        begin = int(end) + 1
    return made


def normal(word: str) -> str:
    """A rule's word in matching spelling."""
    return normalise(word).text.strip()


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    to: Ints  #: code → code
    size: NDArray[np.uint8]  #: code → how many characters it becomes
    many: dict[int, tuple[int, ...]]
    kind: NDArray[np.uint8]
    digit: int
    han: int
    other: int
    hard: int
    soft: int
    space: int


@cache
def _table() -> _Table:
    head, body = _read()
    if hashlib.sha256(body.encode()).hexdigest() != head["sha256"]:
        raise TableBroken("analysis/tables/characters.json does not match its checksum")
    data: dict[str, Any] = json.loads(body)
    to = np.arange(_BOUNDARY + 1, dtype=np.int64)
    size = np.ones(_BOUNDARY + 1, dtype=np.uint8)
    for first, last, start, step in data["one"]:
        to[first : last + 1] = start + step * np.arange(last - first + 1)
    for first, last in data["gone"]:
        size[first : last + 1] = 0
    many = {int(code, 16): tuple(map(ord, done)) for code, done in data["many"].items()}
    for code, done in many.items():
        size[code] = len(done)
    kind = np.zeros(_BOUNDARY + 1, dtype=np.uint8)
    for first, last, number in data["kind"]:
        kind[first : last + 1] = number
    names = {name: i for i, name in enumerate(data["kinds"])}
    kind[_BOUNDARY] = names["stop"]
    return _Table(
        to=to,
        size=size,
        many=many,
        kind=kind,
        **{n: names[n] for n in ("digit", "han", "other", "hard", "soft", "space")},
    )


def _read() -> tuple[dict[str, str], str]:
    file = resources.files("analysis.tables").joinpath("characters.json")
    head, _, body = file.read_text(encoding="ascii").partition("\n")
    return json.loads(head), body.rstrip("\n")


def _joined(texts: Sequence[str], lengths: Ints) -> tuple[Ints, Ints]:
    """Code points of all texts, each followed by a boundary; and where each text begins."""
    parts: list[Ints] = []
    boundary = np.array([_BOUNDARY], dtype=np.int64)
    for text in texts:
        raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        parts += (raw.astype(np.int64), boundary)
    begins = np.concatenate(([0], np.cumsum(lengths + 1)[:-1])).astype(np.int64)
    return np.concatenate(parts), begins


def _expand(values: Ints, at: Ints, codes: Ints, table: _Table) -> None:
    """Fills in the few characters that become several (㎡, ﷺ, ⑳ …)."""
    source = codes[at]
    places = np.flatnonzero(table.size[source] > 1)
    i = 0
    while i < len(places):
        done = table.many[int(source[places[i]])]
        values[places[i] : places[i] + len(done)] = done
        i += len(done)


def _unstretched(values: Ints, table: _Table) -> NDArray[np.bool_]:
    """True for what stays: Han twice, foreign letters three times, signs once, digits always."""
    fresh = np.ones(len(values), dtype=np.bool_)
    fresh[1:] = values[1:] != values[:-1]
    if fresh.all():
        return fresh
    order = np.arange(len(values), dtype=np.int64)
    nth = order - np.maximum.accumulate(np.where(fresh, order, 0))
    kinds = table.kind[values]
    most = np.ones(len(values), dtype=np.int64)
    most[kinds == table.han] = 2
    most[kinds == table.other] = _LETTERS
    keep: NDArray[np.bool_] = (nth < most) | (kinds == table.digit) | (values == _BOUNDARY)
    return keep


def _without_separators(values: Ints, table: _Table) -> NDArray[np.bool_]:
    """False for signs put between Han characters to evade.

    A sign such as * or - between two Han characters always goes. Blanks, dots and emoji also
    stand between sentences, so they only go next to a character that stands alone: 燃 气 泄 漏.
    """
    kinds = table.kind[values]
    is_hard = kinds == table.hard
    is_soft = (kinds == table.soft) | (kinds == table.space)
    keep = np.ones(len(values), dtype=np.bool_)
    if not (is_hard.any() or is_soft.any()):
        return keep
    group = np.where(kinds == table.han, 1, np.where(is_hard | is_soft, 2, 0))
    turn = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    long = np.diff(np.concatenate((turn, [len(values)])))
    what = group[turn]
    if len(turn) < 3:
        return keep
    between = (what[1:-1] == 2) & (what[:-2] == 1) & (what[2:] == 1) & (long[1:-1] <= _SEPARATORS)
    softs = np.add.reduceat(is_soft.astype(np.int64), turn)[1:-1]
    alone = (long[:-2] == 1) | (long[2:] == 1)
    for run in np.flatnonzero(between & ((softs == 0) | alone)) + 1:
        keep[turn[run] : turn[run] + long[run]] = False
    return keep
