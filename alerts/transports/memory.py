"""The twin of a mail server for tests and drills: keeps letters, refuses when told to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from alerts.letters import Letter, NotDelivered, Receipt
from config.settings import Section, Settings


class Options(Section):
    keep: int = 10_000  #: letters; older ones are forgotten


class Memory:
    def __init__(self, keep: int = 10_000) -> None:
        self.letters: list[Letter] = []
        self.failing: dict[str, NotDelivered] = {}  #: recipient, or "*" for all → what it raises
        self.deadline = timedelta(seconds=5)
        self.rate = 0
        self._keep = keep

    def send(self, letter: Letter) -> Receipt:
        trouble = self.failing.get(letter.recipient) or self.failing.get("*")
        if trouble is not None:
            raise trouble
        self.letters = [*self.letters, letter][-self._keep :]
        return Receipt(f"kept as number {len(self.letters)}")

    def to(self, recipient: str) -> list[Letter]:
        return [letter for letter in self.letters if letter.recipient == recipient]


def build(options: Options, settings: Settings, environ: Mapping[str, str]) -> Memory:
    return Memory(options.keep)
