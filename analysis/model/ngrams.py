"""Turns a batch of texts into hashed character n-grams; training and the engine share it.

Everything is array arithmetic over the whole batch, and a text's n-grams never depend on its
neighbours: three pad characters stand between two texts, as many as the longest n-gram less one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]
Fold = NDArray[np.uint16]

PAD: Final = 0  #: stands for the beginning and the end of a text
GONE: Final = 1  #: characters that are not there: zero-width, bidi controls
LONGEST: Final = 4
SLOT_BITS: Final = 20
TAG_BITS: Final = 7

_BASIC: Final = 0x10000
_PRIVATE: Final = 0xE000  #: emoji and rare Han beyond 16 bits are spread over the private area
_SPREAD: Final = 0x17FF
_BETWEEN: Final = "\0" * (LONGEST - 1)
#: Odd numbers without pattern, one a length, so that 1-grams and 4-grams never share a place.
_MIX: Final = tuple(
    np.uint64(n)
    for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
)
_SHIFT: Final = np.uint64(16)
_DROP: Final = np.uint64(64 - SLOT_BITS - TAG_BITS)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Folded characters of all texts, padded, and where each text begins."""

    codes: Codes
    begins: NDArray[np.int64]


def batch(texts: Sequence[str], fold: Fold) -> Batch:
    """Never raises for a text: lone surrogates and NUL are characters like others."""
    joined = f"{_BETWEEN}{_BETWEEN.join(texts)}{_BETWEEN}"
    raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if raw.max() >= _BASIC:
        raw = np.where(raw < _BASIC, raw, _PRIVATE + (raw & _SPREAD))
    codes = fold[raw]
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    begins = np.cumsum(sizes + len(_BETWEEN)) - sizes
    drop = codes == GONE
    drop[2:] |= (codes[2:] == codes[1:-1]) & (codes[2:] == codes[:-2]) & (codes[2:] != PAD)
    if drop.any():
        begins -= np.cumsum(drop)[begins] - drop[begins]
        codes = codes[~drop]
    return Batch(codes.astype(np.uint64), begins)


def ids(codes: Codes, longest: int) -> Iterator[NDArray[np.uint64]]:
    """For n = 1 … longest the id (slot and tag) of the n-gram that ends at each place."""
    key = codes
    for n in range(1, longest + 1):
        if n > 1:
            key = np.concatenate((codes[:1], (key[:-1] << _SHIFT) | codes[1:]))
        yield (key * _MIX[n - 1]) >> _DROP
