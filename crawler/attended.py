"""What a crawl does when the service started it: ends with its parent, and within bounds."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from types import FrameType

MEMORY = 2 * 2**30  #: bytes of address space; a bomb ends this process, not the machine
ORPHANED = 75  #: exit status when the service has gone


class ToldToStop(BaseException):
    """SIGTERM: the run under way is to be closed in good order. No fault, so no Exception."""


def attend() -> None:
    """Ends this process when the service that holds our stdin is gone; bounds its memory.

    From here on SIGTERM raises ToldToStop in the main thread, once.
    """
    signal.signal(signal.SIGTERM, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    threading.Thread(target=_wait_for_end, name="attend", daemon=True).start()


def _stop(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # what is being closed is not to be torn again
    raise ToldToStop


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(ORPHANED)  # whatever was not committed is read again by the next run
