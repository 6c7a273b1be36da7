"""Turns a batch of texts into hashed character n-grams; training and the engine share it.

Everything is array arithmetic over the whole batch, and a text's n-grams never depend on its
neighbours: pad characters stand between two texts, as many as the longest n-gram less one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]
Fold = NDArray[np.uint16]

PAD: Final = 0  #: stands for the beginning and the end of a text
GONE: Final = 1  #: characters that are not there: zero-width, bidi controls
LONGEST: Final = 3
SLOT_BITS: Final = 20
SLOTS: Final = 1 << SLOT_BITS
TAG_BITS: Final = 7

BASIC: Final = 0x10000
PRIVATE: Final = 0xE000  #: emoji and rare Han beyond 16 bits are spread over the private area
SPREAD: Final = 0x17FF
_BETWEEN: Final = "\0" * (LONGEST - 1)
_FIRST: Final = np.array([len(_BETWEEN)], dtype=np.int64)
#: Odd numbers without pattern, one a length, so that 1-grams and 3-grams never share a place.
_MIX: Final = np.array(
    [[0x9E3779B97F4A7C15], [0xC2B2AE3D27D4EB4F], [0xD6E8FEB86659FD93]], dtype=np.uint64
)
_SHIFT: Final = np.uint64(16)
_TWICE: Final = b"\1\1"
_GONE_BYTES: Final = np.uint16(GONE).tobytes()
_DROP: Final = np.uint64(64 - SLOT_BITS - TAG_BITS)
_BUCKET_BITS: Final = 10
_BUCKET: Final = (1 << _BUCKET_BITS) - 1
_PLACES: Final = np.arange(1 << 16, dtype=np.int32)


class Batch(NamedTuple):
    """Folded characters of all texts, padded, and where each text begins."""

    codes: Codes
    begins: NDArray[np.int64]
    joined: str  #: the texts as they were, padded alike
    dropped: NDArray[np.bool_] | None  #: characters of `joined` without a code

    def originals(self, firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> list[str]:
        """What stood in the texts from one code to another, both included."""
        if self.dropped is not None:
            kept = np.flatnonzero(~self.dropped)
            firsts, lasts = kept[np.maximum(firsts, 0)], kept[lasts]
        pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
        return [self.joined[max(0, first) : last + 1].strip("\0 \n") for first, last in pairs]


def batch(texts: Sequence[str], fold: Fold) -> Batch:
    """Never raises for a text: lone surrogates and NUL are characters like others."""
    joined = f"{_BETWEEN}{_BETWEEN.join(texts)}{_BETWEEN}"
    encoded = joined.encode("utf-16-le", "surrogatepass")
    if len(encoded) == 2 * len(joined):
        codes = fold.take(np.frombuffer(encoded, dtype="<u2"))
    else:  # something stands beyond 16 bits
        raw: NDArray[Any] = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        codes = fold.take(np.where(raw < BASIC, raw, PRIVATE + (raw & SPREAD)))
    if len(texts) == 1:
        begins = _FIRST
    else:
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        begins = np.cumsum(sizes + len(_BETWEEN)) - sizes
    # ！！！！ and 哈哈哈哈 say no more than two of them; pads are two already.
    same = codes[1:] == codes[:-1]
    # Looked for as bytes: for a single text the number of calls is the cost.
    if _TWICE not in same.tobytes() and _GONE_BYTES not in codes.tobytes():
        return Batch(codes.astype(np.uint64), begins, joined, None)
    third = same[1:] & same[:-1]
    gone = codes == GONE
    gone[2:] |= third & (codes[2:] != PAD)
    before = np.concatenate(([0], np.cumsum(gone)))
    begins = begins - before[begins]
    return Batch(codes[~gone].astype(np.uint64), begins, joined, gone)


def ids(codes: Codes) -> NDArray[np.uint64]:
    """Row n-1: the id (slot, then tag) of the n-gram that ends at each place."""
    made = np.zeros((LONGEST, len(codes)), dtype=np.uint64)
    key = made[0]
    key[:] = codes
    for n in range(1, LONGEST):
        key = np.left_shift(key[:-1], _SHIFT, out=made[n, n:])
        key |= codes[n:]
    made *= _MIX
    made >>= _DROP
    return made


def once(slots: NDArray[np.int64], begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of the places of an n-gram that comes again in a text only one: twice told is not truer.

    Each text has buckets of its own, so that a text never depends on its neighbours. A long text
    overfills them and then counts a few n-grams twice.
    """
    home = slots & _BUCKET
    if len(begins) > 1:
        step = np.zeros(slots.shape[1], dtype=np.int64)
        step[begins[1:]] = 1 << _BUCKET_BITS
        home += np.cumsum(step)
    some = slots.size < len(_PLACES)
    places = _PLACES[: slots.size] if some else np.arange(slots.size, dtype=np.int32)
    places = places.reshape(slots.shape)
    last = np.empty(len(begins) << _BUCKET_BITS, dtype=np.int32)
    last[home] = places
    winner = last.take(home)
    kept: NDArray[np.bool_] = slots.take(winner) != slots
    kept |= winner == places
    return kept


def is_ngram(codes: Codes) -> Iterator[NDArray[np.bool_]]:
    """For n = 1 … LONGEST where an n-gram worth learning ends: at most one pad, at its rim."""
    pad = codes == PAD
    yield ~pad
    for n in range(2, LONGEST + 1):
        inner = np.zeros(len(codes), dtype=np.bool_)
        for back in range(1, n - 1):
            inner[back:] |= pad[: len(pad) - back]
        first = np.ones(len(codes), dtype=np.bool_)
        first[n - 1 :] = pad[: len(pad) - n + 1]
        yield ~inner & ~(first & pad)
