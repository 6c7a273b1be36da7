"""Two linear models as one: what kind of post it is, then how it sounds.

The kind decides the tone wherever it can: a bulletin is neutral however grave its words, a
complaint negative however polite. Only everyday talk is left to the tone model, which learnt
from such talk. One linear model has to average over both and does neither well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model.weights import (
    AT_ONCE,
    Floats,
    ModelBroken,
    Read,
    Weights,
    in_parts,
    look_up,
    softmax,
    summed,
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
#: The kinds were learnt with our own corpus weighing more than it does in real traffic.
OTHER_ODDS: Final = 6.0
#: One row a feeling, then one a kind.
_SOUND: Final = np.array([*_FEELING_SOUND, *_KIND_SOUND], dtype=np.float64)
_SOUND[: len(FEELINGS)] *= OTHER_ODDS


class Heard(NamedTuple):
    """Shares of each text: one row a text."""

    tones: Floats  #: columns as in TONES
    kinds: Floats  #: columns as in KINDS


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
            return self._hear(Read.of(texts, self.tone.fold))
        parts = [self._hear(Read.of(some, self.tone.fold)) for some in in_parts(texts)]
        return Heard(
            np.concatenate([h.tones for h in parts] or [np.zeros((0, len(TONES)))]),
            np.concatenate([h.kinds for h in parts] or [np.zeros((0, len(KINDS)))]),
        )

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Columns as in TONES."""
        return self.hear(texts).tones

    def _hear(self, read: Read) -> Heard:
        both = self._both(read)
        # Not `@`: it adds in another order where there is one text alone.
        told = np.add.reduce(both.reshape(-1, 2 * len(KINDS), 1) * _SOUND, axis=1)
        told /= np.add.reduce(told, axis=1, keepdims=True)
        return Heard(told, both[:, 1])

    def _both(self, read: Read) -> Floats:
        """[text, model, column]: shares of feelings, as far as the kind leaves it to them; kinds.

        Both models in one pass: for a single text the number of calls is the cost.
        """
        both = softmax(summed(look_up(self._table, read), read), self._scales, self._biases)
        both[:, 0] *= both[:, 1, :1]
        return both

    @cached_property
    def _table(self) -> NDArray[np.uint64]:
        """Both entries of a slot side by side: one miss of the cache, not two."""
        return np.stack((self.tone.table, self.kind.table), axis=1)

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

    def evidence(self, texts: Sequence[str], tones: Iterable[int]) -> list[tuple[str, ...]]:
        """For each text the words that spoke most for the tone in that column."""
        wanted = np.fromiter(tones, dtype=np.int64, count=len(texts))
        made: list[tuple[str, ...]] = []
        for some in in_parts(texts):
            columns = wanted[len(made) : len(made) + len(some)]
            made += self._evidence(Read.of(some, self.tone.fold), columns)
        return made

    def _evidence(self, read: Read, tones: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """From the model that had most to say: the kind's, where a kind decided."""
        said = self._both(read) * _SOUND.T[tones].reshape(-1, 2, len(KINDS))
        feeling, kind = said.argmax(axis=2).T
        is_felt = said[:, 0].sum(axis=1) >= said[:, 1].max(axis=1)
        by_tone = self.tone.evidence(read, feeling)
        by_kind = self.kind.evidence(read, kind)
        return [
            (by_tone[i] or by_kind[i]) if is_felt[i] else (by_kind[i] or by_tone[i])
            for i in range(len(tones))
        ]
