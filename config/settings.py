"""Every setting: key, type, default, meaning. Plug-ins bring their own options."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from config.deadlines import Deadlines
from config.duration import Duration
from config.keydates import KeyDate
from config.roster import RosterSettings
from config.secrets import SecretName
from config.section import MailAddress as MailAddress  # noqa: PLC0414
from config.section import Recipient as Recipient  # noqa: PLC0414
from config.section import Section as Section  # noqa: PLC0414
from config.section import split_recipient as split_recipient  # noqa: PLC0414
from config.workdays import TimeOfDay
from store.records import Level, Topic

_ID = r"^[a-z][a-z0-9_-]{0,39}$"


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


class Bounces(Section):
    """The mailbox that letters come back to: the sender's own, read without a trace."""

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = Field(min_length=1)
    password_env: SecretName
    folder: str = Field(default="INBOX", min_length=1, max_length=200)
    ca_file: str = ""
    every: Duration = timedelta(minutes=2)

    @model_validator(mode="after")
    def _safe(self) -> Bounces:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                'security: "none" sends the password in clear; expected "tls" or "starttls"'
            )
        return self


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
    bounces: Bounces | None = None  #: where 退信 arrive; not set: nobody reads them

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


class DigestFonts(Section):
    """What the Word file names, and where the PDF finds the office's own files of them."""

    title: str = "方正小标宋简体"
    body: str = "仿宋_GB2312"
    heading: str = "黑体"
    kai: str = "楷体_GB2312"
    song: str = "宋体"  #: page numbers
    folder: str = ""  #: of .ttf, .otf files for the PDF; empty: only those that come with us


class DigestSettings(Section):
    """周报, and 日报 and 月报 where they have an hour."""

    weekday: int = Field(default=1, ge=1, le=7)  #: 1 is Monday
    at: time = time(8, 0)  #: Asia/Shanghai
    draft: time = time(6, 0)  #: of the same day: figures are frozen, somebody can read and approve
    to: tuple[Recipient, ...] = ()  #: empty: the fallback addresses
    approve: Literal["mark", "hold", "no"] = "mark"  #: at the hour, without anybody's approval
    workday: bool = True  #: on a day off, wait for the next working day
    daily_at: time | None = None  #: 日报 of the day before; none: not made by itself
    monthly_at: time | None = None  #: 月报, on the first of the next month
    attach: tuple[Literal["docx", "pdf", "csv"], ...] = ("docx", "pdf")
    signer: str = Field(default="", max_length=40)  #: 签发人, in the head
    fonts: DigestFonts = DigestFonts()

    @model_validator(mode="after")
    def _in_order(self) -> DigestSettings:
        if self.draft > self.at:
            raise ValueError("draft: expected a time not after `at`")
        return self


class Console(Section):
    #: host:port of the desk and the push routes; behind the office's own TLS proxy
    listen: str = Field(default="127.0.0.1:8765", pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$")
    public_url: str = ""  #: as written in mails
    hosts: tuple[str, ...] = ()  #: further names by which browsers may ask for the desk
    idle: Duration = timedelta(minutes=30)  #: a session unused for longer is over
    longest: Duration = timedelta(hours=12)  #: … and so is any older than this
    passwords: Literal["mlps", "modern"] = "mlps"  #: 等保: mixed and renewed; modern: long
    link_key_env: SecretName = "TINGLAN_LINK_KEY"  #: signs links in mails; lines: oldest first
    link_key_file: str = "var/link.key"  #: used where the variable is not set; made at 0600


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
    #: address → the ways to try next, in order, where it cannot be reached
    second: Mapping[Recipient, tuple[Recipient, ...]] = Field(default_factory=dict)
    second_after: Duration = timedelta(minutes=10)  #: Ⅰ and Ⅱ not delivered for so long


class Quiet(Section):
    """Hours in which letters of the lower levels wait."""

    start: TimeOfDay = 22 * 3600
    end: TimeOfDay = 7 * 3600
    levels: tuple[Level, ...] = (Level.IV,)

    @model_validator(mode="after")
    def _never_grave(self) -> Quiet:
        if {Level.I, Level.II} & set(self.levels):
            raise ValueError("levels: expected III or IV: 特别重大 and 重大 wait for no morning")
        if self.start == self.end:
            raise ValueError("end: expected another time than start")
        return self


class Calm(Section):
    """How Ⅲ and Ⅳ are gathered for each person; Ⅰ and Ⅱ always leave at once."""

    group: int = Field(default=2, ge=2, le=1000)  #: so many waiting letters become one
    III: Duration = timedelta(minutes=2)  #: after a letter, the next waits no longer than this
    IV: Duration = timedelta(minutes=10)
    storm: int = Field(default=3, ge=1, le=100)  #: letters of Ⅲ and Ⅳ to one person …
    storm_within: Duration = timedelta(minutes=10)  #: … in this time; then one tells of the rest
    growth: Duration = timedelta(minutes=30)  #: new posts of one item are told of once in this time
    event: Duration = timedelta(days=3)  #: tellings of one event further apart are two cases
    each: int = Field(default=30, ge=1, le=600)  #: letters a minute to one address, all levels
    quiet: Quiet | None = None


class Draft(Section):
    """A language model that drafts an assessment for a person; no address: off."""

    url: str = Field(default="", pattern=r"^(https?://\S+)?$")  #: …/v1 of any OpenAI-compatible one
    model: str = ""
    key_env: SecretName | None = None
    timeout: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _whole(self) -> Draft:
        if self.url and not self.model:
            raise ValueError("model: expected the model's name where url is given")
        return self


class Service(Section):
    tick: Duration = timedelta(seconds=2)
    crawls_at_once: int = Field(default=2, ge=1, le=16)
    heartbeat_url: str = Field(default="", pattern=r"^(https?://\S+)?$")


#: the channel of what reaches the office by phone or on paper (`tinglan intake`)
BYHAND = "byhand"


class Settings(Section):
    """The whole of tinglan.toml."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    agency: Agency
    database: DatabaseSettings = DatabaseSettings()
    channels: tuple[ChannelSettings, ...] = Field(min_length=1)
    offices: tuple[Office, ...] = Field(min_length=1)
    roster: RosterSettings
    deadlines: Deadlines = Deadlines()
    keydates: tuple[KeyDate, ...] = ()
    mail: Mail
    alerts: Alerts = Alerts()
    calm: Calm = Calm()
    draft: Draft = Draft()
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
        known = {c.id for c in self.channels} | {BYHAND}
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
