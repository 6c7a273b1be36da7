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
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model import ngrams

Floats = NDArray[np.float64]

FORMAT: Final = "tinglan-linear-2"
MOST_CLASSES: Final = 7
_ROW: Final = MOST_CLASSES + 1  #: bytes of an entry: one weight a class, and the tag
#: A body larger than this is not ours: a file must not be able to fill the memory.
_MOST_BODY: Final = 16 * 1024 * 1024
#: Texts that are worked on together; more only fills the caches.
AT_ONCE: Final = 128
_TAG_SHIFT: Final = np.uint64(ngrams.TAG_BITS)
_TAGGED: Final = np.uint8(1 << ngrams.TAG_BITS)  #: so that no tag is 0
_EVIDENCE: Final = 3
_SIGNS: Final = "，。！？、；：,.!?;:~～… \t\n"


class ModelBroken(Exception):
    """The file is not a model, or not the one that was written."""


class Read(NamedTuple):
    """Texts with their n-grams looked up in no table yet; several models can share it."""

    batch: ngrams.Batch
    slots: NDArray[np.int64]
    tags: NDArray[np.int8]
    once: NDArray[np.bool_]  #: one of the places of an n-gram that a text has several times

    @classmethod
    def of(cls, texts: Sequence[str], fold: ngrams.Fold) -> Self:
        batch = ngrams.batch(texts, fold)
        ids = ngrams.ids(batch.codes)
        tags = (ids.astype(np.uint8) | _TAGGED).view(np.int8)
        slots = (ids >> _TAG_SHIFT).view(np.int64)
        return cls(batch, slots, tags, ngrams.once(slots, batch.begins))


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

    @cached_property
    def table(self) -> NDArray[np.uint64]:
        """slot → weights, then the tag in the last byte (never 0 where an n-gram is)."""
        rows = np.zeros((len(self.ids), _ROW), dtype=np.uint8)
        rows[:, : len(self.classes)] = self.weights.view(np.uint8)
        rows[:, -1] = (self.ids & _TAG) | _PRESENT
        table = np.zeros(ngrams.SLOTS, dtype=np.uint64)
        table[self.ids >> ngrams.TAG_BITS] = rows.view(np.uint64)[:, 0]
        return table

    def evidence(self, read: Read, columns: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """For each text the n-grams that spoke most for the class in that column.

        An n-gram speaks with all that ends where it ends: 没人管 with 人管 and 管.
        """
        made = read.batch
        sizes = np.diff(made.begins, append=len(made.codes))
        column = np.repeat(columns, sizes)
        begin = int(made.begins[0])
        places = np.arange(len(column))
        best = np.zeros(len(column), dtype=np.int16)
        length = np.zeros(len(column), dtype=np.int64)
        sum_here = np.zeros(len(column), dtype=np.int16)
        for n, found in enumerate(look_up(self.table[:, None], read, again=True)[..., 0, :]):
            sum_here += found[begin:][places, column]
            better = sum_here > best
            best[better] = sum_here[better]
            length[better] = n
        starts = made.begins - begin
        picked: list[list[str]] = [[] for _ in sizes]
        for _ in range(_EVIDENCE):
            top = np.maximum.reduceat(best, starts)
            hits = np.flatnonzero(best == np.repeat(top, sizes))
            ends = hits[np.searchsorted(hits, starts)]
            spoken = made.originals(ends - length[ends] + begin, ends + begin)
            for words, word, worth in zip(picked, spoken, top.tolist(), strict=True):
                if worth > 0:
                    words.append(word.strip(_SIGNS))
            for near in range(1 - ngrams.LONGEST, ngrams.LONGEST):
                best[np.clip(ends + near, 0, len(best) - 1)] = 0
        return [tuple(dict.fromkeys(filter(_says_something, words))) for words in picked]


def look_up(table: NDArray[np.uint64], read: Read, *, again: bool = False) -> NDArray[np.int8]:
    """[n-1, place, model, column]: weights of the n-gram ending there; last column: 1 if counted.

    `again`: also where a text has it not for the first time.
    """
    entry = _rows(table).take(read.slots).view(np.uint64).reshape(*read.slots.shape, -1)
    rows = entry.view(np.int8).reshape(*entry.shape, _ROW)
    known = rows[..., -1] == read.tags[..., None]
    if not again:
        known &= read.once[..., None]
    rows[..., -1] = 1
    entry *= known
    return rows


def _rows(table: NDArray[np.uint64]) -> NDArray[Any]:
    """The same memory with one number a row: `take` copies numbers far quicker than rows."""
    return table.view(np.complex128 if table.shape[1] == 2 else np.uint64)[:, 0]


def summed(found: NDArray[np.int8], read: Read) -> NDArray[np.int64]:
    """[text, model, column]"""
    if len(read.batch.begins) == 1:
        return np.asarray(np.add.reduce(found, axis=(0, 1), dtype=np.int64))[None]
    total = found[0].astype(np.int16)
    for longer in found[1:]:
        total += longer
    return np.asarray(np.add.reduceat(total, read.batch.begins, axis=0, dtype=np.int64))


def softmax(sums: NDArray[np.int64], scales: Floats, biases: Floats) -> Floats:
    known = np.sqrt(np.maximum(1, sums[..., -1:]))
    logits = sums[..., :-1] * scales
    logits /= known
    logits += biases
    logits -= np.maximum.reduce(logits, axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= np.add.reduce(logits, axis=-1, keepdims=True)
    return logits


def _says_something(word: str) -> bool:
    return any(c.isalnum() or c > "\U0001f000" for c in word)


_TAG: Final = np.uint32((1 << ngrams.TAG_BITS) - 1)
_PRESENT: Final = np.uint32(1 << ngrams.TAG_BITS)
