"""Finds words in one short text; for batches of texts there is `analysis.trie`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Hit = tuple[int, int, int]  #: start, end, number of the word


class Matcher(Protocol):
    """All occurrences of all words, overlapping ones too, ordered by where they end."""

    def find(self, text: str) -> list[Hit]: ...


def matcher(words: Sequence[str]) -> Matcher:
    """The fastest matcher this machine has; `words` are normalised, distinct and not empty."""
    if not words:
        return Slices(words)
    try:
        import daachorse
    except ImportError:  # no wheel for this machine: slower, same answers
        return Slices(words)
    return _Automaton(daachorse.CharwiseDoubleArrayAhoCorasick(list(words)))


class _Automaton:
    def __init__(self, automaton: object) -> None:
        self._find = automaton.find_overlapping  # type: ignore[attr-defined]

    def find(self, text: str) -> list[Hit]:
        found: list[Hit] = self._find(text)
        return found


class Slices:
    """Pure Python: looks every slice up that is as long as some word."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = {word: number for number, word in enumerate(words)}
        self._by_first: dict[str, list[int]] = {}
        for word in words:
            lengths = self._by_first.setdefault(word[0], [])
            if len(word) not in lengths:
                lengths.append(len(word))

    def find(self, text: str) -> list[Hit]:
        found: list[Hit] = []
        for start, first in enumerate(text):
            for length in self._by_first.get(first, ()):
                number = self._words.get(text[start : start + length])
                if number is not None and start + length <= len(text):
                    found.append((start, start + length, number))
        return sorted(found, key=lambda hit: (hit[1], hit[0]))
