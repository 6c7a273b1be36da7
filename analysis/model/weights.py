"""A trained linear model: reads its file, and scores texts by adding up int8 weights.

The file is one line of JSON (classes, scales, checksums), then a compressed body: the character
fold, and for each n-gram its slot, its tag and one int8 weight a class. In memory an n-gram's
weights and tag share one integer, so a text costs one table look-up per n-gram.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model import ngrams

Floats = NDArray[np.float64]

FORMAT: Final = "tinglan-linear-1"
MOST_CLASSES: Final = 7
#: A body larger than this is not ours: a file must not be able to fill the memory.
_MOST_BODY: Final = 16 * 1024 * 1024
#: Texts that are worked on together; more only fills the caches.
_AT_ONCE: Final = 256
_EVIDENCE: Final = 3


class ModelBroken(Exception):
    """The file is not a model, or not the one that was written."""


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
        steps = np.frombuffer(body, "<u4", count, fold_bytes)
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
        body = delta.tobytes() + steps.tobytes() + self.weights.T.tobytes()
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
    def _table(self) -> NDArray[Any]:
        """slot → tag in the highest byte (never 0 where an n-gram is), weights below it."""
        wide = np.uint32 if len(self.classes) <= 3 else np.uint64
        rows = np.zeros((len(self.ids), np.dtype(wide).itemsize), dtype=np.uint8)
        rows[:, : len(self.classes)] = self.weights.view(np.uint8)
        rows[:, -1] = (self.ids & _TAG) | _PRESENT
        table = np.zeros(1 << ngrams.SLOT_BITS, dtype=wide)
        little = np.dtype(wide).newbyteorder("<")
        table[self.ids >> ngrams.TAG_BITS] = rows.view(little)[:, 0]
        return table

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """One row a text, one column a class; never raises for a text."""
        parts = [
            self._some(texts[i : i + _AT_ONCE]) for i in range(0, len(texts), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)))

    def _some(self, texts: Sequence[str]) -> Floats:
        made = ngrams.batch(texts, self.fold)
        total: NDArray[Any] | None = None
        for found in self._found(made):
            total = found.astype(np.int16) if total is None else total + found
        assert total is not None  # noqa: S101 - there is always a 1-gram
        sums = np.add.reduceat(total, made.begins, axis=0, dtype=np.int64)
        return self._softmax(sums)

    def _found(self, made: ngrams.Batch) -> list[NDArray[np.int8]]:
        """For n = 1 … the weights of the n-gram ending at each place; last column: 1 if known."""
        table = self._table
        wide = table.dtype.type
        high = wide(8 * (table.itemsize - 1))
        below = wide((1 << int(high)) - 1)
        known = wide(1 << int(high))
        found = []
        for gram in ngrams.ids(made.codes):
            entry = table[gram >> _TAG_WIDTH]
            match = (entry >> high) == ((gram & _TAG64) | _PRESENT64)
            value = ((entry & below) | known) * match
            little = value.astype(table.dtype.newbyteorder("<"), copy=False)
            found.append(little.view(np.int8).reshape(len(value), table.itemsize))
        return found

    def _softmax(self, sums: NDArray[np.int64]) -> Floats:
        known = np.maximum(1, sums[:, -1])
        logits = sums[:, : len(self.classes)] * self.scales / np.sqrt(known)[:, None] + self.biases
        logits *= self.temperature
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def evidence(self, texts: Sequence[str], columns: Sequence[int]) -> list[tuple[str, ...]]:
        """For each text the n-grams that spoke most for the class in that column."""
        made: list[tuple[str, ...]] = []
        for i in range(0, len(texts), _AT_ONCE):
            made += self._reasons(texts[i : i + _AT_ONCE], columns[i : i + _AT_ONCE])
        return made

    def _reasons(self, texts: Sequence[str], columns: Sequence[int]) -> list[tuple[str, ...]]:
        made = ngrams.batch(texts, self.fold)
        sizes = np.diff(made.begins, append=len(made.codes))
        column = np.repeat(np.asarray(columns), sizes)
        scales = self.scales[column]
        begin = int(made.begins[0])
        places = np.arange(len(column))
        gain = np.zeros((ngrams.LONGEST, len(column)))
        for n, found in enumerate(self._found(made)):
            own = found[begin:]
            shares = own[:, : len(self.classes)] * self.scales
            gain[n] = own[places, column] * scales - shares.mean(axis=1)
        length = gain.argmax(axis=0)
        best = gain.max(axis=0)
        starts = made.begins - begin
        picked: list[list[str]] = [[] for _ in texts]
        for _ in range(_EVIDENCE):
            top = np.maximum.reduceat(best, starts)
            at = _first(best, np.repeat(top, sizes), starts)
            for doc in np.flatnonzero(top > 0):
                end = int(at[doc])
                first = end - int(length[end])
                picked[doc].append(made.original(first + begin, end + begin).strip())
                low = max(int(starts[doc]), first)
                best[low : end + int(length[end]) + 1] = -1.0
        return [tuple(dict.fromkeys(p for p in words if p)) for words in picked]


_TAG: Final = np.uint32((1 << ngrams.TAG_BITS) - 1)
_TAG64: Final = np.uint64((1 << ngrams.TAG_BITS) - 1)
_TAG_WIDTH: Final = np.uint64(ngrams.TAG_BITS)
_PRESENT: Final = np.uint32(1 << ngrams.TAG_BITS)
_PRESENT64: Final = np.uint64(1 << ngrams.TAG_BITS)


def _first(values: Floats, wanted: Floats, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """In each part the first place where the value is the wanted one (there is one)."""
    hits = np.flatnonzero(values == wanted)
    return hits[np.searchsorted(hits, starts)]
