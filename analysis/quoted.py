"""Tells the writer's own words from what is forwarded or quoted, so that each is judged apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from analysis.trie import codes_of

Span = tuple[int, int]

#: 评论//@甲:话//@乙:话 — everything from the first //@ on is somebody else's.
_FORWARDED: Final = re.compile(r"(?://|／／)\s?[@＠]")
#: What the platform writes by itself when a person forwards without a word.
_BARE: Final = re.compile(
    r"^\s*(?:转发微博|轉發微博|转发|轉發|repost)\s*(?=$|//|／／|[。.!！])", re.IGNORECASE
)
#: 【转】…, [转载]…, 转自某群：… — all that follows is somebody else's.
_HEADED: Final = re.compile(
    r"^\s*(?:[【\[［(（]\s*(?:转|轉|转发|轉發|转载|轉載|转帖)\s*[】\]］)）]"
    r"|(?:转自|轉自|转发自|转载自|摘自)[^\n，。,：:]{0,20}[：:])"
)
#: 原文：…, 引用：…, 以下为转发内容：… at the start of a line.
_INTRODUCED: Final = re.compile(
    r"(?:^|\n)[ \t]*(?:原文|原帖|原微博|引用|引述"
    r"|以下(?:为|是)(?:转发|引用|群里)[^\n：:]{0,8})[ \t]*[：:]"
)
#: 「甲：话」 + a line of dashes + own words, as WeChat quotes in a reply.
_REPLIED: Final = re.compile(r"^\s*「[^」]{1,2000}」[ \t]*\n[ \t]*[-—–][-—– \t]{2,}\n?")
#: Lines that begin with >, as mail quotes.
_MARKED: Final = re.compile(r"(?m)^\s{0,3}[>＞][^\n]*")


#: Every pattern above needs one of these.
_HINT: Final = re.compile(
    r"//|／／|[转轉>＞「]|repost|摘自|原文|原帖|原微博|引用|引述|以下", re.IGNORECASE
)


#: What each of these begins with.
_FIRST: Final = np.zeros(0x110000, dtype=np.bool_)
_FIRST[[ord(c) for c in "/／转轉>＞「rR摘原引以"]] = True


def quoted_all(texts: Sequence[str]) -> list[tuple[Span, ...]]:
    """`quoted_spans` of each text; most hold nothing that begins like a quotation."""
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))
    hints = np.flatnonzero(_FIRST.take(codes_of("".join(texts))))
    made: list[tuple[Span, ...]] = [()] * len(texts)
    for i in dict.fromkeys(ends.searchsorted(hints, side="right").tolist()):
        made[i] = quoted_spans(texts[i])
    return made


def quoted_spans(text: str) -> tuple[Span, ...]:
    """Original [start, end) of forwarded or quoted parts, in order, not overlapping."""
    if _HINT.search(text) is None:
        return ()
    spans: list[Span] = []
    for opening in (_FORWARDED, _HEADED, _INTRODUCED):
        found = opening.search(text)
        if found:
            spans.append((found.start(), len(text)))
    for whole in (_BARE, _REPLIED):
        found = whole.search(text)
        if found and found.end() > found.start():
            spans.append(found.span())
    spans += [m.span() for m in _MARKED.finditer(text)]
    return _merged(spans)


def own_words(text: str, spans: tuple[Span, ...]) -> str:
    """The text without its quoted parts."""
    if not spans:
        return text
    kept: list[str] = []
    last = 0
    for start, end in spans:
        kept.append(text[last:start])
        last = end
    kept.append(text[last:])
    return "\n".join(part.strip() for part in kept if part.strip())


def is_quoted(spans: tuple[Span, ...], start: int) -> bool:
    return any(low <= start < high for low, high in spans)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return tuple(made)
