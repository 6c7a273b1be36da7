"""Tries patterns on a batch of texts: only where their words stand, and where a match can begin.

They are dear: RE2 takes longer over one than the trie over all words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from analysis import limits
from analysis.gaps import Gap
from analysis.literals import opening, required
from analysis.look import Look, places_in, runs
from analysis.matcher import Hit
from analysis.packs import compiled
from analysis.trie import Ints

_LISTS: Final = 3  #: of words a pattern asks for that are looked at
#: Words that stand in so many texts that looking for them costs more than it spares.
_EVERYWHERE: Final = frozenset(",，。!的一个在有到来")
_DEAR: Final = 16  #: characters: what can be as long as that takes RE2 long to look for
_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Pattern:
    written: str
    gap: Gap | None  #: where it is of that shape; otherwise …
    compiled: Any  #: for UTF-8: RE2 then need not count characters, which costs it half the time
    lists: tuple[int, ...]  #: it stands in
    rules: tuple[int, ...]  #: that begin with it

    @classmethod
    def of(cls, pattern: str, lists: Iterable[int], rules: Iterable[int]) -> Self:
        gap = Gap.of(pattern)
        by_re2 = compiled(pattern.encode()) if gap is None else None
        return cls(pattern, gap, by_re2, tuple(lists), tuple(rules))


class Patterns:
    """All patterns, tried on texts where their words stand."""

    def __init__(
        self, patterns: Sequence[Pattern], column: Callable[[frozenset[str]], int]
    ) -> None:
        """`column`: words → the number of their list in a `Look`."""
        self._patterns = tuple(patterns)
        asked, opens, reach, firsts = [], [], [], []
        self._is_dear: list[bool] = []
        for pattern in self._patterns:
            needed = required(pattern.written)
            telling = [words for words in needed if words.isdisjoint(_EVERYWHERE)]
            some = [column(words) for words in telling[:_LISTS]]
            begin = opening(pattern.written)
            asked.append(some + [-1] * (_LISTS - len(some)))
            opens.append(column(begin.words) if begin.words else -1)
            reach.append(begin.reach or limits.TEXT)
            firsts.append(begin.is_first)
            self._is_dear.append(begin.is_first or begin.reach >= _DEAR)
        self._asked = np.array(asked, dtype=np.int64).reshape(len(asked), _LISTS)
        self._opens = np.array(opens, dtype=np.int64)
        self._is_first = np.array(firsts, dtype=np.bool_)
        self._reach = reach
        self._reaches = np.array(reach, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._patterns)

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self._patterns)

    def __getitem__(self, number: int) -> Pattern:
        return self._patterns[number]

    def possible(self, look: Look) -> tuple[Ints, Ints]:
        """(text, pattern) where the words stand that the pattern asks for."""
        if not self._patterns:
            return _NONE, _NONE
        asked = np.where(self._asked < 0, look.always, self._asked)
        may = look.has.take(asked[:, 0], axis=1)
        for place in range(1, _LISTS):
            may &= look.has.take(asked[:, place], axis=1)
        return places_in(may)

    def search(
        self, look: Look, posts: Ints, numbers: Ints
    ) -> Iterable[tuple[int, int, list[Hit]]]:
        """(text, pattern, places) where patterns match; those without any are left out.

        RE2 is many times quicker at one place than at all: a gap such as .{0,24} then has one
        beginning to keep in mind, not one for each character.
        """
        is_near = self._opens.take(numbers) >= 0
        far = np.flatnonzero(~is_near)
        for post, number in zip(posts.take(far).tolist(), numbers.take(far).tolist(), strict=True):
            places = _searched(self._patterns[number].compiled, look.texts[post])
            if places:
                yield post, number, places
        near = np.flatnonzero(is_near)
        if not len(near):
            return
        for post, number, begins in self._beginnings(look, posts.take(near), numbers.take(near)):
            pattern, text = self._patterns[number], look.texts[post]
            if pattern.gap is not None or self._is_dear[number]:
                places = _matched(pattern, text, begins, self._reach[number])
            else:
                places = _searched(pattern.compiled, text)
            if places:
                yield post, number, places

    def _beginnings(
        self, look: Look, posts: Ints, numbers: Ints
    ) -> Iterable[tuple[int, int, list[int]]]:
        """(text, pattern, where a match can begin); those where none can are left out.

        All its words stand behind such a place, as near as a match reaches.
        """
        asked, opens = self._asked.take(numbers, axis=0), self._opens.take(numbers)
        wanted = np.zeros_like(look.has)
        wanted[posts, opens] = True
        for place in range(_LISTS):
            column = asked[:, place]
            there = np.flatnonzero(column >= 0)
            wanted[posts.take(there), column.take(there)] = True
        hits, columns = look.at(wanted)
        size = look.size + limits.WORD_CHARS
        starts = columns * size + look.starts.take(hits)
        order = np.argsort(starts)
        starts = starts.take(order)
        ends = (columns * size + look.ends.take(hits)).take(order)
        # How early a word of the list ends that begins here or later; other lists are far away.
        soonest = np.minimum.accumulate(ends[::-1])[::-1]
        first = starts.searchsorted(opens * size + look.begins.take(posts))
        after = starts.searchsorted(opens * size + look.stops.take(posts))
        counts = after - first
        row = np.repeat(np.arange(len(posts)), counts)
        at = np.arange(len(row)) + (first - (np.cumsum(counts) - counts)).take(row)
        begin = starts.take(at) - opens.take(row) * size
        may = begin == look.begins.take(posts.take(row))
        may |= ~self._is_first.take(numbers.take(row))
        row, begin = row[may], begin[may]
        limit = np.minimum(
            begin + self._reaches.take(numbers).take(row), look.stops.take(posts.take(row))
        )
        for place in range(_LISTS):
            column = asked[:, place].take(row)
            base = column * size
            next_one = starts.searchsorted(base + begin)
            inside = np.minimum(next_one, len(starts) - 1)
            ok = (next_one < len(starts)) & (soonest.take(inside) <= base + limit)
            ok = np.flatnonzero(ok | (column < 0))
            row, begin, limit = row.take(ok), begin.take(ok), limit.take(ok)
        within = (begin - look.begins.take(posts.take(row))).tolist()
        post_of, number_of = posts.tolist(), numbers.tolist()
        return [(post_of[i], number_of[i], within[low:high]) for i, low, high in runs(row)]


def _searched(by_re2: Any, text: str) -> list[Hit]:
    made: list[Hit] = []
    data = text.encode()
    for match in by_re2.finditer(data):
        first, last = match.span()
        if last > first:
            start = len(data[:first].decode())
            made.append((start, start + len(data[first:last].decode()), -1))
            if len(made) == limits.HITS_PER_RULE:
                break
    return made


def _matched(pattern: Pattern, text: str, begins: Sequence[int], reach: int) -> list[Hit]:
    made: list[Hit] = []
    behind, last = 0, -1
    for begin in begins:
        if begin < behind or begin == last:
            continue
        last = begin
        gap = pattern.gap
        end = _end(pattern.compiled, text, begin, reach) if gap is None else gap.end(text, begin)
        if end >= 0:
            behind = end
            made.append((begin, end, -1))
            if len(made) == limits.HITS_PER_RULE:
                break
    return made


def _end(by_re2: Any, text: str, begin: int, reach: int) -> int:
    """Where the match ends that begins there; -1 where none does."""
    # One more character, so that $ never takes the end of the slice for that of the text.
    data = text[begin : begin + reach + 1].encode()
    match = by_re2.match(data)
    return -1 if match is None else begin + len(data[: match.end()].decode())
