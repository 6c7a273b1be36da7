"""Which group of our own corpus a text belongs to, as a third linear model hears it.

The kinds of `analysis.model.blend` serve the tone and are learnt from much that nobody wrote to an
agency. These groups are finer and learnt from our own lines alone; they serve what decides whether
somebody must look (`analysis.concern`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model.weights import (
    ENTRY,
    Floats,
    ModelBroken,
    Read,
    Table,
    Weights,
    in_parts,
    softmax,
    summed,
)

GROUPS: Final = (
    "advert", "bulletin", "chatter", "complaint_formal", "complaint_plain", "complaint_sarcastic",
    "enquiry", "hazard", "informal", "reply", "rumour", "suggestion", "thanks",
)  # fmt: skip
_COLUMNS: Final = ENTRY - 1  #: of weights in an entry; those beyond the groups are empty


@dataclass(frozen=True, eq=False)
class Groups:
    weights: Weights

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises OSError or `ModelBroken`."""
        weights = Weights.load(path)
        if weights.classes != GROUPS:
            raise ModelBroken("the file is not a model of the groups")
        return cls(weights)

    def hear(self, texts: Sequence[str]) -> Floats:
        """Shares: one row a text, columns as in GROUPS. Never raises for a text."""
        parts = [self._hear(self.weights.reader.read(some)) for some in in_parts(texts)]
        return np.concatenate(parts or [np.zeros((0, len(GROUPS)))])

    def _hear(self, read: Read) -> Floats:
        places, tags, entries = self._table
        which = places.take(read.slots)
        which *= tags.take(which) == read.tags
        rows = entries.take(which).view(np.int8).reshape(*read.slots.shape, ENTRY)
        return softmax(summed(rows, read), self._scales, self._biases)[:, : len(GROUPS)]

    @cached_property
    def _table(self) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.complex128]]:
        """Slot → entry, the tags of the entries, the entries: in these the last byte counts what
        is known. One model alone can look at the tag before it fetches the entry.
        """
        table = Table.of(self.weights)
        rows = table.entries.view(np.uint8).reshape(-1, ENTRY)
        tags = rows[:, -1].copy()
        rows[:, -1] = 1
        rows[0] = 0  # for what is not known
        return table.places, tags, table.entries

    @cached_property
    def _scales(self) -> Floats:
        made = np.zeros(_COLUMNS)
        made[: len(GROUPS)] = self.weights.scales * self.weights.temperature
        return made

    @cached_property
    def _biases(self) -> Floats:
        made = np.full(_COLUMNS, -np.inf)
        made[: len(GROUPS)] = self.weights.biases * self.weights.temperature
        return made
