"""A trained linear model: reads its file, and scores texts by adding up int8 weights.

The file is one line of JSON (classes, scales, checksums), then a compressed body: the character
fold, and for each n-gram its slot, its tag and one int8 weight a class. Bytes that vary alike lie
together, and weights use few of their 256 steps: both let them shrink. In memory an n-gram's
weights and tag share one integer, so a text costs one table look-up per n-gram.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model import ngrams

Floats = NDArray[np.float64]
Words = tuple[str, ...]

FORMAT: Final = "tinglan-linear-2"
MOST_CLASSES: Final = 15
ENTRY: Final = 16  #: bytes: one for each class and one for the tag, of all models asked together
#: A body larger than this is not ours: a file must not be able to fill the memory.
_MOST_BODY: Final = 16 * 1024 * 1024
#: Texts that are worked on together; more only fills the caches.
AT_ONCE: Final = 256
_KEPT: Final = 4  #: times so many, read last: what the whole command judges together
_TAG_SHIFT: Final = np.uint64(ngrams.TAG_BITS)
_TAGGED: Final = np.uint8(1 << ngrams.TAG_BITS)  #: so that no tag is 0 …
_NO_TAG: Final = 1  #: … nor this
_MODELS: Final = 2  #: that `look_up` asks together
BESIDE: Final = ENTRY // _MODELS  #: bytes of an entry that belong to each of them
_FOR_BOTH: Final = np.uint16(0x101)  #: writes a byte twice
_LEAST: Final = ngrams.LONGEST * 128  #: taken from 0: no sum of an n-gram of each length is less
_PART: Final = (1 << 16) // (2 * _LEAST)  #: places: so many such sums, raised by that, are a uint16
_EVIDENCE: Final = 3
_APART: Final = ngrams.LONGEST - 1
_AROUND: Final = np.arange(-_APART, _APART + 1)
_SIGNS: Final = "，。！？、；：,.!?;:~～… \t\n"


class ModelBroken(Exception):
    """The file is not a model, or not the one that was written."""


class Read(NamedTuple):
    """Texts with their n-grams looked up in no table yet; several models can share it."""

    batch: ngrams.Batch
    slots: NDArray[np.int64]
    tags: NDArray[np.uint8]  #: 0 where an n-gram does not count

    @classmethod
    def of(cls, texts: Sequence[str], fold: ngrams.Fold, *, again: bool = False) -> Self:
        """`again`: an n-gram counts wherever it stands, not once a text."""
        batch = ngrams.batch(texts, fold)
        ids = ngrams.ids(batch.codes)
        tags = ids.astype(np.uint8)
        tags |= _TAGGED
        slots = (ids >> _TAG_SHIFT).view(np.int64)
        if not again:
            tags *= ngrams.once(slots, batch.begins)
        return cls(batch, slots, tags)


class Reader:
    """Reads for all models that fold characters alike.

    One model after the other hears the same texts: the last are kept.
    """

    def __init__(self, fold: ngrams.Fold) -> None:
        self._fold = fold
        self._kept = lru_cache(maxsize=_KEPT)(self._read)

    def read(self, texts: Sequence[str]) -> Read:
        return self._read(texts) if len(texts) == 1 else self._kept(tuple(texts))

    def _read(self, texts: Sequence[str]) -> Read:
        return Read.of(texts, self._fold)


@cache
def _reader(fold: bytes) -> Reader:
    return Reader(np.frombuffer(fold, dtype=np.uint16))


def in_parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Batches small enough for the caches."""
    for i in range(0, len(texts), AT_ONCE):
        yield texts[i : i + AT_ONCE]


