"""Patterns of the commonest shape, a word, then at most so many characters, then a word, by hand.

RE2 makes up its tables while it reads, and for such a pattern that costs several times what its
few matches in a batch do. Everything else is left to RE2, which finds the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Self

from analysis.literals import opening, parsed

_WORDS: Final = 640  #: that can stand in front of a gap, or behind it
_MOST: Final = 120  #: characters of a gap
_BETWEEN: Final = frozenset({"IN", "NOT_LITERAL", "ANY"})

_Words = Mapping[str, tuple[str, ...]]  #: first character → words, the preferred first


@dataclass(frozen=True, slots=True)
class Gap:
    heads: _Words
    stops: tuple[str, ...]  #: characters that do not stand in the gap
    least: int
    most: int
    tails: _Words

    @classmethod
    def of(cls, pattern: str) -> Self | None:
        """None for a pattern of another shape, or one that RE2 may read otherwise.

        What it is one for has an `opening`: its heads.
        """
        tree = parsed(pattern)
        if tree is None or tree.state.flags & re.DOTALL:
            return None
        items = list(tree)
        gaps = [i for i, item in enumerate(items) if _is_gap(*item)]
        if len(gaps) != 1:
            return None
        gap = _gap(items[gaps[0]][1])
        heads, tails = _words(items[: gaps[0]]), _words(items[gaps[0] + 1 :])
        if not heads or not tails or gap is None:
            return None
        if opening(pattern).words != frozenset(heads):
            return None
        return cls(_by_first(heads), *gap, _by_first(tails))

    def end(self, text: str, begin: int) -> int:
        """Where the match ends that begins there; -1 where none does.

        As RE2 chooses where several would do: words as they are listed, the gap as wide as can be.
        """
        tails_of = self.tails.get
        for head in self.heads.get(text[begin : begin + 1], ()):
            if not text.startswith(head, begin):
                continue
            first = begin + len(head)
            last = first + self.most
            for stop in self.stops:
                at = text.find(stop, first, last)
                if at >= 0:
                    last = at
            for place in range(min(last, len(text) - 1), first + self.least - 1, -1):
                for tail in tails_of(text[place], ()):
                    if text.startswith(tail, place):
                        return place + len(tail)
        return -1


def _is_gap(kind: Any, value: Any) -> bool:
    if str(kind) != "MAX_REPEAT" or value[1] == 1 or len(value[2]) != 1:
        return False
    return str(value[2][0][0]) in _BETWEEN


def _gap(repeat: tuple[int, Any, Any]) -> tuple[tuple[str, ...], int, int] | None:
    """(characters that do not stand in it, least, most); None where it is another repetition."""
    least, most, inner = repeat
    if int(most) > _MOST:
        return None
    kind, value = str(inner[0][0]), inner[0][1]
    if kind == "ANY":
        return ("\n",), least, int(most)
    if kind == "NOT_LITERAL":
        return (chr(value),), least, int(most)
    names = [str(name) for name, _ in value]
    if names[:1] != ["NEGATE"] or set(names[1:]) != {"LITERAL"}:
        return None
    return tuple(chr(code) for _, code in value[1:]), least, int(most)


def _words(items: Sequence[tuple[Any, Any]]) -> list[str]:
    """All that these can be, the preferred first; none where that is no list of words."""
    made = _ways(items)
    return [] if made is None or "" in made else made


def _ways(items: Sequence[tuple[Any, Any]]) -> list[str] | None:
    made = [""]
    for kind, value in items:
        some = _ways_of(str(kind), value)
        if some is None or len(made) * len(some) > _WORDS:
            return None
        made = ["".join(pair) for pair in product(made, some)]
    return list(dict.fromkeys(made))


def _ways_of(name: str, value: Any) -> list[str] | None:
    if name == "LITERAL":
        return [chr(value)]
    if name == "IN" and all(str(kind) in {"LITERAL", "RANGE"} for kind, _ in value):
        ranges = [one if str(kind) == "RANGE" else (one, one) for kind, one in value]
        if sum(last - first + 1 for first, last in ranges) > _WORDS:
            return None
        return [chr(code) for first, last in ranges for code in range(first, last + 1)]
    if name == "SUBPATTERN" and not value[1] and not value[2]:
        return _ways(value[3])
    if name == "BRANCH":
        return _all(map(_ways, value[1]))
    if name == "MAX_REPEAT" and tuple(map(int, value[:2])) == (0, 1):
        return _all([_ways(value[2]), [""]])
    return None


def _all(some: Iterable[list[str] | None]) -> list[str] | None:
    made: list[str] = []
    for one in some:
        if one is None:
            return None
        made += one
    return made if len(made) <= _WORDS else None


def _by_first(words: Iterable[str]) -> _Words:
    made: dict[str, tuple[str, ...]] = {}
    for word in words:
        made[word[0]] = (*made.get(word[0], ()), word)
    return made
