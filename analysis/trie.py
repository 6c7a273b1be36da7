"""Finds every word in a whole batch of texts at once: a trie walked in steps of array arithmetic.

All places of all texts take the same step together, so that Python is asked once for each
character of the longest word, not once for each text. Where an automaton gives a list of hits,
this gives arrays, which is what those who weigh the hits want.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]

_CHARACTERS: Final = 0x110000
_SPARSE: Final = 16  #: places of the filter for each pair of characters that begins a word


class Found(NamedTuple):
    """Hits in no order; places count characters of the whole batch."""

    starts: Ints
    ends: Ints
    words: Ints  #: numbers of the words


class _Level(NamedTuple):
    """Beginnings of words that are one character longer than those of the level before."""

    keys: Ints  #: number in the level before × width + character, ascending
    word: Ints  #: the word that ends here; -1: none
    is_open: NDArray[np.bool_]  #: whether longer words begin like that


def codes_of(text: str) -> Codes:
    """Code points; a lone surrogate is one like any other."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


class Trie:
    """`words` are distinct and not empty."""

    def __init__(self, words: Sequence[str]) -> None:
        sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        codes = codes_of("".join(words))
        begins = np.cumsum(sizes) - sizes
        ordered = np.sort(codes)
        used = ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)]]
        self._width = len(used) + 1
        #: code point → small number; 0: in no word
        self._letter = np.zeros(_CHARACTERS, dtype=np.int32)
        self._letter[used] = np.arange(1, self._width)
        letters = self._letter.take(codes).astype(np.int64)
        node = letters.take(begins) if len(words) else begins
        self._alone = np.full(self._width, -1, dtype=np.int64)  #: letter → the word it is
        single = np.flatnonzero(sizes == 1)
        self._alone[node[single]] = single
        self._levels: list[_Level] = []
        alive, depth = np.flatnonzero(sizes > 1), 1
        while len(alive):
            level, node[alive] = self._level(node, alive, letters.take(begins[alive] + depth))
            depth += 1
            ending = sizes[alive] == depth
            level.word[node[alive[ending]]] = alive[ending]
            alive = alive[~ending]
            level.is_open[node[alive]] = True
            self._levels.append(level)
        long, longer = np.flatnonzero(sizes > 1), np.flatnonzero(sizes > 2)
        size = len(self._levels[0].keys) if self._levels else 0
        self._mask = (1 << max(12, (_SPARSE * size).bit_length())) - 1
        first, second = (letters.take(begins[long] + n) for n in (0, 1))
        #: filters: no word begins with two, with three letters whose place here is False …
        self._pairs, self._triples, self._short = np.zeros((3, self._mask + 1), dtype=np.bool_)
        place = self._place(first, second)
        self._pairs[place] = True
        self._short[place[sizes[long] == 2]] = True  #: … nor is one two such letters
        place = place[sizes[long] > 2]
        self._triples[self._place(place, letters.take(begins[longer] + 2))] = True

    def _level(self, node: Ints, alive: Ints, letters: Ints) -> tuple[_Level, Ints]:
        keys, number = np.unique(node[alive] * self._width + letters, return_inverse=True)
        word = np.full(len(keys), -1, dtype=np.int64)
        return _Level(keys, word, np.zeros(len(keys), dtype=np.bool_)), number

    def _place(self, first: Ints, second: Ints) -> Ints:
        made: Ints = (first * 40503 + second * 9973 ^ first >> 3) & self._mask
        return made

    def find(self, codes: Codes) -> Found:
        """All occurrences of all words, overlapping ones too."""
        letters = self._letter.take(codes).astype(np.int64)
        word = self._alone.take(letters)
        at = np.flatnonzero(word >= 0)
        starts, words, sizes = [at], [word.take(at)], [np.ones(len(at), dtype=np.int64)]
        last = len(letters) - 1
        place = self._place(letters[:-1], letters[1:])
        at = np.flatnonzero(self._pairs.take(place))
        place = place.take(at)
        third = self._place(place, letters.take(np.minimum(at + 2, last)))
        at = at.take(np.flatnonzero(self._short.take(place) | self._triples.take(third)))
        node = letters.take(at)
        for depth, level in enumerate(self._levels, start=1):
            if not len(at):
                break
            # A letter beyond the end is the last one: what it finds there is thrown away below.
            key = node * self._width + letters.take(np.minimum(at + depth, last))
            number = level.keys.searchsorted(key)
            number[number == len(level.keys)] = 0
            there = np.flatnonzero((level.keys.take(number) == key) & (at + depth <= last))
            at, node = at.take(there), number.take(there)
            word = level.word.take(node)
            whole = np.flatnonzero(word >= 0)
            if len(whole):
                starts.append(at.take(whole))
                words.append(word.take(whole))
                sizes.append(np.full(len(whole), depth + 1, dtype=np.int64))
            more = np.flatnonzero(level.is_open.take(node))
            at, node = at.take(more), node.take(more)
        start = np.concatenate(starts)
        return Found(start, start + np.concatenate(sizes), np.concatenate(words))
