"""The whole product on real parts."""

from tests.running import board, command, mailbox, place, start

__all__ = ["board", "command", "mailbox", "place", "start"]
