"""What every table of the settings is made of: strict base class, addresses, a found problem."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from email.headerregistry import AddressHeader
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen; an unknown key is a mistake; a mistake never repeats what was typed as a secret."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file of the office that cannot be right; Chinese, for duty staff."""

    file: str
    key: str  #: 第3行, or the key in a TOML file
    found: str
    expected: str
    day: date | None = None  #: the duty day it is about, if it is about one

    def __str__(self) -> str:
        return f"{self.file}：{self.key}：发现{self.found}；应为{self.expected}"


def _address(text: str) -> str:
    """One usable mail address. Raises ValueError saying what is wrong with it."""
    if text != text.strip() or any(c.isspace() or ord(c) < 32 for c in text):
        raise ValueError("expected one mail address without blanks")
    if not text.isascii():
        raise ValueError(
            "expected an ASCII mail address (is there a full-width ＠ or a Chinese letter?)"
        )
    parsed: dict[str, Any] = {"defects": []}
    AddressHeader.parse(text, parsed)
    found = [a for group in parsed["groups"] for a in group.addresses]
    if parsed["defects"] or len(found) != 1 or found[0].addr_spec != text:
        raise ValueError("expected one mail address such as duty@example.gov.cn")
    if "@" not in text or (
        "." not in text.rpartition("@")[2] and text.rpartition("@")[2] != "localhost"
    ):
        raise ValueError("expected a mail address with a domain")
    return text


MailAddress = Annotated[str, AfterValidator(_address)]


def recipient(text: str) -> str:
    """A mail address, or TRANSPORT:TARGET for another transport. Raises ValueError."""
    transport, colon, target = text.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9_]*", transport) and target:
        return text
    return _address(text)


#: `duty@example.gov.cn`, or `transport:target` such as `wecom:防汛群`
Recipient = Annotated[str, AfterValidator(recipient)]


def split_recipient(text: str) -> tuple[str, str]:
    """(transport, target); a bare mail address goes by `smtp`."""
    transport, colon, target = text.partition(":")
    return (transport, target) if colon else ("smtp", text)
