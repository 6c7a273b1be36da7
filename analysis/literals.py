"""Reads off a pattern which characters any match must hold, so that most texts need no search.

Only ever too little is said: where this cannot read a pattern, it asks for nothing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

_parser: Any = getattr(re, "_parser", None)

_MOST: Final = 160  #: words of one alternative list
_SPAN: Final = 40  #: characters of a class such as [一二三] that are written out
_GROUPS: Final = 3  #: lists kept of one pattern, the most telling
_FAR: Final = 120  #: characters: beyond that a match has no limit worth knowing
_UNREAD: Final = re.compile(r"\[:\^?\w+:\]|\\Q|\\C")  #: RE2 reads these otherwise

Words = frozenset[str]


def required(pattern: str) -> tuple[Words, ...]:
    """Lists of words; of each list one has to stand in a text that the pattern matches."""
    tree = parsed(pattern)
    if tree is None:
        return ()
    reader = _Reader()
    reader.read(tree)
    reader.flush()
    lists = sorted(set(reader.groups), key=lambda one: (-min(map(len, one)), len(one), sorted(one)))
    return tuple(lists[:_GROUPS])


class Opening(NamedTuple):
    """How every match of a pattern begins, and the most characters it can have."""

    words: Words  #: none: nothing useful is known
    reach: int  #: 0: no limit
    is_first: bool = False  #: it can only stand at the beginning of a text


_UNKNOWN: Final = Opening(frozenset(), 0)


@lru_cache(maxsize=512)  # each is asked twice
def opening(pattern: str) -> Opening:
    """Nothing for a pattern that asks what stands in front of it (\\b), unless that is nothing."""
    tree = parsed(pattern)
    if tree is None or tree.state.flags & re.MULTILINE:
        return _UNKNOWN
    items = list(tree)
    is_first = bool(items) and str(items[0]) == "(AT, AT_BEGINNING)"
    items = items[is_first:]
    if "AT_" in str(items).replace("AT_END", ""):
        return _UNKNOWN
    words: Words = frozenset({""})
    reader = _Reader()
    for item in items:
        if not _is_exact([item]):
            break
        reader.read([item])
        if reader.groups or reader.exact == {""}:  # too many
            break
        words = reader.exact
    if "" in words:
        return _UNKNOWN
    most = int(tree.getwidth()[1])
    return Opening(words, most if most <= _FAR else 0, is_first)


@lru_cache(maxsize=512)  # each is asked three times
def parsed(pattern: str) -> Any:
    """How Python reads it; None where RE2 may read it otherwise."""
    if _parser is None or _UNREAD.search(pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, Warning):
        return None
    return None if tree.state.flags & (re.IGNORECASE | re.VERBOSE) else tree


class _Reader:
    """Goes through a sequence; `exact` is all that the part read last can be."""

    def __init__(self) -> None:
        self.groups: list[Words] = []
        self.exact: Words = frozenset({""})

    def flush(self) -> None:
        """What comes next does not follow at once."""
        if "" not in self.exact:
            self.groups.append(self.exact)
        self.exact = frozenset({""})

    def read(self, sequence: Sequence[tuple[Any, Any]]) -> None:
        for kind, value in sequence:
            name = str(kind)
            if name == "LITERAL":
                self._then(frozenset({chr(value)}))
            elif name == "IN":
                some = _class(value)
                self._then(some) if some else self.flush()
            elif name == "SUBPATTERN":
                _, add, remove, inner = value
                if add or remove:
                    self.flush()
                else:
                    self.read(inner)
            elif name == "BRANCH":
                self._branch(value[1])
            elif name in {"MAX_REPEAT", "MIN_REPEAT"}:
                self._repeat(*value)
            elif name != "AT":
                self.flush()

    def _then(self, some: Words) -> None:
        """Each of what was, followed by each of these; two lists where that would be too many."""
        if len(self.exact) * len(some) > _MOST:
            self.flush()
        self.exact = frozenset(a + b for a in self.exact for b in some)
        if len(self.exact) > _MOST:
            self.exact = frozenset({""})

    def _branch(self, ways: Sequence[Any]) -> None:
        read = [_read(way) for way in ways]
        if all(not one.groups for one in read) and all(_is_exact(way) for way in ways):
            self._then(frozenset(word for one in read for word in one.exact))
            return
        self.flush()
        best: list[Words] = []
        for one in read:
            one.flush()
            if not one.groups:
                return  # one way asks for nothing, so the whole does not
            best.append(max(one.groups, key=lambda some: (min(map(len, some)), -len(some))))
        words = frozenset().union(*best)
        if len(words) <= _MOST * 2:
            self.groups.append(words)

    def _repeat(self, least: int, most: Any, inner: Any) -> None:
        exact = _is_exact(inner)
        if least == 0 and most == 1 and exact:
            self._then(_read(inner).exact | {""})
        elif least == 0:
            self.flush()
        else:
            self.read(inner)
            if not (exact and least == most == 1):
                self.flush()


def _read(sequence: Any) -> _Reader:
    reader = _Reader()
    reader.read(sequence)
    return reader


def _is_exact(sequence: Any) -> bool:
    """Whether all it can be is a short list of words."""
    for kind, value in sequence:
        name = str(kind)
        if name == "LITERAL" or (name == "IN" and _class(value)):
            continue
        if name == "SUBPATTERN" and not value[1] and not value[2] and _is_exact(value[3]):
            continue
        if name == "BRANCH" and all(_is_exact(way) for way in value[1]):
            continue
        if name in {"MAX_REPEAT", "MIN_REPEAT"} and value[1] == 1 and _is_exact(value[2]):
            continue
        return False
    return True


def _class(items: Sequence[tuple[Any, Any]]) -> Words:
    """The characters of a class; empty where they are too many or not written out."""
    made: set[str] = set()
    for kind, value in items:
        name = str(kind)
        if name == "LITERAL":
            made.add(chr(value))
        elif name == "RANGE" and value[1] - value[0] < _SPAN:
            made.update(map(chr, range(value[0], value[1] + 1)))
        else:
            return frozenset()
    return frozenset(made) if len(made) <= _SPAN else frozenset()
