"""Every setting: key, type, default, meaning. Plug-ins bring their own options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.duration import Duration
from config.secrets import SecretName
from store.records import Level, Topic

_ID = r"^[a-z][a-z0-9_-]{0,39}$"

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


def _recipient(text: str) -> str:
    """A mail address, or TRANSPORT:TARGET for another transport."""
    transport, colon, target = text.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9_]*", transport) and target:
        return text
    return _address(text)


#: `duty@example.gov.cn`, or `transport:target` such as `wecom:防汛群`
Recipient = Annotated[str, AfterValidator(_recipient)]


def split_recipient(recipient: str) -> tuple[str, str]:
    """(transport, target); a bare mail address goes by `smtp`."""
    transport, colon, target = recipient.partition(":")
    return (transport, target) if colon else ("smtp", recipient)


class Agency(Section):
    name: str = Field(min_length=1, max_length=60)
    units: tuple[str, ...] = ()  #: subordinate units, for routing and place names
    contact: str = Field(
        pattern=r"^(https?://|mailto:)\S+$"
    )  #: where a webmaster finds out who reads the pages; part of the User-Agent


class DatabaseSettings(Section):
    url: str = "sqlite:///var/tinglan.db"


class ChannelSettings(Section):
    """What all channels share; `options` is what the kind adds in the same table."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: str = Field(pattern=_ID)
    name: str = Field(min_length=1, max_length=40)  #: as duty staff read it
    kind: str
    every: Duration = timedelta(minutes=5)
    deadline: Duration = timedelta(minutes=10)  #: a run that takes longer is killed
    disabled: bool = False
    options: Any = None  #: the kind's own Options, validated

    @model_validator(mode="after")
    def _sane(self) -> ChannelSettings:
        if self.every < timedelta(seconds=1):
            raise ValueError("every: expected 1s or more")
        if self.deadline < timedelta(seconds=5):
            raise ValueError("deadline: expected 5s or more")
        return self


class Office(Section):
    """责任处室: who gets what."""

    id: str = Field(pattern=_ID)
    name: str = Field(min_length=1, max_length=40)
    addresses: tuple[Recipient, ...] = Field(min_length=1)
    topics: tuple[Topic, ...] = ()  #: empty: every topic
    channels: tuple[str, ...] = ()  #: empty: every channel
    levels: tuple[Level, ...] = ()  #: empty: every level


class Roster(Section):
    """值班表 (its table of shifts comes with the lifecycle); the fallback is always required."""

    fallback: tuple[Recipient, ...] = Field(min_length=1)  #: last resort, and system alarms


class Mail(Section):
    host: str = Field(min_length=1)
    port: int = Field(default=465, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    insecure: bool = False  #: allow `none` to a host that is not loopback; shown in every `status`
    username: str = ""
    password_env: SecretName | None = None  #: name of the variable (or NAME_FILE) with the password
    ca_file: str = ""  #: the office's own certificate authority, PEM
    sender: MailAddress = Field(alias="from")
    sender_name: str = "听澜舆情值守"
    domain: str = ""  #: right half of Message-ID; default: the sender's
    rate: int = Field(default=20, ge=1, le=600)  #: messages a minute to all
    connect_timeout: Duration = timedelta(seconds=10)
    data_timeout: Duration = timedelta(seconds=60)
    deadline: Duration = timedelta(seconds=90)  #: one attempt, in all

    @model_validator(mode="after")
    def _safe(self) -> Mail:
        if self.security == "none" and not self.insecure and not is_loopback(self.host):
            raise ValueError(
                'security: "none" sends letters and passwords in clear; expected "tls" or '
                '"starttls" (or insecure = true for a host you trust)'
            )
        if self.username and self.password_env is None:
            raise ValueError("password_env: expected the NAME of the variable with the password")
        return self


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


class DigestSettings(Section):
    """周报."""

    weekday: int = Field(default=1, ge=1, le=7)  #: 1 is Monday
    at: time = time(8, 0)  #: Asia/Shanghai
    to: tuple[Recipient, ...] = ()  #: empty: the fallback addresses


class Console(Section):
    listen: str = "127.0.0.1:8765"
    public_url: str = ""  #: as written in mails


class Privacy(Section):
    author_key_env: SecretName = "TINGLAN_AUTHOR_KEY"
    author_key_file: str = "var/author.key"  #: used where the variable is not set; made at 0600


class Retention(Section):
    unflagged: Duration = timedelta(days=90)
    closed: Duration = timedelta(days=730)
    logs: Duration = timedelta(days=190)  #: network logs: six months at least (网络安全法)


class Alerts(Section):
    """How loud the desk is."""

    backlog: int = Field(default=10, ge=2, le=1000)  #: more owed to one person go in one bundle
    excerpt: int = Field(default=200, ge=40, le=1000)  #: characters of a post in a mail


class Service(Section):
    tick: Duration = timedelta(seconds=2)
    crawls_at_once: int = Field(default=2, ge=1, le=16)
    heartbeat_url: str = Field(default="", pattern=r"^(https?://\S+)?$")


class Settings(Section):
    """The whole of tinglan.toml."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    agency: Agency
    database: DatabaseSettings = DatabaseSettings()
    channels: tuple[ChannelSettings, ...] = Field(min_length=1)
    offices: tuple[Office, ...] = Field(min_length=1)
    roster: Roster
    mail: Mail
    alerts: Alerts = Alerts()
    digest: DigestSettings = DigestSettings()
    console: Console = Console()
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    service: Service = Service()
    stages: Mapping[str, Any] = Field(default_factory=dict)  #: name → the stage's Options
    watches: Mapping[str, Any] = Field(default_factory=dict)
    transports: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _coherent(self) -> Settings:
        for what, ids in (
            ("channels", [c.id for c in self.channels]),
            ("offices", [o.id for o in self.offices]),
        ):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"{what}: id {', '.join(twice)} is used twice; expected each once")
        known = {c.id for c in self.channels}
        for office in self.offices:
            for channel in office.channels:
                if channel not in known:
                    raise ValueError(
                        f"offices.{office.id}.channels: no channel {channel!r}; "
                        f"expected one of {', '.join(sorted(known))}"
                    )
        return self

    def channel(self, channel: str) -> ChannelSettings:
        """Raises KeyError where there is none of that id."""
        for one in self.channels:
            if one.id == channel:
                return one
        raise KeyError(channel)
