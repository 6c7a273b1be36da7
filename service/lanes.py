"""A lane does one kind of work in a thread of its own; its errors end a turn, never the lane."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from config.clock import Clock

log = logging.getLogger("service.lanes")


class Lane:
    """One kind of work in one thread: woken by the tick, works until there is nothing left."""

    def __init__(
        self, name: str, step: Callable[[], bool], clock: Clock, *, limit: float = 300.0
    ) -> None:
        self.name = name
        self.limit = limit  #: seconds one step may take before the lane counts as hung
        self.failures = 0
        self.steps = 0
        self._step = step
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def ask_stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    @property
    def hung(self) -> bool:
        since = self._busy_since
        return since is not None and self._clock.monotonic() - since > self.limit

    def turn(self) -> None:
        """Works until there is nothing left; an error ends the turn, never the lane."""
        more = True
        while more and not self._stop.is_set():
            self._busy_since = self._clock.monotonic()
            try:
                more = self._step()
                self.steps += 1
                self.failures = 0
            except Exception:  # one failing part must not stop the rest
                more = False
                self.failures += 1
                log.exception("lane.failed", extra={"lane": self.name, "in_a_row": self.failures})
            finally:
                self._busy_since = None

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            self.turn()
