"""Speaks to systemd (sd_notify protocol) where it listens."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping


def notifier(environ: Mapping[str, str]) -> Callable[[str], None]:
    """Speaks to systemd where it listens (sd_notify protocol); silent elsewhere."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return lambda _state: None
    if address.startswith("@"):
        address = "\0" + address[1:]

    def notify(state: str) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect(address)
            to.sendall(state.encode())

    return notify
