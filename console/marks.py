"""Text of strangers made fit to be shown: nothing invisible in it, the hit words marked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}  #: controls, bidi and zero-width marks, no characters
SHOWN = 20_000  #: characters of one post on a page


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a text; `why` says for which reason it is marked, "" where it is not."""

    text: str
    why: str = ""


def visible(text: str) -> str:
    """The same words without what cannot be seen; lines stay."""
    return "".join(
        c for c in str(text or "") if c in "\n\t" or unicodedata.category(c) not in _DROPPED
    )


def marked(text: str, findings: Iterable[Mapping[str, Any]], *, exact: bool) -> list[Piece]:
    """The text in pieces, hits apart; overlapping hits are one.

    `exact`: the offsets of the findings point into this very text. Where it has changed since,
    hits are looked up by their words.
    """
    whole, text = text, text[:SHOWN]
    pieces: list[Piece] = []
    at = 0
    for start, end, why in _merged(_spans(text, findings, exact=exact)):
        if start > at:
            pieces.append(Piece(visible(text[at:start])))
        pieces.append(Piece(visible(text[start:end]), why))
        at = end
    if at < len(text):
        pieces.append(Piece(visible(text[at:])))
    if len(whole) > len(text):
        pieces.append(Piece(f"\n……（全文 {len(whole)} 字，此处只显示前 {SHOWN} 字，请看原文）"))
    return pieces


def _spans(
    text: str, findings: Iterable[Mapping[str, Any]], *, exact: bool
) -> list[tuple[int, int, str]]:
    spans = []
    for one in findings:
        word, start, end = str(one["text"] or ""), int(one["start"]), int(one["end"])
        if not word.strip():
            continue
        if not (exact and 0 <= start < end and text[start:end] == word):
            start = text.find(word)
            end = start + len(word)
        if 0 <= start < end <= len(text):
            spans.append((start, end, visible(str(one["reason"]))[:120]))
    return sorted(spans)


def _merged(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    made: list[tuple[int, int, str]] = []
    for start, end, why in spans:
        if made and start < made[-1][1]:
            first, last, before = made[-1]
            both = before if why in before else f"{before}；{why}"
            made[-1] = (first, max(last, end), both)
        else:
            made.append((start, end, why))
    return made
