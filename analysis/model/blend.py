"""Two linear models as one: what kind of post it is, then how it sounds.

The kind decides the tone wherever it can: a bulletin is neutral however grave its words, a
complaint negative however polite. Only everyday talk is left to the tone model, which learnt
from such talk. One linear model has to average over both and does neither well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model.weights import (
    AT_ONCE,
    BESIDE,
    Floats,
    ModelBroken,
    Read,
    Table,
    Weights,
    evidence,
    in_parts,
    look_up,
    softmax,
    summed,
    summed_alone,
)

TONES: Final = ("neg", "neu", "pos")
#: What the tone model tells apart: how everyday Weibo talk feels, and how talk to an agency does.
#: With words for each the one is not heard through the other's ears.
FEELINGS: Final = ("angry", "sad", "neu", "pos", "local_neg", "local_neu", "local_pos")
#: other: everyday talk; official: bulletins, chatty official posts, replies, adverts;
#: request: enquiries and suggestions.
KINDS: Final = ("other", "official", "complaint", "request", "thanks", "hazard", "rumour")

#: How a post of each kind sounds; of the first the tone model says it. Danger and rumours are
#: mostly told in alarm.
_KIND_SOUND: Final = (
    (0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.4, 0), (0.6, 0.4, 0)
)  # fmt: skip
_FEELING_SOUND: Final = (
    (1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)
)  # fmt: skip
#: The kinds were learnt with our own corpus weighing more than it does in real traffic, and more
#: with every batch.
OTHER_ODDS: Final = 12.0
#: One row a feeling, then one a kind.
_SOUND: Final = np.array([*_FEELING_SOUND, *_KIND_SOUND], dtype=np.float64)
_SOUND[: len(FEELINGS)] *= OTHER_ODDS
#: The same for plain numbers: (tone, part) wherever it is not 0, and each feeling is one tone.
_KIND_SOUNDS: Final = [[(i, part) for i, part in enumerate(row) if part] for row in _KIND_SOUND]
_FEELING_SOUNDS: Final = [(row.index(1), OTHER_ODDS) for row in _FEELING_SOUND]
_COLUMNS: Final = np.array([0, BESIDE])  #: where each model's begin in a row of both


class Heard(NamedTuple):
    """Shares of each text: one row a text."""

    tones: Floats  #: columns as in TONES
    both: Floats  #: [text, model, column]: FEELINGS, as far as the kind leaves it to them; KINDS

    @property
    def kinds(self) -> Floats:
        """Columns as in KINDS."""
        return self.both[:, 1]


@dataclass(frozen=True, eq=False)
class Blend:
    tone: Weights
    kind: Weights
    digest: str = ""  #: of both files

    @classmethod
    def load(cls, tone: Path, kind: Path) -> Self:
        """Raises OSError or `ModelBroken`."""
        contents = (tone.read_bytes(), kind.read_bytes())
        sound, sort = map(Weights.parse, contents)
        if sound.classes != FEELINGS or sort.classes != KINDS:
            raise ModelBroken("the two files are not a tone and a kind model")
        if not np.array_equal(sound.fold, sort.fold):
            raise ModelBroken("the two models read characters differently")
        digest = hashlib.sha256(b"".join(contents)).hexdigest()[:12]
        return cls(tone=sound, kind=sort, digest=digest)

    def hear(self, texts: Sequence[str]) -> Heard:
        """Never raises for a text."""
        if 0 < len(texts) <= AT_ONCE:
            return self._hear(self.tone.reader.read(texts))
        parts = [self._hear(self.tone.reader.read(some)) for some in in_parts(texts)]
        return Heard._make(map(np.concatenate, zip(_NOBODY, *parts, strict=True)))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Columns as in TONES."""
        return self.hear(texts).tones

    def _hear(self, read: Read) -> Heard:
        if len(read.batch.begins) == 1:
            return self._alone(summed_alone(self._table, read))
        both = self._shares(summed(look_up(self._table, read), read))
        # Not `@`: it adds in another order where there is one text alone.
        told = np.add.reduce(both.reshape(len(both), -1).T[:, None] * _SOUND[:, :, None], axis=0)
        told /= np.add.reduce(told, axis=0)
        return Heard(told.T, both)

    def _alone(self, sums: list[list[float]]) -> Heard:
        """What `_shares` and `_hear` say of many texts, in plain numbers: an array costs as much
        as thirty of them. In the same order, so that the last bit is the same.
        """
        logits: list[float] = []
        for row, scales, biases in zip(sums, *self._plain, strict=True):
            known = sqrt(max(1.0, row.pop()))
            some = [
                one * scale / known + bias
                for one, scale, bias in zip(row, scales, biases, strict=True)
            ]
            highest = max(some)
            logits += [one - highest for one in some]
        raw = np.exp(logits).tolist()
        feelings: list[float] = raw[: len(FEELINGS)]
        kinds: list[float] = raw[len(FEELINGS) :]
        total = _total(kinds)
        kinds = [one / total for one in kinds]
        total, left = _total(feelings), kinds[0]
        feelings = [one / total * left for one in feelings]
        told = [0.0] * len(TONES)
        for one, (tone, part) in zip(feelings, _FEELING_SOUNDS, strict=True):
            told[tone] += one * part
        for share, sound in zip(kinds, _KIND_SOUNDS, strict=True):
            for tone, part in sound:
                told[tone] += share * part
        total = _total(told)
        both = np.array(feelings + kinds).reshape(1, len(_COLUMNS), -1)
        return Heard(np.array([[one / total for one in told]]), both)

    def _shares(self, sums: NDArray[np.int64]) -> Floats:
        """[text, model, column]: shares of feelings, as far as the kind leaves it to them; kinds.

        Both models in one pass: for a single text the number of calls is the cost.
        """
        both = softmax(sums, self._scales, self._biases)
        both[:, 0] *= both[:, 1, :1]
        return both

    @cached_property
    def _plain(self) -> tuple[list[list[float]], list[list[float]]]:
        return self._scales.tolist(), self._biases.tolist()

    @cached_property
    def _table(self) -> Table:
        return Table.of(self.tone, self.kind)

    @cached_property
    def _scales(self) -> Floats:
        made = np.zeros((2, len(KINDS)))
        made[0, : len(FEELINGS)] = self.tone.scales * self.tone.temperature
        made[1] = self.kind.scales * self.kind.temperature
        return made

    @cached_property
    def _biases(self) -> Floats:
        made = np.full((2, len(KINDS)), -np.inf)
        made[0, : len(FEELINGS)] = self.tone.biases * self.tone.temperature
        made[1] = self.kind.biases * self.kind.temperature
        return made

    def evidence(self, texts: Sequence[str], both: Floats, tone: int) -> list[tuple[str, ...]]:
        """For each text the words that spoke most for the tone in that column.

        `both`: of `Heard`. `texts` may be spelt otherwise than what was heard.
        """
        made: list[tuple[str, ...]] = []
        for some in in_parts(texts):
            read = Read.of(some, self.tone.fold, again=True)
            made += self._evidence(read, both[len(made) : len(made) + len(some)], tone)
        return made

    def _evidence(self, read: Read, both: Floats, tone: int) -> list[tuple[str, ...]]:
        """From the model that had most to say: the kind's, where a kind decided."""
        found = look_up(self._table, read)
        said = both * _SOUND[:, tone].reshape(-1, len(KINDS))
        kind_decided = said[:, 0].sum(axis=1) < said[:, 1].max(axis=1)
        model, column = kind_decided.astype(np.int64), said.argmax(axis=2) + _COLUMNS
        every = np.arange(len(both))
        made = evidence(found, read, every, column[every, model])
        silent = np.array([i for i, words in enumerate(made) if not words], dtype=np.int64)
        if len(silent):
            others = evidence(found, read, silent, column[silent, 1 - model[silent]])
            for i, words in zip(silent.tolist(), others, strict=True):
                made[i] = words
        return made


#: Shares of no text at all.
_NOBODY: Final = Heard(np.zeros((0, len(TONES))), np.zeros((0, 2, len(KINDS))))


def _total(some: list[float]) -> float:
    total = 0.0  # not `sum`: from Python 3.12 on that rounds otherwise than an array
    for one in some:
        total += one
    return total
