"""What a `[[channels]]` table of kind "app" may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from config.secrets import SecretName
from config.settings import Section
from crawler import limits
from crawler.site.hosts import Hosts
from crawler.site.options import Host, Seconds, Url
from store.records import Kind, Role

Path = Field(default="", max_length=200, pattern=r"^[^\s]*$")


class Feed(Section):
    """RSS, Atom or JSON Feed."""

    url: Url
    name: str = Field(default="", max_length=40)
    kind: Kind = Kind.POST
    role: Role = Role.OWN


class Paging(Section):
    """How a list goes on."""

    style: Literal["none", "next", "page", "offset", "cursor"] = "none"
    param: str = Field(default="", pattern=r"^[A-Za-z0-9_.\-\[\]]{0,40}$")
    start: int = Field(default=1, ge=0)  #: number of the first page, or the first offset
    step: int = Field(default=1, ge=1, le=1_000)  #: what is added: rows of a page for offsets
    at: str = Path  #: next, cursor: the way to it in the answer

    @model_validator(mode="after")
    def _whole(self) -> Paging:
        if self.style in {"next", "cursor"} and not self.at:
            raise ValueError(f"at: expected the path to the {self.style} in the answer")
        if self.style in {"page", "offset", "cursor"} and not self.param:
            raise ValueError("param: expected the name of the query parameter")
        return self


class JsonList(Section):
    """A list of the app's own interface. Paths go by dots: data.items, user.id, pics[0].url."""

    url: Url
    name: str = Field(default="", max_length=40)
    kind: Kind = Kind.MESSAGE
    role: Role = Role.PUBLIC
    list: str = Path  #: "": the answer itself is the list
    id: str = "id"
    title: str = Path
    body: str = Field(min_length=1, max_length=200)
    time: str = Path
    author: str = Path
    link: str = Path
    state: str = Path
    reply: str = Path
    parent: str = Path
    paging: Paging = Paging()

    @property
    def reads(self) -> dict[str, str]:
        """Field of a post → its path."""
        return {
            name: getattr(self, name)
            for name in (
                "id", "title", "body", "time", "author", "link", "state", "reply", "parent",
            )
            if getattr(self, name)
        }  # fmt: skip


class Export(Section):
    """Tables that the app's backend writes into a folder: CSV, one record a line."""

    folder: str = Field(pattern=r"^/")  #: absolute
    name: str = Field(default="导出表", max_length=40)
    kind: Kind = Kind.MESSAGE
    role: Role = Role.PUBLIC
    id: str = "编号"  #: names of the columns
    text: str = "内容"
    title: str = ""
    time: str = "时间"
    author: str = ""
    state: str = ""
    reply: str = ""


class Webhook(Section):
    """Feedback that the app's backend pushes, signed."""

    secret_env: SecretName  #: NAME of the variable (or NAME_FILE) with the shared secret
    name: str = Field(default="客户端反馈", max_length=40)
    kind: Kind = Kind.MESSAGE


class Options(Section):
    """The agency's own app."""

    feeds: tuple[Feed, ...] = ()
    lists: tuple[JsonList, ...] = ()
    exports: tuple[Export, ...] = ()
    webhook: Webhook | None = None
    token_env: SecretName | None = None  #: for `lists`
    token_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,40}$")
    token_scheme: str = Field(default="Bearer", pattern=r"^[A-Za-z0-9-]{0,20}$")
    hosts: tuple[Host, ...] = ()
    private_hosts: tuple[Host, ...] = ()
    ca_file: str = ""
    pages: int = Field(default=50, ge=1, le=200)  #: of one list in one run; the rest waits
    depth: int = Field(default=200, ge=1, le=5_000)  #: pages back at the very first reading
    delay: Seconds = timedelta(seconds=limits.DELAY)
    timeout: Seconds = timedelta(seconds=limits.FETCH_SECONDS)

    @model_validator(mode="after")
    def _whole(self) -> Options:
        if not (self.feeds or self.lists or self.exports or self.webhook):
            raise ValueError("feeds: expected a feed, a list, an export or a webhook")
        urls = [one.url for one in self.feeds] + [one.url for one in self.lists]
        twice = sorted({url for url in urls if urls.count(url) > 1})
        if twice:
            raise ValueError("lists: an address stands there twice; expected each once")
        loopback = self.allowed().all_loopback
        if self.delay.total_seconds() < limits.DELAY and not loopback:
            raise ValueError(f"delay: expected {limits.DELAY:g}s or more")
        clear = any(one.url.startswith("http:") for one in self.lists)
        if self.token_env and clear and not loopback:
            raise ValueError("lists: expected https, since a token travels there")
        if not timedelta(milliseconds=500) <= self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout: expected 0.5 seconds to 2m")
        return self

    def allowed(self) -> Hosts:
        urls = [one.url for one in self.feeds] + [one.url for one in self.lists]
        return Hosts.of(urls, self.hosts, self.private_hosts)