@dataclass(frozen=True, eq=False)
class Weights:
    """Everything of one model. `weights[i]` belongs to the n-gram with the id `ids[i]`."""

    classes: tuple[str, ...]
    fold: ngrams.Fold
    ids: NDArray[np.uint32]  #: ascending; no two share a slot
    weights: NDArray[np.int8]  #: one row an n-gram, one column a class
    scales: Floats
    biases: Floats
    temperature: float = 1.0

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises OSError when it cannot be read, `ModelBroken` when it is not a whole model."""
        return cls.parse(path.read_bytes())

    @classmethod
    def parse(cls, content: bytes) -> Self:
        line, _, packed = content.partition(b"\n")
        try:
            head: dict[str, Any] = json.loads(line)
            if head["format"] != FORMAT:
                raise ModelBroken(f"unknown format {head['format']!r}")
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(packed, _MOST_BODY)
            if hashlib.sha256(body).hexdigest() != head["sha256"]:
                raise ModelBroken("the weights do not match their checksum")
            return cls._of(head, body)
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ModelBroken(f"not a model file: {type(error).__name__}") from error

    @classmethod
    def _of(cls, head: dict[str, Any], body: bytes) -> Self:
        count, classes = int(head["ngrams"]), tuple(head["classes"])
        if not 1 <= len(classes) <= MOST_CLASSES:
            raise ModelBroken(f"{len(classes)} classes")
        fold_bytes = ngrams.BASIC * 2
        if len(body) != fold_bytes + count * (4 + len(classes)):
            raise ModelBroken("the body has another length than its head says")
        planes = np.frombuffer(body, np.uint8, count * 4, fold_bytes).reshape(4, count)
        steps = np.ascontiguousarray(planes.T).view("<u4")[:, 0]
        flat = np.frombuffer(body, np.int8, count * len(classes), fold_bytes + count * 4)
        deltas = np.frombuffer(body, "<u2", ngrams.BASIC)
        fold = (deltas + np.arange(ngrams.BASIC, dtype=np.uint16)).astype(np.uint16)
        return cls(
            classes=classes,
            fold=fold,
            ids=np.cumsum(steps, dtype=np.uint32),
            weights=flat.reshape(len(classes), count).T,
            scales=np.array(head["scales"], dtype=np.float64),
            biases=np.array(head["biases"], dtype=np.float64),
            temperature=float(head["temperature"]),
        )

    @cached_property
    def reader(self) -> Reader:
        """The same for all models with the same fold."""
        return _reader(self.fold.tobytes())

    def dump(self) -> bytes:
        """The same model gives the same bytes (with the same zlib)."""
        steps = np.diff(self.ids, prepend=np.uint32(0)).astype("<u4")
        delta = (self.fold - np.arange(ngrams.BASIC, dtype=np.uint16)).astype("<u2")
        planes = steps[:, None].view(np.uint8).T
        body = delta.tobytes() + planes.tobytes() + self.weights.T.tobytes()
        head = {
            "format": FORMAT,
            "classes": list(self.classes),
            "ngrams": len(self.ids),
            "scales": [round(float(s), 9) for s in self.scales],
            "biases": [round(float(b), 6) for b in self.biases],
            "temperature": round(self.temperature, 4),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        return json.dumps(head).encode() + b"\n" + zlib.compress(body, 9)


@dataclass(frozen=True, eq=False)
class Table:
    """What models say of the n-grams of a slot, side by side: one miss of the cache, not two.

    First where the entry of a slot stands, then the entries: most slots are empty, and the entries
    of the others fit into the caches.
    """

    places: NDArray[np.int32]  #: slot → entry; 0 where no n-gram is
    entries: NDArray[np.complex128]  #: 16 bytes each, which `take` copies as one number

    @classmethod
    def of(cls, *models: Weights) -> Self:
        """Each has an equal part of an entry, with its tag in the last byte."""
        places = np.zeros(ngrams.SLOTS, dtype=np.int32)
        for one in models:
            places[one.ids >> ngrams.TAG_BITS] = 1
        count = 1 + np.count_nonzero(places)
        places[places > 0] = np.arange(1, count)
        rows = np.zeros((count, len(models), ENTRY // len(models)), dtype=np.uint8)
        rows[..., -1] = _NO_TAG
        for number, one in enumerate(models):
            here = places.take(one.ids >> ngrams.TAG_BITS)
            rows[here, number, : len(one.classes)] = one.weights.view(np.uint8)
            rows[here, number, -1] = (one.ids & _TAG) | _PRESENT
        return cls(places, rows.reshape(count, ENTRY).view(np.complex128)[:, 0])

    def of_slots(self, slots: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Two for each slot: its entry."""
        return self.entries.take(self.places.take(slots)).view(np.uint64)


def look_up(table: Table, read: Read) -> NDArray[np.int8]:
    """[n-1, place, model, column]: weights of the n-gram ending there; last column: 1 if known."""
    entry = table.of_slots(read.slots)
    rows = entry.view(np.int8).reshape(*read.slots.shape, _MODELS, BESIDE)
    tags = read.tags.astype(np.uint16)
    tags *= _FOR_BOTH
    known = rows[..., -1] == tags.view(np.int8).reshape(rows.shape[:-1])
    rows[..., -1] = 1
    entry *= known.reshape(entry.shape)
    return rows


def summed(found: NDArray[np.int8], read: Read) -> NDArray[np.int64]:
    """[text, model, column]"""
    total = found[0].astype(np.int16)
    for longer in found[1:]:
        total += longer
    total += _LEAST  # no number is negative now: four are added up as one, and none overflows …
    begins = read.batch.begins
    sizes = np.diff(begins, append=len(total))
    parts = (sizes + _PART - 1) // _PART  # … in parts of a text that are short enough
    firsts = np.cumsum(parts) - parts
    at = begins
    if len(begins) < parts.sum():
        at = np.repeat(begins - firsts * _PART, parts) + np.arange(parts.sum()) * _PART
    fours = np.add.reduceat(total.reshape(len(total), -1).view(np.uint64), at, axis=0)
    made = fours.view(np.uint16).reshape(-1, *total.shape[1:]).astype(np.int64)
    if at is not begins:
        made = np.add.reduceat(made, firsts, axis=0)
    made -= (sizes * _LEAST).reshape(-1, *[1] * (total.ndim - 1))
    return made


