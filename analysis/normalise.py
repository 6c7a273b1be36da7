"""Brings a text into the one spelling rules are written in, and remembers where each character was.

NFKC, case, traditional → simplified, invisible and bidi characters removed, stretched characters
collapsed (！！！！ → !, 啊啊啊啊 → 啊啊), separators put between characters to evade (燃*气 泄-漏)
left out. Offsets always lead back to the original text. Everything is a table look-up over a
whole batch of texts at once; a single text is a batch of one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.rows import rows_of

Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]
Kinds = NDArray[np.uint8]

_BETWEEN: Final = "\U0010ffff"  #: stands between two texts of a batch; nothing crosses it
_BOUNDARY: Final = ord(_BETWEEN)
_NO_CHARACTER: Final = "\U0010fffe"
_AT_ONCE: Final = 100_000  #: characters: more at a time only fills caches and memory
_SEPARATORS: Final = 3  #: more than this in a row is layout, not evasion
_LETTERS: Final = 3  #: of the same foreign letter in a row (www)


class Normalised(NamedTuple):
    """A text in matching spelling.

    `starts[i]` is the original offset of the character that became `text[i]`; an original
    character can become several, and several can become one.
    """

    text: str
    length: int  #: of the original text, in characters
    at: Ints  #: places in a whole batch, of all its texts …
    first: int  #: … from here on of this one …
    begin: int  #: … which begins at that place

    @property
    def starts(self) -> Ints:
        return self.at[self.first : self.first + len(self.text)] - self.begin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original [start, end) of the non-empty normalised [start, end)."""
        first, last = self.at[self.first + start], self.at[self.first + end - 1]
        return int(first) - self.begin, int(last) + 1 - self.begin

    def place(self, original: int) -> int:
        """The first normalised index at or behind an original offset."""
        return int(np.searchsorted(self.starts, original, side="left"))


_row: Final = rows_of(Normalised)


