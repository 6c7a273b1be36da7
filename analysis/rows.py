"""Makes named tuples by the thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, cast

Row = TypeVar("Row", bound=tuple[Any, ...])


def rows_of(kind: type[Row]) -> Callable[[Iterable[Any]], Row]:
    """Makes one of a row that holds a value for every field, in their order, unchecked.

    Called by its name, a named tuple is made by a function in Python, at twice the cost; of a post
    a dozen are made.
    """
    return cast(Callable[[Iterable[Any]], Row], partial(tuple.__new__, kind))