def summed_alone(table: Table, read: Read) -> list[list[float]]:
    """[model][column] of a single text, as `summed` what was looked up, in fewer calls.

    Whole numbers, too small to be rounded.
    """
    rows = table.of_slots(read.slots).view(np.int8).reshape(-1, _MODELS, BESIDE)
    known = rows[..., -1] == read.tags.view(np.int8).reshape(-1, 1)
    rows[..., -1] = 1
    sums = known.T.astype(np.float64) @ rows.reshape(-1, ENTRY).astype(np.float64)
    return [sums[i, i * BESIDE : (i + 1) * BESIDE].tolist() for i in range(_MODELS)]


def softmax(sums: NDArray[np.int64], scales: Floats, biases: Floats) -> Floats:
    known = np.sqrt(np.maximum(1, sums[..., -1:]))
    logits = sums[..., :-1] * scales
    logits /= known
    logits += biases
    logits -= np.maximum.reduce(logits, axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= np.add.reduce(logits, axis=-1, keepdims=True)
    return logits


def evidence(
    found: NDArray[np.int8], read: Read, texts: NDArray[np.int64], columns: NDArray[np.int64]
) -> list[Words]:
    """For each of these texts the n-grams that spoke most for the class in that column.

    `found` as `look_up` gives it, its columns those of all models in a row. An n-gram
    speaks with all that ends where it ends: 没人管 with 人管 and 管.
    """
    batch = read.batch
    sizes = np.diff(batch.begins, append=len(batch.codes)).take(texts)
    stops = sizes.cumsum()
    starts = stops - sizes
    places = np.arange(stops[-1]) + (batch.begins.take(texts) - starts).repeat(sizes)
    flat = found.reshape(len(found), -1)
    width = flat.shape[1] // found.shape[1]
    # As numbers of cells: asked for by three indices each cell costs thrice as much.
    said = flat.take(places * width + columns.repeat(sizes), axis=1)
    spoken = said.cumsum(axis=0, dtype=np.int16)
    worth = np.maximum.reduce(spoken)
    if len(texts) == 1:
        ends = np.array(_peaks(worth.tolist()), dtype=np.int64)
        counts = [len(ends)]
    else:
        peaks = _all_peaks(worth, starts, sizes)
        is_peak = peaks >= 0
        ends, counts = peaks[is_peak], is_peak.sum(axis=1).tolist()
    last = places.take(ends)
    shown = batch.originals(last - spoken.take(ends, axis=1).argmax(axis=0), last)
    words = iter([word.strip(_SIGNS) for word in shown])
    told = (islice(words, count) for count in counts)
    return [tuple(dict.fromkeys(filter(_says_something, some))) for some in told]


def _peaks(worth: list[int]) -> list[int]:
    """The places of the highest, each too far from the others to share a character with them."""
    made: list[int] = []
    for _ in range(_EVIDENCE):
        highest = max(worth)
        if highest <= 0:
            break
        place = worth.index(highest)
        made.append(place)
        low, high = max(0, place - _APART), min(len(worth), place + _APART + 1)
        worth[low:high] = [0] * (high - low)
    return made


def _all_peaks(
    worth: NDArray[np.int16], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What `_peaks` finds in each of many texts that lie one behind the other: one row a text,
    -1 where it has no more. For a single text the calls cost twice as much.
    """
    made = np.full((len(starts), _EVIDENCE), -1)
    ends = starts + sizes - 1
    for rank in range(_EVIDENCE):
        highest = np.maximum.reduceat(worth, starts)
        at = np.flatnonzero(worth == highest.repeat(sizes))
        some = np.flatnonzero(highest > 0)
        place = at.take(at.searchsorted(starts.take(some)))
        made[some, rank] = place
        around = place[:, None] + _AROUND
        np.maximum(around, starts.take(some)[:, None], out=around)
        np.minimum(around, ends.take(some)[:, None], out=around)
        worth[around] = 0
    return made


def _says_something(word: str) -> bool:
    return word.isalnum() or any(c.isalnum() or c > "\U0001f000" for c in word)


_TAG: Final = np.uint32((1 << ngrams.TAG_BITS) - 1)
_PRESENT: Final = np.uint32(1 << ngrams.TAG_BITS)
