"""Finds words that are written by their sound: 然器 for 燃气, ranqi xielou, ran气.

Only for rules that ask for it: what sounds alike is often something else. Two characters have to
agree in tone as well; from three on the syllables are enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

from analysis.matcher import Hit, matcher

HOMOPHONE: Final = "homophone"
PINYIN: Final = "pinyin"

_LATIN: Final = re.compile(r"[a-z]+(?:[\s'’·.\-]{1,2}[a-z]+)*")
_FIRST: Final = 0xE000  #: syllables become characters of the private area
_TONED: Final = 3  #: characters from which tones need not agree


class _Sound(NamedTuple):
    syllable: int
    tone: int


class _Token(NamedTuple):
    start: int
    end: int
    sound: _Sound | None
    is_latin: bool


class Sounds:
    """The words of all rules that are also matched by sound."""

    def __init__(self, wanted: Sequence[tuple[int, str, frozenset[str]]]) -> None:
        """`wanted`: rule, word in matching spelling, and by which of HOMOPHONE and PINYIN."""
        self._by_spelling: dict[str, list[tuple[int, str, frozenset[str]]]] = {}
        for rule, word, how in wanted:
            sounds = [_sound_of(c) for c in word]
            if len(word) >= 2 and all(sounds):
                spelling = "".join(chr(_FIRST + one.syllable) for one in sounds if one)
                self._by_spelling.setdefault(spelling, []).append((rule, word, how))
        self._spellings = list(self._by_spelling)
        self._matcher = matcher(self._spellings)

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def find(self, text: str) -> list[tuple[int, Hit]]:
        """(rule, place) of every word written by its sound; what is written plainly is left out."""
        if not self._spellings:
            return []
        tokens = list(_tokens(text))
        spelt = "".join(chr(_FIRST + one.sound.syllable) if one.sound else " " for one in tokens)
        made: list[tuple[int, Hit]] = []
        for first, last, number in self._matcher.find(spelt):
            some = tokens[first:last]
            for rule, word, how in self._by_spelling[self._spellings[number]]:
                if _is_meant(some, word, text, how):
                    made.append((rule, (some[0].start, some[-1].end, -1)))
        return made


def _is_meant(some: Sequence[_Token], word: str, text: str, how: frozenset[str]) -> bool:
    changed = 0
    for token, character in zip(some, word, strict=True):
        if token.is_latin:
            if PINYIN not in how:
                return False
            changed += 1
        elif text[token.start] != character:
            if HOMOPHONE not in how:
                return False
            if len(word) < _TONED and token.sound != _sound_of(character):
                return False
            changed += 1
    return changed > 0


def _tokens(text: str) -> Iterator[_Token]:
    """Characters one by one; Latin letters as syllables, where all of a run can be read so."""
    at = 0
    for run in _LATIN.finditer(text):
        yield from _plain(text, at, run.start())
        yield from _read(text, run.start(), run.end())
        at = run.end()
    yield from _plain(text, at, len(text))


def _plain(text: str, start: int, end: int) -> Iterator[_Token]:
    for i in range(start, end):
        yield _Token(i, i + 1, _sound_of(text[i]), False)


def _read(text: str, start: int, end: int) -> Iterator[_Token]:
    parts = [(m.start() + start, m.group()) for m in re.finditer("[a-z]+", text[start:end])]
    for begin, letters in parts:
        pieces = _split(letters)
        if pieces is None:
            yield _Token(begin, begin + len(letters), None, True)
            continue
        at = begin
        for piece in pieces:
            yield _Token(at, at + len(piece), _Sound(_syllables()[piece], 0), True)
            at += len(piece)


@lru_cache(maxsize=4_096)
def _split(letters: str) -> tuple[str, ...] | None:
    """ranqi → ran qi, the longest syllables first; None where it is no pinyin."""
    if not letters:
        return ()
    if len(letters) > 40:
        return None
    known = _syllables()
    for size in range(min(6, len(letters)), 0, -1):
        if letters[:size] in known:
            rest = _split(letters[size:])
            if rest is not None:
                return (letters[:size], *rest)
    return None


@cache
def _table() -> tuple[dict[str, int], dict[str, _Sound]]:
    file = resources.files("analysis.tables").joinpath("sounds.json")
    body = file.read_text(encoding="ascii").partition("\n")[2]
    syllables: dict[str, int] = {}
    sounds: dict[str, _Sound] = {}
    for spelt, characters in json.loads(body).items():
        number = syllables.setdefault(spelt[:-1], len(syllables))
        for character in characters:
            sounds[character] = _Sound(number, int(spelt[-1]))
    return syllables, sounds


def _syllables() -> dict[str, int]:
    return _table()[0]


def _sound_of(character: str) -> _Sound | None:
    return _table()[1].get(character)
