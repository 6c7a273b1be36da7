"""What is handed to a transport: one letter to one person, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from store.records import Level


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that travels with a letter; with a `cid` it is a picture of its page."""

    name: str  #: ASCII
    kind: str  #: application/pdf
    content: bytes
    cid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to one person, in words; how it is wrapped is the transport's business."""

    id: str  #: of the notice; the left half of the Message-ID
    recipient: str
    subject: str  #: cleaned, one line
    text: str  #: complete by itself
    html: str = ""
    date: datetime  #: the notice's creation, not the attempt's
    level: Level | None = None
    parent: str = ""  #: id of the letter this one follows on, if any
    bulk: bool = False  #: a digest, not duty mail
    beside: tuple[Attached, ...] = ()  #: ways that carry no files leave them out


@dataclass(frozen=True, slots=True)
class Receipt:
    """The other side has it."""

    reply: str  #: what it said, cleaned, without secrets
    parts: Mapping[str, int] = field(default_factory=dict)  #: step → milliseconds


class Trouble(StrEnum):
    """Whose fault it is, which decides what happens next."""

    LINK = "link"  #: the network or the server is away: the transport waits, every row is kept
    SYSTEM = "system"  #: sign-in, certificate, sender, settings: somebody must mend it
    RECIPIENT = "recipient"  #: this address
    PROVIDER = "provider"  #: policy: taken for spam, content refused
    MESSAGE = "message"  #: this letter: too large, or refused for now
    UNSURE = "unsure"  #: handed over, but the answer never came


class NotDelivered(Exception):
    """The other side did not take it, or did not say so.

    `permanent` means asking again is no use. `reply` is what the other side said, cleaned and
    without secrets.
    """

    def __init__(
        self,
        kind: Trouble,
        reply: str,
        *,
        permanent: bool = False,
        too_large: bool = False,
        parts: Mapping[str, int] | None = None,
    ) -> None:
        self.kind = kind
        self.reply = reply
        self.permanent = permanent
        self.too_large = too_large
        self.parts = dict(parts or {})
        super().__init__(f"{kind}: {reply}")


class Transport(Protocol):
    """One way to reach a person."""

    @property
    def deadline(self) -> timedelta:
        """No attempt lasts longer; the lease of a row is built on it."""
        ...

    @property
    def rate(self) -> int:
        """Letters a minute; 0 means as many as there are."""
        ...

    def send(self, letter: Letter) -> Receipt:
        """Hands one letter over. Raises NotDelivered."""
        ...
