"""What stands in a batch of texts, in arrays: words by number of their list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.trie import Ints

Table = NDArray[np.bool_]


class Rows:
    """Number → some other numbers, for many at a time."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.sizes = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        self._begins = np.cumsum(self.sizes) - self.sizes
        self._values = np.fromiter((v for row in rows for v in row), dtype=np.int64)

    def of(self, numbers: Ints) -> tuple[Ints, Ints]:
        """For each value that belongs to any of them: whose it is (its place), and the value."""
        sizes = self.sizes.take(numbers)
        whose = np.repeat(np.arange(len(numbers)), sizes)
        shift = self._begins.take(numbers) - (np.cumsum(sizes) - sizes)
        return whose, self._values.take(np.arange(len(whose)) + shift.take(whose))


@dataclass(slots=True)
class Look:
    """What stands in some texts."""

    texts: list[str]
    begins: Ints  #: of each text in the whole
    stops: Ints  #: where it ends
    starts: Ints  #: of each hit, in the whole …
    ends: Ints
    post: Ints  #: … and in which text
    #: for each list that a hit stands in: the hit, the list
    hit: Ints
    column: Ints
    #: text, list → whether any of its words stands there; two columns more: always, never
    has: Table
    size: int  #: of the whole

    @property
    def always(self) -> int:
        """The number of a list that stands everywhere."""
        return int(self.has.shape[1]) - 2

    def at(self, wanted: Table) -> tuple[Ints, Ints]:
        """(hit, list) of those that `wanted`, a table such as `has`, marks."""
        flat = self.post.take(self.hit) * self.has.shape[1] + self.column
        some = np.flatnonzero(wanted.ravel().take(flat))
        return self.hit.take(some), self.column.take(some)


def places_in(table: Table) -> tuple[Ints, Ints]:
    """(row, column) of what is true: as `np.nonzero`, in a third of the time."""
    rows, columns = np.divmod(np.flatnonzero(table), table.shape[1])
    return rows, columns


def runs(ordered: Ints) -> Iterable[tuple[int, int, int]]:
    """(number, first, behind the last) of each run of equal numbers."""
    if not len(ordered):
        return ()
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    stops = [*first[1:].tolist(), len(ordered)]
    return zip(ordered.take(first).tolist(), first.tolist(), stops, strict=True)
