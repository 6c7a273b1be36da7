"""Limits on what a piece of work may cost, in CPU time and in the pace of the machine at that moment.

A machine may be slow, and others may be at work on it. Such a limit is there to catch work that
grows with the square of its input; how fast something is belongs in `benchmarks/`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

_USUAL = 0.012  #: CPU seconds that the yardstick takes where the limits were chosen
_ROOM = 3.0  #: caches, clock speeds and neighbours change from one moment to the next
_TEXT = "燃气泄漏，没人管！12345 " * 400


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fails when the block costs this thread far more than `seconds` of a usual machine's CPU."""
    pace = max(1.0, _yardstick() / _USUAL)
    began = time.thread_time()
    yield
    took = time.thread_time() - began
    assert took < seconds * pace * _ROOM, f"{took:.2f} s at a pace of {pace:.1f}"


def _yardstick() -> float:
    began = time.thread_time()
    for _ in range(10):
        words = re.findall(r"\d+|\w+?[，！]", _TEXT)
        json.loads(json.dumps({str(i): word for i, word in enumerate(words)}))
    return time.thread_time() - began