def spans(many: Sequence[Normalised], texts: Ints, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """The `span` of many places at once; `texts`: in which text each is."""
    batches = list({id(one.at): one.at for one in many}.values())  # mostly one
    before = dict(zip(map(id, batches), accumulate(map(len, batches), initial=0), strict=False))
    at = batches[0] if len(batches) == 1 else np.concatenate(batches)
    firsts = np.array([before[id(one.at)] + one.first for one in many]).take(texts)
    begins = np.array([one.begin for one in many]).take(texts)
    return at.take(firsts + starts) - begins, at.take(firsts + ends - 1) + 1 - begins


class TableBroken(Exception):
    """The shipped character table is not the one that was built."""


def normalise(text: str) -> Normalised:
    """One text. Never raises, whatever the text: lone surrogates become U+FFFD, NUL goes."""
    return normalise_all([text])[0]


def normalise_all(texts: Sequence[str]) -> list[Normalised]:
    """A batch of texts, in order."""
    if sum(map(len, texts)) <= _AT_ONCE or len(texts) == 1:
        return _normalised(texts)
    made: list[Normalised] = []
    some: list[str] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= _AT_ONCE:
            made += _normalised(some)
            some, size = [], 0
    return made + _normalised(some)


def _normalised(texts: Sequence[str]) -> list[Normalised]:
    if not texts:
        return []
    table = _table()
    codes = _joined(texts)
    sizes = table.size.take(codes)
    most = int(sizes.max())
    at = np.flatnonzero(sizes) if most <= 1 else np.repeat(np.arange(len(codes)), sizes)
    values = table.to.take(codes.take(at))
    if most > 1:
        _expand(values, at, codes, table)
    kinds = table.kind.take(values)
    values, at, kinds = _kept(_unstretched(values, kinds, table), values, at, kinds)
    apart = _without_separators(kinds, table)
    if apart is not None:
        values, at, kinds = _kept(apart, values, at, kinds)
        # Leaving a separator out can bring equal characters together: 啊-啊-啊-啊.
        values, at, kinds = _kept(_unstretched(values, kinds, table), values, at, kinds)

    ends = np.flatnonzero(values == _BOUNDARY).tolist()
    plain = values.astype("<u4", copy=False).tobytes().decode("utf-32-le")
    made: list[Normalised] = []
    begin = first = 0
    for text, piece, end in zip(texts, plain.split(_BETWEEN), ends, strict=False):
        made.append(_row((piece, len(text), at, begin, first)))
        begin = end + 1
        first += len(text) + 1
    return made


@lru_cache(maxsize=50_000)  # lists refer to each other: most words come six times and more
def normal(word: str) -> str:
    """A rule's word in matching spelling."""
    return normalise(word).text.strip()


def normal_all(words: Iterable[str]) -> dict[str, str]:
    """Each word → `normal(word)`; together they take a tenth of the time."""
    different = list(dict.fromkeys(words))
    read = normalise_all(different)
    return {word: one.text.strip() for word, one in zip(different, read, strict=True)}


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    to: Codes  #: code → code
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
    to = np.arange(_BOUNDARY + 1, dtype=np.uint32)
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
    to[_BOUNDARY], size[_BOUNDARY], kind[_BOUNDARY] = _BOUNDARY, 1, names["stop"]
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


def _joined(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Code points of all texts, each followed by a boundary."""
    whole = _BETWEEN.join(texts) + _BETWEEN
    if whole.count(_BETWEEN) != len(texts):  # it stands in a text, though it is no character
        whole = _BETWEEN.join(t.replace(_BETWEEN, _NO_CHARACTER) for t in texts) + _BETWEEN
    return np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _kept(keep: NDArray[np.bool_] | None, *columns: Any) -> tuple[Any, ...]:
    return columns if keep is None else tuple(column[keep] for column in columns)


def _expand(values: Codes, at: Ints, codes: Codes, table: _Table) -> None:
    """Fills in the few characters that become several (㎡, ﷺ, ⑳ …)."""
    source = codes[at]
    places = np.flatnonzero(table.size[source] > 1)
    i = 0
    while i < len(places):
        done = table.many[int(source[places[i]])]
        values[places[i] : places[i] + len(done)] = done
        i += len(done)


def _unstretched(values: Codes, kinds: Kinds, table: _Table) -> NDArray[np.bool_] | None:
    """True for what stays: Han twice, foreign letters three times, signs once, digits always.

    None where everything stays.
    """
    again = np.flatnonzero(values[1:] == values[:-1]) + 1  # the few that repeat the one before
    if not len(again):
        return None
    fresh = np.concatenate(([True], np.diff(again) > 1))
    order = np.arange(len(again))
    nth = order - np.maximum.accumulate(np.where(fresh, order, 0)) + 1
    kind = kinds[again]
    most = np.where(kind == table.han, 2, np.where(kind == table.other, _LETTERS, 1))
    gone = again[(nth >= most) & (kind != table.digit) & (values[again] != _BOUNDARY)]
    if not len(gone):
        return None
    keep = np.ones(len(values), dtype=np.bool_)
    keep[gone] = False
    return keep


def _without_separators(kinds: Kinds, table: _Table) -> NDArray[np.bool_] | None:
    """False for signs put between Han characters to evade; None where there are none.

    A sign such as * or - between two Han characters always goes. Blanks, dots and emoji also
    stand between sentences, so they only go next to a character that stands alone: 燃 气 泄 漏.
    """
    is_hard = kinds == table.hard
    is_soft = (kinds == table.soft) | (kinds == table.space)
    is_sign = is_hard | is_soft
    if not is_sign.any():
        return None
    group = np.where(kinds == table.han, 1, np.where(is_sign, 2, 0))
    turn = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    if len(turn) < 3:
        return None
    long = np.diff(np.concatenate((turn, [len(kinds)])))
    what = group[turn]
    between = (what[1:-1] == 2) & (what[:-2] == 1) & (what[2:] == 1) & (long[1:-1] <= _SEPARATORS)
    if not between.any():
        return None
    softs = np.add.reduceat(is_soft.astype(np.int64), turn)[1:-1]
    alone = (long[:-2] == 1) | (long[2:] == 1)
    runs = np.flatnonzero(between & ((softs == 0) | alone)) + 1
    if not len(runs):
        return None
    keep = np.ones(len(kinds), dtype=np.bool_)
    for run in runs.tolist():
        keep[turn[run] : turn[run] + long[run]] = False
    return keep
