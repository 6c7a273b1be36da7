"""What a `[[channels]]` table of kind "site" may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.duration import Duration, parse
from config.settings import Section
from crawler import limits
from crawler.site.hosts import BadAddress, Hosts, host_entry, split
from store.records import Kind, Role

Style = Literal["auto", "trs", "jpage", "vsb", "ucap", "webplus", "plain"]


def _url(text: str) -> str:
    try:
        split(text)
    except BadAddress as error:
        raise ValueError(f"expected an http(s) address: {error}") from None
    return text


def _host(text: str) -> str:
    try:
        host_entry(text)
    except BadAddress as error:
        raise ValueError(f"expected a host name, or host:port: {error}") from None
    return text


def _seconds(value: Any) -> timedelta:
    """A duration, or a plain number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600:
        return timedelta(seconds=value)
    return parse(value)


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]


class Rows(Section):
    """Ways to the parts of a list: CSS, or XPath 1.0 where it starts with / or (."""

    row: str = ""
    link: str = ""
    title: str = ""
    date: str = ""
    next: str = ""
    state: str = ""  #: of a letter


class Fields(Section):
    """Ways to the fields of an article: CSS, or XPath 1.0 where it starts with / or (."""

    title: str = ""
    body: str = ""
    published: str = ""
    source: str = ""
    remove: tuple[str, ...] = ()  #: parts to leave out


class Column(Section):
    """栏目: one list of the site."""

    url: Url
    name: str = Field(default="", max_length=40)
    style: Style = "auto"
    kind: Literal["article", "letters", "comments"] = "article"
    role: Role | None = None  #: default: own for articles, public for letters and comments
    rows: Rows = Rows()  #: where the list's own markup is not understood
    pages: int = Field(default=3, ge=1, le=limits.LIST_PAGES)  #: at most, in one run
    depth: int = Field(default=20, ge=1, le=5_000)  #: how far back it is followed over runs

    @property
    def speaker(self) -> Role:
        return self.role or (Role.OWN if self.kind == "article" else Role.PUBLIC)

    @property
    def makes(self) -> Kind:
        return {"letters": Kind.LETTER, "comments": Kind.COMMENT}.get(self.kind, Kind.POST)


class Options(Section):
    """The agency's own site. Hosts of the addresses given here are allowed by that."""

    url: Annotated[str, AfterValidator(lambda v: _url(v) if v else v)] = ""  #: the home page
    hosts: tuple[Host, ...] = ()  #: further hosts, each host or host:port
    private_hosts: tuple[Host, ...] = ()  #: names that may lead to private addresses
    columns: tuple[Column, ...] = ()
    feeds: tuple[Url, ...] = ()  #: RSS, Atom or JSON Feed
    sitemap: Annotated[str, AfterValidator(lambda v: _url(v) if v else v)] = ""
    selectors: Fields = Fields()
    delay: Seconds = timedelta(seconds=limits.DELAY)  #: between two requests to one host
    timeout: Seconds = timedelta(seconds=limits.FETCH_SECONDS)  #: one fetch, in all
    max_fetches: int = Field(default=200, ge=1, le=5_000)  #: pages in one run; the rest waits
    letters_every: Duration = timedelta(minutes=30)  #: a fresh letter is looked at again
    revisit: bool = True  #: look again at own pages: hours, then days, then weeks

    @model_validator(mode="after")
    def _whole(self) -> Options:
        if not (self.columns or self.feeds or self.sitemap):
            raise ValueError("columns: expected a column, a feed or a sitemap to read")
        if self.delay.total_seconds() < limits.DELAY and not self.allowed().all_loopback:
            raise ValueError(
                f"delay: expected {limits.DELAY:g}s or more for hosts that are not this machine"
            )
        if not timedelta(milliseconds=500) <= self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout: expected 0.5 seconds to 2m")
        urls = [column.url for column in self.columns] + list(self.feeds)
        twice = sorted({url for url in urls if urls.count(url) > 1})
        if twice:
            raise ValueError(f"columns: {twice[0]} stands there twice; expected each once")
        return self

    def allowed(self) -> Hosts:
        urls = [column.url for column in self.columns] + list(self.feeds)
        urls += [url for url in (self.url, self.sitemap) if url]
        return Hosts.of(urls, self.hosts, self.private_hosts)

    def column_of(self, url: str) -> Column | None:
        """The column an address belongs to by its folder, the deepest one where several do."""
        fits = [c for c in self.columns if url.startswith(_folder(c.url))]
        return max(fits, key=lambda c: len(_folder(c.url)), default=None)


def _folder(url: str) -> str:
    return url.rsplit("/", 1)[0] + "/"
