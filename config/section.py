"""What every table of the settings is made of: strict base class, addresses, a found problem."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

#: RFC 5321 mailbox without quoted local parts and address literals, which no office uses
_ADDR_SPEC = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(localhost|([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63})"
)


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
    if not _ADDR_SPEC.fullmatch(text) or len(text) > 254:
        raise ValueError("expected one mail address such as duty@example.gov.cn")
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
